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
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_sim import graphics, rendering, tasks

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

STEP_PERIOD = 0.0125  # s of simulated time; 5 physics steps of 2.5 ms
MAX_DISPLACEMENT = 0.01  # m per step and axis
MAX_SPEED = MAX_DISPLACEMENT / STEP_PERIOD  # m/s: what an action of 1 means
STEP_LIMIT = 500  # steps of an episode, Meta-World's own
DEFAULT_CAMERAS = ("corner2", "gripper_pov")
JOINT_NAMES = (*(f"right_j{i}" for i in range(7)), "r_close", "l_close")
GRIPPER_OPENING = "gripper_opening"


@dataclass(frozen=True)
class RobotState:
    """What the robot measures of itself.

    end_effector: (3,) m, Meta-World's hand position in base_link, which is MuJoCo's world frame.
    end_effector_quaternion: (4,) x, y, z, w of the hand in base_link.
    gripper_opening: 0 (closed) to 1; gripper_velocity: its change, 1/s.
    joint_positions, joint_velocities: (9,) as JOINT_NAMES; rad, rad/s; of the fingers m, m/s.
    """

    end_effector: Array
    end_effector_quaternion: Array
    gripper_opening: float
    gripper_velocity: float
    joint_positions: Array
    joint_velocities: Array


@dataclass(frozen=True)
class StepResult:
    """Outcome of a step.

    step: steps simulated in this episode. success: latched at the first rise of Meta-World's own
    flag within the step limit. truncated: the step limit is reached and the arm holds.
    unstable: MuJoCo found its state diverging and reset it; the episode is worth nothing.
    """

    step: int
    reward: float
    success: bool
    truncated: bool
    unstable: bool


@dataclass(frozen=True)
class Scene:
    """A copy of the physical state that can be rendered while the original moves on."""

    task: str
    model: Any
    data: Any


class MetaworldEnvironment:
    """One Meta-World robot, in any of the fifty tasks, one episode at a time.

    The same task and seed give the same episode byte for byte, whatever ran before in this
    process: each episode has a Meta-World environment of its own, because its own reset leaves
    some of the state of the previous one behind. Only the compiled model is kept between them.
    """

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
        """Names of the fifty tasks, without "-v3"."""
        return tasks.tasks()

    @staticmethod
    def instruction(task: str) -> str:
        """A command that describes the task; raises TaskError."""
        return tasks.instruction(task)

    def reset(self, task: str, seed: int) -> None:
        """Begin the episode of this task and seed.

        Raises:
            TaskError: no such task, or a seed that is not a whole number of at least 0.
        """
        tasks.check_task(task)
        tasks.check_seed(seed)
        if self._class is None or task != self.task:
            self._class = _task_class(task, self.width, self.height)
        self._env = self._class()
        self.task, self.seed = task, seed
        self._observation = _start(self._env, seed)
        self._policy = _expert(task)
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
            unstable=before.unstable or self._diverged(),
        )
        return self._result

    def _diverged(self) -> bool:
        warning = self._env.data.warning
        kinds = _mujoco().mjtWarning
        bad = (kinds.mjWARN_BADQPOS, kinds.mjWARN_BADQVEL, kinds.mjWARN_BADQACC)
        return any(warning[int(kind)].number for kind in bad)

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


def _mujoco() -> Any:
    # MuJoCo picks its OpenGL library on import: not before `graphics` has chosen it.
    import mujoco

    return mujoco


def _task_class(task: str, width: int, height: int) -> Any:
    """Meta-World's class of the task, changed so that its model is compiled only once."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    mujoco = _mujoco()
    base: Any = ALL_V3_ENVIRONMENTS[f"{task}-v3"]

    class Task(base):
        compiled: Any = None

        def _initialize_simulation(self) -> tuple[Any, Any]:
            if Task.compiled is None:
                Task.compiled, _ = super()._initialize_simulation()
                rendering.prepare_model(Task.compiled, width, height)
            model = copy.copy(Task.compiled)
            return model, mujoco.MjData(model)

    return Task


def _start(env: Any, seed: int) -> Array:
    """Set a new Meta-World environment up; returns its complete first observation, (39,)."""
    if env.action_scale != MAX_DISPLACEMENT or abs(env.dt - STEP_PERIOD) > 1e-9:
        raise RuntimeError(
            f"this Meta-World moves {env.action_scale} m in {env.dt} s; accepted: "
            f"{MAX_DISPLACEMENT} m in {STEP_PERIOD} s (metaworld 3)"
        )
    env._set_task_called = True
    env._freeze_rand_vec = False
    env.seeded_rand_vec = True
    # The experts need the goal's position; the bounds that observations are clipped to are cached.
    env._partially_observable = False
    vars(env).pop("sawyer_observation_space", None)
    env.max_path_length = np.iinfo(np.int64).max  # the step limit is counted here
    env.seed(seed)
    env.reset()
    # Meta-World moves the furniture and then reports the scene from before.
    _mujoco().mj_forward(env.model, env.data)
    env._prev_obs = env._get_curr_obs_combined_no_goal()
    return np.asarray(env._get_obs(), dtype=np.float64)


def _expert(task: str) -> Any:
    from metaworld.policies import ENV_POLICY_MAP

    policy: Any = ENV_POLICY_MAP[f"{task}-v3"]
    return policy()
