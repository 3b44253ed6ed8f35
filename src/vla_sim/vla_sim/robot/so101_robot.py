"""An SO-101 as a robot in SI units: reset, step, look. As `metaworld_robot`, in joint positions.

Example:
    environment = SO101Environment()
    environment.reset("pick-red", seed=7)
    while not (result.success or result.truncated):
        result = environment.apply(environment.expert_action())
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_sim.robot import graphics, rendering
from vla_sim.robot.robots import ROBOTS
from vla_sim.robot.simulated_robot import Image, RobotState, Scene, StepResult, diverged
from vla_sim.so101 import so101_scene, so101_tasks
from vla_sim.so101.so101_expert import Situation, SO101Expert
from vla_sim.so101.so101_kinematics import ARM, Kinematics
from vla_sim.so101.so101_scene import JOINTS, PHYSICS_STEPS, STEP_PERIOD, TABLE_HEIGHT
from vla_sim.so101.so101_verdict import Moment, Verdict
from vla_sim.tasks import task_list

Array = npt.NDArray[np.float64]

STEP_LIMIT = ROBOTS["so101"].step_limit
DEFAULT_CAMERAS = ROBOTS["so101"].cameras
HOME = (0.0, -0.2, 0.2, 1.55, 0.0, 0.3)  # rad: raised, pointing down, the jaws a little open


class SO101Environment:
    """One SO-101 on its table, in any task of `so101_tasks`, one episode at a time.

    The same task and seed give the same episode byte for byte.
    """

    step_period = STEP_PERIOD
    image_period_ticks = ROBOTS["so101"].image_period_ticks

    def __init__(
        self,
        cameras: Sequence[str] = DEFAULT_CAMERAS,
        width: int = 240,
        height: int = 240,
        step_limit: int = STEP_LIMIT,
    ) -> None:
        """Choose cameras ("front", "wrist"; none: no OpenGL is needed), size in px.

        Raises:
            GraphicsError: this machine cannot render. CameraError: unknown camera, wrong size.
            DescriptionError: the arm's URDF is not found.
        """
        rendering.check_cameras(cameras, width, height, so101_scene.CAMERAS)
        if type(step_limit) is not int or step_limit < 1:
            raise ValueError(f"step_limit is {step_limit!r}; accepted: at least 1")
        graphics.select_backend(required=bool(cameras))
        self.cameras = tuple(cameras)
        self.width, self.height = width, height
        self.step_limit = step_limit
        import mujoco

        self._mujoco = mujoco
        self._model = so101_scene.compile_model(width, height)
        self._kinematics = Kinematics(self._model, so101_scene.GRASP)
        self._cubes = {name: self._model.geom(name).id for name in so101_tasks.COLOURS}
        self._arm = self._model.body("base_link").id
        self._renderer: rendering.SceneRenderer | None = None
        self._data: Any = None
        self.task, self.seed = "", 0

    def reset(self, task: str, seed: int) -> None:
        """Begin the episode of this task and seed.

        Raises:
            TaskError: no such task, or a seed that is not a whole number of at least 0.
        """
        task_list.check_task(task, robot="so101")
        task_list.check_seed(seed)
        self.task, self.seed = task, seed
        asked = so101_tasks.TASKS[task]
        data = self._data = self._mujoco.MjData(self._model)
        data.qpos[: len(HOME)] = data.ctrl[:] = HOME
        for colour, place in so101_tasks.layout(task, seed).items():
            at = self._model.joint(f"{colour}_joint").qposadr[0]
            height = TABLE_HEIGHT + so101_tasks.HALF_SIZE
            turned = [math.cos(place.yaw / 2), 0.0, 0.0, math.sin(place.yaw / 2)]
            data.qpos[at : at + 7] = [place.x, place.y, height, *turned]
        self._mujoco.mj_forward(self._model, data)
        places = self._places()
        self._verdict = Verdict(asked, places)
        self._expert = SO101Expert(asked, places, self._kinematics)
        self._asked = asked
        self._result = StepResult(0, 0.0, False, False, False)

    def apply(self, action: npt.ArrayLike | None) -> StepResult:
        """Simulate 20 ms.

        action: (6,) rad, where the servos are to go; clipped to the joints' limits. None: they stay
        where they were told to be, as from the step limit on.

        Raises:
            ValueError: not six finite numbers. RuntimeError: before any reset.
        """
        self._require_episode()
        before = self._result
        if action is not None and not before.truncated:
            target = np.asarray(action, dtype=np.float64)
            if target.shape != (len(JOINTS),) or not np.isfinite(target).all():
                raise ValueError(f"action is {action!r}; accepted: six finite positions (rad)")
            self._data.ctrl[:] = np.clip(target, *self._model.jnt_range[: len(JOINTS)].T)
        for _ in range(PHYSICS_STEPS):
            self._mujoco.mj_step(self._model, self._data)
        if not before.truncated:
            self._verdict.judge(self._moment())
        step = before.step + 1
        success = self._verdict.success
        self._result = StepResult(
            step=step,
            reward=float(success),
            success=success,
            truncated=step >= self.step_limit,
            unstable=before.unstable or diverged(self._data),
            failure=self._verdict.failure,
        )
        return self._result

    @property
    def result(self) -> StepResult:
        """Outcome of the latest step."""
        self._require_episode()
        return self._result

    def state(self) -> RobotState:
        """Present state of the robot; raises RuntimeError before any reset."""
        self._require_episode()
        data, count = self._data, len(JOINTS)
        frame = data.body("gripper_frame_link")
        return RobotState(
            end_effector=frame.xpos.copy(),
            end_effector_quaternion=frame.xquat[[1, 2, 3, 0]],
            joint_names=JOINTS,
            joint_positions=data.qpos[:count].copy(),
            joint_velocities=data.qvel[:count].copy(),
        )

    def expert_action(self) -> Array:
        """(6,) rad: what the task's scripted expert asks for now."""
        self._require_episode()
        return self._expert.request(
            Situation(
                measured=self._data.qpos[: ARM + 1].copy(),
                commanded=self._data.ctrl.copy(),
                places=self._places(),
                yaws={name: self._yaw(name) for name in so101_tasks.COLOURS},
                touched=self._touched(),
            )
        )

    def landmarks(self) -> Array:
        """(9,) m in base_link: the named cube, what it is stacked on or its like, and the tray."""
        self._require_episode()
        places = self._places()
        other = places[self._asked.below or self._asked.colour]
        tray = [*so101_tasks.TRAY, TABLE_HEIGHT]
        return np.concatenate([places[self._asked.colour], other, tray])

    def scene(self) -> Scene:
        """Copy the state for rendering it later, or in another thread."""
        self._require_episode()
        return Scene(self.task, self._model, copy.copy(self._data))

    def render(self, scene: Scene | None = None) -> dict[str, Image]:
        """Pictures (rgb uint8, (height, width, 3), upright) of the present state or of `scene`.

        Always in the same thread: the first call makes the OpenGL context.
        """
        if scene is None:
            self._require_episode()
            scene = Scene(self.task, self._model, self._data)
        if self._renderer is None:
            self._renderer = rendering.SceneRenderer(
                scene.model, self.cameras, self.width, self.height
            )
        return self._renderer.render(scene.model, scene.data)

    def close(self) -> None:
        """Free the OpenGL context, in the thread that renders."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None

    def _places(self) -> dict[str, Array]:
        return {name: self._data.body(name).xpos.copy() for name in so101_tasks.COLOURS}

    def _yaw(self, colour: str) -> float:
        axes = self._data.body(colour).xmat
        return math.atan2(axes[3], axes[0])

    def _moment(self) -> Moment:
        speeds = {}
        for colour in so101_tasks.COLOURS:
            at = self._model.joint(f"{colour}_joint").dofadr[0]
            speeds[colour] = float(np.linalg.norm(self._data.qvel[at : at + 3]))
        return Moment(self._places(), speeds, self._touched())

    def _touched(self) -> frozenset[str]:
        """Colours of the cubes that any part of the arm touches."""
        contact = self._data.contact
        found = set()
        for colour, cube in self._cubes.items():
            for a, b in (contact.geom1, contact.geom2), (contact.geom2, contact.geom1):
                others = self._model.geom_bodyid[b[a == cube]]
                if (self._model.body_rootid[others] == self._arm).any():
                    found.add(colour)
        return frozenset(found)

    def _require_episode(self) -> None:
        if self._data is None:
            raise RuntimeError("no episode yet; call reset(task, seed) first")
