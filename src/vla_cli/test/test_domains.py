"""ROS domains."""

from __future__ import annotations

from vla_cli import domains


def test_domains_of_bound_ports():
    table = "  sl  local_address\n   0: 00000000:1CE8 00000000:0000 07\n"
    ports = domains.bound_ports([table])
    assert ports == {7400}
    assert domains.used({7400, 7400 + 250 * 3 + 17, 80, 60000}) == {0, 3}


def test_a_free_domain_is_in_range():
    assert {domains.free(seed) for seed in range(300)} <= set(range(1, 102))
