"""Trainings that differ in some settings, side by side: a grid, or a random choice of it.

A trial is a run like any other, in a folder of its own, that goes on where it was stopped. What
it came to is kept in a log, so that the same command goes on with the trials that are left.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from vla_learning.learning_settings import Settings, SettingsError
from vla_learning.workers import Task, Workers

PARTS = ("train", "architecture")
Values = tuple[tuple[str, Any], ...]  # ((entry, value), …), e.g. (("train.learning_rate", 0.001),)


@dataclass(frozen=True)
class Trial:
    """What one training came to.

    loss: mean over the last steps, on training data. success: of the averaged weights on the
    validation seeds; None where the config evaluates nothing.
    """

    values: Values
    loss: float
    success: float | None
    seconds: float


def parse_entry(text: str) -> tuple[str, tuple[Any, ...]]:
    """`train.learning_rate=0.001,0.0003` as the entry's name and its values, read as YAML.

    Raises:
        SettingsError: it is something else.
    """
    name, equals, values = text.partition("=")
    part, dot, entry = name.partition(".")
    try:
        read = yaml.safe_load(f"[{values}]")
    except yaml.YAMLError:
        read = []
    if not (equals and dot and entry and part in PARTS and read):
        raise SettingsError(
            f"--set has {text!r}; accepted: an entry of {' or '.join(PARTS)} and its values, "
            "e.g. train.learning_rate=0.001,0.0003"
        )
    return name, tuple(map(_number, read))


def _number(value: Any) -> Any:
    """3e-4 is a number to everybody but YAML 1.1."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def combinations(
    entries: Mapping[str, Sequence[Any]], count: int | None = None, seed: int = 0
) -> list[Values]:
    """Every combination of the entries' values, or `count` of them chosen at random by `seed`."""
    grid = [
        tuple(zip(entries, values, strict=True)) for values in itertools.product(*entries.values())
    ]
    return grid if count is None else random.Random(seed).sample(grid, min(count, len(grid)))


def overrides(values: Values, common: Mapping[str, Any]) -> dict[str, Any]:
    """Of a config, for `Settings.load`: a trial's on top of those that all trials share.

    A trial is one process: what runs beside it is another trial.
    """
    changed: dict[str, Any] = {**common, "train": {**common.get("train", {}), "processes": 1}}
    for name, value in values:
        part, _, entry = name.partition(".")
        changed[part] = {**changed.get(part, {}), entry: value}
    return changed


def folder_name(values: Values) -> str:
    """Of a trial's run: readable, and another one for other values."""
    words = (f"{name.partition('.')[2]}={json.dumps(value)}" for name, value in values)
    return "_".join(words).replace("/", "-").replace(" ", "").replace('"', "")


def run_trial(config: Path, changed: Mapping[str, Any], data: Path, folder: Path) -> dict[str, Any]:
    """Train one trial, or go on with it; returns loss, success and seconds of `Trial`.

    Raises:
        SettingsError, DemonstrationError, TrainingError: as for `./vla learn train`.
    """
    from vla_contract.action_space import ActionSpace
    from vla_learning.train.distributed import train_in_processes
    from vla_learning.train.training_runs import read_run

    settings = Settings.load(config, changed)
    space = ActionSpace.load(settings.action_space)
    train_in_processes(settings, space, data, folder, lambda step, losses: None)
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    success = [entry["success"] for entry in history if "success" in entry]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    about = read_run(folder, settings)
    assert about is not None
    return {
        "loss": losses[-1],
        "success": success[-1] if success else None,
        "seconds": float(about["seconds"]),
    }


def sweep(
    config: Path,
    trials: Sequence[Values],
    common: Mapping[str, Any],
    data: Path,
    folder: Path,
    workers: Workers,
    progress: Callable[[int, str], None],
) -> list[Trial]:
    """Run every trial that the log has not; the best one comes first.

    common: overrides of the config that all trials share.

    Raises:
        SettingsError, DemonstrationError, TrainingError: of the first trial that cannot be run.
        WorkersError: the workers cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "trials.jsonl"
    found = {trial.values: trial for trial in _read(log) if trial.values in set(trials)}
    todo: deque[tuple[Values, Task]] = deque()
    for values in trials:
        if values not in found:
            changed = overrides(values, common)
            Settings.load(config, changed)  # what is refused is refused before anything is run
            where = (folder / folder_name(values)).resolve()
            todo.append((values, (run_trial, config.resolve(), changed, data.resolve(), where)))
    progress(len(found), "")
    with log.open("a", encoding="utf-8") as file, workers.open() as pool:
        file.write("\n" * bool(file.tell()))  # in case the last line was cut short
        for values, result in pool.as_completed(todo):
            found[values] = Trial(values, **result)
            file.write(json.dumps(asdict(found[values])) + "\n")
            file.flush()
            progress(len(found), folder_name(values))
    return sorted(found.values(), key=_rank)


def _rank(trial: Trial) -> tuple[float, float]:
    return -(trial.success or 0.0), trial.loss


def _read(log: Path) -> Iterator[Trial]:
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            data = json.loads(line)
            values = tuple((name, value) for name, value in data.pop("values"))
            yield Trial(values, **data)
        except (ValueError, KeyError, TypeError):
            continue


def table(trials: Sequence[Trial]) -> str:
    """Markdown, the best one first."""
    names = [name for name, _ in trials[0].values]
    lines = [
        f"| {' | '.join(names)} | success | loss | time |",
        "|" + "---|" * (len(names) + 3),
    ]
    for trial in trials:
        told = [json.dumps(value) for _, value in trial.values]
        success = "–" if trial.success is None else f"{trial.success:.1%}"
        lines.append(
            f"| {' | '.join(told)} | {success} | {trial.loss:.4f} | {trial.seconds:.0f} s |"
        )
    return "\n".join(lines)
