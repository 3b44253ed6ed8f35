"""Twists of an end effector are slowed towards singularities of its arm. ROS-free.

Near a singularity a small twist takes large joint velocities. As in MoveIt Servo
(`velocityScalingFactorForSingularity`) nearness is the condition number of the Jacobian, its
greatest singular value over its least: below `singularity_lower` nothing is slowed, from there on
the speed towards a singularity falls linearly to 0 at `singularity_upper`. What leads away passes.

So that the tip stands in time, the way that is left to `singularity_upper` is a boundary of the
limiter, along the request and along the present motion: it is gone in steps by the damped
pseudo-inverse of the Jacobian, as far as stopping may take. Whether a twist leads towards a
singularity is seen by its first step. (Servo takes for that way the direction of the least singular
value, whose sign it finds by a small step, and knows no way that stopping takes.)

The Jacobian has a row for each commanded velocity, in m and rad as Servo's: an arm that is told
linear velocities only is judged by these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_contract.frames import frame_name
from vla_safety.arm.arm_geometry import ArmError
from vla_safety.arm.urdf_text import Urdf, read_urdf
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import (
    Boundary,
    Limit,
    LimitedStep,
    LimitViolation,
    MotionLimiter,
)
from vla_safety.surroundings.separation import stopping_within
from vla_safety.surroundings.speed_zones import slowing

Array = npt.NDArray[np.float64]
NAME = "singularity"
_STEPS = 30  # at most, in which the way that stopping may take is gone
_TURN = 0.1  # rad or m, of a joint in one of them
_FINEST = 50  # of that way: how near its end is looked for
_SMALL = 1e-3  # of such a step: whether it leads away
_PARALLEL = 0.999  # cosine of two directions of which one is enough
_DAMPING = 1e-3
_FIELDS = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")


def slowing_factor(condition: float, lower: float, upper: float) -> float:
    """Share of the speed towards a singularity, 1 below `lower` and 0 from `upper` on."""
    if not condition < upper:  # which NaN and infinity are not
        return 0.0
    return min(1.0, (upper - condition) / (upper - lower))


def condition_number(jacobian: Array) -> float:
    """Greatest singular value over the least; infinite where that is 0."""
    values = np.linalg.svd(jacobian, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0.0 else float("inf")


class TwistKinematics:
    """The Jacobian of the commanded velocities, from a URDF."""

    def __init__(self, urdf: Urdf, space: ActionSpace, tip: str) -> None:
        """tip: the link that the twist moves.

        Raises:
            ArmError: pinocchio is missing, or the URDF lacks the tip or the frame of the twist.
        """
        try:
            import pinocchio
        except ImportError as error:
            raise ArmError(
                f"arm_urdf is set and {error.name} is not installed; accepted: pip install pin"
            ) from error
        self._pin = pinocchio
        self._model = pinocchio.buildModelFromXML(urdf.text)
        self._data = self._model.createData()
        self._tip = self._frame(tip, "tip_frame")
        self.rows = [
            (i, _FIELDS.index(field))
            for i, dimension in enumerate(space.dimensions)
            if (field := ".".join(dimension.output.field.split(".")[-2:])) in _FIELDS
        ]
        # What the tip's own frame does not turn, the frame of the commands may.
        frame = frame_name(space.dimensions[self.rows[0][0]].frame)
        self._base = self._frame(frame, f"frame of action space {space.name}")
        chain = self._model.supports[self._model.frames[self._tip].parentJoint]
        self._columns = [self._model.idx_vs[j] for j in chain if j]
        self.joints = tuple(self._model.names[j] for j in chain if j)
        if len(self.joints) < len(self.rows):
            raise ArmError(
                f"arm_urdf has {len(self.joints)} joints up to {tip}; accepted for action space "
                f"{space.name}: at least its {len(self.rows)} velocities"
            )

    def _frame(self, name: str, what: str) -> int:
        if not self._model.existFrame(name):
            raise ArmError(f"{what} is {name!r}; accepted: a link of arm_urdf")
        return int(self._model.getFrameId(name))

    def twist(self, row: list[float]) -> Array:
        """The commanded velocities of a row."""
        return np.array([row[i] for i, _ in self.rows])

    def configuration(self, positions: Mapping[str, float]) -> Array:
        """Of the joints up to the tip; others stay at 0."""
        q = np.zeros(self._model.nq)
        for joint, column in zip(self.joints, self._columns, strict=True):
            q[column] = positions[joint]
        return q

    def jacobian(self, configuration: Array) -> Array:
        """Shape (velocities, joints), in the frame of the commands."""
        pin, model, data = self._pin, self._model, self._data
        pin.computeJointJacobians(model, data, configuration)
        pin.updateFramePlacements(model, data)
        aligned = pin.getFrameJacobian(model, data, self._tip, pin.LOCAL_WORLD_ALIGNED)
        turned = data.oMf[self._base].rotation.T
        rows = np.concatenate((turned @ aligned[:3], turned @ aligned[3:]))
        return np.asarray(rows[[axis for _, axis in self.rows]][:, self._columns])

    def speed(self, jacobian: Array, direction: Array) -> float:
        """Of the fastest joint, per m/s or rad/s of the tip; above 0."""
        square = jacobian @ jacobian.T + _DAMPING**2 * np.eye(len(jacobian))
        return float(np.abs(jacobian.T @ np.linalg.solve(square, direction)).max()) + 1e-9

    def along(self, configuration: Array, jacobian: Array, step: Array) -> Array:
        """The same for a longer one: by the Jacobian of its middle (Runge-Kutta of order 2)."""
        middle = self.moved(configuration, jacobian, 0.5 * step)
        return self.moved(configuration, self.jacobian(middle), step)

    def moved(self, configuration: Array, jacobian: Array, step: Array) -> Array:
        """The configuration a small displacement (m, rad) of the tip further."""
        square = jacobian @ jacobian.T + _DAMPING**2 * np.eye(len(jacobian))
        step = jacobian.T @ np.linalg.solve(square, step)
        found = configuration.copy()
        found[self._columns] += step
        return found


class SingularityGuard:
    """Stands around the limiter of an end effector's twists."""

    def __init__(self, space: ActionSpace, config: SafetyConfig, urdf: Urdf) -> None:
        """Raises ArmError: see `TwistKinematics`; or a joint of the arm is not measured."""
        self._kinematics = TwistKinematics(urdf, space, config.tip_frame)
        self._lower, self._upper = config.singularity_lower, config.singularity_upper
        slow = slowing(space)
        self._ahead = stopping_within(slow, space.period)(slow.velocity)[1]
        self._width = space.width
        for joint in self._kinematics.joints:
            if joint not in config.required_joints:
                raise ArmError(
                    f"arm_urdf is set and joint {joint} is not measured; accepted: its name in "
                    "required_joints"
                )

    def limit_command(
        self,
        limiter: MotionLimiter,
        requested: list[float] | None,
        positions: Mapping[str, float],
        **limits: Any,
    ) -> LimitedStep:
        """The command of this period; limits: as `MotionLimiter.step` takes them."""
        known = all(joint in positions for joint in self._kinematics.joints)
        if requested is None or not known:
            return limiter.step(None, **limits)
        kinematics = self._kinematics
        here = kinematics.configuration(positions)
        asked, moving = kinematics.twist(requested), kinematics.twist(limiter.values.tolist())
        factor, condition, remaining = self.look(here, asked)
        ends = [self._boundary(asked, remaining)]
        if _differ(asked, moving):
            ends.append(self._boundary(moving, self.look(here, moving)[2]))
        limits["boundaries"] = (*limits.get("boundaries", ()), *(end for end in ends if end))
        if factor == 1.0:
            return limiter.step(requested, **limits)
        scale = limits.get("speed_scale", 1.0) * factor
        step = limiter.step(requested, **{**limits, "speed_scale": scale})
        slowed = LimitViolation(Limit.TOOL_SPEED, "", condition, self._lower, NAME)
        rest = tuple(v for v in step.violations if v.limit is not Limit.SPEED_SCALE)
        return replace(step, violations=(slowed, *rest))

    def look(self, configuration: Array, twist: Array) -> tuple[float, float, float]:
        """What a twist leads to from a configuration.

        Returns the share of the speed that it may have, the condition number here, and the way
        that is left along it to `singularity_upper`, m or rad: infinite where that is farther than
        stopping takes, or the twist leads away.
        """
        kinematics = self._kinematics
        jacobian = kinematics.jacobian(configuration)
        here = condition = condition_number(jacobian)
        size = float(np.linalg.norm(twist))
        if not 0.0 < size < np.inf:
            return 1.0, here, np.inf
        way, direction = 0.25 * self._ahead, twist / size
        aside = kinematics.moved(configuration, jacobian, direction * (_SMALL * way))
        if condition_number(kinematics.jacobian(aside)) <= here:
            return 1.0, here, np.inf
        if not here < self._upper:
            return 0.0, here, 0.0
        factor = slowing_factor(here, self._lower, self._upper)
        gone, finest = 0.0, self._ahead / _FINEST
        for _ in range(_STEPS):
            # No joint turns so far in a step that a singularity could be stepped over unseen.
            fastest = kinematics.speed(jacobian, direction)
            step = min(way, _TURN / fastest, self._ahead - gone + finest)
            ahead = kinematics.along(configuration, jacobian, direction * step)
            beyond = kinematics.jacobian(ahead)
            found = condition_number(beyond)
            if condition <= found < self._upper:
                configuration, jacobian, condition = ahead, beyond, found
                gone += step
                if gone >= self._ahead:
                    return factor, here, np.inf
            elif step < finest:
                # The reciprocal falls evenly in so small a step: what is left has no steps itself.
                if found > condition:
                    fall = 1.0 / condition - 1.0 / found
                    gone += step * (1.0 / condition - 1.0 / self._upper) / fall
                break
            else:  # the end is within this step
                way = 0.5 * step
        return factor, here, gone

    def _boundary(self, twist: Array, remaining: float) -> Boundary | None:
        if not remaining < np.inf:
            return None
        row = [0.0] * self._width
        for (i, _), value in zip(self._kinematics.rows, twist, strict=True):
            row[i] = float(value / np.linalg.norm(twist))
        return Boundary(tuple(row), remaining, Limit.TOOL_SPEED, NAME)


def _differ(a: Array, b: Array) -> bool:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return bool(0.0 < size < np.inf and a @ b < _PARALLEL * size)


def make_singularity_guard(space: ActionSpace, config: SafetyConfig) -> SingularityGuard | None:
    """That of an arm with a URDF whose end effector is told twists; None where none is.

    Raises:
        ArmError: the URDF cannot be used, or does not fit.
    """
    if not config.arm_urdf or not space.linear_axes:
        return None
    return SingularityGuard(space, config, read_urdf(config.arm_urdf, ()))
