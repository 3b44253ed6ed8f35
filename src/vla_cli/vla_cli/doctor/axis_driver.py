"""Stands in for the policy to move one axis, and watches what moves; for `vla doctor --axes`."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from typing import Any

from rcl_interfaces.srv import GetParameters

from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, Graph
from vla_cli.doctor.axis_measurement import SAFETY, AxisMeasurement, displacements
from vla_cli.doctor.policy_lifecycle import POLICY, policy_unconfigured
from vla_contract import topics
from vla_contract.action_space import ActionSpace, ActionSpaceError, Dimension
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import ActionChunk, Fault, SafeAction, SafetyStatus

KINDS = range(Fault.KIND_VISION, Fault.KIND_EMERGENCY_STOP + 1)
CHUNK_PERIOD = 0.05  # s between two chunks
FAULT_PERIOD = 0.2  # s between two heartbeats
SETTLE = 0.3  # s at rest before a measurement
LIMIT = 10.0  # s for anything to happen
RECOVERY = 20.0  # s; longer than the longest recovery time of the defaults
ATTEMPTS = 5  # a camera that hiccups holds the robot in the middle of a motion
LET = 0.3  # of the displacement asked for: less, and the motion was cut short


class AxisDriver:
    """Watches the robot, and moves it while `in_place_of_policy`."""

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
        self._measurement = AxisMeasurement(graph)
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

    @contextlib.contextmanager
    def in_place_of_policy(self) -> Iterator[None]:
        """Take the policy's place for the block: only there may axes be moved.

        However the block ends, the robot is told to come to rest, and the policy node is brought
        back to the state in which it was found.

        Raises:
            CommandError: the policy keeps its place, or cannot be brought back to it.
        """
        with policy_unconfigured(self._graph), contextlib.ExitStack() as ends:
            name = self._graph.node.resolve_topic_name(topics.ACTION_CHUNK)
            self._graph.require(
                lambda: self._graph.node.count_publishers(name) == 0,
                LIMIT,
                f"somebody else publishes {name}",
            )
            self._chunks = self._graph.publisher(ActionChunk, topics.ACTION_CHUNK, SAFETY)
            # Two who publish chunks are a fault: this end is gone before the policy is back.
            ends.callback(self._graph.node.destroy_publisher, self._chunks)
            self._faults = self._graph.publisher(Fault, topics.FAULT, SAFETY)
            ends.callback(self._rest, SETTLE)
            self._rest(SETTLE)  # a restarted safety node waits for a chunk without a command
            yield

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
            self._rest(CHUNK_PERIOD)

    def _attempt(
        self, dimension: Dimension, speed: float, seconds: float
    ) -> tuple[float, tuple[tuple[float, ...] | None, int]]:
        """One motion: commanded displacement; measured ones, and which is the dimension's."""
        self._command = (secrets.randbits(62) + 1, self._stamp())
        before, first = self._measurement.measure(dimension), self._actions[-1].tick
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
        self._rest(SETTLE)
        index = self._index(dimension)
        if dimension.kind.is_velocity:
            expected = sum(a.safe[index] * a.period for a in moved)
        else:
            expected = self._actions[-1].safe[index] - start[index]
        return float(expected), displacements(
            dimension, before, self._measurement.measure(dimension)
        )

    # What goes out.

    def _rows(
        self, dimension: Dimension, start: list[float], speed: float, seconds: float, elapsed: float
    ) -> list[float]:
        """Rows of a chunk from `elapsed` s after the begin of the motion on."""
        index = self._index(dimension)
        rest = [
            0.0 if d.kind.is_velocity else present
            for d, present in zip(self.space.dimensions, start, strict=True)
        ]
        rows = []
        for i in range(self.space.chunk_length):
            t = elapsed + i * self.space.chunk_period
            row = list(rest)
            if dimension.kind.is_velocity:
                value = speed if t < seconds else 0.0
            else:
                value = start[index] + speed * min(max(t, 0.0), seconds)
            row[index] = min(max(value, dimension.low), dimension.high)
            rows += row
        return rows

    def _rest(self, seconds: float) -> None:
        """Ask for nothing for a while: the robot brakes and holds."""
        self._command = (0, 0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._publish([])

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

    def _index(self, dimension: Dimension) -> int:
        return self.space.dimension_names.index(dimension.name)

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
