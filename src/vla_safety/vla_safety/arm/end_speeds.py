"""The Cartesian speed of elbows and tools under joint commands. Free of ROS.

What counts is the sum of what each joint alone would make of it: while joints brake, and come to
rest one after the other, that sum does not grow as the speed itself may.
"""

from __future__ import annotations

import numpy as np

from vla_contract.action_space import ActionSpace
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.levers import Array

# The velocity limits are scaled for this share of the cap, beyond which a command is refused.
AIM = 0.9
_SCALES = np.linspace(0.0, 1.0, 21)


class EndSpeeds:
    """Keeps the ends of all links below a speed, where the model looked around last."""

    def __init__(self, model: ArmModel, matrix: Array, space: ActionSpace, cap: float) -> None:
        """matrix: (joints, dimensions), of the commands' part in a configuration. cap: m/s."""
        self.cap = cap
        self._model = model
        self._matrix = np.abs(matrix)
        self._limits = np.array([d.normal.velocity for d in space.dimensions])
        self._period = space.period

    def scale(self, wanted: Array, speed_scale: float) -> float:
        """Greatest scale of the velocity limits, up to `speed_scale`, that keeps the cap.

        wanted: speeds that the dimensions may ask for, rad/s or m/s.
        """
        scaled = np.minimum(wanted[:, None], _SCALES * self._limits[:, None])
        fastest = (self._model.end_levers @ self._matrix @ scaled).max(axis=0)
        aim = AIM * self.cap
        if fastest[-1] <= aim:
            return speed_scale
        return min(speed_scale, float(np.interp(aim, fastest, _SCALES)))

    def fastest(self, path: Array) -> float:
        """Speed that an end may reach on a path, m/s. path: commands, one per period."""
        rates = np.abs(path[1:] - path[:-1]).max(axis=0) / self._period
        return float((self._model.end_levers @ (self._matrix @ rates)).max())
