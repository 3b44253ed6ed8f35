"""Judges what was recorded: limits, reaction, braking. Free of ROS; every problem is one line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vla_contract.action_space import ActionSpace
from vla_proof.faults.pretended.pretended_base import WATCHDOG
from vla_proof.faults.recorded_commands import Reaction, Sent, Tick
from vla_proof.properties.oracle import Oracle, Sample

TOLERANCE = 1e-6  # relative, of floating-point differences
PAUSE = 2.0 * WATCHDOG  # s without a command, after which the driver has begun to brake
NANOSECOND = 1e-9
PERIODS = 2  # control periods that a reaction may take beside the timeout


def limit_problems(ticks: Sequence[Tick], space: ActionSpace) -> Iterator[str]:
    """What of the commands that went to the robot was out of limits, by finite differences.

    The judge is the independent one of the property tests. It begins where two commands are equal,
    so without acceleration; after a pause, in which the driver has stopped the robot, it begins
    anew at rest.
    """
    connected = [tick for tick in ticks if tick.connected]
    even = (i for i, (a, b) in enumerate(pairwise(connected)) if a.safe == b.safe)
    connected = connected[next(even, 0) :]
    for number, run in enumerate(_runs(connected)):
        start = run[0].safe if number == 0 else (0.0,) * space.width
        oracle = Oracle(space, start)
        for tick in run:
            oracle.take(Sample(tick.safe, tick.emergency))
        seen = set()
        for broken in oracle.bounds.broken:
            if (broken.what, broken.dimension) not in seen:
                seen.add((broken.what, broken.dimension))
                yield str(broken)


def _runs(ticks: Sequence[Tick]) -> Iterator[list[Tick]]:
    """Stretches without a pause: of one process, and in an unbroken row."""
    run: list[Tick] = []
    for tick in ticks:
        if run and (tick.number != run[-1].number + 1 or _pause(run[-1], tick) > PAUSE):
            yield run
            run = []
        run.append(tick)
    if run:
        yield run


def _pause(before: Tick, after: Tick) -> float:
    # Of two clocks, as one may jump and the recorder may be late.
    return min(after.stamp - before.stamp, after.arrived - before.arrived) * NANOSECOND


def topic_problems(ticks: Sequence[Tick], sent: Sequence[Sent]) -> Iterator[str]:
    """What on the robot's own topic no SafeAction accounts for.

    Twist has no stamp, so the two are matched in order by their values.
    """
    expected = [tick.safe for tick in ticks if tick.connected]
    place = 0
    for message in sent:
        try:
            place = expected.index(message.values, place)
        except ValueError:
            if message.values not in expected[max(0, place - 1) : place + 1]:
                yield f"command {message.values} on the robot's topic is in no safe_action"
                return


def brake(ticks: Sequence[Tick], since: int) -> tuple[Tick, Tick] | None:
    """(First decelerating command, first command at rest) from a steady time on.

    The brake is the stretch that ends at rest: of several slow-downs, only the first that no
    speeding up follows counts. None where the robot has not come to rest, or was at rest all the
    time.
    """
    first: Tick | None = None
    for before, tick in pairwise(ticks):
        if tick.arrived < since:
            continue
        if tick.speed > before.speed + 1e-9:
            first = None
        elif tick.speed < before.speed - 1e-9:
            first = first or tick
        if first is not None and tick.at_rest:
            return first, tick
    return None


def reaction_of(first: Tick, rest: Tick, last_valid: int, timeout: float) -> Reaction:
    """Reaction and braking time. last_valid: ns of the clock of the command's stamp."""
    return Reaction(
        reaction=(first.stamp - last_valid) * NANOSECOND,
        braking=(rest.number - first.number + 1) * first.period,
        timeout=timeout,
    )


def reaction_problems(reaction: Reaction, period: float, braking_time: float) -> Iterator[str]:
    """What of a reaction came too late."""
    bound = reaction.timeout + PERIODS * period
    if not math.isnan(reaction.reaction) and reaction.reaction > bound:
        yield f"reaction {reaction.reaction:.3f} s > timeout + 2 periods = {bound:.3f} s"
    if not math.isnan(reaction.braking) and reaction.braking > braking_time + 1e-9:
        yield f"braking took {reaction.braking:.3f} s > {braking_time:g} s"


def restart_problems(
    first: Sequence[float], measured: Sequence[float], space: ActionSpace
) -> Iterator[str]:
    """Whether the first command after a pause jumps from what the robot does.

    first: commanded, (D,). measured: the robot's own velocity at that time, (D,).
    """
    for value, at, dimension in zip(first, measured, space.dimensions, strict=True):
        step = dimension.emergency.acceleration * space.period
        if abs(value - at) > step * (1 + TOLERANCE):
            yield (
                f"{dimension.name} jumps from the measured {at:g} to {value:g} after the pause, "
                f"by more than {step:g} in a period"
            )
