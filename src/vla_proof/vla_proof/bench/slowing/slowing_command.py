"""`vla bench slowing`: what a person who comes and goes costs, with and without path speed.

Each episode is run three ways on the same seed: (free) nobody is there; (dimension) somebody
comes and goes, and the velocity limits are scaled down by the distance, each dimension by itself
while the plan goes on; (path) the same limits, kept by slowing along the path. `--out` keeps
episodes, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from vla_cli.client import options
from vla_learning.evaluate.paired_evaluation import Pairing
from vla_learning.evaluate.success_report import wilson
from vla_proof.bench.slowing.slowed_episode import WAYS, Outcome, SlowedEpisodes
from vla_sim.tasks import task_list
from vla_sim.tasks.metaworld_tasks import STEP_PERIOD

MOST_LOST = 0.03  # of the success rate without a person
TOLD = 20  # episodes between two lines of progress
EPISODES = "slowing_episodes.jsonl"


def main(arguments: list[str]) -> int:
    """0: path slowing loses at most 3 points against no person; 1: more."""
    parser = argparse.ArgumentParser(
        prog="./vla bench slowing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", default="mt10", help="tasks or groups, by commas [mt10]")
    parser.add_argument("--seeds", default="1000-1019", help="seeds of each task [1000-1019]")
    parser.add_argument("--checkpoint", type=Path, default=Path("models/metaworld"))
    parser.add_argument("--jobs", type=options.at_least(1, "jobs"), default=2, help="processes [2]")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder [out]")
    chosen = parser.parse_args(arguments)
    try:
        tasks, seeds = task_list.expand(chosen.tasks), task_list.parse_seeds(chosen.seeds)
    except ValueError as error:
        parser.error(str(error))
    wanted = [(way.name, task, seed) for seed in seeds for task in tasks for way in WAYS]
    found = list(_outcomes(wanted, chosen.checkpoint, chosen.out / EPISODES, chosen.jobs))
    print(table(found))
    lost = _pairing(found, "path").loss
    print(f"path slowing loses {100 * lost:+.1f} points; accepted: at most {100 * MOST_LOST:.0f}")
    return 0 if lost <= MOST_LOST + 1e-9 else 1


def _outcomes(
    wanted: Sequence[tuple[str, str, int]], checkpoint: Path, log: Path, jobs: int
) -> Iterator[Outcome]:
    """Those of the log, and the others as they are run and added to it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    known = {_key(one): one for one in _read(log)}
    todo = [each for each in wanted if each not in known]
    yield from (known[each] for each in wanted if each in known)
    with (
        ProcessPoolExecutor(jobs, get_context("spawn"), _prepare, (checkpoint,)) as pool,
        log.open("a", encoding="utf-8") as file,
    ):
        for count, outcome in enumerate(pool.map(_run, todo), 1):
            file.write(json.dumps(asdict(outcome)) + "\n")
            file.flush()
            if count % TOLD == 0 or count == len(todo):
                print(f"{count} of {len(todo)} episodes", file=sys.stderr, flush=True)
            yield outcome


def _read(log: Path) -> Iterator[Outcome]:
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            yield Outcome(**json.loads(line))
        except (ValueError, TypeError):
            continue  # a line that was cut short


def _key(outcome: Outcome) -> tuple[str, str, int]:
    return outcome.way, outcome.task, outcome.seed


_worker: list[SlowedEpisodes] = []  # the one of a worker process


def _prepare(checkpoint: Path) -> None:
    _worker.append(SlowedEpisodes(checkpoint))


def _run(wanted: tuple[str, str, int]) -> Outcome:
    way = next(one for one in WAYS if one.name == wanted[0])
    return _worker[0].run(way, *wanted[1:])


def _of(found: Sequence[Outcome], way: str) -> dict[tuple[str, int], Outcome]:
    return {(one.task, one.seed): one for one in found if one.way == way}


def _pairing(found: Sequence[Outcome], way: str) -> Pairing:
    """Episodes of a way beside the same ones without a person."""
    first, second = _of(found, WAYS[0].name), _of(found, way)
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for key in first.keys() & second.keys():
        counts[first[key].success, second[key].success] += 1
    return Pairing(
        counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    )


def table(found: Sequence[Outcome]) -> str:
    """Success, loss and time of each way, as Markdown."""
    lines = [
        "| | success | 95 % interval | points lost | 95 % interval | time of a success | slowed |",
        "|---|---|---|---|---|---|---|",
    ]
    # Times are compared on the episodes in which every way succeeds.
    runs = {way.name: _of(found, way.name) for way in WAYS}
    common = set.intersection(*({k for k, o in run.items() if o.success} for run in runs.values()))
    for way in WAYS:
        run = runs[way.name]
        rate = wilson(sum(one.success for one in run.values()), len(run))
        steps = [run[key].steps for key in common]
        seconds = sum(steps) / len(steps) * STEP_PERIOD if steps else math.nan
        slowed = sum(one.slowed for one in run.values()) / max(1, len(run))
        pairing = _pairing(found, way.name)
        low, high = pairing.interval()
        lost = f"{100 * pairing.loss:+.1f} | {100 * low:+.1f} to {100 * high:+.1f}"
        lines.append(
            f"| {way.name} | {rate.successes}/{rate.trials} | {rate.low:.1%} to {rate.high:.1%} | "
            f"{'– | –' if way is WAYS[0] else lost} | {seconds:.2f} s | {slowed:.0%} |"
        )
    return "\n".join(lines)
