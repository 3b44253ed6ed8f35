"""Everything outside the robot that limits its motion: its place, and obstacles. Free of ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Array, Boundary, Limit, LimitViolation, SpeedCap
from vla_safety.surroundings.measured_pose import MeasuredPose, RobotKind
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor, ObstacleVerdict
from vla_safety.surroundings.planar_base import BaseMotion
from vla_safety.surroundings.speed_zones import SpeedZone
from vla_safety.watch.safety_states import Cause, Reason, Severity


@dataclass(frozen=True)
class Allowance:
    """What the surroundings allow in one period.

    requested: what was asked for, slowed down where obstacles want that; None: nothing is.
    stop: why the robot must stop for an obstacle; None where it need not.
    """

    requested: list[float] | None = None
    stop: Cause | None = None
    boundaries: tuple[Boundary, ...] = ()
    cap: SpeedCap | None = None
    violations: tuple[LimitViolation, ...] = ()
    warnings: tuple[LimitViolation, ...] = ()


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
        self.obstacles = obstacles
        self.verdict = ObstacleVerdict()
        self._base = BaseMotion(space)
        self._required = config.obstacle_source_required

    def forget(self) -> None:
        """Another episode, or a clock that jumped."""
        self.pose.forget()
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
        row = values.tolist()
        boundaries = self.pose.boundaries(row, steady)
        cap = self.pose.cap(row, steady)
        if self.obstacles is None:
            return Allowance(requested, None, boundaries, cap)
        verdict = self.verdict = self.obstacles.evaluate(
            self._base.twist(requested), steady, moving=self._base.twist(row)
        )
        if requested is not None and verdict.ratio < 1.0:
            requested = self._base.scaled(requested, verdict.ratio)
        found = self._base.boundaries(verdict.boundaries)
        boundaries += tuple(Boundary(c, left, Limit.OBSTACLE, name) for c, left, name in found)
        return Allowance(
            requested,
            _stop(verdict),
            boundaries,
            cap,
            tuple(
                LimitViolation(Limit.OBSTACLE, "", v.value, v.bound, v.name)
                for v in verdict.violations
            ),
            tuple(
                LimitViolation(Limit.OBSTACLE, "", w.value, w.bound, w.name)
                for w in verdict.warnings
            ),
        )


def _stop(verdict: ObstacleVerdict) -> Cause | None:
    if not verdict.stop:
        return None
    return Cause(Reason.OBSTACLE, Severity.HOLD, verdict.cause, verdict.clears_when, True)
