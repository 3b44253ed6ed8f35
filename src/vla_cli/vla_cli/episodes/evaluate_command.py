"""`vla evaluate`: success rates of a checkpoint through the whole graph, in lock-step."""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_cli import learn_command
from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import CommandError, ignore_signals, raise_on_signals
from vla_learning.evaluate import success_picture, success_report
from vla_sim.tasks import episode_commands, task_list

if TYPE_CHECKING:
    from vla_cli.episodes.episode_log import EpisodeLog
    from vla_cli.episodes.graph_episodes import Episode, EpisodeResult

REMOTE = ("remote_url", "remote_mapping", "fallback_checkpoint")
DEFAULT_TASKS = "drawer-open,button-press-topdown,window-open"
RESTARTS = 3  # of each graph that runs beside others, before its episodes are given up
IN_PROCESS = "--in-process"
CORES = 2  # of a graph in lock-step: the simulator and the policy take most of the time


@dataclass
class Outcome:
    """What came of episodes. failures: why an episode has no result.

    pictures: first and last by (task, seed), of one episode of each task.
    """

    results: dict[Episode, EpisodeResult] = field(default_factory=dict)
    failures: dict[Episode, str] = field(default_factory=dict)
    pictures: dict[tuple[str, int], tuple[Any, Any]] = field(default_factory=dict)

    def update(self, other: Outcome) -> None:
        """Add what came of other episodes."""
        self.results |= other.results
        self.failures |= other.failures
        self.pictures |= other.pictures


def main(arguments: list[str]) -> int:
    """0: all episodes were run, whatever their verdicts; 1: some have no result."""
    if IN_PROCESS in arguments:
        return learn_command.run(["evaluate", *(word for word in arguments if word != IN_PROCESS)])
    parser = options.parser("evaluate", "Success rates through the whole graph, in lock-step.")
    parser.epilog = "exit status: 0 every episode was run, 1 some have no result, 2 an error"
    parser.add_argument(
        IN_PROCESS,
        action="store_true",
        help="without ROS and its processes, several times as fast, with options of its own: "
        f"./vla evaluate {IN_PROCESS} --help",
    )
    parser.add_argument(
        "--tasks",
        default=DEFAULT_TASKS,
        help=f"names, or {', '.join(task_list.GROUPS)} (default: {DEFAULT_TASKS})",
    )
    parser.add_argument("--seeds", default="100-109", help="e.g. 100-109 or 3,5,7-9")
    parser.add_argument("--command", help="the words to say (default: each task's own)")
    parser.add_argument(
        "--wordings",
        choices=[kind.value for kind in episode_commands.Wordings],
        default=episode_commands.Wordings.TRAINING.value,
        help="held-out: sentences of the grounding scene that no training has (default: training)",
    )
    parser.add_argument(
        "--shuffle-commands",
        type=options.at_least(0, "--shuffle-commands"),
        nargs="?",
        const=0,
        metavar="NUMBER",
        help="let the episodes swap their commands, by the random permutation of this number",
    )
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    parser.add_argument(
        "--backend", default="onnxruntime", help="onnxruntime, openvino, torch, tensorrt or remote"
    )
    parser.add_argument("--remote-url", metavar="URL", help="of the backend remote: ws://host:port")
    parser.add_argument("--remote-mapping", metavar="FILE", help="of the backend remote: its keys")
    parser.add_argument(
        "--fallback-checkpoint",
        metavar="FOLDER",
        help="what drives while the backend remote is gone (default: nothing)",
    )
    parser.add_argument(
        "--jobs",
        type=options.at_least(1, "--jobs"),
        default=max(1, (os.cpu_count() or 1) // CORES),
        help=f"graphs side by side (one for every {CORES} cores: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=options.file_name,
        help="JSON file for rates and episodes; beside it a picture, .png, and until all are run "
        "the finished episodes, .episodes.jsonl, from which the same command goes on",
    )
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    names, numbers = parse_tasks(chosen.tasks), parse_seeds(chosen.seeds)
    checkpoint = paths.checkpoint(chosen.checkpoint, task_list.robot_of(names[0]))
    policy = policy_arguments(chosen)
    todo = plan(names, numbers, chosen)
    log = episode_log(chosen.out, checkpoint, policy)
    begin = time.monotonic()
    outcome = evaluate(todo, checkpoint, policy, chosen.jobs, log)
    _report(todo, outcome, checkpoint, chosen, time.monotonic() - begin)
    if outcome.failures:
        return _report_failures(outcome, log)
    if log.path is not None:
        log.path.unlink()
    return 0


def episode_log(out: Path | None, checkpoint: Path, policy: Mapping[str, Any]) -> EpisodeLog:
    """Where finished episodes are kept until all are: beside `out`, or nowhere without it.

    Raises:
        CommandError: it cannot be written.
    """
    from vla_cli.episodes.episode_log import EpisodeLog
    from vla_policy.checkpoint.checkpoint import CONFIG  # has the hashes of the other files

    words = "".join(f"{name}={value}\n" for name, value in sorted(policy.items()))
    identity = hashlib.sha256((checkpoint / CONFIG).read_bytes() + words.encode()).hexdigest()[:16]
    log = EpisodeLog(out and out.with_suffix(".episodes.jsonl"), identity)
    log.prepare()
    return log


def _report_failures(outcome: Outcome, log: EpisodeLog) -> int:
    for episode, reason in outcome.failures.items():
        print(f"vla: no result of {episode.task} seed {episode.seed}: {reason}", file=sys.stderr)
    kept = f"the others are in {log.path}: the same command goes on" if log.path else "no --out"
    print(f"vla: {len(outcome.failures)} episodes have no result; {kept}", file=sys.stderr)
    return 1


def policy_arguments(chosen: argparse.Namespace) -> dict[str, Any]:
    """Launch arguments that say what runs the policy; files as the graph's processes find them.

    Raises:
        CommandError: options of the backend remote for another one, or without a mapping.
    """
    given = {name: getattr(chosen, name) for name in REMOTE if getattr(chosen, name)}
    if chosen.backend != "remote":
        if given:
            words = " and ".join(f"--{name.replace('_', '-')}" for name in given)
            raise CommandError(f"{words}: accepted with --backend remote only")
        return {"backend": chosen.backend}
    if not given.get("remote_mapping"):
        raise CommandError("--backend remote lacks --remote-mapping; accepted: a file as those of "
                           "config/remote/")  # fmt: skip
    given["remote_mapping"] = Path(given["remote_mapping"]).resolve()
    if "fallback_checkpoint" in given:
        given["fallback_checkpoint"] = paths.checkpoint(given["fallback_checkpoint"])
    return {"backend": chosen.backend, **given}


def plan(names: list[str], seeds: list[int], chosen: argparse.Namespace) -> list[Episode]:
    """Every seed of every task, with what it is told.

    Raises:
        CommandError: options that exclude each other, or commands that cannot be chosen so.
    """
    from vla_cli.episodes.graph_episodes import Episode

    pairs = [(task, seed) for task in names for seed in seeds]
    wordings = episode_commands.Wordings(chosen.wordings)
    own = wordings is episode_commands.Wordings.TRAINING and chosen.shuffle_commands is None
    if chosen.command and not own:
        raise CommandError("--command says what is said; accepted without --wordings and shuffling")
    if own:
        return [Episode(task, seed, chosen.command) for task, seed in pairs]
    try:
        told = episode_commands.choose(pairs, wordings, chosen.shuffle_commands)
    except (episode_commands.CommandsError, task_list.TaskError) as error:
        raise CommandError(str(error)) from error
    return [Episode(said.task, said.seed, said.command, said.said_task) for said in told]


def parse_tasks(text: str) -> list[str]:
    """Task names from a comma-separated list of names and groups, each task once.

    Raises:
        CommandError: one of them does not exist, or they are of several robots.
    """
    names = task_list.expand(text)
    try:
        robots = {task_list.robot_of(name) for name in names}
    except task_list.TaskError as error:
        raise CommandError(str(error)) from error
    if len(robots) > 1:
        raise CommandError(f"--tasks are of {', '.join(sorted(robots))}; accepted: of one robot")
    return names


def parse_seeds(text: str) -> list[int]:
    """Seeds from e.g. "100-109,7".

    Raises:
        CommandError: not a list of numbers and ranges.
    """
    try:
        return task_list.parse_seeds(text)
    except task_list.TaskError as error:
        raise CommandError(str(error)) from error


def evaluate(
    todo: list[Episode], checkpoint: Path, policy: Mapping[str, Any], jobs: int, log: EpisodeLog
) -> Outcome:
    """Run episodes in `jobs` graphs of their own, without video, as fast as the machine goes.

    policy: of `policy_arguments`. log: what it has of them is not run again.
    Prints a line for each. The results are those of one graph.

    Raises:
        CommandError: the only graph cannot begin, or a process has died.
    """
    whole = Outcome(log.read(todo))
    if whole.results:
        print(f"{len(whole.results)} of {len(todo)} episodes are in {log.path}")
    left = [episode for episode in dict.fromkeys(todo) if episode not in whole.results]
    jobs = min(jobs, len(left))
    if jobs <= 1:
        whole.update(run_share(left, checkpoint, policy, log))
        return whole
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(jobs, context, raise_on_signals) as pool:
            shares = {
                pool.submit(run_share, part, checkpoint, policy, log): part
                for part in (left[share::jobs] for share in range(jobs))
            }
            for future in as_completed(shares):
                try:
                    whole.update(future.result())
                except CommandError as error:  # what the others have finished is not lost with it
                    whole.failures |= dict.fromkeys(shares[future], f"not begun: {error}")
    except BrokenProcessPool as error:
        kept = f"; finished episodes are in {log.path}" if log.path else ""
        raise CommandError(f"a process that runs episodes has died{kept}") from error
    return whole


def run_share(
    todo: list[Episode], checkpoint: Path, policy: Mapping[str, Any], log: EpisodeLog
) -> Outcome:
    """Run episodes one after the other; a graph that fails is started again for the next one.

    Raises:
        CommandError: the first graph cannot begin an episode.
    """
    outcome, left, reason = Outcome(), deque(todo), ""
    for _ in range(RESTARTS + 1):
        if not left:
            break
        try:
            run_in_one_graph(left, checkpoint, policy, log, outcome)
        except CommandError as error:
            if len(left) == len(todo):
                raise
            reason = str(error)
    given_up = f"not begun: its graph has failed {RESTARTS + 1} times, the last time with: {reason}"
    outcome.failures |= dict.fromkeys(left, given_up)
    return outcome


def run_in_one_graph(
    left: deque[Episode],
    checkpoint: Path,
    policy: Mapping[str, Any],
    log: EpisodeLog,
    outcome: Outcome,
) -> None:
    """Start a graph, take episodes from `left` and run them in it, end it; fills `outcome`.

    Raises:
        CommandError: it failed; the episode in which it did is one of the failures.
    """
    domain = domains.free()
    folder = Path(tempfile.mkdtemp(prefix="vla_evaluate_"))
    launched = processes.LaunchedGraph(
        "sim",
        {
            "robot": task_list.robot_of(left[0].task),
            "task": left[0].task,
            "seed": left[0].seed,
            "model": checkpoint,
            "lock_step": True,
            **policy,
        },
        domain,
        folder / "graph.log",
        {"ROS_HOME": str(folder)},
    )
    done = False
    try:
        _run(left, launched, domain, log, outcome)
        done = True
    finally:
        ignore_signals()
        launched.stop()
        if done:  # else the log is named in the error
            shutil.rmtree(folder, ignore_errors=True)


def _run(
    left: deque[Episode],
    launched: processes.LaunchedGraph,
    domain: int,
    log: EpisodeLog,
    outcome: Outcome,
) -> None:
    from vla_cli.client.graph_client import Graph, stay_on_this_machine
    from vla_cli.episodes.end_frames import EndFrames
    from vla_cli.episodes.graph_episodes import EpisodeRunner

    robot = task_list.robot_of(left[0].task)
    stay_on_this_machine()
    with Graph(domain=domain) as graph:
        runner = EpisodeRunner(graph)
        frames = EndFrames(graph, runner, next(iter(paths.cameras(robot).values())))
        runner.wait_until_ready(launched.check)
        while left:
            episode = left.popleft()
            try:
                result = runner.run(episode, launched.check)
            except CommandError as error:
                outcome.failures[episode] = str(error)
                raise
            log.add(episode, result)
            outcome.results[episode] = result
            if all(task != result.task for task, _ in outcome.pictures):
                if pictures := frames.pictures():
                    outcome.pictures[result.task, result.seed] = pictures
            _print_result(result, f"{len(left)} left")


def _print_result(result: EpisodeResult, progress: str) -> None:
    verdict = "success" if result.success else "failed "
    print(
        f"[{progress}] {result.task:<26} seed {result.seed:<6} {verdict} "
        f"{result.steps:>4} steps in {result.wall:.1f} s  {result.outcome}",
        flush=True,
    )


def told(chosen: argparse.Namespace) -> str:
    """What the episodes were told, in words."""
    if chosen.command:
        return f'"{chosen.command}" in every episode'
    shuffled = chosen.shuffle_commands
    swapped = "" if shuffled is None else f", shuffled by permutation {shuffled}"
    return f"{chosen.wordings} wordings{swapped}"


def _report(
    todo: list[Episode],
    outcome: Outcome,
    checkpoint: Path,
    chosen: argparse.Namespace,
    wall: float,
) -> None:
    """Print the table; write the files where every episode has its result."""
    results = [outcome.results[episode] for episode in todo if episode in outcome.results]
    episodes = [
        success_report.Episode(r.task, r.seed, r.command, r.success, r.steps) for r in results
    ]
    print()
    print(success_report.markdown_table(episodes))
    print(f"\n{len(results)} episodes in {wall:.0f} s, lock-step through the whole graph")
    print(f"commands: {told(chosen)}{_dealt(results, chosen)}")
    if chosen.out and not outcome.failures:
        success_report.save_json(
            chosen.out,
            episodes,
            checkpoint=str(checkpoint),
            backend=chosen.backend,
            command=_command_line(chosen),
            commands=told(chosen),
            outcomes=[
                {"outcome": r.outcome, "reason": r.reason, "wall": r.wall, "said_task": r.said_task}
                for r in results
            ],
        )
        picture = chosen.out.with_suffix(".png")
        success_picture.draw(episodes, outcome.pictures, picture)
        print(f"written: {chosen.out}, {picture}")


def _dealt(results: list[EpisodeResult], chosen: argparse.Namespace) -> str:
    if chosen.shuffle_commands is None:
        return ""
    own = sum(result.said_task == result.task for result in results)
    return f"; {own} of {len(results)} episodes were dealt a command for their own task"


def _command_line(chosen: argparse.Namespace) -> str:
    line = f"./vla evaluate --tasks {chosen.tasks} --seeds {chosen.seeds}"
    if chosen.wordings != episode_commands.Wordings.TRAINING.value:
        line += f" --wordings {chosen.wordings}"
    if chosen.shuffle_commands is not None:
        line += f" --shuffle-commands {chosen.shuffle_commands}"
    if chosen.backend != "onnxruntime":
        line += f" --backend {chosen.backend}"
    for name in REMOTE:
        if value := getattr(chosen, name):
            line += f" --{name.replace('_', '-')} {value}"
    return line
