"""A benchmark of the real vla-eval: random pictures, a few steps. python vla_eval_random.py URL"""

import sys

import anyio
import numpy as np
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.connection import Connection
from vla_eval.runners.sync_runner import SyncEpisodeRunner

STEPS = 12


class RandomBenchmark(StepBenchmark):
    def get_tasks(self):
        return [{"name": "random"}]

    def reset(self, task):
        self.actions = []
        self.random = np.random.default_rng(0)
        return

    def step(self, action):
        self.actions.append(action["actions"])
        return StepResult(obs=None, reward=0.0, done=len(self.actions) == STEPS, info={})

    def make_obs(self, raw_obs, task):
        pictures = {
            name: self.random.integers(0, 256, (48, 64, 3), np.uint8)
            for name in ("corner2", "gripper_pov")
        }
        state = np.full(4, 0.1, np.float32)
        return {"images": pictures, "states": state, "task_description": "open the drawer"}

    def get_step_result(self, step_result):
        return {"success": len(self.actions) == STEPS}


async def main(url):
    benchmark = RandomBenchmark()
    async with Connection(url) as connection:
        for _ in range(2):  # the same episode twice
            result = await SyncEpisodeRunner().run_episode(
                benchmark, {"name": "random"}, connection, max_steps=50
            )
            print(result["steps"], result["metrics"]["success"], benchmark.actions[-1].tolist())


anyio.run(main, sys.argv[1])
