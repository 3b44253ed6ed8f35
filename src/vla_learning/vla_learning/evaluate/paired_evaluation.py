"""Checkpoints on the same episodes: what one loses against another, with its interval.

Episodes that were run are kept in a file, so that an interrupted comparison goes on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from scipy.stats import norm

from vla_learning.evaluate.closed_loop import EvaluationSettings, run_episode
from vla_learning.evaluate.success_report import Episode, wilson
from vla_learning.workers import Workers

LEAST_EPISODES = 200
GREATEST_LOSS = 0.05  # of the success rate
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Pairing:
    """How often two policies succeeded on the same episodes; first: what it is measured against."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def count(self) -> int:
        """Number of paired episodes."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def loss(self) -> float:
        """By how much the second's success rate is below the first's; NaN without episodes."""
        return (self.first_only - self.second_only) / self.count if self.count else math.nan

    def interval(self) -> tuple[float, float]:
        """95 % interval of the loss (Agresti and Min 2005: half an episode added to each cell)."""
        n = self.count + 2.0
        b, c = self.first_only + 0.5, self.second_only + 0.5
        middle = (b - c) / n
        half = Z * math.sqrt(max(0.0, b + c - (b - c) ** 2 / n)) / n
        return max(-1.0, middle - half), min(1.0, middle + half)

    @property
    def accepted(self) -> bool:
        """Not worse by more than 5 points, on at least 200 episodes."""
        return self.count >= LEAST_EPISODES and self.loss <= GREATEST_LOSS + 1e-9


def pair(first: Sequence[Episode], second: Sequence[Episode]) -> Pairing:
    """Pair episodes by task, seed and command; those that only one has are left out."""
    other = {_key(e): e.success for e in second}
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for episode in first:
        if _key(episode) in other:
            counts[episode.success, other[_key(episode)]] += 1
    return Pairing(
        counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    )


def _key(episode: Episode) -> tuple[str, int, str]:
    return episode.task, episode.seed, episode.command


@dataclass(frozen=True)
class Job:
    """One episode of one checkpoint."""

    name: str
    folder: Path
    task: str
    seed: int
    command: str


def run_paired(
    folders: Mapping[str, Path],
    identities: Mapping[str, str],
    episodes: Sequence[tuple[str, int, str]],
    log: Path,
    workers: Workers,
    progress: Callable[[int, str], None],
) -> dict[str, list[Episode]]:
    """Run (task, seed, command) with every checkpoint, or take it from the log.

    identities: the hash of what each checkpoint runs; episodes of another one are run again.
    """
    known = dict(_read(log))
    wanted = [
        Job(name, folder, *episode) for episode in episodes for name, folder in folders.items()
    ]
    todo = [job for job in wanted if _entry(job, identities) not in known]
    done = len(wanted) - len(todo)
    progress(done, "")
    log.parent.mkdir(parents=True, exist_ok=True)
    settings = EvaluationSettings(threads=1)
    with workers.open() as pool:
        entries = (_entry(job, identities) for job in todo)
        ran = pool.ordered(
            (run_episode, job.folder.resolve(), settings, job.task, job.seed, job.command)
            for job in todo
        )
        added = _append_to_log(log, zip(entries, ran, strict=True))
        for job, (entry, episode) in zip(todo, added, strict=True):
            known[entry] = episode
            done += 1
            progress(done, f"{job.name} {job.task} seed {job.seed}")
    return {
        name: [known[_entry(job, identities)] for job in wanted if job.name == name]
        for name in folders
    }


def go_on(
    run: Callable[[Sequence[tuple[str, int, str]]], Iterator[Episode]],
    episodes: Sequence[tuple[str, int, str]],
    log: Path,
    identity: str,
) -> Iterator[Episode]:
    """Every (task, seed, command) in its order: from the log, or run and then added to it.

    identity: of all that an episode depends on besides; those of another one are run again.
    """
    known = dict(_read(log))
    entries = {each: _name(identity, *each) for each in episodes}
    todo = {entry: each for each, entry in entries.items() if entry not in known}
    with closing(_append_to_log(log, zip(todo, run(list(todo.values())), strict=True))) as added:
        for each in episodes:
            entry = entries[each]
            if entry not in known:
                _, known[entry] = next(added)
            yield known[entry]


def _append_to_log(
    log: Path, fresh: Iterable[tuple[str, Episode]]
) -> Generator[tuple[str, Episode], None, None]:
    """Write each entry into the log as it comes, and hand it on."""
    with log.open("a", encoding="utf-8") as file:
        file.write("\n" * bool(file.tell()))  # in case the last line was cut short
        for entry, episode in fresh:
            file.write(json.dumps({"entry": entry, **asdict(episode)}) + "\n")
            file.flush()
            yield entry, episode


def _entry(job: Job, identities: Mapping[str, str]) -> str:
    return _name(identities[job.name][:16], job.task, job.seed, job.command)


def _name(identity: str, task: str, seed: int, command: str) -> str:
    return "/".join((identity, task, str(seed), command))


def _read(log: Path) -> Iterator[tuple[str, Episode]]:
    """Episodes of a log; a last line that was cut short is left out."""
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            data = json.loads(line)
            yield data.pop("entry"), Episode(**data)
        except (ValueError, KeyError, TypeError):
            continue


def table(results: Mapping[str, Sequence[Episode]], first: str) -> str:
    """Success of each checkpoint and its loss against `first`, as Markdown."""
    lines = [
        f"| | success | 95 % interval | loss against {first} | 95 % interval | only {first} "
        "| only this | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, episodes in results.items():
        rate = wilson(sum(e.success for e in episodes), len(episodes))
        line = f"| {name} | {rate.successes}/{rate.trials} | {rate.low:.1%} to {rate.high:.1%} |"
        if name == first:
            lines.append(f"{line} – | – | – | – | – |")
            continue
        both = pair(results[first], episodes)
        low, high = both.interval()
        verdict = "may ship" if both.accepted else _why_not(both)
        lines.append(
            f"{line} {both.loss * 100:+.1f} points | {low * 100:+.1f} to {high * 100:+.1f} | "
            f"{both.first_only} | {both.second_only} | {verdict} |"
        )
    return "\n".join(lines)


def _why_not(pairing: Pairing) -> str:
    if pairing.count < LEAST_EPISODES:
        return f"too few episodes ({LEAST_EPISODES} are needed)"
    return f"does not ship: loses more than {GREATEST_LOSS * 100:.0f} points"
