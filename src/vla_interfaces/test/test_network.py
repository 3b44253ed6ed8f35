"""When a node says that other machines can see it."""

import pytest

from vla_contract.network import open_to_network


@pytest.mark.parametrize(
    "environment",
    [
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"},
        {"ROS_LOCALHOST_ONLY": "1"},
        {"ROS_LOCALHOST_ONLY": "1", "ROS_DISTRO": "humble"},
    ],
)
def test_a_graph_on_this_machine_says_nothing(environment):
    assert open_to_network(environment) == ""


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "ROS_AUTOMATIC_DISCOVERY_RANGE is SUBNET"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, "is SUBNET"),
        ({"ROS_DISTRO": "humble"}, "ROS_LOCALHOST_ONLY is 0"),
        # Humble does not know the newer variable.
        (
            {"ROS_DISTRO": "humble", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
            "ROS_LOCALHOST_ONLY is 0",
        ),
    ],
)
def test_an_open_graph_says_so_and_how_to_close_it(environment, words):
    warning = open_to_network(environment)
    assert words in warning and "network:=false" in warning
