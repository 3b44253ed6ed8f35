"""ROS domains."""

from __future__ import annotations

import pytest

from vla_cli import domains


def test_domains_of_bound_ports():
    table = "  sl  local_address\n   0: 00000000:1CE8 00000000:0000 07\n"
    ports = domains.bound_ports([table])
    assert ports == {7400}
    assert domains.used({7400, 7400 + 250 * 3 + 17, 80, 60000}) == {0, 3}


def test_a_free_domain_is_in_range_and_nobody_elses():
    first, second = domains.free(100), domains.free(100)
    assert first != second and {first, second} <= set(range(1, 102))
    domains.release(first)
    domains.release(second)


def test_without_a_place_for_locks_no_domain_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr(domains, "LOCKS", tmp_path / "file" / "locks")
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeError, match="cannot be locked in .*locks"):
        domains.free()
