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
from vla_learning.demonstrations import DemonstrationError
from vla_replay.storage import Topic

Float = npt.NDArray[np.float64]

SAFE_ACTION = "vla_interfaces/msg/SafeAction"
PREFIX = "action/"  # of a remap's target: action/end_effector_twist, action/safe_action
HELD = 0.5  # s that a command stays in force without a newer one; then its robot stands
_TWISTS = ("geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped")
_INDEX = re.compile(r"data\[(\d+)\]")


@dataclass
class Series:
    """Values over time of some dimensions. times: ns, as they came. indices: of the dimensions."""

    indices: Sequence[int]
    times: list[int] = field(default_factory=list)
    requested: list[Float] = field(default_factory=list)
    executed: list[Float] = field(default_factory=list)


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
        self._series: dict[str, Series] = {}
        safe = _chosen("safe_action", (SAFE_ACTION,), topics, remaps, by_type=True)
        if safe is not None:
            self._series[safe] = Series(range(space.width))
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
        self._series[topic] = Series(dimensions)

    def take(self, topic: str, kind: str, message: Any, stamp: int) -> None:
        """A message of one of `topics` came; stamp: ns.

        Raises:
            DemonstrationError: it is of another robot, or lacks a field.
        """
        series = self._series[topic]
        if kind == SAFE_ACTION:
            requested, executed = self._of_safe_action(topic, message)
        else:
            fields = [self._space.dimensions[i].output.field for i in series.indices]
            requested = executed = np.array([_value(message, f, topic) for f in fields])
        if series.times and stamp <= series.times[-1]:
            return  # twice, or out of order
        series.times.append(stamp)
        series.requested.append(requested)
        series.executed.append(executed)

    def restart(self) -> None:
        """Time jumped: forget what was."""
        for series in self._series.values():
            series.times.clear()
            series.requested.clear()
            series.executed.clear()

    def rows(self, begin: int, count: int) -> tuple[Float, Float]:
        """Requested and executed (count, D) from `begin`, ns, on: the newest at each row's time.

        What is older than `HELD` counts no more: a velocity is 0 then, anything else stays.
        """
        times = begin + np.round(np.arange(count) * self._space.chunk_period * 1e9).astype(np.int64)
        requested = np.zeros((count, self._space.width))
        executed = np.zeros((count, self._space.width))
        for series in self._series.values():
            if not series.times:
                continue
            known = np.array(series.times, np.int64)
            index = np.searchsorted(known, times, side="right") - 1
            fresh = (index >= 0) & (times - known[np.maximum(index, 0)] <= HELD * 1e9)
            for column, dimension in enumerate(series.indices):
                velocity = self._space.dimensions[dimension].kind.is_velocity
                for target, values in ((requested, series.requested), (executed, series.executed)):
                    found = np.array(values)[np.maximum(index, 0), column]
                    target[:, dimension] = np.where(fresh | (not velocity), found, 0.0)
        return requested, executed

    def _of_safe_action(self, topic: str, message: Any) -> tuple[Float, Float]:
        names = tuple(message.dimension_names)
        if (message.action_space, names) != (self._space.name, self._space.dimension_names):
            raise DemonstrationError(
                f"{topic} is of the action space {message.action_space} ({', '.join(names)}); the "
                f"config's is {self._space.name} ({', '.join(self._space.dimension_names)})"
            )
        safe = np.array(message.safe, np.float64)
        requested = np.array(message.requested, np.float64)
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


def _value(message: Any, path: str, topic: str) -> float:
    """The number that an output's field stands for."""
    try:
        if hasattr(message, "joint_names"):
            index = list(message.joint_names).index(path)
            return float(message.points[-1].positions[index])
        match = _INDEX.fullmatch(path)
        if match is not None:
            return float(message.data[int(match[1])])
        value = message
        path = path.removeprefix("twist.")
        for part in (["twist"] if hasattr(message, "twist") else []) + path.split("."):
            value = getattr(value, part)
        return float(value)
    except (AttributeError, IndexError, ValueError, TypeError) as error:
        raise DemonstrationError(f"{topic}: a message has no {path}") from error
