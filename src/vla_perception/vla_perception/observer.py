"""From the inputs' messages to sets that belong together: free-running, and in lock-step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vla_contract import topics
from vla_interfaces.msg import SimulationTick
from vla_perception import health
from vla_perception.camera_set import CameraSet, CameraState, Change
from vla_perception.config import CameraConfig, PerceptionConfig
from vla_perception.conversions import Frame, check_pose, to_ns
from vla_perception.faults import Level
from vla_perception.health import NEVER, Finding
from vla_perception.inputs import Input, camera_input
from vla_perception.lock_step import TickAssembler
from vla_perception.matcher import Matcher
from vla_perception.states import StateBuffer
from vla_perception.streams import DropCounter, StampGate, check_joint_state

_SECOND = 1_000_000_000


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

    now: ns, node clock. emit: takes each set.
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
    ) -> None:
        self.config = config
        self.cameras = cameras
        self.drops = drops
        self._node = node
        self._now = now
        self._emit = emit
        self._required = [name for name, camera in cameras.items() if camera.required]
        self._started = self._time()
        self.set = self._new_set()
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
        self._members_changed()

    def supervise(self) -> None:
        """Find inputs that have fallen silent."""
        for change in self.set.check(self._time()):
            self._changed(change)

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
        return health.camera_findings(self.set, reports, self._required, self._time())

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
        return values

    # Shared by the subclasses.

    def _new_set(self) -> CameraSet:
        config = self.config
        return CameraSet(
            tuple(self.cameras), config.camera_timeout, config.startup_timeout, self._started
        )

    def _options(self, name: str, on_message: Callable[..., None]) -> dict[str, Any]:
        lock_step = self.config.lock_step
        tolerance = None if lock_step else int(self.config.future_tolerance * _SECOND)
        return {
            "on_message": lambda stamp, value: on_message(name, stamp, value),
            "gate": StampGate(tolerance),
            "drops": self.drops,
            "now": self._now,
            "mend_zero_stamps": not lock_step,
        }

    def _camera(self, name: str, camera: CameraConfig) -> Input:
        options = self._options(name, self._on_frame)
        return camera_input(self._node, name, camera, lock_step=self.config.lock_step, **options)

    def _state(self, name: str) -> Input:
        message_type, convert = self.states[name]
        qos = topics.qos_profile(name, lock_step=self.config.lock_step)
        options = self._options(name, self._on_state)
        return Input(self._node, name, message_type, name, qos, convert=convert, **options)

    def _state_types(self) -> dict[str, tuple[type, Callable[[Any, int], Any]]]:
        required = self.config.joint_names

        def joint_state(message: JointState, stamp: int) -> JointState:
            check_joint_state(message.name, message.position, message.velocity, required)
            return message

        def pose(message: PoseStamped, stamp: int) -> PoseStamped:
            check_pose(message.pose)
            return message

        states: dict[str, tuple[type, Callable[[Any, int], Any]]] = {}
        if self.config.use_joint_states:
            states[topics.JOINT_STATES] = (JointState, joint_state)
        if self.config.use_end_effector_pose:
            states[topics.END_EFFECTOR_POSE] = (PoseStamped, pose)
        return states

    def _changed(self, change: Change) -> None:
        if change.after in (CameraState.DEAD, CameraState.MISSING):
            each = self.inputs[change.camera]
            each.look_at_graph()
            line = health.camera_line(self.set, each.report(), self._time())
            self._node.get_logger().error(line)
        elif change.before != CameraState.WAITED_FOR:
            self._node.get_logger().info(f"camera {change.camera}: images again")
        if change.rebuilds:
            self._members_changed()


class FreeRunningObserver(Observer):
    """Images matched by message_filters; the robot's state nearest to them."""

    def __init__(self, node: Node, config: PerceptionConfig, *args: Any, **kwargs: Any) -> None:
        self._slop = int(config.slop * _SECOND)
        self._matcher = Matcher(config.queue_size, config.slop, kwargs["drops"])
        self._buffers: dict[str, StateBuffer[Any]] = {}
        self._apart: dict[str, float] = {}  # s from the image to a state that is too far from it
        super().__init__(node, config, *args, **kwargs)
        self._buffers = {name: StateBuffer(self._slop + 2 * _SECOND) for name in self.states}
        self._members_changed()

    def _members_changed(self) -> None:
        self._matcher.rebuild(self.set.members)

    def forget(self) -> None:
        """The clock jumped back: stamps seen so far mean nothing."""
        super().forget()
        for buffer in self._buffers.values():
            buffer.clear()

    def state_findings(self) -> list[Finding]:
        """What is wrong with the robot's state, and with its stamps."""
        findings = super().state_findings()
        findings += [
            (
                Level.ERROR,
                f"{name}: the nearest to the image is {apart:+.3f} s from it; accepted: within "
                f"slop, {self.config.slop} s; do the clocks agree?",
            )
            for name, apart in self._apart.items()
        ]
        return findings

    def _on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        if frame is None:
            return
        change = self.set.image(name, self._time())
        if change is not None:
            self._changed(change)
        for frames in self._matcher.add(frame):
            oldest = min(each.stamp for each in frames.values())
            states = {state: self._nearest(state, oldest) for state in self._buffers}
            self._emit(ObservedSet(oldest, frames, states, self.inputs[name].received))

    def _on_state(self, name: str, stamp: int, message: Any | None) -> None:
        if message is not None:
            self._state_times[name] = self._time()
            self._buffers[name].add(stamp, message)

    def _nearest(self, name: str, stamp: int) -> Any | None:
        buffer = self._buffers[name]
        message, offset = buffer.nearest(stamp, self._slop), buffer.offset(stamp)
        self._apart.pop(name, None)
        if message is None and offset is not None:
            self._apart[name] = offset * 1e-9
        # An old state may be near an old image; it must also be alive.
        alive = self._time() - self._state_times[name] <= self.config.state_timeout
        return message if alive else None


class LockStepObserver(Observer):
    """Everything stamped with the tick, and nothing before all of it is there.

    may_emit: False while something that the next observation depends on is still under way.
    on_tick: called for every tick, after its set.
    """

    def __init__(
        self,
        *args: Any,
        may_emit: Callable[[], bool],
        on_tick: Callable[[int], None],
        **kwargs: Any,
    ) -> None:
        self._stamp: int | None = None  # ns, of the last tick; None before the first one
        self._may_emit = may_emit
        self._on_tick = on_tick
        super().__init__(*args, **kwargs)
        self._assembler = TickAssembler(tuple(self.inputs))

    def _time(self) -> float:
        return (self._stamp or 0) * 1e-9

    def tick(self, message: SimulationTick) -> None:
        """The simulator reached a tick."""
        stamp = to_ns(message.header.stamp)
        first, self._stamp = self._stamp is None, stamp
        if first:
            self._started = self._time()
            self.set = self._new_set()
        self._assembler.tick(message.tick, stamp, message.episode, message.has_images)
        self._on_tick(stamp)
        self.pump()

    def pump(self) -> None:
        """Emit the present tick's set if it is complete."""
        if not self._may_emit():
            return
        complete = self._assembler.take()
        if complete is None:
            return
        now = self._time()
        frames = {
            name: frame for name in self.cameras if (frame := complete.inputs[name]) is not None
        }
        for name in frames:
            change = self.set.image(name, now)
            if change is not None:
                self._changed(change)
        states = {name: complete.inputs[name] for name in self.states}
        for name, message in states.items():
            if message is not None:
                self._state_times[name] = now
        self.supervise()
        received = max(each.received for each in self.inputs.values())
        self._emit(ObservedSet(complete.stamp, frames, states, received))

    def values(self) -> dict[str, Any]:
        """Named values for diagnostics, and what the present tick waits for."""
        missing = ", ".join(self._assembler.missing()) or "nothing"
        return {**super().values(), "waits_for": missing, "stale_ticks": self._assembler.stale}

    def _on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        self._assembler.add(name, stamp, frame)
        self.pump()

    def _on_state(self, name: str, stamp: int, message: Any | None) -> None:
        self._assembler.add(name, stamp, message)
        self.pump()
