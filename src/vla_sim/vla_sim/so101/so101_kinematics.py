"""Joint positions that bring the hand to a place, pointing down. Needs MuJoCo.

Damped least squares on MuJoCo's Jacobian (Wampler 1986; Nakamura and Hanafusa 1986). Five joints
cannot turn the hand at will: place and direction count, the turn about the vertical as far as it
goes.
The libraries for it do not fit: mink wants a newer MuJoCo than Meta-World takes, and pinocchio has
the Jacobian that MuJoCo has, but not the solver.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ARM = 5  # joints before the gripper's
DAMPING = 0.005
ITERATIONS = 6, 4  # of place and direction, then of the place alone, so that it is exact
ROTATION_WEIGHT = 0.05  # m/rad: how much of an error of place an error of direction is worth
MARGIN = 0.055  # rad: the action space ends so far before the limits of the joints


class Kinematics:
    """Of one compiled model, on a state of its own. site: the point of the hand."""

    def __init__(self, model: Any, site: str) -> None:
        import mujoco

        self._mujoco, self._model = mujoco, model
        self._data = mujoco.MjData(model)
        self._site = model.site(site).id
        self._jacobian = np.zeros((6, model.nv))
        self._low = model.jnt_range[:ARM, 0] + MARGIN
        self._high = model.jnt_range[:ARM, 1] - MARGIN

    def place(self, joints: Array) -> tuple[Array, Array]:
        """Where the hand is, (3,) m, and its axes as columns, (3, 3); joints: (5,) rad."""
        self._data.qpos[:ARM] = joints[:ARM]
        self._mujoco.mj_kinematics(self._model, self._data)
        self._mujoco.mj_comPos(self._model, self._data)
        data = self._data
        return data.site_xpos[self._site].copy(), data.site_xmat[self._site].reshape(3, 3).copy()

    def solve(self, target: Array, yaw: float, begin: Array) -> Array:
        """(5,) joints, rad, that bring the hand to `target` (3,) m, from `begin` on.

        yaw: direction in which the jaws open, rad about z. As near as it gets where it is not
        reached; within the joints' limits.
        """
        joints = begin[:ARM].copy()
        for weight in [ROTATION_WEIGHT] * ITERATIONS[0] + [0.0] * ITERATIONS[1]:
            place, axes = self.place(joints)
            self._mujoco.mj_jacSite(
                self._model, self._data, self._jacobian[:3], self._jacobian[3:], self._site
            )
            turn = np.cross(axes[:, 2], [0.0, 0.0, 1.0])
            turn[2] = _wrapped(yaw - math.atan2(axes[1, 0], axes[0, 0]))
            error = np.concatenate([target - place, weight * turn])
            jacobian = self._jacobian[:, :ARM].copy()
            jacobian[3:] *= weight
            wanted = joints + _damped(jacobian, error)
            if (stuck := (wanted < self._low) | (wanted > self._high)).any():
                # What a joint at its limit cannot do, the others do.
                jacobian[:, stuck] = 0.0
                wanted = np.where(stuck, wanted, joints + _damped(jacobian, error))
            joints = np.clip(wanted, self._low, self._high)
        return joints


def _damped(jacobian: Array, error: Array) -> Array:
    square = jacobian @ jacobian.T + DAMPING**2 * np.eye(6)
    return np.asarray(jacobian.T @ np.linalg.solve(square, error))


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
