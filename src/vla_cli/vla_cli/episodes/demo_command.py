"""`vla demo`: the whole graph drives a simulated robot, and shows what it does."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import socket
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import (
    CommandError,
    Interrupted,
    ignore_signals,
    raise_on_signals,
)
from vla_cli.episodes.asked_task import asked_task
from vla_sim.robot.robots import ROBOTS
from vla_sim.tasks import task_list

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph
    from vla_cli.episodes.graph_episodes import Episode, EpisodeResult

NO_TASK = "no task by a known wording"
CONSOLE_PORT = 8765  # the console's own default
EXIT_STATUS = "exit status: 0 every episode succeeded, 1 one did not, 2 an error, 130 Ctrl-C"


def main(arguments: list[str]) -> int:
    """Run the episodes; 0: all succeeded, 1: at least one did not."""
    chosen = parse(arguments)
    raise_on_signals()
    try:
        return run(chosen)
    finally:
        ignore_signals()


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options.

    Raises:
        CommandError: there is no such task.
    """
    parser = options.parser("demo", "The whole graph drives a simulated robot.")
    parser.epilog = EXIT_STATUS
    parser.add_argument(
        "--robot", choices=list(ROBOTS), help="simulated robot (default: the one that has the task)"
    )
    parser.add_argument(
        "--task", help="one of the robot's (default: the one that --command asks for, or its first)"
    )
    parser.add_argument("--command", help="the words to say (default: the task's own)")
    parser.add_argument("--episodes", type=options.at_least(1, "--episodes"), default=1)
    parser.add_argument(
        "--seed", type=options.at_least(0, "--seed"), default=1, help="of the first; then the next"
    )
    parser.add_argument(
        "--headless", action="store_true", help="plain lines, as fast as the machine goes"
    )
    parser.add_argument(
        "--real-time", action="store_true", help="run freely instead of in lock-step"
    )
    parser.add_argument(
        "--console",
        action="store_true",
        help="serve the operator's page, in real time, and after the episodes until Ctrl-C",
    )
    parser.add_argument("--checkpoint", help="folder of another policy")
    parser.add_argument(
        "--out",
        help="folder for demo.mp4, demo.png and demo.log, or demo-2.* while another demo writes "
        "there (default: out)",
    )
    chosen = parser.parse_args(arguments)
    chosen.real_time = chosen.real_time or chosen.console
    if chosen.command is not None and not chosen.command.strip():
        raise CommandError("--command is empty; accepted: the words to say")
    try:
        robot = chosen.robot or (task_list.robot_of(chosen.task) if chosen.task else "metaworld")
        task_list.check_task(chosen.task or ROBOTS[robot].first_task, robot)
    except task_list.TaskError as error:
        raise CommandError(str(error)) from error
    chosen.robot, chosen.checkpoint = robot, paths.checkpoint(chosen.checkpoint, robot)
    chosen.said_task = ""
    if chosen.command is not None:
        tasks = task_list.ROBOTS[robot]
        chosen.said_task = asked_task(chosen.command, tasks, chosen.checkpoint)
        if not chosen.said_task and chosen.task is None:
            chosen.task, chosen.said_task = ROBOTS[robot].first_task, NO_TASK
    chosen.task = chosen.task or chosen.said_task or ROBOTS[robot].first_task
    return chosen


def run(chosen: argparse.Namespace) -> int:
    """Start the graph, run the episodes, end the graph, leave the results."""
    checkpoint = chosen.checkpoint
    files = own_files(paths.output_folder(chosen.out))
    domain = domains.free()
    log = files.with_suffix(".log")
    # Before what takes its time to import, so that a person sees at once that it works.
    print(f"starting the graph: {chosen.task}, seed {chosen.seed}; its output: {log}", flush=True)
    state = tempfile.mkdtemp(prefix="vla_demo_")  # no latched stop of an earlier run
    launched = processes.LaunchedGraph(
        "sim",
        {
            "robot": chosen.robot,
            "task": chosen.task,
            "seed": chosen.seed,
            "model": checkpoint,
            "lock_step": not chosen.real_time,
            **(console(chosen.out) if chosen.console else {}),
        },
        domain,
        log,
        {"ROS_HOME": state},
    )
    try:
        results = _with_graph(chosen, launched, domain, checkpoint, files)
    finally:
        ignore_signals()
        launched.stop()
        shutil.rmtree(state, ignore_errors=True)
    print(table(results), flush=True)
    return 0 if results and all(result.verdict == "success" for result in results) else 1


def _with_graph(
    chosen: argparse.Namespace,
    launched: processes.LaunchedGraph,
    domain: int,
    checkpoint: Path,
    files: Path,
) -> list[EpisodeResult]:
    # Imported while the nodes start.
    from vla_cli.client.graph_client import Graph, stay_on_this_machine
    from vla_cli.episodes.demo_show import Show

    stay_on_this_machine()
    with Graph(domain=domain) as graph:
        show = Show(graph, launched, chosen, paths.cameras(chosen.robot), files)
        try:
            results = show.run(episodes(chosen))
        except Interrupted:
            show.give_up()
            raise
        except BaseException:
            show.close()
            raise
        show.close()
        show.draw(checkpoint, results)
        if chosen.console:
            _stay(graph, launched)
    return results


def console(out: str | None) -> dict[str, Any]:
    """Launch arguments with which the operator's page is served; says where."""
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", CONSOLE_PORT)) == 0
    port = _free_port() if taken else CONSOLE_PORT
    print(f"the operator's page: http://127.0.0.1:{port}", flush=True)
    episodes = (paths.output_folder(out) / "episodes").resolve()
    return {"console": True, "console_port": port, "console_episodes": episodes}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stay(graph: Graph, launched: processes.LaunchedGraph) -> None:
    """The robot goes on for whoever drives it by the page, until Ctrl-C."""
    print("the page stays open: drive the robot with it; Ctrl-C ends the demo", flush=True)
    with contextlib.suppress(Interrupted):
        while True:
            graph.wait(lambda: False, 1.0)
            launched.check()


def own_files(folder: Path) -> Path:
    """Path of this demo's files, without their suffix; until its end nobody else's.

    The log of a demo that runs is locked by it; the next one in the same folder is demo-2.
    """
    for number in count(1):
        files = folder / ("demo" if number == 1 else f"demo-{number}")
        lock = os.open(files.with_suffix(".log"), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if number > 1:
            print(f"another demo writes to {folder} now: this one is {files.name}", flush=True)
        return files
    raise AssertionError("there is always a next number")


def episodes(chosen: argparse.Namespace) -> list[Episode]:
    """What to run."""
    from vla_cli.episodes.graph_episodes import Episode

    return [
        Episode(chosen.task, chosen.seed + index, chosen.command, chosen.said_task)
        for index in range(chosen.episodes)
    ]


def table(results: list[EpisodeResult]) -> str:
    """The simulator's verdicts."""
    lines = [f"{'task':<26}{'seed':>5}  {'verdict':<9}{'steps':>6}{'time':>9}  command"]
    for result in results:
        lines.append(
            f"{result.task:<26}{result.seed:>5}  {result.verdict:<9}{result.steps:>6}"
            f"{result.simulated:>7.2f} s  {result.command}"
        )
        if result.cause:
            lines.append(f"  {result.cause}")
    good = sum(result.verdict == "success" for result in results)
    lines.append(f"{good} of {len(results)} by the simulator's own success flag")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
