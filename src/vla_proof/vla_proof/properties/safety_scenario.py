"""Anything that can happen to a safety core, played and judged. Free of ROS.

A scenario is plain data: an action space, a configuration and a list of events. It is played on a
real `SafetyCore`; every decision goes through the `Judge`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vla_contract import rotations
from vla_contract.action_space import ActionSpace
from vla_contract.stamps import NANOSECONDS
from vla_proof.bench.core_bench_cases import obstacle_monitor
from vla_proof.properties.checked_bounds import Bounds
from vla_proof.properties.judge import Judge
from vla_proof.properties.modelled_world import JointWorld, World
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.plan.sequencing import Chunk
from vla_safety.plan.teleoperation import Resume, TeleopConfig, Teleoperation
from vla_safety.surroundings.environment import Surroundings
from vla_safety.surroundings.obstacles.obstacle_types import Reading
from vla_safety.watch.fault_levels import FaultReport, Level
from vla_safety.watch.safety_states import FaultKind, Reason, Severity

START = 10**12  # ns
JUST_NOW = NANOSECONDS // 10  # what was measured longer ago says nothing after a gap of the loop


class Event(NamedTuple):
    """Something that happens; `Player` has a method for each name."""

    name: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """What is played."""

    space: ActionSpace
    config: SafetyConfig
    events: tuple[Event, ...]


class Player:
    """A core with its clocks, and the judge of all that it decides.

    The robot that it drives does just what it is told, so its place is the sum of the commands.
    """

    def __init__(
        self, space: ActionSpace, config: SafetyConfig, bounds: Bounds | None = None
    ) -> None:
        self.space = space
        obstacles = obstacle_monitor() if config.obstacle_sources else None
        person = Teleoperation({"pad": TeleopConfig(priority=100)}, {}, resume=Resume.CHUNK)
        self.core = SafetyCore(space, config, None, Surroundings(space, config, obstacles), person)
        self.place = World(space, config.box)
        self.joints = JointWorld(space)
        self.judge = Judge(space, bounds)
        self.now = self.steady = START
        self._period = round(space.period * NANOSECONDS)
        self._sent: list[float] | None = None
        self._connected = False
        self._source: tuple[Any, ...] | None = None
        self._command = 1
        self._measured: dict[str, tuple[float, int]] = {}
        self._stepped = self.steady
        self._decided = self.now
        self._since_chunk = 0
        # What is heard in every period, until an event silences it.
        self._heard = {"inputs": True, "heartbeats": True, "pose": True}
        self._twist: tuple[float, ...] | None = None
        self._points: Any = np.empty((0, 2))
        self._hear()
        self.core.activate(self.now, self.steady)
        self._connected = self.core.connection.connected
        self._restart(self._start())

    def play(self, event: Event) -> None:
        """Let it happen."""
        getattr(self, f"_on_{event.name}")(*event.values)

    # Periods.

    def _on_run(self, periods: int, ratio: float = 1.0) -> None:
        """Periods pass; ratio: of the node clock's speed."""
        for _ in range(periods):
            self._step(round(self._period * ratio))

    def _on_pause(self, periods: int) -> None:
        """The loop stands still, as that of a stopped process."""
        self.now += periods * self._period
        self.steady += periods * self._period

    def _on_jump(self, nanoseconds: int) -> None:
        """The node clock jumps."""
        self.judge.clock_jumped()
        self.now = max(1, self.now + nanoseconds)

    def _step(self, advance: int) -> None:
        self.now += advance
        self.steady += self._period
        self._hear()
        self._feed()
        core = self.core
        decision = core.decide(self.now, self.steady)
        path_time = core.plan.sequencer.clock.at(self.now)
        self.judge.take_path_time(path_time, self.now - self._decided)
        self._decided = self.now
        if decision.missed:
            # The loop stood still, and the driver has stopped the robot if nothing was measured.
            self._restart(self._start(max(self._stepped, self.steady - JUST_NOW)))
        elif decision.connected and not self._connected:
            self._restart(self._start())
        self._stepped = self.steady
        self._connected = decision.connected
        pressed = core.watch.emergency_stop.pressed
        holds = [cause for cause in core.machine.causes if cause.severity is Severity.HOLD]
        recovering = all(cause.reason is Reason.RECOVERY for cause in holds)
        self.judge.take(decision, core.config.speed_scale, pressed=pressed, recovering=recovering)
        if decision.connected:
            self._sent = [float(value) for value in decision.safe]
        self.place.move(decision.safe.tolist(), self.judge.bounds)
        self.joints.move(decision.safe.tolist(), self.judge.bounds)

    def _restart(self, start: list[float]) -> None:
        self.judge.restarted(start)
        self.place.restarted(start)
        self.joints.restarted(start)

    def _start(self, since: int = 0) -> list[float]:
        """Where a motion begins: as measured since then, else at rest where it was sent last."""
        values = []
        for i, dimension in enumerate(self.space.dimensions):
            at_rest = 0.0
            if not dimension.kind.is_velocity and self._sent is not None:
                at_rest = self._sent[i]
            value, at = self._measured.get(dimension.name, (at_rest, since))
            value = value if at > since or not since else at_rest
            values.append(min(max(value, dimension.low), dimension.high))
        return values

    # Inputs.

    def _hear(self) -> None:
        if self._heard["inputs"]:
            for name in self.core.config.required_inputs:
                self.core.watch.robot.update(name, {}, self.steady, self.joints.positions())
        if self._heard["pose"]:
            self.core.surroundings.pose.update_pose(self.place.pose(), self.steady)
            if self.core.surroundings.obstacles is not None:
                self.core.surroundings.obstacles.accept_reading(
                    "scan", Reading(self._points), self.steady
                )
        if self._twist is not None and self.core.teleoperation is not None:
            self.core.teleoperation.accept_twist("pad", self._twist, self.steady)
        if self._heard["heartbeats"]:
            for source in self.core.config.heartbeat_sources:
                report = FaultReport(source, FaultKind.COMMUNICATION, Level.OK, "")
                self.core.watch.faults.report_fault(report, self.steady)

    def _on_silence(self, what: str, silent: bool) -> None:
        self._heard[what] = not silent

    def _on_measure(self, index: int, value: float) -> None:
        """The robot's state names a dimension; value: share of what its limits lead to.

        Of an orientation it tells all of it.
        """
        dimension = self.space.dimensions[index % self.space.width]
        name = (self.core.config.required_inputs or ("joint_states",))[0]
        for orientation in self.space.orientations:
            if index % self.space.width in orientation.indices:
                angle = 2.0 * math.pi * (value - 0.5)
                row = [0.0] * self.space.width
                orientation.write(row, rotations.exponential((angle, 0.5 * angle, 0.1)))
                told = {self.space.dimension_names[i]: row[i] for i in orientation.indices}
                self.core.watch.robot.update(name, told, self.steady)
                self._measured.update({key: (told[key], self.steady) for key in told})
                return
        low, high = dimension.low, dimension.high
        if dimension.kind.is_velocity:
            low = max(low, -dimension.normal.velocity)
            high = min(high, dimension.normal.velocity)
        measured = low + value * (high - low)
        self.core.watch.robot.update(name, {dimension.name: measured}, self.steady)
        self._measured[dimension.name] = (measured, self.steady)

    def _on_fault(self, kind: FaultKind, level: Level) -> None:
        self.core.watch.faults.report_fault(FaultReport("perception", kind, level, ""), self.steady)

    def _on_drive(self, twist: tuple[float, ...] | None) -> None:
        """A person drives from now on, or no longer."""
        self._twist = twist

    def _on_obstacle(self, distance: float, angle: float) -> None:
        """Something stands there, seen from the base; the robot does not get nearer by itself."""
        self._points = np.array([[distance * math.cos(angle), distance * math.sin(angle)]])

    def _on_publishers(self, two: bool) -> None:
        self.core.watch.other_publishers = "chunks come from 2 nodes: a, b" if two else ""

    # Chunks.

    def _on_policy(self, every: int, *chunk: Any) -> None:
        """From now on such a chunk comes every so many periods; 0: none."""
        self._command += 1
        self._source = (every, *chunk) if every else None

    def _on_revive(self, every: int, *chunk: Any) -> None:
        """All that may hold the robot is put in order, and it gets a new command."""
        self._heard = dict.fromkeys(self._heard, True)
        self._twist = None
        self.core.watch.other_publishers = ""
        for kind in FaultKind:
            self._on_fault(kind, Level.OK)
        self._points = np.empty((0, 2))
        self._on_press(False)
        self._hear()
        self._on_configure("shadow", False)
        self._on_arm(True)
        self._on_run(1)
        self._on_reset()
        self._on_run(1)
        self._on_policy(every, *chunk)

    def _feed(self) -> None:
        if self._source is None:
            return
        every, *chunk = self._source
        self._since_chunk += 1
        if self._since_chunk >= every:
            self._since_chunk = 0
            self._on_chunk(*chunk)

    def _on_chunk(
        self, command: int, rows: int, dt: float, shape: str, size: float, age: float
    ) -> None:
        """A chunk comes.

        command: added to the id of the command in force; -1: of the one before. shape, size: of
        its values. dt, age: in control periods.
        """
        space = self.space
        values = [
            _value(shape, size, row, d, space.dimensions[d].low, space.dimensions[d].high)
            for row in range(rows)
            for d in range(space.width)
        ]
        if shape == "narrow":
            values = values[1:]
        chunk = Chunk(
            observation_stamp=self.now - round(age * self._period),
            period=round(dt * self._period),
            actions=values,
            action_space=space.name,
            dimension_names=space.dimension_names,
            command_id=self._command + command,
            command="go",
            done=shape == "done",
        )
        if self.core.accept_chunk(chunk, self.now) is None:
            self.judge.accepted(values)

    # People.

    def _on_text(self, text: str) -> None:
        self.core.accept_text(text, self.now)

    def _on_stop(self) -> None:
        self.core.stop("the stop service was called", self.now)
        self.judge.state_changed(self.core.machine.state)

    def _on_reset(self) -> None:
        result = self.core.reset(self.now, self.steady)
        self.judge.reset(result.done)
        self.judge.state_changed(self.core.machine.state)

    def _on_press(self, pressed: bool) -> None:
        self.core.watch.emergency_stop.set_level(pressed, self.steady)

    def _on_arm(self, armed: bool) -> None:
        self.core.arm(armed, self.now, self.steady)
        self._after_switch()

    def _on_configure(self, name: str, value: Any) -> None:
        config = dataclasses.replace(self.core.config, **{name: value})
        self.core.reconfigure(config, self.now, self.steady)
        self._after_switch()

    def _on_episode(self) -> None:
        self.core.new_episode()
        self._sent = None
        self._restart([float(value) for value in self.core.limiter.values])

    def _after_switch(self) -> None:
        if self.core.connection.connected and not self._connected:
            self._restart(self._start())
        self._connected = self.core.connection.connected

    def finish(self) -> None:
        """However it was left: a stop ends at rest, and stays there."""
        self._on_stop()
        self._on_run(math.ceil(self.space.braking_time / self.space.period) + 5)
        self.judge.bounds.demand("the end is at rest", self.core.limiter.standstill)


def play(scenario: Scenario, bounds: Bounds | None = None) -> Bounds:
    """Play a scenario to its end, with a stop; returns what was found."""
    player = Player(scenario.space, scenario.config, bounds)
    for event in scenario.events:
        player.play(event)
    player.finish()
    return player.judge.bounds


def _value(shape: str, size: float, row: int, d: int, low: float, high: float) -> float:
    if shape == "nan":
        return math.nan if row == d else 0.0
    if shape == "huge":
        return 1e300 * size
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    if shape == "zigzag":
        return middle + half * size * (-1.0 if (row + d) % 2 else 1.0)
    if shape == "wave":
        return middle + half * size * math.sin(0.3 * row + d)
    if shape == "ramp":
        return middle + half * size * (row / 10.0 - 0.5)
    return middle + half * size * (1.0 if d % 2 else -1.0)
