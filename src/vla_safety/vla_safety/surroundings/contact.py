"""Contact by force: what is measured beyond a slow average stops the robot, which then yields.

Measured are the efforts of joints (JointState) and the force and torque of a sensor at the wrist
(WrenchStamped). Each has a baseline, an exponential average over `contact_baseline_time` that
follows while there is no contact, so that the weight of a tool or a sensor's drift is none. It
stands still where the deviation is more than half of the threshold; a push that grows more slowly
than half the threshold in that time is taken for drift. Contact begins with the first sample beyond
the threshold and ends below half of it. Free of ROS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.frames import frame_name
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.watch.safety_inputs import joint_of_dimension
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

Vector = tuple[float, ...]
WRENCH = "wrench"
_ENDS = 0.5  # of the threshold: below it a contact is over, above it the baseline stands still


class Baseline:
    """Deviation of a measured vector from its slow average."""

    def __init__(self, threshold: float, time_constant: float) -> None:
        """threshold: of the deviation's length, in its unit. time_constant: of the average, s."""
        self.threshold = threshold
        self.deviation: Vector = ()
        self.touches = False
        self._time_constant = time_constant
        self._average: Vector = ()
        self._last = 0

    @property
    def size(self) -> float:
        """Length of the deviation."""
        return math.hypot(*self.deviation)

    def rezero(self) -> None:
        """What is measured next is no contact."""
        self._average, self.deviation, self.touches = (), (), False

    def measure(self, value: Vector, steady: int) -> None:
        """A sample; steady: ns of a clock that never jumps."""
        if len(self._average) != len(value):
            self._average, self._last = value, steady
        self.deviation = tuple(a - b for a, b in zip(value, self._average, strict=True))
        share = _ENDS if self.touches else 1.0
        self.touches = self.size > share * self.threshold
        elapsed, self._last = max(0, steady - self._last) / NANOSECONDS, steady
        if self.touches or self.size > _ENDS * self.threshold:
            return
        follow = 1.0 - math.exp(-elapsed / self._time_constant)
        self._average = tuple(
            b + follow * d for b, d in zip(self._average, self.deviation, strict=True)
        )


@dataclass(frozen=True)
class Touch:
    """What touched: in words, and the direction in which it pushes each dimension, -1 to 1."""

    text: str
    direction: tuple[float, ...]


class ContactDetector:
    """Tell it what is measured; it says whether the robot is touched, and how it yields.

    Without thresholds it finds nothing and needs nothing.
    """

    def __init__(self, space: ActionSpace, config: SafetyConfig) -> None:
        self._space = space
        constant = config.contact_baseline_time
        wrench = (("force", config.contact_force), ("torque", config.contact_torque))
        self._wrench = {
            name: Baseline(threshold, constant) for name, threshold in wrench if threshold > 0.0
        }
        joints, efforts = config.contact_joints, config.contact_efforts
        efforts = efforts * len(joints) if len(efforts) == 1 else efforts
        self._joints = {
            joint: Baseline(threshold, constant)
            for joint, threshold in zip(joints, efforts, strict=True)
        }
        self._frame = ""
        self._seen: dict[str, int] = {}
        self._touch: Touch | None = None
        self._left = 0.0
        self._stood = False

    @property
    def needs_wrench(self) -> bool:
        """A threshold of force or torque is configured."""
        return bool(self._wrench)

    @property
    def joints(self) -> tuple[str, ...]:
        """Joints whose effort is looked at."""
        return tuple(self._joints)

    def rezero(self) -> None:
        """What is measured next is no contact."""
        for baseline in (*self._wrench.values(), *self._joints.values()):
            baseline.rezero()
        self._touch, self._left = None, 0.0

    def measure_wrench(self, force: Vector, torque: Vector, frame: str, steady: int) -> str:
        """A wrench came, N and N m in a frame; returns why it cannot be used, or nothing."""
        if not all(map(math.isfinite, (*force, *torque))):
            return f"{WRENCH} is not finite"
        self._frame, self._seen[WRENCH] = frame_name(frame), steady
        for name, value in (("force", force), ("torque", torque)):
            if name in self._wrench:
                self._wrench[name].measure(value, steady)
        return ""

    def measure_efforts(self, efforts: Mapping[str, float], steady: int) -> None:
        """Joint states came; an effort that is not finite is none."""
        for joint, baseline in self._joints.items():
            effort = efforts.get(joint, math.nan)
            if math.isfinite(effort):
                self._seen[joint] = steady
                baseline.measure((effort,), steady)

    def causes(self, config: SafetyConfig, steady: int, at_rest: bool) -> Iterator[Cause]:
        """A contact, or a sensor that is silent. at_rest: so was the last command."""
        yield from self._silence(config, steady)
        touch = self._found()
        if touch is None:
            self._touch = None
            return
        if self._touch is None:
            self._touch, self._left, self._stood = touch, config.contact_yield, False
        self._stood = self._stood or at_rest
        clears = "nothing pushes the robot any more"
        # Hard until it stands; what follows is the way in which it yields.
        yield Cause(Reason.CONTACT, Severity.HOLD, touch.text, clears, not self._stood)

    def _silence(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        watched = [*((WRENCH,) if self._wrench else ()), *self._joints]
        for name in watched:
            last, what = self._seen.get(name), name if name == WRENCH else f"the effort of {name}"
            if last is not None and steady - last <= round(config.input_timeout * NANOSECONDS):
                continue
            text = (
                "was never received"
                if last is None
                else f"is older than {config.input_timeout:g} s"
            )
            yield Cause(
                Reason.INPUT, Severity.HOLD, f"{what} {text}", f"{what} is received", True,
                FaultKind.ROBOT_STATE,
            )  # fmt: skip

    def _found(self) -> Touch | None:
        for name, baseline in self._wrench.items():
            if baseline.touches:
                unit = "N" if name == "force" else "N m"
                text = f"contact: {name} of {baseline.size:.1f} {unit}"
                return Touch(
                    f"{text}; accepted: {baseline.threshold:g}", self._pushed(name, baseline)
                )
        for joint, baseline in self._joints.items():
            if baseline.touches:
                text = f"contact: effort of {joint} off by {baseline.size:.2g}"
                return Touch(
                    f"{text}; accepted: {baseline.threshold:g}", self._turned(joint, baseline)
                )
        return None

    def _pushed(self, name: str, baseline: Baseline) -> tuple[float, ...]:
        """Along the force, for linear velocities and positions in the frame of the sensor."""
        row = [0.0] * self._space.width
        if name == "force" and baseline.size > 0.0:
            for i, axis in (*self._space.linear_axes, *self._space.position_axes):
                if frame_name(self._space.dimensions[i].frame) == self._frame:
                    row[i] = baseline.deviation[axis] / baseline.size
        return tuple(row)

    def _turned(self, joint: str, baseline: Baseline) -> tuple[float, ...]:
        """The way in which a joint is pushed: the motor that holds it has the other sign."""
        row = [0.0] * self._space.width
        for i, dimension in enumerate(self._space.dimensions):
            moved = dimension.kind in (Kind.JOINT_POSITION, Kind.JOINT_VELOCITY)
            if moved and joint_of_dimension(dimension) == joint:
                row[i] = -math.copysign(1.0, baseline.deviation[0])
        return tuple(row)

    def yielding(
        self, values: Sequence[float], rest: Sequence[float], speed: float
    ) -> list[float] | None:
        """What to ask for to yield, once in each period at rest or yielding; None: nothing.

        values: the last command, SI. rest: where it comes to rest. speed: m/s or rad/s.
        """
        touch = self._touch
        if touch is None or self._left <= 0.0 or not any(touch.direction):
            return None
        if self._left <= self._stopping(touch, speed):
            self._left = 0.0
            return None
        period = self._space.period
        row = list(rest)
        for i, way in enumerate(touch.direction):
            if way and self._space.dimensions[i].kind.is_velocity:
                row[i] = speed * way
            elif way:
                row[i] = values[i] + speed * period * way
        self._left -= speed * period
        return row

    def _stopping(self, touch: Touch, speed: float) -> float:
        """No less than the way that braking from the speed takes."""
        times = [
            replace(self._space.dimensions[i].normal, velocity=speed).time_to_rest()
            for i, way in enumerate(touch.direction)
            if way
        ]
        return speed * (max(times) + 2.0 * self._space.period)
