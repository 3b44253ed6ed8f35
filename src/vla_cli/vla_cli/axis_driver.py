"""Stands in for the policy to move one axis, and watches what moves; for `vla doctor --axes`."""

from __future__ import annotations

import contextlib
import math
import secrets
import time
from types import TracebackType
from typing import Any

from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import JointState

from vla_cli.axis_motion import Pose, axis_of, displacement
from vla_cli.errors import CommandError
from vla_cli.graph import DISCOVERY_TIMEOUT, Graph
from vla_contract import topics
from vla_contract.action_space import ActionSpace, ActionSpaceError, Dimension
from vla_contract.quaternions import quaternion_problem
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import ActionChunk, Fault, SafeAction, SafetyStatus

POLICY, SAFETY = "policy", "safety"
KINDS = range(Fault.KIND_VISION, Fault.KIND_EMERGENCY_STOP + 1)
CHUNK_PERIOD = 0.05  # s between two chunks
DRIVERS = 10  # of joint states on one topic, of which each message tells a part
FAULT_PERIOD = 0.2  # s between two heartbeats
SETTLE = 0.3  # s at rest before a measurement
LIMIT = 10.0  # s for anything to happen
RECOVERY = 20.0  # s; longer than the longest recovery time of the defaults
ATTEMPTS = 5  # a camera that hiccups holds the robot in the middle of a motion
LET = 0.3  # of the displacement asked for: less, and the motion was cut short


class AxisDriver:
    """In a `with` block it is the policy; outside it only watches."""

    def __init__(self, graph: Graph, action_space: str | None = None) -> None:
        """action_space: path of the file; without one the safety node's.

        Raises:
            CommandError: there is no safety node, or no action space can be read.
        """
        self._graph = graph
        self._actions = graph.collect(SafeAction, topics.SAFE_ACTION, keep=2000)
        self._status = graph.collect(SafetyStatus, topics.SAFETY_STATUS, keep=1)
        graph.require(
            lambda: self._actions and self._status,
            DISCOVERY_TIMEOUT,
            "the safety node publishes neither safe_action nor safety_status",
        )
        self.space = self._load(action_space or self._parameter("action_space"))
        self._watched = self._watch()
        self._policy_was_active = False
        self._chunks: Any = None
        self._faults: Any = None
        self._beat = 0.0
        self._sent = 0
        self._command = (0, 0)  # id and stamp
        self._held = "its limits leave it no room"  # the last cause of a hold in a motion

    def check_ready(self) -> None:
        """Refuse a robot that must not or will not move.

        Raises:
            CommandError: says which, and the remedy.
        """
        status = self._status[-1]
        action = self._actions[-1]
        if status.shadow or not status.armed:
            raise CommandError(
                "the robot is in shadow mode"
                if status.shadow
                else "the robot is not armed; arm it when everybody is clear of it: ros2 service "
                "call /vla/arm std_srvs/srv/SetBool '{data: true}'"
            )
        if status.state != SafetyStatus.STATE_HOLD or action.requested[0] == action.requested[0]:
            raise CommandError(
                f"the robot is not at rest in HOLD: {status.cause or 'it serves a command'}; end "
                "the command or leave the stop with ./vla reset first"
            )

    def __enter__(self) -> AxisDriver:
        """Take the policy's place."""
        if POLICY in self._graph.nodes():
            state = self._graph.call(GetState, f"{POLICY}/get_state", GetState.Request())
            self._policy_was_active = state.current_state.id == State.PRIMARY_STATE_ACTIVE
            if self._policy_was_active:
                self._transition(Transition.TRANSITION_DEACTIVATE)
                self._transition(Transition.TRANSITION_CLEANUP)
        name = self._graph.node.resolve_topic_name(topics.ACTION_CHUNK)
        self._graph.require(
            lambda: self._graph.node.count_publishers(name) == 0,
            LIMIT,
            f"somebody else publishes {name}",
        )
        self._chunks = self._graph.publisher(ActionChunk, topics.ACTION_CHUNK, SAFETY)
        self._faults = self._graph.publisher(Fault, topics.FAULT, SAFETY)
        self._stay(SETTLE)  # a safety node that was restarted waits for a chunk without a command
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Bring the robot to rest, and give the policy its place back."""
        with contextlib.suppress(CommandError):
            self._stay(SETTLE)
        self._graph.node.destroy_publisher(self._chunks)
        if self._policy_was_active:
            self._transition(Transition.TRANSITION_CONFIGURE)
            self._transition(Transition.TRANSITION_ACTIVATE)

    def direction(self, dimension: Dimension) -> float:
        """1.0, or -1.0 where the dimension stands in the upper half of its range."""
        if dimension.kind.is_velocity:
            return 1.0 if dimension.high > 0.0 else -1.0
        present = self._actions[-1].safe[self._index(dimension)]
        return 1.0 if present <= (dimension.low + dimension.high) / 2.0 else -1.0

    def move(
        self, dimension: Dimension, speed: float, seconds: float
    ) -> tuple[float, tuple[float, ...] | None, int]:
        """Move one axis, wait until it is at rest.

        Returns:
            Commanded displacement; measured displacement along each axis of its kind, None where
            nothing measures it; which of these the dimension is.

        Raises:
            CommandError: the robot does not move for it, and the safety node says why.
        """
        for _ in range(ATTEMPTS):
            self._recover()
            expected, moved = self._attempt(dimension, speed, seconds)
            if abs(expected) >= LET * abs(speed) * seconds:
                return expected, *moved
        raise CommandError(f"{dimension.name} is not let move: {self._held}")

    def _recover(self) -> None:
        """Wait until nothing of before holds the robot any more."""
        end = time.monotonic() + RECOVERY
        while self._status[-1].recovery_left > 0.0 and time.monotonic() < end:
            self._stay(CHUNK_PERIOD)

    def _attempt(
        self, dimension: Dimension, speed: float, seconds: float
    ) -> tuple[float, tuple[tuple[float, ...] | None, int]]:
        """One motion: commanded displacement; measured ones, and which is the dimension's."""
        self._new_command()
        before, first = self._measured(dimension), self._actions[-1].tick
        start = list(self._actions[-1].safe)
        begin = self._stamp()
        moved = []
        end = time.monotonic() + seconds + LIMIT
        while self._stamp() - begin < (seconds + SETTLE) * 1e9 or not self._at_rest(dimension):
            if time.monotonic() > end:
                raise CommandError(f"{dimension.name} does not come to rest in {LIMIT:g} s")
            elapsed = (self._stamp() - begin) * 1e-9
            self._publish(self._rows(dimension, start, speed, seconds, elapsed))
            if elapsed < seconds:
                self._held = self._status[-1].cause or self._held
            moved = [a for a in self._actions if a.tick > first]
        self._stay(SETTLE)
        index = self._index(dimension)
        if dimension.kind.is_velocity:
            expected = sum(a.safe[index] * a.period for a in moved)
        else:
            expected = self._actions[-1].safe[index] - start[index]
        return float(expected), self._moved(dimension, before, self._measured(dimension))

    # What goes out.

    def _rows(
        self, dimension: Dimension, start: list[float], speed: float, seconds: float, elapsed: float
    ) -> list[float]:
        """Rows of a chunk from `elapsed` s after the begin of the motion on."""
        index = self._index(dimension)
        rest = [
            0.0 if d.kind.is_velocity else value
            for d, value in zip(self.space.dimensions, start, strict=True)
        ]
        rows = []
        for i in range(self.space.chunk_length):
            t = elapsed + i * self.space.chunk_period
            row = list(rest)
            if dimension.kind.is_velocity:
                row[index] = speed if t < seconds else 0.0
            else:
                target = start[index] + speed * min(max(t, 0.0), seconds)
                row[index] = min(max(target, dimension.low), dimension.high)
            rows += row
        return rows

    def _stay(self, seconds: float) -> None:
        """Ask for nothing for a while: the robot brakes and holds."""
        self._command = (0, 0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._publish([])

    def _new_command(self) -> None:
        self._command = (secrets.randbits(62) + 1, self._stamp())

    def _publish(self, rows: list[float]) -> None:
        """Publish a chunk of the present, the heartbeat, and handle what comes for a moment."""
        stamp = self._stamp()
        if stamp > self._sent:  # one chunk per period of the safety node at most
            self._sent = stamp
            message = ActionChunk(
                observation_stamp=to_time(stamp),
                action_space=self.space.name,
                dimension_names=list(self.space.dimension_names),
                actions=rows,
                period=self.space.chunk_period,
                command_id=self._command[0],
                command="doctor --axes" if self._command[0] else "",
                command_stamp=to_time(self._command[1]),
                progress=float("nan"),
                confidence=float("nan"),
            )
            message.header.stamp = to_time(stamp)
            self._chunks.publish(message)
        if time.monotonic() - self._beat > FAULT_PERIOD:
            self._beat = time.monotonic()
            for kind in KINDS:
                level = Fault(source=POLICY, kind=kind, level=Fault.LEVEL_OK)
                level.header.stamp = level.since = to_time(stamp)
                self._faults.publish(level)
        self._graph.wait(lambda: False, CHUNK_PERIOD)

    # What comes in.

    def _stamp(self) -> int:
        """The graph's time, whatever its clock is, ns."""
        return to_nanoseconds(self._actions[-1].header.stamp)

    def _at_rest(self, dimension: Dimension) -> bool:
        index = self._index(dimension)
        last = [action.safe[index] for action in self._actions[-5:]]
        if dimension.kind.is_velocity:
            return all(value == 0.0 for value in last)
        return max(last) - min(last) < 1e-6

    def _watch(self) -> dict[Any, list[Any]]:
        """Newest messages of each measured quantity, by type; topics are the safety node's."""
        node = self._graph.node
        known = {
            "geometry_msgs/msg/PoseStamped": PoseStamped,
            "nav_msgs/msg/Odometry": Odometry,
            "sensor_msgs/msg/JointState": JointState,
        }
        watched: dict[Any, list[Any]] = {}
        # Its topics may be known before its name is.
        self._graph.require(
            lambda: SAFETY in self._graph.nodes(), DISCOVERY_TIMEOUT, "the safety node is not found"
        )
        topics_and_types = node.get_subscriber_names_and_types_by_node(
            SAFETY, self._graph.namespace
        )
        for name, types in topics_and_types:
            kind = known.get(types[0])
            if kind is not None:
                qos = topics.qos_profile(topics.JOINT_STATES)  # best effort hears everybody
                keep = DRIVERS if kind is JointState else 1
                watched[kind] = self._graph.collect(kind, name, keep=keep, qos=qos)
        self._graph.wait(lambda: all(watched.values()), 1.0)
        return watched

    def _measured(self, dimension: Dimension) -> Pose | float | None:
        """What is measured of a dimension now.

        Raises:
            CommandError: a pose whose rotation is none.
        """
        if axis_of(dimension) is None:
            return self._joint(dimension)
        pose, odom = (self._watched.get(kind, []) for kind in (PoseStamped, Odometry))
        if pose and not (odom and odom[-1].child_frame_id == dimension.frame):
            return _pose(pose[-1].pose, pose[-1].header.frame_id, topics.END_EFFECTOR_POSE)
        if odom:
            return _pose(odom[-1].pose.pose, odom[-1].header.frame_id, "odom")
        return None

    def _joint(self, dimension: Dimension) -> float | None:
        if dimension.unit == "1":
            return None
        # Newest first: an arm's driver and a gripper's may share the topic.
        for message in reversed(self._watched.get(JointState, [])):
            positions = dict(zip(message.name, message.position, strict=False))
            for name in (dimension.output.field, dimension.name):
                if math.isfinite(positions.get(name, math.nan)):
                    return float(positions[name])
        return None

    def _moved(
        self, dimension: Dimension, before: Any, after: Any
    ) -> tuple[tuple[float, ...] | None, int]:
        axis = axis_of(dimension)
        if before is None or after is None:
            return None, 0
        if axis is None:
            return (after - before,), 0
        return displacement(before, after, axis[0], dimension.frame), axis[1]

    def _index(self, dimension: Dimension) -> int:
        return self.space.dimension_names.index(dimension.name)

    # The other nodes.

    def _transition(self, transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        done = self._graph.call(ChangeState, f"{POLICY}/change_state", request, timeout=60.0)
        if not done.success:
            raise CommandError(f"the policy node refuses transition {transition}; see its log")

    def _parameter(self, name: str) -> str:
        request = GetParameters.Request(names=[name])
        values = self._graph.call(GetParameters, f"{SAFETY}/get_parameters", request).values
        return str(values[0].string_value)

    def _load(self, path: str) -> ActionSpace:
        try:
            space = ActionSpace.load(path)
        except ActionSpaceError as error:
            raise CommandError(f"{error} (--action-space FILE gives another one)") from error
        if self._actions[-1].action_space != space.name:
            raise CommandError(
                f"{path} is action space {space.name}; the robot runs "
                f"{self._actions[-1].action_space}"
            )
        return space


def _pose(pose: Any, frame: str, name: str) -> Pose:
    p, q = pose.position, pose.orientation
    rotation = (q.x, q.y, q.z, q.w)
    problem = quaternion_problem(rotation)
    if problem:
        raise CommandError(f"{name}: {problem}")
    return Pose((p.x, p.y, p.z), rotation, frame)
