"""The forms in which a policy writes a rotation, and ours: numbers ↔ quaternion.

rotation_vector: the axis times the angle, rad, 3 numbers. quaternion_xyzw and quaternion_wxyz: 4
numbers of any length above 0; they are sent with length 1 and w from 0. Of six numbers of the
rotation matrix, which need not be orthonormal: rotation_6d_columns is its first column and then its
second (Zhou et al., and here), rotation_6d_rows its first row and then its second (PyTorch3D,
GR00T), rotation_6d_pairs the first two columns read row by row (X-VLA). euler_ and three letters of
axes: angles in rad, in the letters' order, small letters about fixed axes (euler_xyz: roll, pitch,
yaw), capitals about axes that turn along (euler_ZYX is the same rotation in the other order).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract import rotations
from vla_contract.rotations import IDENTITY, Quaternion

Numbers = npt.NDArray[np.float64]
_LEAST_LENGTH = 1e-6  # a shorter quaternion tells no rotation
_LOCK = 1e-7  # rad: a middle angle this near to its end leaves only one of the other two to tell


@dataclass(frozen=True)
class RotationForm:
    """A form of a rotation as `count` numbers. angle: whether they are angles, rad."""

    name: str
    count: int
    angle: bool
    _read: Callable[[Sequence[float]], Quaternion | None]
    _write: Callable[[Quaternion], Sequence[float]]

    def read(self, rows: npt.ArrayLike) -> list[Quaternion]:
        """Quaternions of rows (T, count); raises ValueError naming a row that is no rotation."""
        made = []
        for row in np.asarray(rows, np.float64).tolist():
            quaternion = self._read(row) if math.isfinite(math.hypot(*row)) else None
            if quaternion is None:
                raise ValueError(f"{row} is no {self.name}; accepted: numbers that tell a rotation")
            made.append(quaternion)
        return made

    def write(self, quaternions: Sequence[Quaternion]) -> Numbers:
        """Rows (T, count), float64, of quaternions of length 1."""
        return np.array([self._write(q) for q in quaternions], np.float64).reshape(-1, self.count)


@dataclass(frozen=True)
class MappedRotation:
    """A rotation that states or dimensions of these names hold in one form, a policy in another.

    scale: the policy's numbers of a rad, 1 or 180/pi.
    """

    names: tuple[str, ...]
    ours: RotationForm
    policy: RotationForm
    scale: float = 1.0

    def to_policy(self, values: Mapping[str, float]) -> Numbers:
        """The policy's numbers (count,) for ours by name."""
        return self.policy.write([self.read_ours(values)])[0] * self.scale

    def read_ours(self, values: Mapping[str, float]) -> Quaternion:
        """The rotation of our numbers by name; raises ValueError where they tell none."""
        return self.ours.read([[values[name] for name in self.names]])[0]

    def read_policy(self, rows: Numbers) -> list[Quaternion]:
        """The rotations of a policy's rows (T, count); raises ValueError where a row tells none."""
        return self.policy.read(rows / self.scale)

    def at_rest(self) -> dict[str, float]:
        """Our numbers, by name, of no rotation."""
        return dict(zip(self.names, self.ours.write([IDENTITY])[0].tolist(), strict=True))


def accumulated(turns: Sequence[Quaternion], start: Quaternion, *, step: bool) -> list[Quaternion]:
    """Where turns about the base's axes lead from a start; step: each goes on from the last."""
    made, at = [], start
    for turn in turns:
        made.append(rotations.multiply(turn, at))
        at = made[-1] if step else start
    return made


def interpolated(given: Sequence[Quaternion], places: Numbers) -> list[Quaternion]:
    """The rotations at fractional places in a sequence, the shorter way round between two."""
    made = []
    for place in places.tolist():
        before = min(int(place), len(given) - 1)
        after = min(before + 1, len(given) - 1)
        made.append(rotations.slerp(given[before], given[after], place - before))
    return made


def mapped_rotations(given: Any) -> tuple[MappedRotation, ...]:
    """The rotations of a mapping file; raises ValueError naming entry, key and value."""
    if not isinstance(given, list):
        raise ValueError(f"rotations is {given!r}; accepted: a list of names and policy")
    made = tuple(_mapped(entry, f"rotations[{i}]") for i, entry in enumerate(given))
    names = [name for rotation in made for name in rotation.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"rotations names {', '.join(twice)} twice; accepted: each name once")
    return made


def _mapped(entry: Any, where: str) -> MappedRotation:
    keys = ("names", "policy", "ours", "unit")
    if not isinstance(entry, dict) or set(entry) - set(keys) or not {"names", "policy"} <= {*entry}:
        raise ValueError(f"{where} is {entry!r}; accepted: names and policy, also ours and unit")
    ours, policy = (
        _form(entry.get(key, "rotation_vector"), f"{where}.{key}") for key in ("ours", "policy")
    )
    names, unit = entry["names"], entry.get("unit", "rad")
    if not isinstance(names, list) or len(names) != ours.count:
        raise ValueError(
            f"{where}.names is {names!r}; accepted: {ours.count} names, for {ours.name}"
        )
    units = ("rad", "deg") if policy.angle else ("rad",)
    if unit not in units:
        raise ValueError(
            f"{where}.unit is {unit!r}; accepted: {' or '.join(units)}, for {policy.name}"
        )
    scale = 180.0 / math.pi if unit == "deg" else 1.0
    return MappedRotation(tuple(map(str, names)), ours, policy, scale)


def _form(name: Any, where: str) -> RotationForm:
    found = FORMS.get(name) if isinstance(name, str) else None
    if found is None:
        plain = [form for form in FORMS if not form.startswith("euler")]
        raise ValueError(f"{where} is {name!r}; accepted: {', '.join(plain)}, or euler_ and three "
                         "axes, none twice in a row, as euler_xyz or euler_ZYX")  # fmt: skip
    return found


def _from_wxyz(numbers: Sequence[float]) -> Quaternion | None:
    w, x, y, z = numbers
    return _from_xyzw((x, y, z, w))


def _from_xyzw(numbers: Sequence[float]) -> Quaternion | None:
    length = math.hypot(*numbers)
    if length < _LEAST_LENGTH:
        return None
    x, y, z, w = (number / length for number in numbers)
    return x, y, z, w


def _to_xyzw(q: Quaternion) -> Sequence[float]:
    return q if q[3] >= 0.0 else [-value for value in q]


def _to_wxyz(q: Quaternion) -> Sequence[float]:
    x, y, z, w = _to_xyzw(q)
    return w, x, y, z


def _from_rows(numbers: Sequence[float]) -> Quaternion | None:
    """A matrix's rows are the columns of the opposite rotation's."""
    transposed = rotations.from_columns(numbers)
    return None if transposed is None else rotations.inverse(transposed)


def _to_rows(q: Quaternion) -> Sequence[float]:
    return rotations.to_columns(rotations.inverse(q))


def _from_pairs(numbers: Sequence[float]) -> Quaternion | None:
    return rotations.from_columns([*numbers[::2], *numbers[1::2]])


def _to_pairs(q: Quaternion) -> Sequence[float]:
    columns = rotations.to_columns(q)
    return [value for pair in zip(columns[:3], columns[3:], strict=True) for value in pair]


def _euler(letters: str) -> RotationForm:
    fixed = letters.islower()
    axes = ["xyz".index(letter) for letter in letters.lower()]
    axes = axes if fixed else axes[::-1]  # turning axes are fixed ones in the other order

    def read(angles: Sequence[float]) -> Quaternion:
        made = IDENTITY
        for axis, angle in zip(axes, angles if fixed else angles[::-1], strict=True):
            vector = [0.0, 0.0, 0.0]
            vector[axis] = angle
            made = rotations.multiply(rotations.exponential(vector), made)
        return made

    def write(q: Quaternion) -> Sequence[float]:
        angles = _fixed_angles(axes, q)
        return angles if fixed else angles[::-1]

    return RotationForm(f"euler_{letters}", 3, True, read, write)


def _fixed_angles(axes: Sequence[int], q: Quaternion) -> list[float]:
    """Angles about three fixed axes, rad; at a lock, where two of them are one, the last is 0.

    By Bernardes and Viollet: Quaternion to Euler angles conversion (PLoS ONE 17(11), 2022).
    """
    i, j, k = axes
    proper = i == k
    k = 3 - i - j if proper else k
    sign = (i - j) * (j - k) * (k - i) // 2
    a, b, c, d = q[3], q[i], q[j], sign * q[k]
    if not proper:
        a, b, c, d = a - c, b + d, c + a, d - b
    middle = 2.0 * math.atan2(math.hypot(c, d), math.hypot(a, b))
    half_sum, half_difference = math.atan2(b, a), math.atan2(d, c)
    first, last = half_sum - half_difference, half_sum + half_difference
    if middle < _LOCK:
        first, last = 2.0 * half_sum, 0.0
    elif math.pi - middle < _LOCK:
        first, last = -2.0 * half_difference, 0.0
    if not proper:
        middle, last = middle - 0.5 * math.pi, sign * last
    return [math.remainder(angle, math.tau) for angle in (first, middle, last)]


def _orders() -> list[str]:
    letters = ["".join(axes) for axes in product("xyz", repeat=3)
               if axes[0] != axes[1] != axes[2]]  # fmt: skip
    return letters + [order.upper() for order in letters]


FORMS: Mapping[str, RotationForm] = {
    form.name: form
    for form in (
        RotationForm("rotation_vector", 3, True, rotations.exponential, rotations.logarithm),
        RotationForm("quaternion_xyzw", 4, False, _from_xyzw, _to_xyzw),
        RotationForm("quaternion_wxyz", 4, False, _from_wxyz, _to_wxyz),
        RotationForm("rotation_6d_columns", 6, False, rotations.from_columns, rotations.to_columns),
        RotationForm("rotation_6d_rows", 6, False, _from_rows, _to_rows),
        RotationForm("rotation_6d_pairs", 6, False, _from_pairs, _to_pairs),
        *map(_euler, _orders()),
    )
}
