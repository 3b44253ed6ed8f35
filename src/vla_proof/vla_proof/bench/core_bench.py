"""Time of the safety core's parts, and how it grows. Free of ROS.

`python -m vla_proof.bench.core_bench`.

Every step is timed by the wall clock and by this thread's CPU clock: on a machine that does other
work the wall clock's tail is the scheduler's, not the code's. The garbage collector is off while
measuring, as the node has it in its loop. Sizes of one table take turns, so that a slow moment of
the machine does not fall on one of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.percentiles import percentile
from vla_proof.bench import arm_bench_case, core_bench_cases
from vla_proof.bench.core_bench_cases import Step, example_space

__all__ = ["Figure", "Growth", "Report", "example_space", "lines", "main", "measure"]

WARM_UP = 200  # steps that are not counted
BLOCK = 500  # steps of one case before the next one's turn, whose first finds cold caches
SIZES = {
    "dimensions": (1, 2, 4, 7, 14, 28),
    "beams": (90, 180, 360, 720, 1440, 2880),
    "horizon": (8, 16, 32, 64, 128, 256),
}
# Name of a figure → greatest p99, µs.
VALIDATOR, SCAN = "validator, 7 dimensions, all limits", "scan of 720 beams, all zones"
TARGETS = {VALIDATOR: 60.0, SCAN: 300.0, **arm_bench_case.TARGETS}


@dataclass(frozen=True)
class Figure:
    """One measurement, µs per step: of the wall clock, and of this thread's CPU time."""

    name: str
    p50: float
    p99: float
    worst: float
    cpu_p50: float
    cpu_p99: float
    steps: int


@dataclass(frozen=True)
class Growth:
    """Cost over size, µs: per size, and the straight line that fits it (offset, slope, r²)."""

    name: str
    sizes: tuple[int, ...]
    p50: tuple[float, ...]
    cpu_p50: tuple[float, ...]
    offset: float
    slope: float
    r2: float


@dataclass(frozen=True)
class Report:
    """All that is measured without a node."""

    figures: tuple[Figure, ...]
    growths: tuple[Growth, ...]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "figures": [asdict(figure) for figure in self.figures],
            "growth": [asdict(growth) for growth in self.growths],
        }


class Stopwatch:
    """Times of one step after the other, s."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._next = 0
        self.wall: list[float] = []
        self.cpu: list[float] = []
        for _ in range(WARM_UP):
            self._step(self._next)
            self._next += 1

    def run(self, steps: int) -> None:
        """Time so many more steps."""
        clock, cpu_clock, step = time.perf_counter, time.thread_time, self._step
        for k in range(self._next, self._next + steps):
            cpu = cpu_clock()  # outside, for reading it is a system call
            wall = clock()
            step(k)
            self.wall.append(clock() - wall)
            self.cpu.append(cpu_clock() - cpu)
        self._next += steps

    def figure(self, name: str) -> Figure:
        """What was measured."""
        return Figure(
            name,
            percentile(self.wall, 50) * 1e6,
            percentile(self.wall, 99) * 1e6,
            max(self.wall) * 1e6,
            percentile(self.cpu, 50) * 1e6,
            percentile(self.cpu, 99) * 1e6,
            len(self.wall),
        )


def time_steps(cases: Mapping[str, Step], steps: int) -> list[Figure]:
    """Time all cases in turns, each for so many steps."""
    watches = {name: Stopwatch(step) for name, step in cases.items()}
    gc.collect()
    gc.disable()
    try:
        for begin in range(0, steps, BLOCK):
            for watch in watches.values():
                watch.run(min(BLOCK, steps - begin))
            gc.collect(0)
    finally:
        gc.enable()
    return [watch.figure(name) for name, watch in watches.items()]


def growth(name: str, steps: int) -> Growth:
    """How the cost grows with the number of dimensions, of beams, or of rows in a chunk."""
    sizes = SIZES[name]
    make = {
        "dimensions": lambda size: core_bench_cases.limiter(Kind.LINEAR_VELOCITY, size),
        "beams": core_bench_cases.scan,
        "horizon": core_bench_cases.chunk,
    }[name]
    figures = time_steps({str(size): make(size) for size in sizes}, steps)
    # CPU time: what the code costs, whatever else the machine does.
    cpu = [figure.cpu_p50 for figure in figures]
    offset, slope, r2 = fit(sizes, cpu)
    p50 = tuple(figure.p50 for figure in figures)
    return Growth(name, sizes, p50, tuple(cpu), offset, slope, r2)


def fit(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float, float]:
    """(offset, slope, r²) of the straight line with the least squared error."""
    x, y = np.asarray(sizes, dtype=float), np.asarray(costs, dtype=float)
    slope, offset = np.polyfit(x, y, 1)
    left = float(np.sum((y - offset - slope * x) ** 2))
    total = float(np.sum((y - y.mean()) ** 2))
    return float(offset), float(slope), 1.0 - left / total if total > 0.0 else 1.0


def measure(steps: int, space: ActionSpace | None = None) -> Report:
    """All figures. space: of the case with the whole core; by default a 7-dimensional arm."""
    space = space or core_bench_cases.arm_space()
    cases: dict[str, Step] = {
        VALIDATOR: core_bench_cases.validator(),
        SCAN: core_bench_cases.scan(720),
        "limiter, 1 velocity": core_bench_cases.limiter(Kind.LINEAR_VELOCITY, 1),
        "limiter, 7 velocities": core_bench_cases.limiter(Kind.LINEAR_VELOCITY, 7),
        "limiter, 7 joint positions": core_bench_cases.limiter(Kind.JOINT_POSITION, 7),
        f"core with chunks, {space.name} ({space.width} dimensions)": core_bench_cases.core(space),
        **arm_bench_case.whole_arms(),
    }
    figures = time_steps(cases, steps)
    growths = [growth(name, max(BLOCK, steps // 10)) for name in SIZES]
    return Report(tuple(figures), tuple(growths))


def lines(report: Report) -> list[str]:
    """The report as text."""
    text = [f"{'one step, µs':44} {'p50':>7} {'p99':>7} {'worst':>9} {'cpu p50':>8} {'cpu p99':>8}"]
    for f in report.figures:
        text.append(
            f"{f.name:44} {f.p50:7.1f} {f.p99:7.1f} {f.worst:9.1f} "
            f"{f.cpu_p50:8.1f} {f.cpu_p99:8.1f}"
        )
    for g in report.growths:
        text += ["", f"{g.name:<12}" + "".join(f"{size:>9}" for size in g.sizes)]
        text.append(f"{'p50, µs':<12}" + "".join(f"{cost:>9.1f}" for cost in g.p50))
        text.append(f"{'cpu p50, µs':<12}" + "".join(f"{cost:>9.1f}" for cost in g.cpu_p50))
        text.append(f"cpu = {g.offset:.1f} µs + {g.slope:.3f} µs each, r² = {g.r2:.4f}")
    return text


def main() -> None:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(description="Time of one safety step.")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--space", help="action space file for the core; else a 7-dimensional arm")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    space = ActionSpace.load(arguments.space) if arguments.space else None
    report = measure(arguments.steps, space)
    print(json.dumps(report.as_dict()) if arguments.json else "\n".join(lines(report)))


if __name__ == "__main__":
    main()
