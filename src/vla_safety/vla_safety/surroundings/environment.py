"""Everything outside the robot that limits its motion: its place, and obstacles. Free of ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vla_contract.action_space import ActionSpace
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Array, Boundary, Limit, LimitViolation, SpeedCap
from vla_safety.plan.path_speed import Factor
from vla_safety.surroundings.contact import ContactDetector
from vla_safety.surroundings.measured_pose import MeasuredPose, RobotKind
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor, ObstacleVerdict
from vla_safety.surroundings.planar_base import BaseMotion
from vla_safety.surroundings.separation import PEOPLE, PersonSeparation
from vla_safety.surroundings.speed_zones import SpeedZone
from vla_safety.watch.safety_states import Cause, Reason, Severity


@dataclass(frozen=True)
class Allowance:
    """What the surroundings allow in one period.

    requested: what was asked for, where slowing is not along the path slowed down as obstacles
    want that; None: nothing is.
    factors: shares of the planned speed that are allowed, each by its name.
    stop: why the robot must stop for an obstacle or a person; None where it need not.
    factor: share of every velocity limit, 0 to 1; slowed_by: what makes it less than 1.
    """

    requested: list[float] | None = None
    factors: tuple[Factor, ...] = ()
    stop: Cause | None = None
    boundaries: tuple[Boundary, ...] = ()
    cap: SpeedCap | None = None
    violations: tuple[LimitViolation, ...] = ()
    warnings: tuple[LimitViolation, ...] = ()
    factor: float = 1.0
    slowed_by: str = ""

    def slowing(self, ceiling: Factor) -> Factor:
        """A velocity's ceiling under `factor`, as a share that what slows the robot down allows."""
        violation = ceiling.violation
        if violation is not None:
            violation = violation._replace(limit=Limit.SPEED_ZONE, name=self.slowed_by)
        return Factor(self.slowed_by, ceiling.value, violation)

    def named(self, violations: tuple[LimitViolation, ...]) -> tuple[LimitViolation, ...]:
        """The violations of a command, with what slowed it down in the place of the scale."""
        if self.factor == 1.0:
            return violations
        return tuple(
            v._replace(limit=Limit.SPEED_ZONE, name=self.slowed_by)
            if v.limit is Limit.SPEED_SCALE
            else v
            for v in violations
        )


class Surroundings:
    """Pose and obstacles; see `MeasuredPose` and `ObstacleMonitor` for what they are told."""

    def __init__(
        self,
        space: ActionSpace,
        config: SafetyConfig,
        obstacles: ObstacleMonitor | None = None,
        zones: Sequence[SpeedZone] = (),
    ) -> None:
        """obstacles: None where no source is configured."""
        self.pose = MeasuredPose(space, config, zones)
        self.contact = ContactDetector(space, config)
        self.people = PersonSeparation(space, config)
        self.obstacles = obstacles
        self.verdict = ObstacleVerdict()
        self._base = BaseMotion(space)
        self._required = config.obstacle_source_required
        self._along_path = config.slowing == "path"

    def forget(self) -> None:
        """Another episode, or a clock that jumped."""
        self.pose.forget()
        self.contact.rezero()
        self.people.forget()
        if self.obstacles is not None:
            self.obstacles.forget()

    def causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """What is missing, whatever is asked for."""
        yield from self.pose.causes(config, steady)
        needs = self.pose.kind is RobotKind.BASE and self._required
        if needs and self.obstacles is None:
            yield Cause(
                Reason.CONFIGURATION,
                Severity.HOLD,
                "no source of obstacles is configured for the base",
                "parameter obstacle_sources is set (or obstacle_source_required is false)",
                True,
            )

    def allow(self, requested: list[float] | None, values: Array, steady: int) -> Allowance:
        """What may be done of a request. values: the present command, SI."""
        allowed = self._avoid(requested, values, steady)
        if not self.people.enabled:
            return allowed
        cause = self.people.cause(self.people.speed(values.tolist()), steady)
        factor = self.people.factor(steady)
        return replace(allowed, stop=allowed.stop or cause, factor=factor, slowed_by=PEOPLE)

    def _avoid(self, requested: list[float] | None, values: Array, steady: int) -> Allowance:
        row = values.tolist()
        boundaries = self.pose.boundaries(row, steady)
        cap = self.pose.cap(row, steady)
        if self.obstacles is None:
            return Allowance(requested, (), None, boundaries, cap)
        verdict = self.verdict = self.obstacles.evaluate(
            self._base.twist(requested), steady, moving=self._base.twist(row)
        )
        violations = tuple(
            LimitViolation(Limit.OBSTACLE, "", v.value, v.bound, v.name) for v in verdict.violations
        )
        factors: tuple[Factor, ...] = ()
        if requested is not None and verdict.ratio < 1.0:
            if self._along_path:
                name = f"obstacle: {verdict.name}"
                factors = (Factor(name, verdict.ratio, violations[0] if violations else None),)
            else:
                requested = self._base.scaled(requested, verdict.ratio)
        found = self._base.boundaries(verdict.boundaries)
        boundaries += tuple(Boundary(c, left, Limit.OBSTACLE, name) for c, left, name in found)
        return Allowance(
            requested,
            factors,
            _stop(verdict),
            boundaries,
            cap,
            violations,
            tuple(
                LimitViolation(Limit.OBSTACLE, "", w.value, w.bound, w.name)
                for w in verdict.warnings
            ),
        )


def _stop(verdict: ObstacleVerdict) -> Cause | None:
    if not verdict.stop:
        return None
    return Cause(Reason.OBSTACLE, Severity.HOLD, verdict.cause, verdict.clears_when, True)
