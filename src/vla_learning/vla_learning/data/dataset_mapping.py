"""Which feature of somebody's dataset is which camera, state and action, and in which unit.

The optional entry `dataset` of the learning config; without it a dataset must have the names of the
config, as `./vla learn collect` writes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Unit → (SI unit, factor).
UNITS = {
    "1": ("1", 1.0),
    "%": ("1", 0.01),
    "m": ("m", 1.0),
    "cm": ("m", 0.01),
    "mm": ("m", 0.001),
    "rad": ("rad", 1.0),
    "deg": ("rad", math.pi / 180.0),
    "m/s": ("m/s", 1.0),
    "cm/s": ("m/s", 0.01),
    "mm/s": ("m/s", 0.001),
    "rad/s": ("rad/s", 1.0),
    "deg/s": ("rad/s", math.pi / 180.0),
    "N": ("N", 1.0),
}


class MappingError(ValueError):
    """An entry `dataset` that cannot be used; one line."""


@dataclass(frozen=True)
class Entry:
    """One number of a dataset: its feature, its name there or its index, and how it becomes SI.

    unit: the SI unit that `value * scale + offset` has.
    """

    feature: str
    name: str
    index: int | None
    unit: str
    scale: float
    offset: float


@dataclass(frozen=True)
class DatasetMapping:
    """What is what. given: False where the config has no entry `dataset`.

    cameras: camera → feature. state, action: name in the config → entry.
    tasks: a task's words in the dataset → its name in the config; None: left out.
    """

    given: bool = False
    cameras: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, Entry] = field(default_factory=dict)
    action: Mapping[str, Entry] = field(default_factory=dict)
    tasks: Mapping[str, str | None] = field(default_factory=dict)

    @staticmethod
    def from_dict(data: Any) -> DatasetMapping:
        """Read the entry; None: there is none.

        Raises:
            MappingError: which part is wrong and what is accepted.
        """
        if data is None:
            return DatasetMapping()
        parts = ("cameras", "state", "action", "tasks")
        if not isinstance(data, dict) or not set(data) <= set(parts):
            raise MappingError(f"is {data!r:.80}; accepted: a mapping of {', '.join(parts)}")
        for part in data:
            if not isinstance(data[part], dict):
                raise MappingError(f"{part} is {data[part]!r:.80}; accepted: a mapping")
        return DatasetMapping(
            True,
            {str(camera): str(feature) for camera, feature in data.get("cameras", {}).items()},
            _entries(data.get("state", {}), "state", "observation.state"),
            _entries(data.get("action", {}), "action", "action"),
            {
                str(words): None if task is None else str(task)
                for words, task in data.get("tasks", {}).items()
            },
        )


def _entries(data: dict[Any, Any], part: str, feature: str) -> dict[str, Entry]:
    return {str(name): _entry(value, f"{part}.{name}", feature) for name, value in data.items()}


def _entry(data: Any, where: str, feature: str) -> Entry:
    accepted = ("feature", "name", "index", "unit", "scale", "offset")
    if not isinstance(data, dict) or not set(data) <= set(accepted):
        raise MappingError(f"{where} is {data!r:.80}; accepted: {{name: …, unit: …}}, or of "
                           f"{', '.join(accepted)}")  # fmt: skip
    if ("name" in data) == ("index" in data):
        raise MappingError(f"{where} needs one of name and index; it has {sorted(data)}")
    unit = str(data.get("unit", ""))
    if unit not in UNITS:
        raise MappingError(f"{where} has unit {unit!r}; accepted: {', '.join(UNITS)}")
    si, factor = UNITS[unit]
    numbers = [data.get("index", 0), data.get("scale", 1.0), data.get("offset", 0.0)]
    if any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers):
        raise MappingError(f"{where} is {data!r:.80}; accepted: numbers for index, scale, offset")
    return Entry(
        str(data.get("feature", feature)),
        str(data.get("name", "")),
        int(data["index"]) if "index" in data else None,
        si,
        factor * float(data.get("scale", 1.0)),
        factor * float(data.get("offset", 0.0)),
    )
