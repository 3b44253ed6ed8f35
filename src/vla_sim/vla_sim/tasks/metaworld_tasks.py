"""Environment class, start and expert of a task: Meta-World's own fifty, and the grounding scene's.

Imports Meta-World, and so MuJoCo, inside its functions: MuJoCo picks its OpenGL library on import,
which must not be before `graphics` has chosen it.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_sim.robot import rendering
from vla_sim.tasks import grounding_tasks

Array = npt.NDArray[np.float64]

STEP_PERIOD = 0.0125  # s of simulated time; 5 physics steps of 2.5 ms
MAX_DISPLACEMENT = 0.01  # m per step and axis


def task_class(task: str, width: int, height: int) -> Any:
    """Class of the task's environment, changed so that its model is compiled only once."""
    import mujoco

    base: Any = _base_class(task)

    class Task(base):
        compiled: Any = None

        def _initialize_simulation(self) -> tuple[Any, Any]:
            if Task.compiled is None:
                Task.compiled, _ = super()._initialize_simulation()
                rendering.prepare_model(Task.compiled, width, height)
                Task.compiled.camera("corner2").pos = rendering.CORNER2_POSITION
            model = copy.copy(Task.compiled)
            return model, mujoco.MjData(model)

    return Task


def _base_class(task: str) -> Any:
    if task in grounding_tasks.TASKS:
        from vla_sim.tasks import grounding_scene

        return grounding_scene.task_class(task)
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    return ALL_V3_ENVIRONMENTS[f"{task}-v3"]


def start(env: Any, seed: int) -> Array:
    """Set a new Meta-World environment up; returns its complete first observation, (39,)."""
    import mujoco

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
    mujoco.mj_forward(env.model, env.data)
    env._prev_obs = env._get_curr_obs_combined_no_goal()
    return np.asarray(env._get_obs(), dtype=np.float64)


def expert(env: Any, task: str) -> Any:
    """Scripted expert of the episode that `start` began: `get_action(observation)`."""
    if task in grounding_tasks.TASKS:
        return env.expert()
    from metaworld.policies import ENV_POLICY_MAP

    policy: Any = ENV_POLICY_MAP[f"{task}-v3"]
    return policy()
