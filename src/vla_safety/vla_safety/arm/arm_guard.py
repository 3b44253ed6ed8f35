"""Fail-safe motion of a whole arm: a command leaves only with a way to rest behind it. ROS-free.

Of each command is looked at where braking with the emergency set would lead from it. Where all of
that is clear, the command leaves; otherwise as much of it as leads away from what is too near, or
the arm brakes, as hard as it must: the brake that was found clear in the period before goes on. So
there is always a way to rest that has been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vla_contract.action_space import ActionSpace
from vla_safety.arm import link_pairs
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.clearance import Clearance, TooNear
from vla_safety.arm.end_speeds import EndSpeeds
from vla_safety.arm.joint_map import JointMap
from vla_safety.arm.levers import Array
from vla_safety.arm.urdf_text import read_urdf
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit, LimitedStep, LimitViolation, MotionLimiter

# rad or m: a start further than this from where the last command led is another place.
_ELSEWHERE = 1e-9
_ALREADY = " (already too near: it may only move away)"
_SMALL = 1e-4  # rad or m
_FAST = 1e9  # rad/s or m/s, beyond every limit


def make_guard(space: ActionSpace, config: SafetyConfig) -> ArmGuard | None:
    """The guard of the arm that is configured; None where none is.

    Raises:
        ArmError: the URDF or the geometry cannot be used, or does not fit the action space.
    """
    if not config.arm_urdf:
        return None
    geometry = ArmGeometry.load(config.arm_geometry) if config.arm_geometry else ArmGeometry()
    if "joint_states" not in config.required_inputs:
        raise ArmError("arm_urdf is set; accepted of required_inputs: joint_states among them")
    model = ArmModel(read_urdf(config.arm_urdf, geometry.package_folders), geometry)
    return ArmGuard(space, config, model, geometry)


class ArmGuard:
    """Stands around the limiter."""

    def __init__(
        self, space: ActionSpace, config: SafetyConfig, model: ArmModel, geometry: ArmGeometry
    ) -> None:
        """Raises ArmError: see `JointMap` and `link_pairs.choose`."""
        joints = config.required_joints
        self._joints = JointMap(model.urdf, model.joints, space, geometry, joints)
        self._payload = geometry.payload
        names = space.dimension_names
        if self._payload is not None and self._payload.gripper not in names:
            raise ArmError(
                f"gripper of payload is {self._payload.gripper!r}; accepted: {', '.join(names)}"
            )
        self._gripper = names.index(self._payload.gripper) if self._payload is not None else 0
        self._margin = config.arm_margin
        self._clearance = Clearance(model, link_pairs.choose(model, geometry, config.arm_margin))
        matrix = self._joints.matrix
        cap = config.arm_speed
        self._speeds = EndSpeeds(model, matrix, space, cap) if cap > 0.0 else None
        self._period = space.period
        self._expected: Array | None = None
        self._resting: Array
        self._too_near: TooNear | None = None

    def limit_command(
        self,
        limiter: MotionLimiter,
        requested: list[float] | None,
        positions: Mapping[str, float],
        **limits: Any,
    ) -> LimitedStep:
        """The command of this period; limits: as `MotionLimiter.step` takes them.

        positions: of the joints that are measured. Whatever raises, the limiter is where it was.
        """
        before = limiter.positions
        try:
            step = self._decide(limiter, requested, positions, limits)
        except BaseException:
            limiter.restore_positions(before)
            self._expected = None
            raise
        return step

    def _decide(
        self,
        limiter: MotionLimiter,
        requested: list[float] | None,
        positions: Mapping[str, float],
        limits: dict[str, Any],
    ) -> LimitedStep:
        before, start = limiter.positions, limiter.values
        if missing := self._joints.missing(positions):
            self._expected = None
            step = limiter.step(None, **{**limits, "emergency": True})
            unknown = LimitViolation(Limit.SELF_COLLISION, "", 0.0, self._margin, missing)
            return replace(step, violations=(*step.violations, unknown))
        self._begin(start, positions)
        refusals: list[LimitViolation] = []
        for request in self._tries(limiter, requested, start):
            step = self._limited(limiter, request, start, limits)
            refusal = self._refusal(limiter, start)
            if refusal is None:
                break
            refusals.append(refusal)
            limiter.restore_positions(before)
        else:
            # The brake that was found clear before, or the best there is.
            step = limiter.step(None, **{**limits, "emergency": True})
        self._expected = step.safe
        return replace(step, violations=(*refusals[:1], *step.violations))

    def _begin(self, start: Array, positions: Mapping[str, float]) -> None:
        resting = self._joints.resting(positions)
        configuration = self._joints.matrix @ start + resting
        holding = self._holding(start)
        if self._expected is None or np.abs(start - self._expected).max() > _ELSEWHERE:
            self._clearance.start_at(configuration, holding)
        else:
            foreign = np.abs(resting - self._resting)
            self._clearance.move_on(configuration, foreign, holding)
        self._resting = resting

    def _holding(self, command: Array) -> bool:
        if self._payload is None:
            return False
        low, high = self._payload.held_between
        return bool(low <= command[self._gripper] <= high)

    def _tries(
        self, limiter: MotionLimiter, requested: list[float] | None, start: Array
    ) -> Iterator[list[float] | None]:
        """What is asked for; refused, as much of it as leads away; then the normal brake."""
        self._too_near = None
        if requested is not None:
            yield requested
            if self._too_near is not None:
                yield from self._aside(limiter, requested, start, self._too_near)
        yield None

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
        limits: dict[str, Any],
    ) -> LimitedStep:
        """A step at no more than the speed of the arm's ends."""
        if requested is None or self._speeds is None:
            return limiter.step(requested, **limits)
        # What is not a number brakes its dimension, which is no faster than the limit.
        wanted = np.fmin(np.abs(np.array(requested) - start) / self._period, _FAST)
        scale = limits.get("speed_scale", 1.0)
        slower = self._speeds.scale(wanted, scale)
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
        if self._speeds is not None:
            speed = self._speeds.fastest(commands)
            if speed > self._speeds.cap:
                return LimitViolation(Limit.TOOL_SPEED, "", speed, self._speeds.cap)
        found = self._clearance.too_near(commands @ self._joints.matrix.T + self._resting)
        self._too_near = found
        return None if found is None else self._violation(found)

    def _violation(self, found: TooNear) -> LimitViolation:
        world = found.pair.first.surrounding or found.pair.second.surrounding
        limit = Limit.OBSTACLE if world else Limit.SELF_COLLISION
        name = found.pair.name + (_ALREADY if found.already else "")
        return LimitViolation(limit, "", found.distance, found.least, name)


def _by_tool(violation: LimitViolation) -> LimitViolation:
    if violation.limit is not Limit.SPEED_SCALE:
        return violation
    return violation._replace(limit=Limit.TOOL_SPEED)
