"""What moved the robot in a bag, in the terms of the action space.

Best is `SafeAction`: it holds what was asked for and what was sent. Without it the robot's own
command topics are read back through the outputs of the action space; then both are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_learning.bags.bag_trajectories import Trajectories, TrajectoryError
from vla_learning.data.demonstrations import DemonstrationError
from vla_replay.bags.bag_storage import Topic

Float = npt.NDArray[np.float64]

SAFE_ACTION = "vla_interfaces/msg/SafeAction"
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
PREFIX = "action/"  # of a remap's target: action/end_effector_twist, action/safe_action
HELD = 0.5  # s that a command stays in force without a newer one; then its robot stands
_TWISTS = ("geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped")
_INDEX = re.compile(r"data\[(\d+)\]")


class ActionError(ValueError):
    """A message that tells no action; the message is one line."""


@dataclass
class Series:
    """Values over time of some dimensions. times: ns, as they came. velocity: (d,) which are."""

    velocity: npt.NDArray[np.bool_]
    times: list[int] = field(default_factory=list)
    requested: list[Float] = field(default_factory=list)
    executed: list[Float] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Nothing came."""
        return not self.times

    def add(self, time: int, requested: Float, executed: Float) -> None:
        """Take the values of a message; of two of one time the later one counts.

        Raises:
            ActionError: it is older than the one before it, or not finite.
        """
        if not np.isfinite([requested, executed]).all():
            raise ActionError("a value is not a finite number")
        if self.times and time < self.times[-1]:
            raise ActionError("it is older than the one before it")
        if self.times and time == self.times[-1]:
            for values in (self.times, self.requested, self.executed):
                values.pop()
        self.times.append(time)
        self.requested.append(requested)
        self.executed.append(executed)

    def at(self, times: npt.NDArray[np.int64]) -> tuple[Float, Float]:
        """Requested and executed (T, d): the newest of these times, ns.

        What is older than `HELD` counts no more: a velocity is 0 then, anything else stays.
        """
        known = np.array(self.times, np.int64)
        index = np.searchsorted(known, times, side="right") - 1
        fresh = (index >= 0) & (times - known[np.maximum(index, 0)] <= HELD * 1e9)
        stale = ~fresh[:, None] & self.velocity
        newest = np.maximum(index, 0)
        requested, executed = np.array(self.requested)[newest], np.array(self.executed)[newest]
        return np.where(stale, 0.0, requested), np.where(stale, 0.0, executed)


class BagActions:
    """Collects the actions of a bag. topics: those that it wants to be given."""

    def __init__(
        self, space: ActionSpace, topics: Mapping[str, Topic], remaps: Mapping[str, str]
    ) -> None:
        """topics: of the bag, by name. remaps: topic → action/NAME.

        Raises:
            DemonstrationError: it is not clear which topic holds the actions, or there is none.
        """
        self._space = space
        self._indices: dict[str, Sequence[int]] = {}
        self._series: dict[str, Series | Trajectories] = {}
        safe = _chosen("safe_action", (SAFE_ACTION,), topics, remaps, by_type=True)
        if safe is not None:
            self._add_topic(safe, range(space.width))
        else:
            for name in dict.fromkeys(d.output.topic for d in space.dimensions):
                self._find(name, topics, remaps)
        self.topics = tuple(self._series)

    def _find(self, name: str, topics: Mapping[str, Topic], remaps: Mapping[str, str]) -> None:
        dimensions = [i for i, d in enumerate(self._space.dimensions) if d.output.topic == name]
        kind = self._space.dimensions[dimensions[0]].output.type
        kinds = _TWISTS if kind in _TWISTS else (kind,)
        topic = _chosen(name, kinds, topics, remaps, by_type=kind in _TWISTS)
        if topic is None:
            there = [t.name for t in topics.values() if t.type in kinds]
            raise DemonstrationError(
                f"which topic holds the actions of {name} ({' or '.join(kinds)})? The bag has "
                f"{', '.join(there) or 'none'}, and no SafeAction; say it with --remap "
                f"/topic:={PREFIX}{name}"
            )
        self._add_topic(topic, dimensions, kind == TRAJECTORY)

    def _add_topic(self, topic: str, dimensions: Sequence[int], trajectory: bool = False) -> None:
        wanted = [self._space.dimensions[i] for i in dimensions]
        self._indices[topic] = dimensions
        self._series[topic] = (
            Trajectories([d.output.field for d in wanted])
            if trajectory
            else Series(np.array([d.kind.is_velocity for d in wanted]))
        )

    @property
    def missing(self) -> list[str]:
        """Topics of which no message told an action."""
        return [topic for topic, series in self._series.items() if series.is_empty]

    def accept_message(
        self, topic: str, kind: str, message: Any, stamp: int, received: int
    ) -> None:
        """A message of one of `topics` came; stamp: ns, 0 for none; received: ns.

        Raises:
            ActionError: it tells no action; the others do.
            DemonstrationError: it is of another robot.
        """
        series = self._series[topic]
        if isinstance(series, Trajectories):
            try:
                series.accept(message, stamp, received)
            except TrajectoryError as error:
                raise ActionError(str(error)) from error
            return
        if kind == SAFE_ACTION:
            requested, executed = self._of_safe_action(topic, message)
        else:
            fields = [self._space.dimensions[i].output.field for i in self._indices[topic]]
            requested = executed = np.array([_value(message, f) for f in fields])
        series.add(stamp or received, requested, executed)

    def observe(self, positions: Mapping[str, float]) -> None:
        """Where joints were measured to be."""
        for series in self._series.values():
            if isinstance(series, Trajectories):
                series.observe(positions)

    def restart(self) -> None:
        """Time jumped: forget what was."""
        for topic, series in self._series.items():
            if isinstance(series, Trajectories):
                series.restart()
            else:
                self._series[topic] = Series(series.velocity)

    def times(self, begin: int, count: int) -> npt.NDArray[np.int64]:
        """Of `count` rows from `begin` on, ns."""
        return begin + np.round(np.arange(count) * self._space.chunk_period * 1e9).astype(np.int64)

    def rows(self, begin: int, count: int) -> tuple[Float, Float]:
        """Requested and executed (count, D) from `begin`, ns, on."""
        times = self.times(begin, count)
        requested = np.zeros((count, self._space.width))
        executed = np.zeros((count, self._space.width))
        for topic, series in self._series.items():
            columns = list(self._indices[topic])
            if series.is_empty:
                continue
            if isinstance(series, Trajectories):
                requested[:, columns] = executed[:, columns] = series.at(times)
            else:
                requested[:, columns], executed[:, columns] = series.at(times)
        return requested, executed

    def moving(self, begin: int, count: int) -> npt.NDArray[np.bool_]:
        """(count,) whether a planned trajectory is under way in a row, however slow."""
        found = np.zeros(count, bool)
        for series in self._series.values():
            if isinstance(series, Trajectories) and not series.is_empty:
                found |= series.moving(self.times(begin, count))
        return found

    def _of_safe_action(self, topic: str, message: Any) -> tuple[Float, Float]:
        names = tuple(message.dimension_names)
        if (message.action_space, names) != (self._space.name, self._space.dimension_names):
            raise DemonstrationError(
                f"{topic} is of the action space {message.action_space} ({', '.join(names)}); the "
                f"config's is {self._space.name} ({', '.join(self._space.dimension_names)})"
            )
        safe = np.array(message.safe, np.float64)
        requested = np.array(message.requested, np.float64)
        if safe.shape != (self._space.width,) or requested.shape != safe.shape:
            raise ActionError("it has not a value for each dimension")
        return np.where(np.isfinite(requested), requested, safe), safe


def _chosen(
    name: str,
    kinds: Sequence[str],
    topics: Mapping[str, Topic],
    remaps: Mapping[str, str],
    *,
    by_type: bool,
) -> str | None:
    """Topic of an output: as remapped, by its name, or the only one of its type."""
    for topic, target in remaps.items():
        if target == PREFIX + name:
            found = next((t for t in topics.values() if "/" + t.name.lstrip("/") == topic), None)
            if found is None or found.type not in kinds:
                kind = "there is no such topic" if found is None else f"it is {found.type}"
                raise DemonstrationError(
                    f"--remap {topic}:={target}: {kind}; accepted: {' or '.join(kinds)}"
                )
            return found.name
    fitting = [topic.name for topic in topics.values() if topic.type in kinds]
    named = [each for each in fitting if each.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]]
    if len(named) == 1:
        return named[0]
    return fitting[0] if by_type and len(fitting) == 1 and not named else None


def _value(message: Any, path: str) -> float:
    """The number that an output's field stands for."""
    try:
        match = _INDEX.fullmatch(path)
        if match is not None:
            return float(message.data[int(match[1])])
        value = message
        path = path.removeprefix("twist.")
        for part in (["twist"] if hasattr(message, "twist") else []) + path.split("."):
            value = getattr(value, part)
        return float(value)
    except (AttributeError, IndexError, ValueError, TypeError) as error:
        raise ActionError(f"it has no {path}") from error
