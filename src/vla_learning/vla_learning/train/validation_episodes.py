"""A policy in training tries its tasks: success of weights that are only in memory.

What needs torch or the simulator is imported where it is used: most trainings try nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vla_contract.action_space import ActionSpace
from vla_learning.learning_settings import Settings
from vla_sim.tasks import task_list

if TYPE_CHECKING:
    from vla_policy.model import VLAModel


def check_tasks(settings: Settings) -> None:
    """Raise TrainingError where the simulator lacks a task that training is to try."""
    from vla_learning.train.training_runs import TrainingError

    unknown = [task for task in settings.tasks if task not in task_list.known()]
    if settings.train.evaluate_steps and unknown:
        raise TrainingError(
            f"train.evaluate_steps is {settings.train.evaluate_steps}; accepted: 0, because the "
            f"simulator has no task {', '.join(unknown)}"
        )


def success_rate(model: VLAModel, settings: Settings, space: ActionSpace) -> float:
    """Share of successes over `train.evaluate_episodes` of each task; the same every time."""
    from vla_learning.confidence.episode_outcomes import WatchedModel
    from vla_learning.evaluate.closed_loop import EvaluationSettings, Evaluator
    from vla_learning.train.training_runs import unsaved_checkpoint

    checkpoint = unsaved_checkpoint(settings, space)
    first, count = settings.train.evaluate_first_seed, settings.train.evaluate_episodes
    episodes = [
        (task, seed, words[0])
        for seed in range(first, first + count)
        for task, words in settings.commands.items()
    ]
    evaluator = Evaluator(checkpoint, WatchedModel(model), EvaluationSettings())
    try:
        return sum(evaluator.episode(*each).success for each in episodes) / len(episodes)
    finally:
        evaluator.close()
