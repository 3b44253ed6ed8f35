"""Success rates with their intervals, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from vla_sim.tasks.task_list import TIERS


@dataclass(frozen=True)
class Episode:
    """One evaluated episode; ticks: control periods until success or the end.

    problem: why the policy gave no chunk, the first time that it did not; empty: it always did.
    """

    task: str
    seed: int
    command: str
    success: bool
    ticks: int
    done_tick: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Rate:
    """Successes of trials with the Wilson interval [low, high] at 95 %."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """Share of successes; NaN without trials."""
        return self.successes / self.trials if self.trials else math.nan


def wilson(successes: int, trials: int) -> Rate:
    """Wilson score interval of a success rate: honest for few trials and near 0 and 1."""
    if trials < 0 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials; accepted: 0 to the trials")
    if trials == 0:
        return Rate(0, 0, 0.0, 1.0)
    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return Rate(successes, trials, float(interval.low), float(interval.high))


def rates(episodes: Sequence[Episode]) -> dict[str, Rate]:
    """Rate per task, in the order in which the tasks first appear."""
    tasks = list(dict.fromkeys(e.task for e in episodes))
    return {
        task: wilson(
            sum(e.success for e in episodes if e.task == task),
            sum(e.task == task for e in episodes),
        )
        for task in tasks
    }


def tier_means(episodes: Sequence[Episode]) -> dict[str, float]:
    """Mean over the tasks' rates of each of Meta-World's tiers, and over the tiers ("average").

    As SmolVLA's paper (arXiv 2506.01844, table 2) gives them. Empty unless each of the fifty tasks
    has an episode.
    """
    found = {task: rate.value for task, rate in rates(episodes).items()}
    if not all(task in found for tier in TIERS.values() for task in tier):
        return {}
    means = {name: sum(found[task] for task in tier) / len(tier) for name, tier in TIERS.items()}
    return {**means, "average": sum(means.values()) / len(means)}


def markdown_table(episodes: Sequence[Episode]) -> str:
    """One row per task and one for all, as Markdown; Meta-World's tiers if all of it is there."""
    lines = [
        "| task | success | 95 % interval | ticks to success (mean) | failed seeds |",
        "|---|---|---|---|---|",
    ]
    for task, rate in [*rates(episodes).items(), ("all", total(episodes))]:
        mine = [e for e in episodes if task in (e.task, "all")]
        good = [e.ticks for e in mine if e.success]
        ticks = f"{sum(good) / len(good):.0f}" if good else "–"
        failed = " ".join(str(e.seed) for e in mine if not e.success) if task != "all" else ""
        lines.append(
            f"| {task} | {rate.successes}/{rate.trials} | {rate.low:.0%}–{rate.high:.0%} | "
            f"{ticks} | {failed or '–'} |"
        )
    means = tier_means(episodes)
    if means:
        lines += ["", f"| {' | '.join(means)} |", f"|{'---|' * len(means)}"]
        lines.append(f"| {' | '.join(f'{value:.1%}' for value in means.values())} |")
    return "\n".join(lines)


def problems(episodes: Sequence[Episode]) -> list[str]:
    """A line for each reason why the policy gave no chunk, with the number of its episodes."""
    counts = Counter(e.problem for e in episodes if e.problem)
    return [
        f"the policy did not act in {count} of {len(episodes)} episodes: {problem}"
        for problem, count in counts.most_common()
    ]


def total(episodes: Sequence[Episode]) -> Rate:
    """Rate over all episodes."""
    return wilson(sum(e.success for e in episodes), len(episodes))


def to_dict(episodes: Sequence[Episode], **about: Any) -> dict[str, Any]:
    """Everything as plain values: `about`, rates per task and over all, tiers, every episode."""
    return {
        **about,
        "rates": {
            task: {**asdict(rate), "value": rate.value}
            for task, rate in [*rates(episodes).items(), ("all", total(episodes))]
        },
        "tiers": tier_means(episodes),
        "episodes": [asdict(e) for e in episodes],
    }


def save_json(path: Path, episodes: Sequence[Episode], **about: Any) -> None:
    """Write `to_dict` to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_dict(episodes, **about), indent=1) + "\n", encoding="utf-8")
