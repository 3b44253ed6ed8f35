"""The grounding scene as a Meta-World environment: its model, its reset and its verdict.

The model is Meta-World's own of "reach", arm, table, lights and cameras as they are, with three
coloured blocks in the place of its puck; it is edited in memory when a task is first begun.
Imported only by `metaworld_tasks`, when it is needed: it imports MuJoCo.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from metaworld.asset_path_utils import full_V3_path_for
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from vla_sim.tasks import grounding_tasks
from vla_sim.tasks.grounding_expert import GroundingExpert
from vla_sim.tasks.grounding_verdict import Moment, Verdict

Array = npt.NDArray[np.float64]

MASS = 0.2  # kg, of a block
HAND_START = (0.0, 0.6, 0.2)  # m, as in "push" and "reach"
HAND_LOW, HAND_HIGH = (-0.5, 0.40, 0.05), (0.5, 1.0, 0.5)  # m, likewise


def compile_model() -> Any:
    """Meta-World's model of "reach" with blocks instead of the puck and the goal's mark."""
    spec = mujoco.MjSpec.from_file(full_V3_path_for("sawyer_xyz/sawyer_reach_v3.xml"))
    spec.detach_body(spec.body("obj"))
    # Meta-World writes the goal to this site at every step; nobody shall see it.
    spec.site("goal").rgba = [0.0, 0.0, 0.0, 0.0]
    for index, (colour, rgb) in enumerate(grounding_tasks.COLOURS.items()):
        _add_block(spec, colour, rgb, x=0.2 * (index - 1))
    return spec.compile()


def _add_block(spec: Any, colour: str, rgb: tuple[float, float, float], x: float) -> None:
    half = grounding_tasks.HALF_SIZE
    # Explicit: Meta-World's model takes inertias from geoms of its own collision groups only.
    body = spec.worldbody.add_body(
        name=colour,
        pos=[x, 0.8, half],
        explicitinertial=True,
        ipos=[0.0, 0.0, 0.0],
        mass=MASS,
        inertia=[MASS * (2 * half) ** 2 / 6] * 3,
    )
    body.add_freejoint(name=f"{colour}_joint")
    body.add_geom(
        name=colour,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half] * 3,
        rgba=[*rgb, 1.0],
        # Contact as of the puck of "push".
        condim=4,
        friction=[1.0, 0.1, 0.002],
        solimp=[0.99, 0.99, 0.01, 0.5, 2.0],
        solref=[0.01, 1.0],
    )


class GroundingEnv(SawyerXYZEnv):  # type: ignore[misc]
    """Three blocks on Meta-World's table. Subclasses name the task."""

    asked: grounding_tasks.Instruction

    def __init__(self, **options: Any) -> None:
        super().__init__(hand_low=HAND_LOW, hand_high=HAND_HIGH, **options)
        self.hand_init_pos = np.array(HAND_START)
        self.goal_space = Box(np.array(HAND_LOW), np.array(HAND_HIGH), dtype=np.float64)
        self._target_pos = np.zeros(3)
        self._layout_seed = 0
        self._blocks = [self.model.geom(colour).id for colour in grounding_tasks.COLOURS]
        self._arm = self.model.body("hand").rootid[0]

    @property
    def model_name(self) -> str:
        """File that gymnasium wants to exist; the model itself comes from `compile_model`."""
        return str(full_V3_path_for("sawyer_xyz/sawyer_reach_v3.xml"))

    def _initialize_simulation(self) -> tuple[Any, Any]:
        model = compile_model()
        return model, mujoco.MjData(model)

    def seed(self, seed: int) -> list[int]:
        """Choose the layout of the next reset."""
        self._layout_seed = seed
        return list(super().seed(seed))

    def reset_model(self) -> Array:
        """Bring the hand to its start and the blocks to their places, at rest."""
        self._reset_hand()
        qpos, qvel = self.data.qpos.copy(), self.data.qvel.copy()
        for colour, (x, y) in grounding_tasks.layout(self.asked.task, self._layout_seed).items():
            joint = self.model.joint(f"{colour}_joint")
            at, velocity = joint.qposadr[0], joint.dofadr[0]
            qpos[at : at + 7] = [x, y, grounding_tasks.HALF_SIZE, 1.0, 0.0, 0.0, 0.0]
            qvel[velocity : velocity + 6] = 0.0
        self.set_state(qpos, qvel)
        self._verdict = Verdict(self.asked, self.places())
        return np.asarray(self._get_obs())

    def places(self) -> dict[str, Array]:
        """Centre of every block, (3,) m in base_link, by colour."""
        return {colour: self.data.body(colour).xpos.copy() for colour in grounding_tasks.COLOURS}

    def touched(self) -> frozenset[str]:
        """Colours of the blocks that any part of the arm touches."""
        contact = self.data.contact
        found = set()
        for colour, block in zip(grounding_tasks.COLOURS, self._blocks, strict=True):
            for a, b in (contact.geom1, contact.geom2), (contact.geom2, contact.geom1):
                others = self.model.geom_bodyid[b[a == block]]
                if (self.model.body_rootid[others] == self._arm).any():
                    found.add(colour)
        return frozenset(found)

    def evaluate_state(self, obs: Any, action: Any) -> tuple[float, dict[str, Any]]:
        """Reward, success and, once the episode is lost, why."""
        places = self.places()
        self._verdict.judge(Moment(places, self.touched()))
        distance = float(np.linalg.norm(places[self.asked.colour] - self.tcp_center))
        success = self._verdict.success
        reward = 10.0 if success else 1.0 - float(np.tanh(5.0 * distance))
        return reward, {"success": float(success), "failure": self._verdict.failure}

    def expert(self) -> GroundingExpert:
        """The scripted expert of this episode."""
        return self.expert_of(self.asked)

    def expert_of(self, asked: grounding_tasks.Instruction) -> GroundingExpert:
        """An expert that follows a command, be it this episode's or another one."""
        colour = asked.colour
        return GroundingExpert(
            asked,
            self._verdict.start[colour],
            lambda: self.places()[colour],
            lambda: colour in self.touched(),
        )

    def _get_pos_objects(self) -> Array:
        return np.asarray(self.data.body(self.asked.colour).xpos.copy())

    def _get_quat_objects(self) -> Array:
        return np.asarray(self.data.body(self.asked.colour).xquat.copy())


def task_class(task: str) -> type[GroundingEnv]:
    """Environment class of a grounding task."""
    return type("Grounding", (GroundingEnv,), {"asked": grounding_tasks.TASKS[task]})
