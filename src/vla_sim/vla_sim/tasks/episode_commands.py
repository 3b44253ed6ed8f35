"""What episodes are told in an evaluation: their own command, a held-out wording, or another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_sim.tasks import grounding_tasks, task_list


class Wordings(Enum):
    """Which sentences are said."""

    TRAINING = "training"
    HELD_OUT = "held-out"


class CommandsError(ValueError):
    """Commands that cannot be chosen so; the message is one line and names what is accepted."""


@dataclass(frozen=True)
class Said:
    """An episode and what it is told; said_task: the task that the command asks for."""

    task: str
    seed: int
    command: str
    said_task: str


def choose(
    episodes: Sequence[tuple[str, int]],
    wordings: Wordings = Wordings.TRAINING,
    shuffle: int | None = None,
) -> list[Said]:
    """Command of every episode (task, seed); the same for the same arguments.

    shuffle: number of a random permutation by which the episodes swap their commands, those of
    Meta-World and those of the grounding scene each among themselves; an episode may be dealt a
    command for its own task, as chance has it. None: each keeps its own.

    Raises:
        TaskError: a task or seed that does not exist. CommandsError: a task without held-out
            wordings, or episodes of one task alone to be shuffled.
    """
    told = list(episodes)
    if shuffle is not None:
        scenes = [_scene(task) for task, _ in episodes]
        for scene in dict.fromkeys(scenes):
            places = [i for i, other in enumerate(scenes) if other == scene]
            for place, other in zip(places, _permuted(places, episodes, shuffle), strict=True):
                told[place] = episodes[other]
    return [
        Said(task, seed, _command(*other, wordings), other[0])
        for (task, seed), other in zip(episodes, told, strict=True)
    ]


def _scene(task: str) -> str:
    """Tasks between which commands may be swapped."""
    return "ground" if task in grounding_tasks.TASKS else task_list.robot_of(task)


def _permuted(places: list[int], episodes: Sequence[tuple[str, int]], number: int) -> list[int]:
    names = {episodes[place][0] for place in places}
    if len(names) == 1:
        raise CommandsError(
            f"all episodes are {names.pop()}, whose commands mean the same; accepted for "
            "shuffling: several tasks of a scene, e.g. ground-touch or mt10"
        )
    return np.random.default_rng(number).permutation(places).tolist()


def _command(task: str, seed: int, wordings: Wordings) -> str:
    task_list.check_task(task)
    task_list.check_seed(seed)
    if wordings is Wordings.TRAINING:
        return task_list.instruction(task, seed)
    if task not in grounding_tasks.TASKS:
        raise CommandsError(
            f"task {task} has no held-out wordings; accepted: {', '.join(grounding_tasks.TASKS)}"
        )
    return grounding_tasks.command(task, seed, held_out=True)
