"""The Cartesian speed of elbows and tools under joint commands. Free of ROS.

The speed of a link's end is |J q̇|. On a command's way to rest J changes by no more than the joints'
ways times their levers, so a bound of the speed all along that way is had from the J of its
beginning.
"""

from __future__ import annotations

import numpy as np

from vla_contract.action_space import ActionSpace
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.levers import Array

# The velocity limits are scaled for this share of the cap, beyond which a command is refused.
AIM = 0.95
_SCALES = np.linspace(0.0, 1.0, 21)


class EndSpeeds:
    """Keeps the ends of all links below a speed, where the model looked around last."""

    def __init__(self, model: ArmModel, matrix: Array, space: ActionSpace, cap: float) -> None:
        """matrix: (joints, dimensions), of the commands' part in a configuration. cap: m/s."""
        self.cap, self.aim = cap, AIM * cap
        self._model = model
        self._matrix = matrix
        self._limits = np.array([d.normal.velocity for d in space.dimensions])
        self._period = space.period

    def scale(self, wanted: Array, speed_scale: float, share: float = 1.0) -> float:
        """Scale of the velocity limits, up to `speed_scale`, at which the ends keep the cap.

        wanted: velocities that are asked for, rad/s or m/s. share: of the cap.
        """
        scaled = _SCALES * self._limits[:, None]
        rates = self._matrix @ np.clip(wanted[:, None], -scaled, scaled)
        moved = self._model.end_jacobians @ rates
        fastest = np.sqrt(np.einsum("eis,eis->es", moved, moved).max(axis=0))
        # The first scale at which an end is too fast counts, although it may be slower at a higher.
        fastest = np.maximum.accumulate(fastest)
        aim = share * self.aim
        if fastest[-1] <= aim:
            return speed_scale
        return min(speed_scale, float(np.interp(aim, fastest, _SCALES)))

    def fastest(self, steps: Array, ways: Array, grown: Array) -> float:
        """Bound of the speed of any end on a path, m/s; see `ArmModel.end_speeds`."""
        return float(self._model.end_speeds(steps, ways, grown, self._period).max())

    def of_rates(self, rates: Array) -> float:
        """Speed of the fastest end at these rates of the dimensions, per s, m/s."""
        moved = self._model.end_jacobians @ (self._matrix @ rates)
        return float(np.sqrt((moved * moved).sum(axis=-1)).max())
