"""What the safety core knows of its inputs beside chunks, and what follows from it. Free of ROS.

Each method returns the causes that its inputs give in this period. `now` is the node clock
(ns), `steady` a clock that never jumps (ns); in lock-step both are the time of the tick.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vla_safety.config import SafetyConfig
from vla_safety.sequencing import NANOSECONDS
from vla_safety.states import Cause, Reason, Severity
from vla_safety.watchdog import Health, Watchdog

_MAX_FAULTS = 64


class Level(enum.IntEnum):
    """The levels of vla_interfaces/msg/Fault."""

    OK = 0
    WARN = 1
    ERROR = 2


class FaultKind(enum.IntEnum):
    """The kinds of vla_interfaces/msg/Fault."""

    VISION = 0
    LANGUAGE = 1
    ACTION = 2
    COMMUNICATION = 3
    ROBOT_STATE = 4
    CLOCK = 5
    EMERGENCY_STOP = 6


# The robot is blind or deaf: it brakes as hard as it may. The others only end the motion.
_BLIND = (FaultKind.VISION, FaultKind.COMMUNICATION, FaultKind.ROBOT_STATE, FaultKind.CLOCK)


@dataclass(frozen=True)
class FaultReport:
    """Level of one kind as one source sees it. since: ns."""

    source: str
    kind: FaultKind
    level: Level
    message: str
    since: int = 0


class Faults:
    """Present level of every kind of every source, and their heartbeats."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, FaultKind], tuple[FaultReport, int]] = {}
        self._heartbeats: dict[str, Watchdog] = {}

    def take(self, report: FaultReport, steady: int) -> None:
        """Note a level; sources beyond the first ones that fit are not listened to."""
        key = (report.source, report.kind)
        if key in self._reports or len(self._reports) < _MAX_FAULTS:
            self._reports[key] = (report, steady)
            self._heartbeats.setdefault(report.source, Watchdog()).feed(steady)

    def present(self) -> tuple[FaultReport, ...]:
        """Reports above OK."""
        return tuple(r for r, _ in self._reports.values() if r.level is not Level.OK)

    def heartbeats(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """Sources that must be heard and are not."""
        timeout = config.heartbeat_timeout
        for source in config.heartbeat_sources:
            watchdog = self._heartbeats.setdefault(source, Watchdog())
            if watchdog.check(steady, round(timeout * NANOSECONDS)) is Health.OK:
                continue
            age = watchdog.age(steady)
            silent = "was never heard" if age is None else f"is silent for over {timeout:g} s"
            yield Cause(
                Reason.HEARTBEAT, Severity.HOLD, f"{source} {silent}", f"{source} is heard", True
            )

    def levels(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """Faults above OK. One that a source no longer repeats counts for a while, then not."""
        limit = round(max(5.0, config.heartbeat_timeout) * NANOSECONDS)
        for report, seen in list(self._reports.values()):
            if report.level is Level.OK or (steady - seen > limit and not config.lock_step):
                continue
            # In lock-step these come on wall time, so they must not decide on the motion; the
            # chunk that answers each observation does.
            hard = report.level is Level.ERROR and not config.lock_step
            yield Cause(
                Reason.FAULT,
                Severity.HOLD if hard else Severity.DEGRADE,
                f"{report.source}: {report.message or report.kind.name.lower() + ' fault'}",
                f"{report.source} reports that it is over",
                hard and report.kind in _BLIND,
            )


class EmergencyStop:
    """The level of the e-stop, and its silence where it must not be silent."""

    def __init__(self) -> None:
        self.pressed = False
        self._watchdog = Watchdog()

    def take(self, pressed: bool, steady: int) -> None:
        """Note the level; True is pressed."""
        self.pressed = pressed
        self._watchdog.feed(steady)

    def causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """A pressed e-stop stops; so does one that falls silent. Never heard: hold."""
        if self.pressed:
            yield Cause(
                Reason.EMERGENCY_STOP,
                Severity.STOP,
                "the emergency stop is pressed",
                "release the emergency stop",
                True,
            )
        if not config.require_emergency_stop:
            return
        timeout = config.emergency_stop_timeout
        health = self._watchdog.check(steady, round(timeout * NANOSECONDS))
        if health is Health.TIMED_OUT:
            yield Cause(
                Reason.EMERGENCY_STOP,
                Severity.STOP,
                f"the emergency stop is silent for over {timeout:g} s",
                "bring the emergency stop back",
                True,
            )
        elif health is Health.NOT_RECEIVED:
            yield Cause(
                Reason.EMERGENCY_STOP,
                Severity.HOLD,
                "the emergency stop was never heard",
                "the emergency stop is heard",
                True,
            )


class RobotState:
    """Age of the robot's state, and what it measured of the commanded quantities."""

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}
        self._watchdogs: dict[str, Watchdog] = {}

    def take(self, name: str, measured: Mapping[str, float], steady: int) -> None:
        """Note an input (`joint_states`, ...); measured: dimension name → SI value, finite."""
        self._watchdogs.setdefault(name, Watchdog()).feed(steady)
        self.measured.update((k, v) for k, v in measured.items() if math.isfinite(v))

    def causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """Required inputs that are missing or too old."""
        timeout = config.input_timeout
        for name in config.required_inputs:
            watchdog = self._watchdogs.setdefault(name, Watchdog())
            health = watchdog.check(steady, round(timeout * NANOSECONDS))
            if health is Health.OK:
                continue
            what = (
                "was never received"
                if health is Health.NOT_RECEIVED
                else (f"is older than {timeout:g} s")
            )
            yield Cause(Reason.INPUT, Severity.HOLD, f"{name} {what}", f"{name} is received", True)


class RosClock:
    """Notices a node clock that stands still or jumps back."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._moved = 0

    def restart(self) -> None:
        """Compare with nothing before."""
        self._last = None

    def jumped_back(self, now: int, steady: int) -> bool:
        """Take the time of this period; True when it is before the last one."""
        back = self._last is not None and now < self._last
        if self._last is None or now != self._last:
            self._moved = steady
        self._last = now
        return back

    def causes(self, config: SafetyConfig, now: int, steady: int) -> Iterator[Cause]:
        """A clock at 0 (use_sim_time without /clock) or without motion."""
        timeout = config.clock_timeout
        if now <= 0:
            text = "the ROS clock is at 0"
        elif steady - self._moved > round(timeout * NANOSECONDS):
            text = f"the ROS clock stands still for over {timeout:g} s"
        else:
            return
        yield Cause(Reason.CLOCK, Severity.HOLD, text, "the ROS clock moves", True)
