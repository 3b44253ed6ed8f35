"""An independent judge of the commands that leave the safety node. Free of ROS.

It sees the commands, the control period and which limit set was said to be in force, and
recomputes every derivative by finite differences. It is written from the definitions of the
package's README and the fields of the action space, and uses none of the code that it judges.

For velocity kinds, with T the control period:
    v_k = command_k,                     a_k = (v_k - v_{k-1}) / T,  j_k = (a_k - a_{k-1}) / T
and for positions and grippers v_k = (command_k - command_{k-1}) / T, a_k and j_k likewise.

Of an orientation the three are vectors of the fixed frame, and each limit bounds their norm: v_k is
the rotation vector of R_k R_{k-1}^T over T. See `orientation_oracle`.

A period in which |v| falls is bounded by the deceleration, one in which it grows by the
acceleration, one in which v changes its sign by both. A velocity or norm above its bound, because
the bound fell, must come down monotonically; see `convergence`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Dimension, Limits
from vla_proof.properties.checked_bounds import Bounds
from vla_proof.properties.convergence import NormConvergence, VelocityConvergence
from vla_proof.properties.orientation_oracle import OrientationOracle

Cap = tuple[tuple[int, ...], float]


@dataclass(frozen=True)
class Sample:
    """One control period as an outside recorder has it.

    values: SI, one per dimension. emergency: the emergency set was in force. scale: of every
    velocity limit. caps: (dimension indices, greatest norm of their velocities) beside those of
    the action space.
    """

    values: Sequence[float]
    emergency: bool
    scale: float = 1.0
    caps: tuple[Cap, ...] = ()


class DimensionOracle:
    """History of one dimension, and the judgement of its next command."""

    def __init__(self, dimension: Dimension, period: float, start: float, bounds: Bounds) -> None:
        """start: the velocity, or the place at rest, from which the motion begins."""
        self.dimension = dimension
        self._period = period
        self._bounds = bounds
        self._convergence = VelocityConvergence(dimension, period, bounds)
        self.value = start
        self.rate = start if dimension.kind.is_velocity else 0.0
        self.acceleration = 0.0

    def take(self, value: float, emergency: bool, scale: float) -> None:
        """Judge the next command."""
        d, t, bounds = self.dimension, self._period, self._bounds
        if not math.isfinite(value):
            bounds.fail("finite", d.name, value, 0.0)
            return
        limits = d.emergency if emergency else d.normal
        middle, half = 0.5 * (d.low + d.high), 0.5 * (d.high - d.low)
        bounds.check("range", d.name, value - middle, half, 4.0 * math.ulp(max(-d.low, d.high)))
        rate = value if d.kind.is_velocity else (value - self.value) / t
        acceleration = (rate - self.rate) / t
        noise = self._noise(value)
        self._check_acceleration(rate, acceleration, limits, noise)
        jerk = (acceleration - self.acceleration) / t
        bounds.check("jerk", d.name, jerk, limits.jerk, 2.0 * noise / t)
        self._convergence.take(rate, acceleration, limits.velocity * scale, limits, noise * t)
        self.value, self.rate, self.acceleration = value, rate, acceleration

    def _noise(self, value: float) -> float:
        """What rounding of the commands may add to an acceleration."""
        low, high, t = self.dimension.low, self.dimension.high, self._period
        ulp = 4.0 * math.ulp(max(abs(value), abs(self.value), -low, high))
        return ulp / t if self.dimension.kind.is_velocity else 2.0 * ulp / t**2

    def _check_acceleration(
        self, rate: float, acceleration: float, limits: Limits, noise: float
    ) -> None:
        name, before = self.dimension.name, self.rate
        # A rate that is only rounding has no sign.
        crosses = before * rate < 0.0 and min(abs(before), abs(rate)) > noise * self._period
        if crosses:
            least = min(limits.acceleration, limits.deceleration)
            self._bounds.check("acceleration", name, acceleration, least, noise)
        elif abs(rate) < abs(before):
            self._bounds.check("deceleration", name, acceleration, limits.deceleration, noise)
        else:
            self._bounds.check("acceleration", name, acceleration, limits.acceleration, noise)


class Oracle:
    """Judges a row of commands, from one connection of the outputs to the next."""

    def __init__(
        self, space: ActionSpace, start: Sequence[float], bounds: Bounds | None = None
    ) -> None:
        """start: SI, one per dimension: what the motion begins from."""
        self.space = space
        self.bounds = bounds or Bounds()
        turning = {i for orientation in space.orientations for i in orientation.indices}
        self._single = {
            i: DimensionOracle(dimension, space.period, start[i], self.bounds)
            for i, dimension in enumerate(space.dimensions)
            if i not in turning
        }
        self._orientations = [
            OrientationOracle(space, orientation.indices, start, self.bounds)
            for orientation in space.orientations
        ]
        self._norms: dict[tuple[int, ...], float] = {}
        for indices, most in (
            (space.linear_indices, space.norms.linear_velocity),
            (space.angular_indices, space.norms.angular_velocity),
        ):
            if indices and most is not None:
                self._norms[indices] = most
        self._convergence: dict[tuple[int, ...], NormConvergence] = {}

    def take(self, sample: Sample) -> None:
        """Judge one period."""
        before = {i: (d.rate, d.acceleration) for i, d in self._single.items()}
        for i, dimension in self._single.items():
            dimension.take(sample.values[i], sample.emergency, sample.scale)
        for orientation in self._orientations:
            orientation.take(sample.values, sample.emergency, sample.scale)
        caps = {indices: most * sample.scale for indices, most in self._norms.items()}
        for indices, most in sample.caps:
            caps[indices] = min(most, caps.get(indices, math.inf))
        for indices, most in caps.items():
            if indices not in self._convergence:
                dimensions = [self.space.dimensions[i] for i in indices]
                self._convergence[indices] = NormConvergence(
                    dimensions, self.space.period, self.bounds
                )
            rates = [sample.values[i] for i in indices]
            self._convergence[indices].take(rates, [before[i] for i in indices], most)
        for indices in set(self._convergence) - set(caps):
            self._convergence[indices].free()
        self.bounds.commands += 1

    @property
    def speed(self) -> float:
        """The greatest rate of any dimension or orientation."""
        rates = [abs(dimension.rate) for dimension in self._single.values()]
        return max([*rates, *(orientation.speed for orientation in self._orientations)])

    @property
    def at_rest(self) -> bool:
        """The last command was at rest in every dimension."""
        return self.speed == 0.0

    @property
    def settled(self) -> bool:
        """At rest, as one command earlier: no acceleration is left that had to be taken back."""
        single = all(d.acceleration == 0.0 for d in self._single.values())
        return self.at_rest and single and all(one.settled for one in self._orientations)
