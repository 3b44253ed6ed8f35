"""Which task of the simulator a command asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from vla_contract.language.intent_model import FILE, IntentError, IntentModel
from vla_contract.language.spoken_text import words
from vla_sim.so101 import so101_tasks
from vla_sim.tasks import grounding_tasks, task_list

EMPTY_WORDS = frozenset(("a", "an", "the", "please"))


def asked_task(command: str, tasks: Iterable[str], checkpoint: Path) -> str:
    """The only one of some tasks that has these words as a wording; empty where none or more do.

    The simulator's wordings, and those that the checkpoint (a folder) was trained with; articles
    and politeness make no difference. Other words, of other languages too, ask for what the
    checkpoint's intent model is sure of.
    """
    learned, tasks = _learned(checkpoint), tuple(tasks)
    said = _plain(command)
    found = [
        task
        for task in tasks
        if any(_plain(each) == said for each in (*_wordings(task), *learned.get(task, ())))
    ]
    return found[0] if len(found) == 1 else _read(command, tasks, checkpoint)


def _read(command: str, tasks: Iterable[str], checkpoint: Path) -> str:
    try:
        found = IntentModel.load(checkpoint / FILE).read([command])[0]
    except IntentError:  # there is none, or it cannot be used: perception says so
        return ""
    return found.task if found.is_sure and found.task in tasks else ""


def _plain(text: str) -> list[str]:
    return [word for word in words(text) if word not in EMPTY_WORDS]


def _wordings(task: str) -> Iterator[str]:
    if task in so101_tasks.TASKS:
        yield from so101_tasks.wordings(task)
    elif task in grounding_tasks.TASKS:
        yield from grounding_tasks.wordings(task)
        yield from grounding_tasks.wordings(task, held_out=True)
    else:
        yield task_list.INSTRUCTIONS[task]


def _learned(checkpoint: Path) -> Mapping[str, Any]:
    # Not the whole checkpoint: whoever loads it says what is wrong with it.
    try:
        found = yaml.safe_load((checkpoint / "config.yaml").read_text(encoding="utf-8"))
        return {str(task): tuple(map(str, each)) for task, each in found["commands"].items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return {}
