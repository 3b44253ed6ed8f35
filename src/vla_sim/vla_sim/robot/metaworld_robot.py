"""Meta-World as a robot in SI units: reset, step, look.

Example:
    environment = MetaworldEnvironment()
    environment.reset("drawer-open", seed=7)
    while not (result.success or result.truncated):
        action = environment.expert_action()
        result = environment.step(action[:3], action[3])
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_sim.robot import graphics, rendering
from vla_sim.robot.robots import ROBOTS
from vla_sim.robot.simulated_robot import Image, RobotState, Scene, StepResult, diverged
from vla_sim.tasks import metaworld_tasks, task_list
from vla_sim.tasks.metaworld_tasks import MAX_DISPLACEMENT, STEP_PERIOD

Array = npt.NDArray[np.float64]

MAX_SPEED = MAX_DISPLACEMENT / STEP_PERIOD  # m/s: what an action of 1 means
STEP_LIMIT = ROBOTS["metaworld"].step_limit
DEFAULT_CAMERAS = ROBOTS["metaworld"].cameras
JOINT_NAMES = (*(f"right_j{i}" for i in range(7)), "r_close", "l_close")


class MetaworldEnvironment:
    """One Meta-World robot, in any task of `tasks`, one episode at a time.

    The same task and seed give the same episode byte for byte, whatever ran before in this
    process: each episode has a Meta-World environment of its own, because its own reset leaves
    some of the state of the previous one behind. Only the compiled model is kept between them.
    """

    step_period = STEP_PERIOD
    image_period_ticks = ROBOTS["metaworld"].image_period_ticks

    def __init__(
        self,
        cameras: Sequence[str] = DEFAULT_CAMERAS,
        width: int = 240,
        height: int = 240,
        step_limit: int = STEP_LIMIT,
    ) -> None:
        """Choose cameras (names of `rendering.CAMERAS`; none: no OpenGL is needed), size in px.

        Raises:
            GraphicsError: this machine cannot render. CameraError: unknown camera, wrong size.
        """
        rendering.check_cameras(cameras, width, height)
        if type(step_limit) is not int or step_limit < 1:
            raise ValueError(f"step_limit is {step_limit!r}; accepted: at least 1")
        graphics.select_backend(required=bool(cameras))
        self.cameras = tuple(cameras)
        self.width, self.height = width, height
        self.step_limit = step_limit
        self._class: Any = None
        self._env: Any = None
        self._renderer: rendering.SceneRenderer | None = None
        self._renderer_task = ""
        self.task, self.seed = "", 0

    @staticmethod
    def tasks() -> tuple[str, ...]:
        """Names of Meta-World's fifty tasks, without "-v3"; `grounding.tasks` has the others."""
        return task_list.tasks()

    @staticmethod
    def instruction(task: str, seed: int = 0) -> str:
        """A command that describes the episode; raises TaskError."""
        return task_list.instruction(task, seed)

    def reset(self, task: str, seed: int) -> None:
        """Begin the episode of this task and seed.

        Raises:
            TaskError: no such task, or a seed that is not a whole number of at least 0.
        """
        task_list.check_task(task, robot="metaworld")
        task_list.check_seed(seed)
        if self._class is None or task != self.task:
            self._class = metaworld_tasks.task_class(task, self.width, self.height)
        self._env = self._class()
        self.task, self.seed = task, seed
        self._observation = metaworld_tasks.start(self._env, seed)
        self._policy = metaworld_tasks.expert(self._env, task)
        self._gripper_effort = 0.0
        self._previous_opening = float(self._observation[3])
        self._result = StepResult(0, 0.0, False, False, False)

    def step(self, twist_xyz: npt.ArrayLike, gripper_effort: float) -> StepResult:
        """Simulate 12.5 ms.

        Args:
            twist_xyz: (3,) velocity of the hand in base_link, m/s; clipped to ±0.8.
            gripper_effort: -1 (open) to 1 (close); clipped. From the step limit on both are
                ignored: the arm holds.

        Raises:
            ValueError: not three finite numbers and a fourth. RuntimeError: before any reset.
        """
        self._require_episode()
        action = np.append(np.asarray(twist_xyz, dtype=np.float64) / MAX_SPEED, gripper_effort)
        if action.shape != (4,) or not np.isfinite(action).all():
            raise ValueError(
                f"action is {twist_xyz!r}, {gripper_effort!r}; accepted: three finite velocities "
                "(m/s) and one finite effort"
            )
        before = self._result
        if before.truncated:
            action = np.array([0.0, 0.0, 0.0, self._gripper_effort])
        action = np.clip(action, -1.0, 1.0)
        self._gripper_effort = float(action[3])
        self._previous_opening = float(self._observation[3])
        self._observation, reward, _, _, info = self._env.step(action)
        step = before.step + 1
        self._result = StepResult(
            step=step,
            reward=float(reward),
            success=before.success or (bool(info["success"]) and not before.truncated),
            truncated=step >= self.step_limit,
            unstable=before.unstable or diverged(self._env.data),
            failure=str(info.get("failure", "")),
        )
        return self._result

    def apply(self, action: npt.ArrayLike | None) -> StepResult:
        """`step` with (4,): velocity xyz, m/s, and gripper effort; None: stand still."""
        if action is None:
            return self.step(np.zeros(3), self._gripper_effort)
        values = np.asarray(action, dtype=np.float64)
        return self.step(values[:3], values[3])

    @property
    def result(self) -> StepResult:
        """Outcome of the latest step."""
        self._require_episode()
        return self._result

    def state(self) -> RobotState:
        """Present state of the robot; raises RuntimeError before any reset."""
        self._require_episode()
        data, model = self._env.data, self._env.model
        joints = [model.joint(name) for name in JOINT_NAMES]
        opening = float(self._observation[3])
        return RobotState(
            end_effector=self._observation[:3].copy(),
            end_effector_quaternion=data.body("hand").xquat[[1, 2, 3, 0]],
            gripper_opening=opening,
            gripper_velocity=(opening - self._previous_opening) / STEP_PERIOD,
            joint_names=JOINT_NAMES,
            joint_positions=np.array([data.qpos[joint.qposadr[0]] for joint in joints]),
            joint_velocities=np.array([data.qvel[joint.dofadr[0]] for joint in joints]),
        )

    def expert_action(self) -> Array:
        """(4,) what the task's scripted expert does now: velocity xyz, m/s, and gripper effort."""
        self._require_episode()
        with warnings.catch_warnings():
            # Every expert asks for more than the environment gives and relies on its clipping.
            warnings.simplefilter("ignore")
            action = np.asarray(self._policy.get_action(self._observation), dtype=np.float64)
        action = np.clip(action, -1.0, 1.0)
        action[:3] *= MAX_SPEED
        return action

    def landmarks(self) -> Array:
        """(9,) m in base_link: the task's object, a second one (or zeros) and the goal.

        What the scripted expert steers by; no policy is given it.
        """
        self._require_episode()
        return self._observation[[4, 5, 6, 11, 12, 13, 36, 37, 38]].copy()

    def scene(self) -> Scene:
        """Copy the state for rendering it later, or in another thread."""
        self._require_episode()
        return Scene(self.task, self._env.model, copy.copy(self._env.data))

    def render(self, scene: Scene | None = None) -> dict[str, Image]:
        """Pictures (rgb uint8, (height, width, 3), upright) of the present state or of `scene`.

        Always in the same thread: the first call makes the OpenGL context.
        """
        if scene is None:
            self._require_episode()
            scene = Scene(self.task, self._env.model, self._env.data)
        if self._renderer is None or scene.task != self._renderer_task:
            self.close()
            self._renderer = rendering.SceneRenderer(
                scene.model, self.cameras, self.width, self.height
            )
            self._renderer_task = scene.task
        return self._renderer.render(scene.model, scene.data)

    def close(self) -> None:
        """Free the OpenGL context, in the thread that renders."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer, self._renderer_task = None, ""

    def _require_episode(self) -> None:
        if self._env is None:
            raise RuntimeError("no episode yet; call reset(task, seed) first")
