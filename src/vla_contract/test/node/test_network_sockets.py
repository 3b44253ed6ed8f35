"""When a node says that other machines can reach it."""

import socket

import pytest

from vla_contract.node.network_sockets import (
    bound_beyond_loopback,
    kept_to_this_machine,
    open_to_network,
)


@pytest.fixture
def bound():
    """Bind UDP sockets that are closed after the test."""
    sockets = []

    def bind(address, family=socket.AF_INET):
        sockets.append(socket.socket(family, socket.SOCK_DGRAM))
        sockets[-1].bind((address, 0))
        return sockets[-1].getsockname()[1]

    yield bind
    for each in sockets:
        each.close()


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_sockets_on_loopback_say_nothing(bound, family, address):
    before = bound_beyond_loopback()
    try:
        bound(address, family)
    except OSError:
        pytest.skip(f"NOT RUN: this machine has no {address}")
    assert bound_beyond_loopback() == before


def test_a_socket_on_every_interface_is_named_and_how_to_close_it(bound):
    port = bound("0.0.0.0")
    assert f"0.0.0.0:{port}" in bound_beyond_loopback()
    warning = open_to_network()
    assert f"0.0.0.0:{port}" in warning and "network:=false" in warning


def test_an_ipv4_address_in_ipv6_form_is_known(bound):
    try:
        port = bound("::ffff:127.0.0.1", socket.AF_INET6)
    except OSError:
        pytest.skip("NOT RUN: this machine has no IPv6")
    assert not [each for each in bound_beyond_loopback() if each.endswith(f":{port}")]


def test_a_process_that_is_gone_has_no_sockets():
    assert bound_beyond_loopback(2**22 + 1) == []


@pytest.mark.parametrize(
    ("environment", "kept"),
    [
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, True),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "off"}, True),
        ({"ROS_LOCALHOST_ONLY": "1"}, True),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, False),
        ({"ROS_LOCALHOST_ONLY": "0"}, False),
        ({}, False),
    ],
)
def test_what_the_environment_asks_for(environment, kept):
    assert kept_to_this_machine(environment) is kept
