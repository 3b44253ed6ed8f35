"""Stand-in for ROS 2's Python tf2_ros, for environments whose ROS comes from wheels.

The same names, signatures and results as the package of Humble and Jazzy: a buffer of transforms
over time, a listener and two broadcasters. No `buffer.transform`, no buffer client or server.
"""

from .broadcasters import StaticTransformBroadcaster, TransformBroadcaster
from .buffer import Buffer
from .buffer_core import BufferCore
from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TimeoutException,
    TransformException,
)
from .transform_listener import TransformListener

__all__ = [
    "Buffer",
    "BufferCore",
    "ConnectivityException",
    "ExtrapolationException",
    "InvalidArgumentException",
    "LookupException",
    "StaticTransformBroadcaster",
    "TimeoutException",
    "TransformBroadcaster",
    "TransformException",
    "TransformListener",
]
