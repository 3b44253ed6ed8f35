"""Stand-in for ROS 2's Python tf2_ros, for environments whose ROS comes from wheels.

It has what the nodes use: the newest transform between two frames, and the topics it comes by.
Names and results are those of the package of Humble and Jazzy.
"""

from .buffer import Buffer
from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    LookupException,
    TransformException,
)
from .topics import TransformBroadcaster, TransformListener

__all__ = [
    "Buffer",
    "ConnectivityException",
    "ExtrapolationException",
    "LookupException",
    "TransformBroadcaster",
    "TransformException",
    "TransformListener",
]
