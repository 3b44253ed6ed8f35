"""`vla demo`: the whole graph drives a simulated robot, and shows what it does."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import (
    CommandError,
    Interrupted,
    ignore_signals,
    raise_on_signals,
)
from vla_sim.tasks import task_list

if TYPE_CHECKING:
    from vla_cli.episodes.graph_episodes import Episode, EpisodeResult

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
        "--task", default="drawer-open", help="one of Meta-World's 50 or the grounding scene's"
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
    parser.add_argument("--checkpoint", help="folder of another policy")
    parser.add_argument("--out", help="folder for demo.mp4, demo.png and demo.log (default: out)")
    chosen = parser.parse_args(arguments)
    try:
        task_list.check_task(chosen.task)
    except task_list.TaskError as error:
        raise CommandError(str(error)) from error
    return chosen


def run(chosen: argparse.Namespace) -> int:
    """Start the graph, run the episodes, end the graph, leave the results."""
    checkpoint, out = paths.checkpoint(chosen.checkpoint), paths.output_folder(chosen.out)
    domain = domains.free()
    state = tempfile.mkdtemp(prefix="vla_demo_")  # no latched stop of an earlier run
    launched = processes.LaunchedGraph(
        "sim",
        {
            "task": chosen.task,
            "seed": chosen.seed,
            "model": checkpoint,
            "lock_step": not chosen.real_time,
        },
        domain,
        out / "demo.log",
        {"ROS_HOME": state},
    )
    try:
        results = _with_graph(chosen, launched, domain, checkpoint, out)
    finally:
        ignore_signals()
        launched.stop()
        shutil.rmtree(state, ignore_errors=True)
    print(table(results), flush=True)
    return 0 if results and all(result.success for result in results) else 1


def _with_graph(
    chosen: argparse.Namespace,
    launched: processes.LaunchedGraph,
    domain: int,
    checkpoint: Path,
    out: Path,
) -> list[EpisodeResult]:
    # Imported while the nodes start.
    from vla_cli.client.graph_client import Graph, stay_on_this_machine
    from vla_cli.episodes.demo_show import Show

    stay_on_this_machine()
    with Graph(domain=domain) as graph:
        show = Show(graph, launched, chosen, paths.cameras(), out)
        try:
            results = show.run(episodes(chosen))
        except Interrupted:
            show.close(finish=False)
            raise
        except BaseException:
            show.close(finish=True)
            raise
        show.close(finish=True)
        show.draw(checkpoint, out / "demo.png", results)
    return results


def episodes(chosen: argparse.Namespace) -> list[Episode]:
    """What to run."""
    from vla_cli.episodes.graph_episodes import Episode

    return [
        Episode(chosen.task, chosen.seed + index, chosen.command)
        for index in range(chosen.episodes)
    ]


def table(results: list[EpisodeResult]) -> str:
    """The simulator's verdicts."""
    lines = [f"{'task':<26}{'seed':>5}  {'verdict':<9}{'steps':>6}{'time':>9}  command"]
    for result in results:
        verdict = "success" if result.success else "failed"
        time = f"{result.steps * 0.0125:.2f} s"
        ended = f" ({result.outcome}: {result.reason})" if result.outcome and result.reason else ""
        lines.append(
            f"{result.task:<26}{result.seed:>5}  {verdict:<9}{result.steps:>6}{time:>9}  "
            f"{result.command}{'' if result.success else ended}"
        )
    good = sum(result.success for result in results)
    lines.append(f"{good} of {len(results)} by the simulator's own success flag")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
