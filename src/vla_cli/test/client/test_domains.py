"""ROS domains."""

from __future__ import annotations

import pytest

from vla_cli.client import domains
from vla_cli.client.command_errors import CommandError


def test_domains_of_bound_ports():
    table = "  sl  local_address\n   0: 00000000:1CE8 00000000:0000 07\n"
    ports = domains.bound_ports([table])
    assert ports == {7400}
    assert domains.used({7400, 7400 + 250 * 3 + 17, 80, 60000}) == {0, 3}


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 0), ("0", 0), ("7", 7), ("007", 7), ("010", 8), ("0x10", 16), (" +5", 5)],
)
def test_the_domain_is_read_as_ros_reads_it(monkeypatch, text, number):
    monkeypatch.setenv("ROS_DOMAIN_ID", text)
    assert domains.current() == number


@pytest.mark.parametrize("text", ["5abc", "five", "-1", "233", "5 ", "08", "0x", "1.0", "٣"])
def test_a_domain_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("ROS_DOMAIN_ID", text)
    with pytest.raises(CommandError, match="accepted: a whole number from 0 to 232"):
        domains.current()


def test_a_free_domain_is_in_range_and_nobody_elses():
    first, second = domains.free(100), domains.free(100)
    assert first != second and {first, second} <= set(range(1, 102))
    domains.release(first)
    domains.release(second)


def test_without_a_place_for_locks_no_domain_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr(domains, "LOCKS", tmp_path / "file" / "locks")
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be locked in .*locks"):
        domains.free()
