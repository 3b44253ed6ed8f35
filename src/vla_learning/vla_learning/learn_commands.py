"""What each sub-command of `./vla learn` does; torch is imported by those alone that need it."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from vla_contract import terminal
from vla_contract.action_space import ActionSpace, ActionSpaceError
from vla_learning.evaluate import success_report
from vla_learning.learning_settings import Settings
from vla_learning.workers import Workers

DEFAULT_CONFIG = Path("config/learning/metaworld.yaml")
SAID = ("command", "wording", "wordings", "shuffle_commands")  # options that choose what is said
LINE_PERIOD = 30.0  # s between two lines of progress where there is no terminal


class CommandError(RuntimeError):
    """A command that cannot be done; one line with what is wrong and what is accepted."""


# Where the input of a command is refused, by module: their messages are such lines, too.
REFUSALS = {
    "vla_contract.action_space": "ActionSpaceError",
    "vla_learning.collect.demonstration_collection": "CollectError",
    "vla_learning.confidence.confidence_training": "ConfidenceError",
    "vla_learning.data.demonstrations": "DemonstrationError",
    "vla_learning.export.exporting": "ExportError",
    "vla_contract.language.intent_model": "IntentError",
    "vla_contract.language.sentence_features": "EncoderError",
    "vla_learning.language.wordings": "WordingsError",
    "vla_learning.export.quantizing": "QuantizeError",
    "vla_learning.train.training_runs": "TrainingError",
    "vla_learning.learning_settings": "SettingsError",
    "vla_policy.backends": "BackendError",
    "vla_policy.checkpoint.checkpoint": "CheckpointError",
    "vla_replay.bags.bag_storage": "BagError",
    "vla_sim.tasks.episode_commands": "CommandsError",
    "vla_sim.robot.rendering": "CameraError",
    "vla_sim.tasks.task_list": "TaskError",
    "vla_learning.workers": "WorkersError",
}


def refusals() -> tuple[type[Exception], ...]:
    """The errors that a command may end with; what was not imported cannot have been raised."""
    found = (
        getattr(sys.modules[module], name)
        for module, name in REFUSALS.items()
        if module in sys.modules
    )
    return (CommandError, *found)


def collect(arguments: argparse.Namespace) -> None:
    """Record demonstrations; those that are there already are kept."""
    from vla_learning.collect.demonstration_collection import Job, collect_all

    settings, space = _load_overridden(arguments)
    _check_simulator(settings.tasks, settings.cameras)
    folder = arguments.out or Path("data") / settings.name
    job = Job(folder, settings, space, arguments.checkpoint)
    total = job.episodes * len(settings.tasks)
    with _progress("collecting", total) as progress:
        total = collect_all(job, _workers(arguments), progress.done)
    print(f"{total} demonstrations in {folder}, a LeRobot dataset")


def from_bag(arguments: argparse.Namespace) -> None:
    """Turn recorded bags into episodes of a dataset; those that it has already are kept."""
    from vla_learning.bags.from_bag import convert
    from vla_replay.play.topic_selection import parse_remaps

    settings, space = _load(arguments.config)
    folder = arguments.out or Path("data") / settings.name
    with _progress("reading", 1) as progress:
        remaps = parse_remaps(arguments.remap)
        report = convert(
            arguments.bags, folder, settings, space, arguments.command, remaps, progress.of
        )
    for words, why in report.skipped.items():
        print(f"left out {words}: {why}")
    for note in report.notes:
        print(f"note: {note}")
    print(f"{report.episodes} new episodes in {folder}, {report.present} were there")


def train(arguments: argparse.Namespace) -> None:
    """Train up to the configured number of steps, from the last saved step on."""
    from vla_learning.data.dataset import load_frames
    from vla_learning.train.distributed import train_in_processes

    settings, space = _load_overridden(arguments)
    data = arguments.data or Path("data") / settings.name
    folder = arguments.out or Path("out/learn") / settings.name
    with _progress("decoding", 1) as progress:
        load_frames(data, settings, space, progress.of)
    with _progress("training", settings.train.steps) as progress:

        def show(step: int, losses: dict[str, float]) -> None:
            text = " ".join(f"{name} {value:.4f}" for name, value in losses.items())
            last = step == settings.train.steps and "success" not in losses
            progress.done(step, f"evaluating and saving; {text}" if last else text)

        train_in_processes(settings, space, data, folder, show, arguments.checkpoint)
    same = [
        f" --{name} {value}"
        for name in ("config", "tasks", "action-space")
        if (value := getattr(arguments, name.replace("-", "_"))) not in (None, DEFAULT_CONFIG)
    ]
    print(f"trained: {folder}; next: ./vla learn export --run {folder}{''.join(same)}")


def sweep(arguments: argparse.Namespace) -> None:
    """Train with every combination of settings, and print what each came to."""
    from vla_learning.data.dataset import load_frames
    from vla_learning.train.sweep import combinations, folder_name, parse_entry, table
    from vla_learning.train.sweep import sweep as run

    settings, space = _load_overridden(arguments)
    trials = combinations(dict(map(parse_entry, arguments.set)), arguments.random, arguments.seed)
    data = arguments.data or Path("data") / settings.name
    folder = arguments.out or Path("out/sweep") / settings.name
    workers = Workers(arguments.jobs, arguments.ray, settings.train.threads, gpu=True)
    with _progress("decoding", 1) as progress:
        load_frames(data, settings, space, progress.of)
    with _progress("trials", len(trials)) as progress:
        found = run(
            arguments.config,
            trials,
            _overrides(arguments),
            data,
            folder,
            workers,
            progress.done,
        )
    print(table(found))
    print(f"runs: {folder}; the best one: {folder / folder_name(found[0].values)}")


def confidence(arguments: argparse.Namespace) -> None:
    """Teach a trained run how likely it is to succeed; print what that is worth."""
    from vla_sim.tasks.task_list import expand, parse_seeds

    settings, space = _load(arguments.config)
    run = arguments.folder or Path("out/learn") / settings.name
    tasks = expand(arguments.tasks or ",".join(settings.tasks))
    _check_tasks(tasks, list(settings.tasks))
    _check_simulator(tasks, settings.cameras)
    seeds = parse_seeds(arguments.seeds)

    from vla_learning.confidence.confidence_command import table, teach

    with _progress("episodes", len(tasks) * len(seeds)) as progress:
        report = teach(settings, space, run, tasks, seeds, progress.done)
    print(table(report))
    print(f"kept in {run}; next: ./vla learn export --run {run}")


def export(arguments: argparse.Namespace) -> None:
    """Write a checkpoint folder and say how far ONNX is from PyTorch."""
    from vla_learning.export.exporting import export_run

    settings, space = _load_overridden(arguments)
    run = arguments.folder or Path("out/learn") / settings.name
    to = arguments.out or Path("out/models") / settings.name
    with _progress("exporting", 1) as progress:
        result = export_run(settings, space, run, to, arguments.weights)
        progress.done(1)
    print(
        f"checkpoint: {to}; ONNX differs from PyTorch by at most {result.language:.1e} (language) "
        f"and {result.policy:.1e} (policy)"
    )


def evaluate(arguments: argparse.Namespace) -> None:
    """Run episodes and print the table of success rates."""
    from vla_learning.evaluate.closed_loop import EvaluationSettings
    from vla_learning.evaluate.closed_loop import evaluate as run
    from vla_learning.evaluate.paired_evaluation import go_on
    from vla_policy.checkpoint.checkpoint import Checkpoint
    from vla_policy.inference.inference import DONE_COUNT

    settings = EvaluationSettings(
        backend=arguments.backend,
        threads=arguments.threads,
        done_count=DONE_COUNT if arguments.done_count is None else arguments.done_count,
        mask=tuple(name for name in arguments.mask.split(",") if name),
    )
    workers = _workers(arguments, settings.threads)
    config = _load(arguments.config)[0] if arguments.config else None
    usual = Path("out/models") / config.name if config else Path("models/metaworld")
    folder = arguments.checkpoint or usual
    begin = time.monotonic()
    episodes = []
    checkpoint = Checkpoint.load(folder)
    _check_mask(settings.mask, checkpoint.cameras)
    usual_tasks = config.tasks if config else checkpoint.commands
    todo = _episodes(arguments, checkpoint.commands, list(usual_tasks))
    _check_simulator([task for task, _, _ in todo], checkpoint.cameras)
    if arguments.out is None:
        running = run(folder, settings, todo, workers)
    else:
        _check_writable(arguments.out)
        log = arguments.out.with_suffix(".episodes.jsonl")
        _check_writable(log)
        running = go_on(
            lambda rest: run(folder, settings, rest, workers),
            todo,
            log,
            _identity(folder, settings),
        )
    with _progress("evaluating", len(todo)) as progress:
        for episode in running:
            episodes.append(episode)
            progress.done(len(episodes), f"{episode.task} seed {episode.seed}")
    print(success_report.markdown_table(episodes))
    for line in success_report.problems(episodes):
        print(f"\n{line}")
    seconds = time.monotonic() - begin
    print(f"\n{len(episodes)} episodes in {seconds:.0f} s, in process, without ROS")
    if arguments.out:
        about: dict[str, Any] = {name: getattr(arguments, name) for name in SAID}
        about |= {"checkpoint": str(folder), "backend": settings.backend}
        about |= {"threads": settings.threads, "done_count": settings.done_count}
        if config:
            about["config"] = {"path": str(arguments.config), "content": config.source}
        success_report.save_json(arguments.out, episodes, **about, mask=settings.mask)
        log.unlink()


def compare(arguments: argparse.Namespace) -> int:
    """Run the same episodes with both checkpoints; 1 where the new one is worse."""
    from vla_learning.evaluate import compare_command
    from vla_learning.evaluate.closed_loop import EvaluationSettings, close_evaluators
    from vla_learning.evaluate.paired_evaluation import pair, run_paired
    from vla_policy.checkpoint.checkpoint import Checkpoint
    from vla_sim.tasks.episode_commands import Wordings, choose
    from vla_sim.tasks.task_list import expand, parse_seeds

    folders = {"old": arguments.old, "new": arguments.new}
    old, new = (Checkpoint.load(folder) for folder in folders.values())
    if old.action_space != new.action_space:
        raise CommandError(
            f"{arguments.old} has the action space {old.action_space.name}, {arguments.new} has "
            f"{new.action_space.name}; accepted: two checkpoints of the same one"
        )
    tasks = expand(arguments.tasks or ",".join(old.commands))
    for checkpoint, whose in ((old, "old checkpoint"), (new, "new checkpoint")):
        _check_tasks(tasks, list(checkpoint.commands), whose)
        _check_simulator(tasks, checkpoint.cameras)
    pairs = [(task, seed) for task in tasks for seed in parse_seeds(arguments.seeds)]
    said = choose(pairs, Wordings("training"), None)
    todo = [(each.task, each.seed, each.command) for each in said]
    identities = {k: _identity(f, EvaluationSettings(threads=1)) for k, f in folders.items()}
    with tempfile.TemporaryDirectory(prefix="vla_compare_") as made:
        log = (arguments.out or Path(made) / "compare").with_suffix(".episodes.jsonl")
        if arguments.out:
            _check_writable(arguments.out)
        with _progress("comparing", 2 * len(todo)) as progress:
            workers = _workers(arguments)
            try:
                results = run_paired(folders, identities, todo, log, workers, progress.done)
            finally:
                close_evaluators()
        pairing = pair(results["old"], results["new"])
        print("\n".join(compare_command.lines(pairing)))
        if arguments.out:
            compare_command.save(arguments.out, results, folders)
        log.unlink()
    return int(compare_command.verdict(pairing) == compare_command.WORSE)


def _identity(folder: Path, settings: object) -> str:
    """Of all that an episode depends on but its task, seed and command."""
    from vla_policy.checkpoint.checkpoint import CONFIG  # has the hashes of the other files

    content = (folder / CONFIG).read_bytes() + repr(settings).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _check_mask(mask: Sequence[str], cameras: Sequence[str]) -> None:
    for name in mask:
        if name not in cameras:
            raise CommandError(
                f"mask has {name!r}, which is no camera of the checkpoint; accepted: "
                f"{', '.join(cameras)}"
            )


def _episodes(
    arguments: argparse.Namespace, known: Mapping[str, Sequence[str]], usual: Sequence[str]
) -> list[tuple[str, int, str]]:
    """(task, seed, command) of every episode, the same as `./vla evaluate` runs by default."""
    from vla_sim.tasks.episode_commands import Wordings, choose
    from vla_sim.tasks.task_list import expand, parse_seeds

    _check_said(arguments)
    tasks = expand(arguments.tasks or ",".join(usual))
    pairs = [(task, seed) for task in tasks for seed in parse_seeds(arguments.seeds)]
    said = choose(pairs, Wordings(arguments.wordings), arguments.shuffle_commands)
    if arguments.command:
        return [(task, seed, arguments.command) for task, seed in pairs]
    if arguments.wording is None:
        return [(each.task, each.seed, each.command) for each in said]
    _check_tasks(tasks, list(known))
    return [(t, seed, known[t][arguments.wording % len(known[t])]) for t, seed in pairs]


def _check_said(arguments: argparse.Namespace) -> None:
    """Raise CommandError where options that choose what is said exclude each other."""
    own = arguments.wordings == "training" and arguments.shuffle_commands is None
    if arguments.command is not None and not arguments.command.strip():
        raise CommandError("--command is empty; accepted: words, or none for each task's own")
    if arguments.command is not None and not (own and arguments.wording is None):
        raise CommandError(
            "--command says what is said; accepted without --wording, --wordings held-out and "
            "--shuffle-commands"
        )
    if arguments.wording is not None and not own:
        raise CommandError(
            "--wording says what is said; accepted without --wordings held-out and "
            "--shuffle-commands"
        )


def quantize(arguments: argparse.Namespace) -> None:
    """Write the checkpoint in 8 bits and print what that costs."""
    from vla_learning.export import quantize_command
    from vla_learning.export.quantizing import Method
    from vla_policy.checkpoint.checkpoint import Checkpoint
    from vla_sim.tasks.task_list import expand

    settings, space = _load(arguments.config)
    known = [method.value for method in Method]
    for name in arguments.methods.split(","):
        if name not in known:
            raise CommandError(f"method {name!r} is unknown; accepted: {', '.join(known)}")
    checkpoint = Checkpoint.load(arguments.checkpoint)
    tasks = expand(arguments.tasks or ",".join(checkpoint.commands))
    _check_tasks(tasks, list(checkpoint.commands))
    if arguments.seeds:
        _check_simulator(tasks, checkpoint.cameras)
    print(quantize_command.run(checkpoint, tasks, arguments, settings, space, _progress))


def intents(arguments: argparse.Namespace) -> None:
    """Teach which of a checkpoint's tasks sentences of many languages ask for."""
    from vla_contract.language.intent_model import FILE
    from vla_learning.language import intent_training, wordings
    from vla_policy.checkpoint.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(arguments.checkpoint)
    to = arguments.out or arguments.checkpoint / FILE
    _check_writable(to)
    tasks = wordings.read_tasks(arguments.wordings)
    sentences = wordings.read_sentences(arguments.wordings, arguments.most)
    kinds = intent_training.kinds_of(tasks, checkpoint.commands)
    if not kinds:
        raise CommandError(
            f"{arguments.checkpoint} has none of the tasks of {arguments.wordings}; accepted: "
            f"{', '.join(name for names in tasks.values() for name in names)}"
        )
    model = intent_training.train(sentences, kinds, arguments.steps, arguments.seed)
    intent_training.save(model, to)
    print(intent_training.report(model, sentences))
    print(f"written: {to}; asked below a confidence of {model.threshold:.2f}")


def attention(arguments: argparse.Namespace) -> None:
    """Write the picture of where each word looks."""
    from vla_learning.evaluate import attention_command
    from vla_policy.checkpoint.checkpoint import Checkpoint

    if not 0.0 <= arguments.moment <= 1.0:
        raise CommandError(f"moment is {arguments.moment}; accepted: from 0 to 1")
    checkpoint = Checkpoint.load(arguments.checkpoint)
    _check_tasks([arguments.task], list(checkpoint.commands))
    _check_simulator([arguments.task], checkpoint.cameras)
    _check_writable(arguments.out)
    picture = attention_command.pictures(
        arguments.checkpoint,
        arguments.task,
        arguments.seed,
        arguments.command or (),
        arguments.moment,
    )
    attention_command.write(picture, arguments.out)
    print(f"written: {arguments.out}")


def limits(arguments: argparse.Namespace) -> None:
    """Print the table by which the limits of an action space are chosen."""
    from vla_learning.collect.limit_study import markdown_table, study
    from vla_sim.tasks.task_list import parse_seeds

    settings, space = _load(arguments.config)
    _check_simulator(settings.tasks, ())
    pairs = [_limits(text, space) for text in arguments.limits.split(",")]
    seeds = parse_seeds(arguments.seeds)
    results = []
    with _progress("experts", len(pairs) * len(settings.tasks)) as progress:
        for result in study(space, settings.tasks, pairs, seeds):
            results.append(result)
            progress.done(len(results), result.task)
    print(markdown_table(results))


def _limits(text: str, space: ActionSpace) -> tuple[float, float]:
    """Acceleration and jerk, m/s^2 and m/s^3, that the action space can have."""
    from vla_learning.collect.limit_study import with_limits

    number = r"(\d+\.?\d*|\.\d+)"
    match = re.fullmatch(f"{number}/{number}", text.strip())
    if match is None:
        raise CommandError(f"limits has {text!r}; accepted: acceleration/jerk, e.g. 10/1000")
    pair = float(match[1]), float(match[2])
    try:
        with_limits(space, *pair)
    except ActionSpaceError as error:
        raise CommandError(f"limits has {text!r}: {error}") from error
    return pair


def _workers(arguments: argparse.Namespace, threads: int = 1) -> Workers:
    return Workers(arguments.jobs, arguments.ray, threads)


def _load(path: Path, overrides: Mapping[str, Any] | None = None) -> tuple[Settings, ActionSpace]:
    settings = Settings.load(path, overrides)
    if not settings.action_space.is_file():
        raise CommandError(
            f"learning config {path}: action_space is {settings.source['action_space']}, and there "
            f"is no {settings.action_space}; accepted: the path of a file, relative to the config"
        )
    return settings, ActionSpace.load(settings.action_space)


def _load_overridden(arguments: argparse.Namespace) -> tuple[Settings, ActionSpace]:
    """The config with the options in place of its entries."""
    return _load(arguments.config, _overrides(arguments))


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Entries of the config that options stand in for."""
    from vla_sim.tasks.task_list import expand

    overrides: dict[str, Any] = {}
    if arguments.tasks:
        known = Settings.load(arguments.config).commands
        tasks = expand(arguments.tasks)
        _check_tasks(tasks, list(known), "config")
        overrides["commands"] = {task: list(known[task]) for task in tasks}
    if arguments.action_space:  # of the command line: relative to where it is given
        folder = arguments.config.resolve().parent
        overrides["action_space"] = os.path.relpath(arguments.action_space, folder)
    if getattr(arguments, "episodes", None):
        overrides["collect"] = {"episodes": arguments.episodes}
        overrides["collect"]["relabelled_episodes"] = arguments.episodes
    if getattr(arguments, "steps", None):
        overrides["train"] = {"steps": arguments.steps}
    return overrides


def _check_tasks(tasks: list[str], known: list[str], whose: str = "checkpoint") -> None:
    for task in tasks:
        if task not in known:
            raise CommandError(
                f"task {task!r} is not one of the {whose}'s; accepted: {', '.join(known)}"
            )


def _check_simulator(tasks: Sequence[str], cameras: Sequence[str]) -> None:
    """Raise TaskError or CameraError where the simulator lacks a task or a camera."""
    from vla_sim.robot.rendering import check_cameras
    from vla_sim.robot.robots import known_cameras
    from vla_sim.tasks.task_list import robot_of

    for robot in dict.fromkeys(robot_of(task) for task in tasks):
        check_cameras(cameras, 1, 1, known_cameras(robot))


def _check_writable(path: Path) -> None:
    """Raise CommandError where a file cannot be written; its folder is made."""
    there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
    if not there:
        path.unlink()


class _Bar:
    """A progress bar that is told how much is done; in a file, a line now and then."""

    def __init__(self, progress: Progress, name: str, total: int) -> None:
        self._progress = progress
        self._name = name
        self._task = progress.add_task(name, total=total, text="")
        self._total = total
        self._next = 0.0

    def done(self, count: int, text: str = "") -> None:
        """Show that `count` of the total are done."""
        self._progress.update(self._task, completed=count, text=text)
        if not self._progress.console.is_terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_PERIOD
            print(f"{self._name} {count}/{self._total} {text}".rstrip(), flush=True)

    def of(self, count: int, total: int) -> None:
        """Show that `count` of `total` are done."""
        self._total = total
        self._progress.update(self._task, total=total)
        self.done(count)


@contextmanager
def _progress(name: str, total: int) -> Iterator[_Bar]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        # What is left of the line, and no more than that.
        TextColumn("{task.fields[text]}", table_column=Column(no_wrap=True, ratio=1)),
    )
    with Progress(*columns, console=Console(width=terminal.columns()), expand=True) as progress:
        yield _Bar(progress, name, total)
