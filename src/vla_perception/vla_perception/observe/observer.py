"""The inputs, their health, and what is common to both ways of putting sets together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vla_contract.node.fault_publisher import Finding
from vla_interfaces.msg import ActionChunk
from vla_perception import input_health
from vla_perception.cameras.camera_set import CameraSet, CameraState, Change
from vla_perception.cameras.frozen_camera import FrozenWatch
from vla_perception.input_health import NEVER, InputReport
from vla_perception.observe.stamped_streams import DropCounter
from vla_perception.observe.subscriptions import (
    Arrival,
    CameraInput,
    Input,
    JointInput,
    PoseInput,
    StateInput,
)
from vla_perception.perception_config import CameraConfig, PerceptionConfig
from vla_perception.perception_conversions import Frame

if TYPE_CHECKING:
    from vla_perception.node import Perception

SUPERVISION_PERIOD = 0.02  # s


@dataclass(frozen=True)
class ObservedSet:
    """What was seen at one time. stamp: ns, of the oldest valid image (lock-step: of the tick).

    frames: of the cameras that have a valid image. received: s, time.perf_counter() when the
    last part came.
    """

    stamp: int
    frames: dict[str, Frame]
    states: dict[str, Any]
    received: float


class Observer:
    """Where the node's time and inputs come from, and what the inputs tell of their health.

    A subclass says what time it is and what makes a set, which it gives to the node's
    `publish_observation`. arrival: what is demanded of each message.
    """

    def __init__(
        self,
        node: Perception,
        config: PerceptionConfig,
        cameras: dict[str, CameraConfig],
        arrival: Arrival,
    ) -> None:
        self.node = node
        self.config = config
        self.cameras = cameras
        self.arrival = arrival
        self.drops = DropCounter()
        self.required = [name for name, camera in cameras.items() if camera.required]
        self._started = self.steady()
        self.set = self._new_set()
        self._frozen = {
            name: FrozenWatch(
                camera.frozen_timeout, camera.frozen_motion, at_rest=camera.frozen_at_rest
            )
            for name, camera in cameras.items()
        }
        self._positions: dict[str, Sequence[float]] = {}  # newest; rad or m
        self._joints = JointInput(self, config.joint_names) if config.use_joint_states else None
        pose = PoseInput(self) if config.use_end_effector_pose else None
        states = [each for each in (self._joints, pose) if each is not None]
        self.states: dict[str, StateInput] = {each.name: each for each in states}
        made = {name: CameraInput(self, name, camera) for name, camera in cameras.items()}
        self.inputs: dict[str, Input] = {**made, **self.states}

    # What subclasses say.

    def now(self) -> int:
        """Time by which stamps are judged, ns."""
        raise NotImplementedError

    def steady(self) -> float:
        """Time by which inputs are alive or not, s."""
        raise NotImplementedError

    def on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        """An image came; None: it was refused."""
        raise NotImplementedError

    def on_state(self, name: str, stamp: int, message: Any | None) -> None:
        """Robot state came; None: it was refused."""
        raise NotImplementedError

    def subscriptions(self) -> list[tuple[type, str, Any]]:
        """Type, topic and callback of what it needs beside its inputs."""
        return []

    def on_timer(self) -> None:
        """The node's supervision period is over."""

    def on_chunk(self, message: ActionChunk) -> None:
        """The policy answered."""

    def cameras_changed(self) -> None:
        """A camera went into another state."""

    def members_changed(self) -> None:
        """The set of cameras that are alive is another one."""

    def holds_images(self) -> bool:
        """The last good images stand in for those that are missing."""
        return False

    def overload(self) -> str:
        """Why times are late that have to do with no clock; empty where they are not."""
        return ""

    def clock_findings(self, reports: Sequence[InputReport]) -> list[Finding]:
        """What is wrong with the clocks."""
        return input_health.clock_findings(False, NEVER, reports)

    # What the node calls.

    def restart(self) -> None:
        """Begin anew: buffers are empty, every input has its start-up time."""
        self._started = self.steady()
        self.set = self._new_set()
        for state in self.states.values():
            state.last = -NEVER
        self.forget()

    def forget(self) -> None:
        """The clock jumped back: stamps seen so far mean nothing."""
        for each in self.inputs.values():
            each.reset()
        for watch in self._frozen.values():
            watch.reset()
        self.members_changed()

    def supervise(self) -> None:
        """Find inputs that have fallen silent."""
        for change in self.set.check(self.steady()):
            self._changed(change)
        newly_silent = self._joints.joints.newly_silent(self.now()) if self._joints else {}
        for joint, silence in newly_silent.items():
            line = f"joint_states: joint {joint} is {silence}, while others are told of"
            self.node.get_logger().warning(line)

    def look_at_graph(self) -> None:
        """Find out who publishes what, and whether it can arrive."""
        for each in self.inputs.values():
            each.look_at_graph()

    def destroy(self) -> None:
        """End every subscription of an input."""
        for each in self.inputs.values():
            each.destroy()

    def camera_findings(self) -> list[Finding]:
        """What is wrong with the cameras."""
        reports = [self.inputs[name].report() for name in self.cameras]
        return input_health.camera_findings(
            self.set, reports, self.required, self.steady(), holding=self.holds_images()
        )

    def state_findings(self) -> list[Finding]:
        """What is wrong with the robot's state."""
        now = self.steady()
        left = self._started + self.config.startup_timeout - now
        timeout = self.config.state_timeout
        findings = (
            input_health.state_finding(state.report(), now - state.last, timeout, left)
            for state in self.states.values()
        )
        return [finding for finding in findings if finding is not None]

    def values(self) -> dict[str, Any]:
        """Named values for diagnostics."""
        values: dict[str, Any] = {}
        for name in self.cameras:
            values[f"{name}.state"] = self.set.state(name).value
        for name, each in self.inputs.items():
            values[f"{name}.age"] = f"{each.age:.4f} s"
            if each.problem:
                values[f"{name}.problem"] = each.problem
        joints = self._joints.joints.values(self.now()) if self._joints else {}
        return {**values, **joints, **self.drops.values()}

    # Shared by the subclasses.

    def _new_set(self) -> CameraSet:
        config = self.config
        return CameraSet(
            tuple(self.cameras),
            config.camera_timeout,
            config.startup_timeout,
            self._started,
            bad_images=config.bad_images,
            good_images=config.good_images,
        )

    def is_moving(self, frame: Frame) -> bool:
        """The camera is not frozen; where it is, that is counted."""
        watch = self._frozen[frame.camera]
        defect = watch.check(frame.pixels, self.steady(), self._positions)
        if defect is not None:
            self.inputs[frame.camera].refuse(defect)
        return defect is None

    def bad_image(self, name: str, *, certain: bool = False) -> None:
        """Count an image that cannot be used; certain: one is enough for a camera to fail."""
        change = self.set.bad_image(name, certain=certain)
        if change is not None:
            self._changed(change)

    def good_image(self, name: str) -> None:
        """Count an image that can be used."""
        change = self.set.image(name, self.steady())
        if change is not None:
            self._changed(change)

    def good_state(self, name: str, message: Any) -> None:
        """Robot state came now, that can be used."""
        state = self.states[name]
        state.last = self.steady()
        self._positions.update(state.position(message))

    def _changed(self, change: Change) -> None:
        if change.after in (CameraState.DEAD, CameraState.MISSING, CameraState.FAILED):
            each = self.inputs[change.camera]
            each.look_at_graph()
            line = input_health.camera_line(self.set, each.report(), self.steady())
            self.node.get_logger().error(line)
        elif change.before != CameraState.WAITED_FOR:
            self.node.get_logger().info(f"camera {change.camera}: images again")
        if change.rebuilds:
            self.members_changed()
        self.cameras_changed()
