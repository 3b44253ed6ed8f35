"""The action space: what a robot can be told, in which units and within which limits.

One YAML file per robot, kept beside the weights that were trained for it. The policy reads from
it how a normalised output becomes SI units; the safety node reads the limits and where each
dimension goes. See `ActionSpace.load`.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import yaml

from vla_contract import rotations
from vla_contract.rotations import Quaternion

Array = npt.NDArray[np.float64]


class ActionSpaceError(ValueError):
    """An action space that cannot be used; the message says where, what and what is accepted."""


def _check_above_zero(value: Any, what: str) -> None:
    if not (isinstance(value, (int, float)) and 0.0 < value < math.inf):
        raise ActionSpaceError(f"{what} is {value!r}; accepted: a finite number above 0")


class Kind(enum.Enum):
    """What a dimension commands. Decides its unit and which derivative each limit bounds."""

    LINEAR_VELOCITY = "linear_velocity"
    ANGULAR_VELOCITY = "angular_velocity"
    END_EFFECTOR_POSITION = "end_effector_position"
    END_EFFECTOR_ORIENTATION = "end_effector_orientation"
    JOINT_POSITION = "joint_position"
    JOINT_VELOCITY = "joint_velocity"
    GRIPPER = "gripper"

    @property
    def is_velocity(self) -> bool:
        """True where the commanded value is itself a velocity: it is zero at a standstill."""
        return self in (Kind.LINEAR_VELOCITY, Kind.ANGULAR_VELOCITY, Kind.JOINT_VELOCITY)

    @property
    def is_pose(self) -> bool:
        """True of where the end effector is: it must be measured before the first command."""
        return self in (Kind.END_EFFECTOR_POSITION, Kind.END_EFFECTOR_ORIENTATION)

    @property
    def units(self) -> tuple[str, ...]:
        """Accepted units of the commanded value."""
        return {
            Kind.LINEAR_VELOCITY: ("m/s",),
            Kind.ANGULAR_VELOCITY: ("rad/s",),
            Kind.END_EFFECTOR_POSITION: ("m",),
            Kind.END_EFFECTOR_ORIENTATION: ("rad", "1"),
            Kind.JOINT_POSITION: ("rad", "m"),
            Kind.JOINT_VELOCITY: ("rad/s", "m/s"),
            Kind.GRIPPER: ("1", "m", "rad", "N"),
        }[self]


MESSAGE_TYPES = (
    "geometry_msgs/msg/Twist",
    "geometry_msgs/msg/TwistStamped",
    "geometry_msgs/msg/PoseStamped",
    "sensor_msgs/msg/JointState",
    "std_msgs/msg/Float64",
    "std_msgs/msg/Float64MultiArray",
    "trajectory_msgs/msg/JointTrajectory",
    "control_msgs/msg/JointJog",
    "control_msgs/action/GripperCommand",
    "control_msgs/action/ParallelGripperCommand",
)


@dataclass(frozen=True)
class Limits:
    """Greatest magnitudes of one dimension's motion, all positive.

    velocity: m/s or rad/s; for a gripper the change of its command per second.
    acceleration, jerk: the next two derivatives (per s^2, per s^3 of the position's unit).
    deceleration: like acceleration, which is its default, for a control period in which the
    velocity's magnitude falls; `acceleration` bounds one in which it grows, and both bound one
    in which the velocity changes its sign.
    """

    velocity: float
    acceleration: float
    jerk: float
    # Always a number once made: None stands for the acceleration.
    deceleration: float = cast(float, None)

    def __post_init__(self) -> None:
        if self.deceleration is None:
            object.__setattr__(self, "deceleration", self.acceleration)
        for item in fields(self):
            _check_above_zero(getattr(self, item.name), f"limit {item.name}")

    def time_to_rest(self) -> float:
        """Time to bring `velocity` to rest within the other two, s (continuous time)."""
        ramp = self.deceleration / self.jerk
        if self.velocity >= self.deceleration * ramp:
            return self.velocity / self.deceleration + ramp
        return 2.0 * math.sqrt(self.velocity / self.jerk)


@dataclass(frozen=True)
class Norms:
    """Combined limits of the velocity dimensions of a kind: of sqrt(sum of squares).

    linear_velocity: m/s. angular_velocity: rad/s. None: no limit but those of the dimensions.
    """

    linear_velocity: float | None = None
    angular_velocity: float | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                _check_above_zero(value, f"norm {item.name}")


@dataclass(frozen=True)
class SoftThresholds:
    """Above (for the distance: below) these a motion is warned of, and passes.

    linear_velocity, angular_velocity: of the norm of the velocity dimensions of that kind, m/s
    and rad/s. distance: to the nearest obstacle, m.
    """

    linear_velocity: float = 0.5
    angular_velocity: float = 0.5
    distance: float = 0.3

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_above_zero(getattr(self, item.name), f"soft threshold {item.name}")


@dataclass(frozen=True)
class Output:
    """Where a dimension goes.

    topic: relative name, remappable; of an action its name. type: one of `MESSAGE_TYPES`.
    field: a dotted path ("twist.linear.x", "data"), an index ("data[2]") for arrays, or the
    joint's name for a JointTrajectory, JointState, JointJog and ParallelGripperCommand.
    timeout: s without a command after which the driver of the topic stops by itself. None: it has
    no such timeout, or another dimension of the topic declares it. It changes no action, so two
    action spaces that differ in it only are equal.
    """

    topic: str
    type: str
    field: str
    timeout: float | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.timeout is not None and not (self.timeout > 0.0 and math.isfinite(self.timeout)):
            raise ActionSpaceError(
                f"output timeout is {self.timeout!r}; accepted: a finite number of seconds above 0"
            )
        if self.type not in MESSAGE_TYPES:
            raise ActionSpaceError(
                f"output type is {self.type!r}; accepted: {', '.join(MESSAGE_TYPES)}"
            )
        if not self.topic or not self.field:
            raise ActionSpaceError("output needs a topic and a field; one of them is empty")


@dataclass(frozen=True)
class Dimension:
    """One commanded quantity.

    low, high: hard range of the commanded value. model_low, model_high: what -1 and 1 of the
    model's normalised output mean, in the same unit. joint_range: of a joint velocity, between
    which positions its joint stays, rad or m; infinite of a continuous joint, None of other kinds.
    """

    name: str
    kind: Kind
    unit: str
    low: float
    high: float
    model_low: float
    model_high: float
    normal: Limits
    emergency: Limits
    frame: str
    output: Output
    joint_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.unit not in self.kind.units:
            raise ActionSpaceError(
                f"unit of {self.name} is {self.unit!r}; accepted for {self.kind.value}: "
                + ", ".join(self.kind.units)
            )
        for low, high, what in (
            (self.low, self.high, "range"),
            (self.model_low, self.model_high, "model_range"),
        ):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ActionSpaceError(
                    f"{what} of {self.name} is [{low}, {high}]; accepted: two finite numbers, "
                    "the lower one first"
                )
        if self.kind.is_velocity and not self.low <= 0.0 <= self.high:
            raise ActionSpaceError(
                f"range of {self.name} is [{self.low}, {self.high}]; accepted for a velocity: a "
                "range that holds 0, or the robot could not stand still"
            )
        self._check_joint_range()
        for name in ("acceleration", "deceleration", "jerk"):
            normal, emergency = getattr(self.normal, name), getattr(self.emergency, name)
            if emergency < normal:
                raise ActionSpaceError(
                    f"emergency {name} of {self.name} is {emergency}; accepted: at least the "
                    f"normal one, {normal}"
                )

    def of_axis(self, limits: Limits) -> Limits:
        """Limits of the motion along each axis that this dimension moves, from its own.

        Those of an orientation bound the norm over three axes: each has 1/sqrt(3) of acceleration
        and jerk, and all of the velocity as far as the other two leave it.
        """
        if self.kind is not Kind.END_EFFECTOR_ORIENTATION:
            return limits
        share = 1.0 / math.sqrt(3.0)
        return Limits(
            limits.velocity, share * limits.acceleration, share * limits.jerk,
            share * limits.deceleration,
        )  # fmt: skip

    def _check_joint_range(self) -> None:
        if self.kind is not Kind.JOINT_VELOCITY:
            if self.joint_range is not None:
                raise ActionSpaceError(
                    f"{self.name} has joint_range; accepted of {Kind.JOINT_VELOCITY.value} only"
                )
            return
        low, high = self.joint_range or (math.nan, math.nan)
        if not low < high:
            raise ActionSpaceError(
                f"joint_range of {self.name} is {self.joint_range}; accepted for "
                f"{self.kind.value}: [low, high], the positions between which the joint stays "
                "(of a continuous joint [-.inf, .inf])"
            )


@dataclass(frozen=True)
class Orientation:
    """The dimensions that are one orientation.

    indices: of three that are a rotation vector (unit rad), or of six that are the first two
    columns of the rotation matrix (unit 1), in this order. See `rotations`.
    """

    indices: tuple[int, ...]

    def read(self, row: Sequence[float]) -> Quaternion | None:
        """The orientation in a row, x, y, z, w; None where the row tells none."""
        return rotations.from_numbers([row[i] for i in self.indices])

    def write(self, row: list[float], q: Quaternion) -> None:
        """Put an orientation into a row."""
        for i, value in zip(self.indices, rotations.to_numbers(q, len(self.indices)), strict=True):
            row[i] = value


@dataclass(frozen=True)
class ActionSpace:
    """The dimensions of a robot's commands, their control rate and the shape of a chunk.

    control_rate: Hz, at which commands leave the safety node.
    chunk_length, chunk_period: rows of a chunk at most, and the time between two of them, s.
    braking_time: s within which the emergency limits bring every dimension to rest.
    norms: combined limits. soft: thresholds of warnings; they change no motion, so two action
    spaces that differ in them only are equal.
    """

    name: str
    control_rate: float
    chunk_length: int
    chunk_period: float
    braking_time: float
    dimensions: tuple[Dimension, ...]
    norms: Norms = Norms()
    soft: SoftThresholds = field(default=SoftThresholds(), compare=False)

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise ActionSpaceError("dimensions is empty; accepted: at least one")
        names = self.dimension_names
        if len(set(names)) != len(names):
            raise ActionSpaceError(f"dimension names {list(names)} are not unique")
        for name in ("control_rate", "chunk_period", "braking_time"):
            _check_above_zero(getattr(self, name), name)
        if self.chunk_length < 1:
            raise ActionSpaceError(f"chunk length is {self.chunk_length}; accepted: at least 1")
        self._check_braking_time()
        self._check_driver_timeouts()
        for orientation in self.orientations:
            _check_orientation([self.dimensions[i] for i in orientation.indices])

    def _check_braking_time(self) -> None:
        # One period more than in continuous time for each derivative that is held in steps.
        for dimension in self.dimensions:
            limits = dimension.of_axis(dimension.emergency)
            needed = limits.time_to_rest() + 2.0 / self.control_rate
            if needed > self.braking_time:
                raise ActionSpaceError(
                    f"braking_time is {self.braking_time} s, but {dimension.name} needs "
                    f"{needed:.3f} s with its emergency limits; accepted: at least that"
                )

    def _check_driver_timeouts(self) -> None:
        for dimension in self.dimensions:
            output = dimension.output
            if output.timeout not in (None, self.driver_timeouts.get(output.topic)):
                raise ActionSpaceError(
                    f"topic {output.topic} has timeouts {self.driver_timeouts[output.topic]} and "
                    f"{output.timeout} s; accepted: one per topic"
                )

    @property
    def width(self) -> int:
        """Number of dimensions."""
        return len(self.dimensions)

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """Names of the dimensions, in order."""
        return tuple(dimension.name for dimension in self.dimensions)

    @cached_property
    def linear_indices(self) -> tuple[int, ...]:
        """Where the linear velocities are."""
        return self._indices(Kind.LINEAR_VELOCITY)

    @cached_property
    def angular_indices(self) -> tuple[int, ...]:
        """Where the angular velocities are."""
        return self._indices(Kind.ANGULAR_VELOCITY)

    @cached_property
    def joint_velocity_indices(self) -> tuple[int, ...]:
        """Where the joints' velocities are."""
        return self._indices(Kind.JOINT_VELOCITY)

    @cached_property
    def linear_axes(self) -> tuple[tuple[int, int], ...]:
        """Dimension and axis (0 x, 1 y, 2 z) of each linear velocity that goes to a Twist."""
        ends = tuple(f"linear.{name}" for name in "xyz")
        return tuple(
            (i, ends.index(end))
            for i in self.linear_indices
            if (end := ".".join(self.dimensions[i].output.field.split(".")[-2:])) in ends
        )

    @cached_property
    def joint_ranges(self) -> tuple[tuple[int, float, float], ...]:
        """(dimension, lowest, highest position) of each joint velocity whose joint has ends."""
        return tuple(
            (i, *range_)
            for i in self.joint_velocity_indices
            if (range_ := self.dimensions[i].joint_range) and range_ != (-math.inf, math.inf)
        )

    @cached_property
    def position_axes(self) -> tuple[tuple[int, int], ...]:
        """Dimension and axis (0 x, 1 y, 2 z) of each position of the end effector.

        By the last letter of the output field; where that is none of them, by its place among the
        positions.
        """
        indices = self._indices(Kind.END_EFFECTOR_POSITION)
        letters = [self.dimensions[i].output.field[-1] for i in indices]
        return tuple(
            (i, "xyz".index(letter) if letter in "xyz" else place % 3)
            for place, (i, letter) in enumerate(zip(indices, letters, strict=True))
        )

    @cached_property
    def pose_indices(self) -> tuple[int, ...]:
        """Where the end effector's pose is, position and orientation."""
        return tuple(i for i, dimension in enumerate(self.dimensions) if dimension.kind.is_pose)

    @cached_property
    def orientations(self) -> tuple[Orientation, ...]:
        """One for each topic that orientations go to."""
        topics: dict[str, list[int]] = {}
        for i in self._indices(Kind.END_EFFECTOR_ORIENTATION):
            topics.setdefault(self.dimensions[i].output.topic, []).append(i)
        return tuple(Orientation(tuple(indices)) for indices in topics.values())

    @cached_property
    def driver_timeouts(self) -> dict[str, float]:
        """Topic → s without a command after which its driver stops, where that is declared."""
        outputs = [dimension.output for dimension in reversed(self.dimensions)]
        return {o.topic: o.timeout for o in outputs if o.timeout is not None}

    def _indices(self, kind: Kind) -> tuple[int, ...]:
        return tuple(i for i, dimension in enumerate(self.dimensions) if dimension.kind is kind)

    @property
    def period(self) -> float:
        """Control period, s."""
        return 1.0 / self.control_rate

    @property
    def horizon(self) -> float:
        """Time that a full chunk covers, s."""
        return self.chunk_length * self.chunk_period

    def to_si(self, normalised: npt.ArrayLike) -> Array:
        """Turn model outputs in [-1, 1], shape (..., width), into SI units, float64."""
        y = np.asarray(normalised, dtype=np.float64)
        low, high = self._model_range()
        return low + (y + 1.0) * 0.5 * (high - low)

    def to_normalised(self, si: npt.ArrayLike) -> Array:
        """Inverse of `to_si`; shape (..., width), float64, not clipped."""
        x = np.asarray(si, dtype=np.float64)
        low, high = self._model_range()
        return (x - low) / (high - low) * 2.0 - 1.0

    def _model_range(self) -> tuple[Array, Array]:
        return (
            np.array([d.model_low for d in self.dimensions]),
            np.array([d.model_high for d in self.dimensions]),
        )

    @staticmethod
    def load(path: str | Path) -> ActionSpace:
        """Read an action space file.

        Raises:
            ActionSpaceError: no such file, not YAML, a missing, unknown or refused entry. The
                message names the file, the entry and what is accepted.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ActionSpaceError(f"action space {path}: {reason}") from error
        try:
            return ActionSpace.from_dict(yaml.safe_load(text))
        except yaml.YAMLError as error:
            where = " ".join(str(error).split())
            raise ActionSpaceError(f"action space {path}: not YAML: {where}") from error
        except ActionSpaceError as error:
            raise ActionSpaceError(f"action space {path}: {error}") from error

    @staticmethod
    def from_dict(data: Any) -> ActionSpace:
        """Build an action space from the content of its file; raises ActionSpaceError."""
        required = ("name", "control_rate", "chunk", "braking_time", "dimensions")
        entries = _entries(data, "the file", required, ("norms", "soft"))
        chunk = _entries(entries["chunk"], "chunk", ("length", "period"))
        if not isinstance(entries["dimensions"], list):
            raise ActionSpaceError("dimensions is not a list")
        if isinstance(chunk["length"], bool) or not isinstance(chunk["length"], int):
            raise ActionSpaceError(
                f"length of chunk is {chunk['length']!r}; accepted: a whole number"
            )
        return ActionSpace(
            name=str(entries["name"]),
            control_rate=_number(entries, "control_rate", "the file"),
            chunk_length=chunk["length"],
            chunk_period=_number(chunk, "period", "chunk"),
            braking_time=_number(entries, "braking_time", "the file"),
            dimensions=tuple(
                _dimension(entry, f"dimensions[{i}]")
                for i, entry in enumerate(entries["dimensions"])
            ),
            norms=Norms(**_numbers(entries, "norms", Norms)),
            soft=SoftThresholds(**_numbers(entries, "soft", SoftThresholds)),
        )


# Numbers of an orientation by its unit: how many, and the range that leaves none out.
_ORIENTATIONS = {"rad": (3, math.pi), "1": (6, 1.0)}


def _check_orientation(dimensions: Sequence[Dimension]) -> None:
    """Refuse dimensions that are not one orientation together."""
    first = dimensions[0]
    count, reach = _ORIENTATIONS[first.unit]
    topic = first.output.topic
    if len(dimensions) != count or any(d.unit != first.unit for d in dimensions):
        units = ", ".join(d.unit for d in dimensions)
        raise ActionSpaceError(
            f"the orientation of topic {topic} has {len(dimensions)} dimensions in {units}; "
            "accepted: 3 in rad (a rotation vector) or 6 in 1 (two columns of the matrix)"
        )
    for d in dimensions:
        if d.low > -reach + 1e-3 or d.high < reach - 1e-3:
            raise ActionSpaceError(
                f"range of {d.name} is [{d.low}, {d.high}]; accepted of an orientation in "
                f"{d.unit}: [-{reach:.5g}, {reach:.5g}] or more, for only its motion is limited"
            )
        if (d.normal, d.emergency, d.frame) != (first.normal, first.emergency, first.frame):
            raise ActionSpaceError(
                f"limits or frame of {d.name} and {first.name} differ; accepted: the same, for "
                "they are of one angular velocity"
            )


def _dimension(data: Any, where: str) -> Dimension:
    required = ("name", "kind", "unit", "range", "normal", "emergency", "frame", "output")
    entries = _entries(data, where, required, ("model_range", "joint_range"))
    try:
        kind = Kind(entries["kind"])
    except ValueError as error:
        accepted = ", ".join(k.value for k in Kind)
        raise ActionSpaceError(
            f"kind of {where} is {entries['kind']!r}; accepted: {accepted}"
        ) from error
    low, high = _pair(entries["range"], f"range of {where}")
    model_range = entries.get("model_range", entries["range"])
    model_low, model_high = _pair(model_range, f"model_range of {where}")
    joint_range = entries.get("joint_range")
    place = f"output of {where}"
    output = _entries(entries["output"], place, ("topic", "type", "field"), ("timeout",))
    timeout = _number(output, "timeout", place) if "timeout" in output else None
    return Dimension(
        name=str(entries["name"]),
        kind=kind,
        unit=str(entries["unit"]),
        low=low,
        high=high,
        model_low=model_low,
        model_high=model_high,
        normal=_limits(entries["normal"], f"normal of {where}"),
        emergency=_limits(entries["emergency"], f"emergency of {where}"),
        frame=str(entries["frame"]),
        output=Output(str(output["topic"]), str(output["type"]), str(output["field"]), timeout),
        joint_range=None if joint_range is None else _pair(joint_range, f"joint_range of {where}"),
    )


def _limits(data: Any, where: str) -> Limits:
    names = ("velocity", "acceleration", "jerk")
    entries = _entries(data, where, names, ("deceleration",))
    try:
        return Limits(**{name: _number(entries, name, where) for name in entries})
    except ActionSpaceError as error:
        raise ActionSpaceError(f"{where}: {error}") from error


def _numbers(entries: dict[str, Any], key: str, made: type) -> dict[str, float]:
    """Content of an optional mapping of numbers; what `made` does not have is refused."""
    names = tuple(item.name for item in fields(made))
    content = _entries(entries.get(key, {}), key, (), names)
    return {name: _number(content, name, key) for name in content}


def _entries(
    data: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(data, dict):
        accepted = ", ".join(required or optional)
        raise ActionSpaceError(f"{where} is not a mapping; accepted: {accepted}")
    missing = [key for key in required if key not in data]
    unknown = [str(key) for key in data if key not in required + optional]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown {', '.join(unknown)}"] if unknown else []
        raise ActionSpaceError(
            f"{where} {' and '.join(parts)}; accepted: {', '.join(required + optional)}"
        )
    return data


def _number(entries: dict[str, Any], key: str, where: str) -> float:
    value = entries[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ActionSpaceError(f"{key} of {where} is {value!r}; accepted: a number")
    return float(value)


def _pair(value: Any, what: str) -> tuple[float, float]:
    numbers = isinstance(value, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in value
    )
    if not numbers or len(value) != 2:
        raise ActionSpaceError(f"{what} is {value!r}; accepted: [low, high]")
    return float(value[0]), float(value[1])
