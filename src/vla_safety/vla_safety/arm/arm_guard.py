"""Fail-safe motion of a whole arm: a command leaves only with a way to rest behind it. ROS-free.

Of each command is looked at where braking with the emergency set would lead from it. Where all of
that is clear, the command leaves; otherwise as much of it as leads away from what is too near, or
the arm brakes, as hard as it must: the brake that was found clear in the period before goes on. So
there is always a way to rest that has been looked at.

Servos hang below what they are told. Where all joints are measured, the same way is looked at as
the arm would go it that is as far off as it is now, and keeps half of the margin. How far off that
is, is told against the command of `arm_delay` ago: what a servo lags behind while it moves is made
good at rest, and would hide how far it hangs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from vla_contract.action_space import ActionSpace
from vla_safety.arm import link_pairs
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.clearance import Clearance, TooNear
from vla_safety.arm.end_speeds import EndSpeeds
from vla_safety.arm.joint_map import JointMap
from vla_safety.arm.levers import Array, Pair
from vla_safety.arm.link_pairs import Margins
from vla_safety.arm.points.point_cloud import NEAR
from vla_safety.arm.points.point_source import (
    PointReader,
    PointSourceConfig,
    PointSources,
    Posture,
)
from vla_safety.arm.urdf_text import package_file, read_urdf
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import (
    Limit,
    LimitedStep,
    LimitViolation,
    MotionLimiter,
    PositionStates,
)

# rad or m: a start further than this from where the last command led is another place.
_ELSEWHERE = 1e-9
_ALREADY = " (already too near: it may only move away)"
_SMALL = 1e-4  # rad or m
_POSTURES = 256  # periods that are remembered
_HANGING = 0.5  # share of the margin that the arm keeps as it hangs
_SLOWER = 0.5  # share of the speed cap, after a command that would have become too fast


def make_guard(
    space: ActionSpace,
    config: SafetyConfig,
    sources: Mapping[str, PointSourceConfig] | None = None,
) -> ArmGuard | None:
    """The guard of the arm that is configured; None where none is. sources: of points.

    Raises:
        ArmError: the URDF or the geometry cannot be used, or does not fit the action space.
    """
    if not config.arm_urdf:
        return None
    file = config.arm_geometry
    geometry = ArmGeometry.load(package_file(file)) if file else ArmGeometry()
    if "joint_states" not in config.required_inputs:
        raise ArmError("arm_urdf is set; accepted of required_inputs: joint_states among them")
    urdf = read_urdf(package_file(config.arm_urdf), geometry.package_folders)
    model = ArmModel(urdf, geometry, tuple(sources or ()))
    return ArmGuard(space, config, model, geometry, sources)


class ArmGuard:
    """Stands around the limiter."""

    def __init__(
        self,
        space: ActionSpace,
        config: SafetyConfig,
        model: ArmModel,
        geometry: ArmGeometry,
        sources: Mapping[str, PointSourceConfig] | None = None,
    ) -> None:
        """sources: those of points that `model` was made with.

        Raises:
            ArmError: see `JointMap` and `link_pairs.choose`.
        """
        joints = config.required_joints
        self._joints = JointMap(model.urdf, model.joints, space, geometry, joints)
        self._payload = geometry.payload
        self._names = names = space.dimension_names
        if self._payload is not None and self._payload.gripper not in names:
            raise ArmError(
                f"gripper of payload is {self._payload.gripper!r}; accepted: {', '.join(names)}"
            )
        self._gripper = names.index(self._payload.gripper) if self._payload is not None else 0
        self._margin = config.arm_margin
        self.model = model
        self.sources = dict(sources or {})
        self.points = PointSources(self.sources)
        apart = {name: one.self_distance + self._margin for name, one in self.sources.items()}
        margins = link_pairs.choose(model, geometry, self._margin, apart)
        self._clearance = Clearance(model, margins)
        # Distances are those of one posture: the one in which the arm hangs has its own model.
        self._hanging = Clearance(ArmModel(model.urdf, geometry), _of_solids(margins, _HANGING))
        self._at: Array | None = None  # that posture; None: not known
        self._postures: deque[Posture] = deque(maxlen=_POSTURES)
        matrix = self._joints.matrix
        cap = config.arm_speed
        self._speeds = EndSpeeds(model, matrix, space, cap) if cap > 0.0 else None
        self._period = space.period
        self._expected: Array | None = None
        self._resting: Array
        self._delay = config.arm_delay
        # Of commands, the newest last.
        self._sent: deque[Array] = deque(maxlen=2 + int(self._delay / self._period))
        self._off: Array = np.zeros(0)  # how far it hangs off its command, rad or m
        self._too_near: TooNear | None = None

    @property
    def summary(self) -> str:
        """What is watched, in words."""
        shapes, pairs = len(self.model.bodies), len(self._clearance.pairs)
        return f"arm: {shapes} shapes, {pairs} pairs are kept {self._margin:g} m apart"

    def limit_command(
        self,
        limiter: MotionLimiter,
        requested: list[float] | None,
        positions: Mapping[str, float],
        measured: Mapping[str, float] = MappingProxyType({}),
        **limits: Any,
    ) -> LimitedStep:
        """The command of this period; limits: as `MotionLimiter.step` takes them.

        positions: of the joints that are measured. measured: of dimensions, by name, for the
        posture that the robot is seen in. Whatever raises, the limiter is where it was.
        """
        before = limiter.positions
        try:
            step = self._decide(limiter, before, requested, positions, limits)
            if self.sources:
                self._remember_posture(measured)
        except BaseException:
            limiter.restore_positions(before)
            self._expected = None
            raise
        return step

    def configuration(self, positions: Mapping[str, float]) -> Array | None:
        """Where the arm is by what is measured of its joints; None where one is not known."""
        return self._joints.configuration(positions)

    def nearest_pairs(
        self, configuration: Array, names: Sequence[str]
    ) -> list[tuple[Pair, float, Array]]:
        """The nearest pair and those of these names: distance, m, and where; shape (2, 3).

        Of pairs with points of a source nothing is told. Only to be drawn: it moves the model.
        """
        solid = [i for i, pair in enumerate(self._clearance.pairs) if not pair.second.source]
        if not solid:
            return []
        self.model.move_to(configuration)
        distances = self.model.distances(solid).tolist()
        told = [
            i
            for i in solid
            if any(name.startswith(self._clearance.pairs[i].name) for name in names)
        ]
        nearest = solid[int(np.argmin(distances))]
        return [
            (self._clearance.pairs[i], distances[solid.index(i)], self.model.closest_points(i))
            for i in dict.fromkeys((nearest, *told))
        ]

    def path_ceiling(self, rates: Sequence[float]) -> tuple[float, float]:
        """The speed that rates (per s) may give an end of the arm, and what they should, m/s.

        (0, inf) without a cap, or before the first command.
        """
        if self._speeds is None or self._expected is None:
            return 0.0, np.inf
        return self._speeds.of_rates(np.asarray(rates)), self._speeds.aim

    def _decide(
        self,
        limiter: MotionLimiter,
        before: PositionStates,
        requested: list[float] | None,
        positions: Mapping[str, float],
        limits: dict[str, Any],
    ) -> LimitedStep:
        start = limiter.values
        if missing := self._joints.missing(positions):
            self._expected = None
            step = limiter.step(None, **{**limits, "emergency": True})
            unknown = LimitViolation(Limit.SELF_COLLISION, "", 0.0, self._margin, missing)
            return replace(step, violations=(*step.violations, unknown))
        self._begin(start, positions)
        refusals: list[LimitViolation] = []
        for request, share in self._tries(limiter, requested, start):
            step = self._limited(limiter, request, start, share, limits)
            refusal = self._refusal(limiter, start)
            if refusal is None:
                break
            refusals.append(refusal)
            limiter.restore_positions(before)
        else:
            # The brake that was found clear before, or the best there is.
            step = limiter.step(None, **{**limits, "emergency": True})
        self._expected = step.safe
        return replace(step, violations=(*refusals[:1], *step.violations)) if refusals else step

    def _remember_posture(self, measured: Mapping[str, float]) -> None:
        if self._expected is None:
            return
        row = zip(self._names, self._expected.tolist(), strict=True)
        where = np.array([measured.get(name, value) for name, value in row])
        configuration = self._joints.matrix @ where + self._resting
        self._postures.append(Posture(configuration, self._holding(self._expected)))

    def posture(self, age: float) -> Posture | None:
        """Where the robot was some time ago, s; None: that is not known yet."""
        if not self._postures:
            return None
        back = min(round(max(0.0, age) / self._period), len(self._postures) - 1)
        return self._postures[-1 - back]

    def forget(self) -> None:
        """Know of nothing that was seen: the robot was put elsewhere."""
        self._postures.clear()
        self.points.forget()

    def point_readers(self) -> dict[str, PointReader]:
        """What reads the messages of each source of points, each in a thread."""
        reach = self.model.reach() + NEAR
        return {
            name: PointReader(
                one, self.model.silhouette(), reach + self._margin + one.self_distance
            )
            for name, one in self.sources.items()
        }

    def _begin(self, start: Array, positions: Mapping[str, float]) -> None:
        resting = self._joints.resting(positions)
        configuration = self._joints.matrix @ start + resting
        holding = self._holding(start)
        fresh = self.points.fresh() if self.sources else {}
        for name, cloud in fresh.items():
            self.model.see(name, cloud)
        if self._expected is None or np.abs(start - self._expected).max() > _ELSEWHERE:
            self._sent.clear()
            self._at = None
            self._clearance.start_at(configuration, holding)
        else:
            foreign = np.abs(resting - self._resting)
            self._clearance.move_on(configuration, foreign, holding)
            for name in fresh:
                self._clearance.renew(name)
        self._resting = resting
        self._sent.append(configuration)
        self._begin_hanging(configuration, positions, holding)

    def _begin_hanging(
        self, configuration: Array, positions: Mapping[str, float], holding: bool
    ) -> None:
        measured, before = self._joints.configuration(positions), self._at
        self._at = None
        if measured is None:
            return
        self._off = measured - self._sent_before()
        self._at = configuration + self._off
        if before is None:
            self._hanging.start_at(self._at, holding)
        else:
            self._hanging.move_on(self._at, np.abs(self._at - before), holding)

    def _sent_before(self) -> Array:
        """The commanded posture of `arm_delay` ago, between two commands if need be."""
        back, share = divmod(self._delay / self._period, 1.0)
        later, earlier = (
            self._sent[-1 - min(int(back) + i, len(self._sent) - 1)] for i in range(2)
        )
        return (1.0 - share) * later + share * earlier

    def _holding(self, command: Array) -> bool:
        if self._payload is None:
            return False
        low, high = self._payload.held_between
        return bool(low <= command[self._gripper] <= high)

    def _tries(
        self, limiter: MotionLimiter, requested: list[float] | None, start: Array
    ) -> Iterator[tuple[list[float] | None, float]]:
        """What is asked for; refused, as much of it as leads away, or slower; the normal brake.

        With the share of the speed cap.
        """
        self._too_near = None
        if requested is not None:
            yield requested, 1.0
            if self._too_near is None:
                yield requested, _SLOWER
            else:
                for aside in self._aside(limiter, requested, start, self._too_near):
                    yield aside, 1.0
        yield None, 1.0

    def _aside(
        self, limiter: MotionLimiter, requested: list[float], start: Array, found: TooNear
    ) -> Iterator[list[float]]:
        """The request without the dimensions that bring a pair nearer, if that is less."""
        ways = np.nan_to_num(np.sign(np.array(requested) - start))
        steps = self._joints.matrix * (ways * _SMALL)
        nearer = self._clearance.lead_nearer(found.number, steps.T)
        if any(nearer) and not all(near or not way for near, way in zip(nearer, ways, strict=True)):
            rest = limiter.hold_target().tolist()
            yield [
                stay if near else asked
                for near, stay, asked in zip(nearer, rest, requested, strict=True)
            ]

    def _limited(
        self,
        limiter: MotionLimiter,
        requested: list[float] | None,
        start: Array,
        share: float,
        limits: dict[str, Any],
    ) -> LimitedStep:
        """A step at no more than this share of the speed of the arm's ends."""
        if requested is None or self._speeds is None:
            return limiter.step(requested, **limits)
        # What is not a number brakes its dimension.
        wanted = (np.array(requested) - start) / self._period
        wanted = np.where(np.isfinite(wanted), wanted, 0.0)
        scale = limits.get("speed_scale", 1.0)
        slower = self._speeds.scale(wanted, scale, share)
        step = limiter.step(requested, **{**limits, "speed_scale": slower})
        if slower == scale:
            return step
        return replace(step, violations=tuple(map(_by_tool, step.violations)))

    def _refusal(self, limiter: MotionLimiter, start: Array) -> LimitViolation | None:
        """Why a command may not leave; None: it may."""
        path = limiter.braking_path()
        if len(path) == 1 and np.array_equal(path[0], start):
            return None  # it stands still
        commands = np.concatenate((start[None], path))
        configurations = commands @ self._joints.matrix.T + self._resting
        steps = configurations[1:] - configurations[:-1]
        ways = np.abs(steps).cumsum(axis=0)
        if self._speeds is not None:
            speed = self._speeds.fastest(steps, ways, self._clearance.grown(ways[-1]))
            if speed > self._speeds.cap:
                return LimitViolation(Limit.TOOL_SPEED, "", speed, self._speeds.cap)
        found = self._clearance.too_near(configurations, ways)
        if found is None and self._at is not None:
            found = self._hanging.too_near(configurations + self._off, ways)
        self._too_near = found
        return None if found is None else self._violation(found)

    def _violation(self, found: TooNear) -> LimitViolation:
        world = found.pair.first.surrounding or found.pair.second.surrounding
        limit = Limit.OBSTACLE if world else Limit.SELF_COLLISION
        name = found.pair.name + (_ALREADY if found.already else "")
        return LimitViolation(limit, "", found.distance, found.least, name)


def _of_solids(margins: Margins, share: float) -> Margins:
    """A share of the margins of those pairs in which no points are."""
    solid = tuple(pair for pair in margins.pairs if not pair.second.source)  # they come first
    return Margins(solid, share * margins.least[: len(solid)])


def _by_tool(violation: LimitViolation) -> LimitViolation:
    if violation.limit is not Limit.SPEED_SCALE:
        return violation
    return violation._replace(limit=Limit.TOOL_SPEED)
