"""The module in which tf2_ros has it."""

from .broadcasters import TransformBroadcaster

__all__ = ["TransformBroadcaster"]
