"""The module in which tf2_ros has it."""

from .broadcasters import StaticTransformBroadcaster

__all__ = ["StaticTransformBroadcaster"]
