"""The long run of the property test: `python -m vla_proof.properties.property_run --commands N`.

Hypothesis makes scenarios until so many commands were judged; a broken bound is shrunk to the
smallest scenario that breaks it, and printed. Free of ROS.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from vla_proof.properties.checked_bounds import Bounds
from vla_proof.properties.safety_scenario import Scenario, play
from vla_proof.properties.strategies import scenarios

BATCH = 100  # scenarios for one seed
PHASES = (Phase.generate, Phase.shrink)


@dataclass(frozen=True)
class Outcome:
    """What a run found. example: the smallest scenario that breaks a bound, in words, or empty."""

    bounds: Bounds
    scenarios: int
    seconds: float
    example: str = ""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "commands": self.bounds.commands,
            "checks": self.bounds.checks,
            "scenarios": self.scenarios,
            "violations": len(self.bounds.broken),
            "worst": self.bounds.worst,
            "seconds": self.seconds,
            "example": self.example,
        }


class _Found(Exception):
    """A scenario broke a bound."""


def run(commands: int, first_seed: int, progress: Callable[[int], None] | None = None) -> Outcome:
    """Judge at least so many commands, or up to the first broken bound."""
    total, count, begin = Bounds(), 0, time.monotonic()
    number = first_seed
    while total.commands < commands:
        batch, example = _batch(number, commands - total.commands)
        for bounds in batch:
            total.add(bounds)
        count += len(batch)
        if example is not None:
            total.add(example[1])
            return Outcome(total, count, time.monotonic() - begin, describe(*example))
        number += 1_000_003
        if progress is not None:
            progress(total.commands)
    return Outcome(total, count, time.monotonic() - begin)


def _batch(number: int, wanted: int) -> tuple[list[Bounds], tuple[Scenario, Bounds] | None]:
    good: list[Bounds] = []
    worst: list[tuple[Scenario, Bounds]] = []

    @seed(number)
    @settings(
        max_examples=BATCH, deadline=None, database=None, phases=PHASES, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(scenarios())
    def judge(scenario: Scenario) -> None:
        if not worst and sum(bounds.commands for bounds in good) >= wanted:
            return
        bounds = play(scenario)
        if bounds.broken:
            worst[:] = [(scenario, bounds)]
            raise _Found
        if not worst:
            good.append(bounds)

    try:
        judge()
    except _Found:
        return good, worst[0]
    return good, None


def describe(scenario: Scenario, bounds: Bounds) -> str:
    """A scenario and what it breaks, short enough to read."""
    space, default = scenario.space, type(scenario.config)()
    changed = {
        item.name: getattr(scenario.config, item.name)
        for item in dataclasses.fields(scenario.config)
        if getattr(scenario.config, item.name) != getattr(default, item.name)
    }
    lines = [f"period {space.period} s, braking time {space.braking_time} s, {space.norms}"]
    for d in space.dimensions:
        lines.append(f"{d.name}: {d.kind.value} [{d.low}, {d.high}] {d.normal} {d.emergency}")
    lines.append(f"configuration: {changed}")
    lines += [f"{event.name}{event.values}" for event in scenario.events]
    lines += ["breaks:", *map(str, bounds.broken[:5])]
    return "\n  ".join(lines)


def main() -> int:
    """Print the outcome as one line of JSON; 1: a bound was broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()

    def progress(commands: int) -> None:
        print(f"{commands}", file=sys.stderr, flush=True)

    outcome = run(chosen.commands, chosen.seed, progress)
    print(json.dumps(outcome.as_dict()))
    return int(bool(outcome.bounds.broken))


if __name__ == "__main__":
    sys.exit(main())
