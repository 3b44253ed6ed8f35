"""A policy's numbers for a joint ↔ ours: unit, sign and offset, the same for state and actions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

UNITS = ("si", "deg", "percent", "fraction", "normalised")
_WITH_RANGE = {"percent": (0.0, 100.0), "fraction": (0.0, 1.0), "normalised": (-1.0, 1.0)}
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JointUnit:
    """The policy's number is sign · (ours in the unit) + offset.

    unit: si (ours), deg, or over `range`: percent (0 to 100), fraction (0 to 1), normalised (-1 to
    1). offset: in the unit. range: low and high, SI.

    Raises:
        ValueError: one line that names the value and what is accepted.
    """

    unit: str = "si"
    sign: float = 1.0
    offset: float = 0.0
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit is {self.unit!r}; accepted: {', '.join(UNITS)}")
        if self.sign not in (1.0, -1.0):
            raise ValueError(f"sign is {self.sign!r}; accepted: 1 or -1")
        if not _is_finite(self.offset):
            raise ValueError(f"offset is {self.offset!r}; accepted: a finite number [{self.unit}]")
        wanted = self.unit in _WITH_RANGE
        pair = self.range
        fits = pair is None or (
            isinstance(pair, (list, tuple))
            and len(pair) == 2
            and all(map(_is_finite, pair))
            and pair[0] < pair[1]
        )
        if (pair is not None) != wanted or not fits:
            accepted = "[low, high] in SI" if wanted else f"none for the unit {self.unit}"
            raise ValueError(f"range is {pair!r}; accepted: {accepted}")

    def to_policy(self, si: npt.ArrayLike) -> Numbers:
        """The policy's numbers for ours, SI."""
        scale, zero = self._line
        return self.sign * (np.asarray(si, np.float64) * scale + zero) + self.offset

    def to_si(self, given: npt.ArrayLike) -> Numbers:
        """Ours, SI, for the policy's numbers."""
        scale, zero = self._line
        return (self.sign * (np.asarray(given, np.float64) - self.offset) - zero) / scale

    @property
    def _line(self) -> tuple[float, float]:
        """Scale and zero of: unit = SI · scale + zero."""
        if self.range is not None:
            first, last = _WITH_RANGE[self.unit]
            scale = (last - first) / (self.range[1] - self.range[0])
            return scale, first - self.range[0] * scale
        return (180.0 / math.pi if self.unit == "deg" else 1.0), 0.0


def joint_units(given: Any) -> dict[str, JointUnit]:
    """Units by name, of the map of a mapping file; raises ValueError naming joint and key."""
    if not isinstance(given, Mapping):
        raise ValueError(f"joints is {given!r}; accepted: a map of names")
    made = {}
    keys = ("unit", "sign", "offset", "range")
    for name, entry in given.items():
        wrong = [str(key) for key in entry if key not in keys] if isinstance(entry, dict) else ["?"]
        if wrong:
            raise ValueError(
                f"joints.{name}: unknown {', '.join(wrong)}; accepted: {', '.join(keys)}"
            )
        try:
            made[str(name)] = JointUnit(**entry)
        except ValueError as error:
            raise ValueError(f"joints.{name}.{error}") from error
    return made


def _is_finite(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)
