"""The inputs, their health, and what is common to both ways of putting sets together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vla_contract import topics
from vla_contract.faults import Finding
from vla_contract.stamps import NANOSECONDS
from vla_perception import health
from vla_perception.camera_set import CameraSet, CameraState, Change
from vla_perception.config import CameraConfig, PerceptionConfig
from vla_perception.conversions import Frame, check_pose
from vla_perception.frozen import FrozenWatch
from vla_perception.health import NEVER
from vla_perception.inputs import Input, camera_input
from vla_perception.joint_stream import JointStream
from vla_perception.rate_gate import RateGate
from vla_perception.streams import DropCounter, StampGate


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
    """The inputs, and what they tell of their health. Subclasses say what makes a set.

    now: ns, node clock. emit: takes each set. on_change: a camera went into another state.
    """

    def __init__(
        self,
        node: Node,
        config: PerceptionConfig,
        cameras: dict[str, CameraConfig],
        *,
        drops: DropCounter,
        now: Callable[[], int],
        emit: Callable[[ObservedSet], None],
        on_change: Callable[[], None],
    ) -> None:
        self.config = config
        self.cameras = cameras
        self.drops = drops
        self._node = node
        self._now = now
        self._emit = emit
        self._on_change = on_change
        self._required = [name for name, camera in cameras.items() if camera.required]
        self._started = self._time()
        self.set = self._new_set()
        self._frozen = {
            name: FrozenWatch(
                camera.frozen_timeout, camera.frozen_motion, at_rest=camera.frozen_at_rest
            )
            for name, camera in cameras.items()
        }
        self._positions: dict[str, Sequence[float]] = {}  # newest; rad or m
        lock_step = config.lock_step
        self._stamp_tolerance = None if lock_step else round(config.future_tolerance * NANOSECONDS)
        self._joints = JointStream(
            config.joint_names,
            0 if lock_step else round(config.state_timeout * NANOSECONDS),
            self._stamp_tolerance,
        )
        self.inputs = {name: self._camera(name, camera) for name, camera in cameras.items()}
        self.states = self._state_types()
        self._state_times = dict.fromkeys(self.states, -NEVER)
        self.inputs.update({name: self._state(name) for name in self.states})

    # What subclasses say.

    def _time(self) -> float:
        """Time by which inputs are alive or not, s."""
        return time.monotonic()

    def _on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        raise NotImplementedError

    def _on_state(self, name: str, stamp: int, message: Any | None) -> None:
        raise NotImplementedError

    def _members_changed(self) -> None:
        """The set of cameras that are alive is another one."""

    def _holding(self) -> bool:
        """The last good images stand in for those that are missing."""
        return False

    # What the node calls.

    def restart(self) -> None:
        """Begin anew: buffers are empty, every input has its start-up time."""
        self._started = self._time()
        self.set = self._new_set()
        self._state_times = dict.fromkeys(self.states, -NEVER)
        self.forget()

    def forget(self) -> None:
        """The clock jumped back: stamps seen so far mean nothing."""
        for each in self.inputs.values():
            each.reset()
        for watch in self._frozen.values():
            watch.reset()
        self._members_changed()

    def supervise(self) -> None:
        """Find inputs that have fallen silent."""
        for change in self.set.check(self._time()):
            self._changed(change)
        for joint, silence in self._joints.newly_silent(self._now()).items():
            line = f"joint_states: joint {joint} is {silence}, while others are told of"
            self._node.get_logger().warning(line)

    def look_at_graph(self) -> None:
        """Find out who publishes what, and whether it can arrive."""
        for each in self.inputs.values():
            each.look_at_graph()

    def destroy(self) -> None:
        """End every subscription."""
        for each in self.inputs.values():
            each.destroy()

    def camera_findings(self) -> list[Finding]:
        """What is wrong with the cameras."""
        reports = [self.inputs[name].report() for name in self.cameras]
        return health.camera_findings(
            self.set, reports, self._required, self._time(), holding=self._holding()
        )

    def state_findings(self) -> list[Finding]:
        """What is wrong with the robot's state."""
        now = self._time()
        left = self._started + self.config.startup_timeout - now
        timeout = self.config.state_timeout
        findings = (
            health.state_finding(self.inputs[name].report(), now - last, timeout, left)
            for name, last in self._state_times.items()
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
        return {**values, **self._joints.values(self._now())}

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

    def _options(self, name: str, on_message: Callable[..., None]) -> dict[str, Any]:
        lock_step = self.config.lock_step
        gate = StampGate(self._stamp_tolerance)
        return {
            "on_message": lambda stamp, value: on_message(name, stamp, value),
            "check_stamp": lambda _, stamp, now: gate.check(stamp, now),
            "forget": gate.reset,
            "drops": self.drops,
            "now": self._now,
            "time": self._time,
            "mend_zero_stamps": not lock_step,
        }

    def _camera(self, name: str, camera: CameraConfig) -> Input:
        options = self._options(name, self._on_frame)
        lock_step = self.config.lock_step
        if not lock_step:
            options["max_age"] = self.config.max_image_age
            options["rate"] = RateGate(self.config.max_image_rate, self.config.queue_size)
        return camera_input(self._node, name, camera, lock_step=lock_step, **options)

    def _state(self, name: str) -> Input:
        message_type, convert = self.states[name]
        qos = topics.qos_profile(name, lock_step=self.config.lock_step)
        options = self._options(name, self._on_state)
        if name == topics.JOINT_STATES:
            options["check_stamp"] = self._joints.check_stamp
            options["forget"] = self._joints.forget
        return Input(self._node, name, message_type, name, qos, convert=convert, **options)

    def _state_types(self) -> dict[str, tuple[type, Callable[[Any, int], Any]]]:
        def pose(message: PoseStamped, stamp: int) -> PoseStamped:
            check_pose(message.pose)
            return message

        states: dict[str, tuple[type, Callable[[Any, int], Any]]] = {}
        if self.config.use_joint_states:
            states[topics.JOINT_STATES] = (JointState, self._joints.convert)
        if self.config.use_end_effector_pose:
            states[topics.END_EFFECTOR_POSE] = (PoseStamped, pose)
        return states

    def _moving(self, frame: Frame) -> bool:
        """The camera is not frozen; where it is, that is counted."""
        watch = self._frozen[frame.camera]
        defect = watch.check(frame.pixels, self._time(), self._positions)
        if defect is not None:
            self.inputs[frame.camera].refuse(defect)
        return defect is None

    def _bad_image(self, name: str, *, certain: bool = False) -> None:
        change = self.set.bad_image(name, certain=certain)
        if change is not None:
            self._changed(change)

    def _good_image(self, name: str) -> None:
        change = self.set.image(name, self._time())
        if change is not None:
            self._changed(change)

    def _note_positions(self, name: str, message: Any) -> None:
        if name == topics.JOINT_STATES:
            told = zip(message.name, message.position, strict=True)
            self._positions.update({joint: (position,) for joint, position in told})
        else:
            position = message.pose.position
            self._positions[name] = (position.x, position.y, position.z)

    def _changed(self, change: Change) -> None:
        if change.after in (CameraState.DEAD, CameraState.MISSING, CameraState.FAILED):
            each = self.inputs[change.camera]
            each.look_at_graph()
            line = health.camera_line(self.set, each.report(), self._time())
            self._node.get_logger().error(line)
        elif change.before != CameraState.WAITED_FOR:
            self._node.get_logger().info(f"camera {change.camera}: images again")
        if change.rebuilds:
            self._members_changed()
        self._on_change()
