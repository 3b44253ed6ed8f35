"""Time of the limiter and of a whole core step: `python -m vla_safety.bench [--space FILE]`.

Free of ROS. Prints p50 and p99 per step in µs: the limiter with 7 dimensions of either kind under
requests that it must change, and the core with chunks arriving at 20 Hz.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.limits import MotionLimiter
from vla_safety.sequencing import NANOSECONDS, Chunk
from vla_safety.timing import percentile


@dataclass(frozen=True)
class Figure:
    """One measurement, µs per step: of the wall clock, and of this thread's CPU time.

    On a machine that does other work the wall clock's tail is the scheduler's, not the code's.
    """

    name: str
    p50: float
    p99: float
    worst: float
    cpu_p50: float
    cpu_p99: float
    steps: int


class Stopwatch:
    """Times of one step after the other, s."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def start(self) -> None:
        """A step begins."""
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def stop(self) -> None:
        """It is done."""
        cpu, wall = time.thread_time(), time.perf_counter()
        self.wall.append(wall - self._wall)
        self.cpu.append(cpu - self._cpu)

    def figure(self, name: str) -> Figure:
        """What was measured."""
        return Figure(
            name,
            percentile(self.wall, 0.5) * 1e6,
            percentile(self.wall, 0.99) * 1e6,
            max(self.wall) * 1e6,
            percentile(self.cpu, 0.5) * 1e6,
            percentile(self.cpu, 0.99) * 1e6,
            len(self.wall),
        )


def example_space(kind: Kind, width: int, rate: float = 100.0) -> ActionSpace:
    """An action space of `width` equal dimensions with limits of a usual arm."""
    dimensions = tuple(
        Dimension(
            name=f"d{i}",
            kind=kind,
            unit=kind.units[0],
            low=-1.0,
            high=1.0,
            model_low=-1.0,
            model_high=1.0,
            normal=Limits(1.0, 5.0, 50.0),
            emergency=Limits(1.0, 10.0, 100.0),
            frame="base_link",
            output=Output(f"t{i}", "std_msgs/msg/Float64", "data"),
        )
        for i in range(width)
    )
    return ActionSpace("bench", rate, 40, 1.0 / rate, 1.0, dimensions)


def bench_limiter(kind: Kind, width: int, steps: int) -> Figure:
    """Requests that jump now and then and are noisy always."""
    limiter = MotionLimiter(example_space(kind, width))
    source = random.Random(0)
    goal = [0.0] * width

    def step(k: int) -> None:
        nonlocal goal
        if k % 50 == 0:
            goal = [source.uniform(-1.2, 1.2) for _ in range(width)]
        row = [g + source.gauss(0.0, 0.01) for g in goal]
        watch.start()
        limiter.step(row)
        watch.stop()

    watch = Stopwatch()
    return _run(f"limiter, {width} x {kind.value}", step, steps, watch)


def bench_core(space: ActionSpace, steps: int) -> Figure:
    """The whole decision of a period, with the chunks that come between two of them."""
    config = SafetyConfig(armed_on_start=True, required_inputs=(), heartbeat_sources=())
    core = SafetyCore(space, config)
    period = round(space.period * NANOSECONDS)
    between = max(1, round(0.05 * space.control_rate))
    source = random.Random(0)
    core.activate(period)

    def step(k: int) -> None:
        now = (k + 2) * period
        chunk = None
        if k % between == 0:
            actions = [source.uniform(-1.0, 1.0) for _ in range(space.width * space.chunk_length)]
            chunk = Chunk(now, period, actions, space.name, space.dimension_names, command_id=1)
        watch.start()
        if chunk is not None:
            core.take_chunk(chunk, now)
        core.step(now, now)
        watch.stop()

    watch = Stopwatch()
    return _run(f"core with chunks, {space.name} ({space.width} dimensions)", step, steps, watch)


def _run(name: str, step: Callable[[int], None], steps: int, watch: Stopwatch) -> Figure:
    for k in range(200):
        step(k)
    watch.wall.clear()
    watch.cpu.clear()
    gc.collect()
    gc.disable()
    try:
        for k in range(200, 200 + steps):
            step(k)
    finally:
        gc.enable()
    return watch.figure(name)


def measure(steps: int, space: ActionSpace | None = None) -> list[Figure]:
    """All figures."""
    figures = [
        bench_limiter(kind, width, steps)
        for kind in (Kind.LINEAR_VELOCITY, Kind.JOINT_POSITION)
        for width in (1, 7)
    ]
    return [*figures, bench_core(space or example_space(Kind.LINEAR_VELOCITY, 7), steps)]


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="Time of one safety step.")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--space", help="action space file for the core; else 7 velocities")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    space = ActionSpace.load(arguments.space) if arguments.space else None
    figures = measure(arguments.steps, space)
    if arguments.json:
        print(json.dumps([vars(figure) for figure in figures]))
        return
    print(f"{'one step, µs':44} {'p50':>7} {'p99':>7} {'worst':>9} {'cpu p50':>8} {'cpu p99':>8}")
    for f in figures:
        print(
            f"{f.name:44} {f.p50:7.1f} {f.p99:7.1f} {f.worst:9.1f} {f.cpu_p50:8.1f} "
            f"{f.cpu_p99:8.1f}"
        )


if __name__ == "__main__":
    main()
