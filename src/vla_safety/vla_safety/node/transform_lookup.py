"""Transforms from TF, newest first, without waiting."""

from __future__ import annotations

from typing import Any

from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from vla_contract.frames import frame_name
from vla_safety.surroundings.obstacles.obstacle_sources import mount_from_message
from vla_safety.surroundings.transforms import Transform, TransformError


class TransformLookup:
    """Listens to /tf and /tf_static for as long as the node lives."""

    def __init__(self, node: Any) -> None:
        self._buffer = Buffer(node=node)
        self._listener = TransformListener(self._buffer, node)

    def find(self, target: str, source: str) -> Any:
        """The TransformStamped that takes points in `source` into `target`, or why there is not."""
        if not source:
            return (
                f"no transform {target} ← nothing: the message names no frame; accepted: one, or "
                "the parameter frame of its source"
            )
        try:
            return self._buffer.lookup_transform(frame_name(target), frame_name(source), Time())
        except TransformException as error:
            reason = " ".join(str(error).split())
            return f"no transform {target} ← {source}: {reason[:120]}"

    def mount(self, target: str, source: str) -> Transform | str:
        """The same as a `Transform`."""
        found = self.find(target, source)
        if isinstance(found, str):
            return found
        try:
            return mount_from_message(found)
        except TransformError as error:
            return f"transform {target} ← {source}: {error}"
