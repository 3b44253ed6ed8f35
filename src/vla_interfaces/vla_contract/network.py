"""Who may see the graph, as the environment of a process says. Free of ROS."""

from __future__ import annotations

from collections.abc import Mapping

ONLY_HERE = ("LOCALHOST", "OFF")


def open_to_network(environment: Mapping[str, str]) -> str:
    """What to warn of where other machines can see and move this node; else an empty text.

    The distributions differ: Humble knows ROS_LOCALHOST_ONLY alone, newer ones look at it and at
    ROS_AUTOMATIC_DISCOVERY_RANGE, whose default is SUBNET.
    """
    if environment.get("ROS_LOCALHOST_ONLY") == "1":
        return ""
    name = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    found = environment.get(name) or "SUBNET"
    if environment.get("ROS_DISTRO") == "humble":
        name, found = "ROS_LOCALHOST_ONLY", environment.get("ROS_LOCALHOST_ONLY") or "0"
    elif found.upper() in ONLY_HERE:
        return ""
    return (
        f"open to the network ({name} is {found}): other machines can read the cameras and send "
        "commands; the launch argument network:=false keeps the graph on this machine"
    )
