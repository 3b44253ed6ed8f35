"""Transforms from TF, newest first, without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from vla_contract.frames import frame_name
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_safety.node import safety_conversions
from vla_safety.surroundings.measured_pose import TF
from vla_safety.surroundings.obstacles.obstacle_sources import mount_from_message
from vla_safety.surroundings.transforms import Transform, TransformError

if TYPE_CHECKING:
    from vla_safety.core import SafetyCore
    from vla_safety.node.node_ports import Problems


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


class TipLookup:
    """Where the tip is by TF, where that is the position's source."""

    def __init__(
        self, core: SafetyCore, problems: Problems, transforms: TransformLookup | None
    ) -> None:
        self._core = core
        self._pose = core.surroundings.pose
        self._problems = problems
        self._transforms = transforms
        self._stamp = 0

    def update(self, now: int, steady: int) -> None:
        """Once a period; ns of the node clock and of one that never jumps."""
        if self._pose.source != TF or self._transforms is None:
            return
        config = self._core.config
        found = self._transforms.find(config.workspace_frame, config.tip_frame)
        if isinstance(found, str):
            self._problems.refuse(found)
            return
        stamp = to_nanoseconds(found.header.stamp)
        age = now - stamp if stamp else 0
        # What stands still is known by its stamp: it counts once, and then grows old.
        if (stamp and stamp == self._stamp) or age > round(config.input_timeout * NANOSECONDS):
            return
        self._stamp = stamp
        pose = safety_conversions.pose_from_transform(found)
        problem = safety_conversions.pose_problem(
            pose, f"transform {config.workspace_frame} ← {config.tip_frame}"
        )
        if problem:
            self._problems.refuse(problem)
        else:
            self._pose.update_pose(pose, steady)
