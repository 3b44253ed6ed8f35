"""Our chain and nav2's on the same streams: figures, a table, and what "never worse" means.

Commands are what is judged, and the motion of a robot that follows them as fast as it can: it
changes its velocity by at most the emergency set's acceleration. So a command that jumps to 0 is
no stop at once.

Never worse:
- Velocity, acceleration and jerk of our commands stay within the limit set in force. nav2's
  jerk has no bound, nor has the acceleration of its monitor, which works behind the smoother.
- Our peak jerk is at most theirs. So is our peak acceleration wherever the normal set alone is
  in force; an emergency brakes harder than their smoother does, on purpose.
- We stop no later and no farther than they do, but for what bounded jerk and blending cost: the
  time that the acceleration takes to build up, a / j, the blending window, and two periods;
  and the way that is gone in this time at the speed of the event.
- We keep the minimum distance; where something appears too near for that, their distance, but
  for the way that bounded jerk costs in an emergency.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from vla_proof.peers.chains import (
    BLEND_WINDOW,
    MINIMUM_DISTANCE,
    Chain,
    Nav2,
    Ours,
    Points,
    wall_points,
)
from vla_proof.peers.peer_streams import (
    EMERGENCY,
    FRONT,
    MESSAGE_PERIOD,
    NORMAL,
    ROW_PERIOD,
    ROWS,
    SCAN_PERIOD,
    SPACE,
    STREAMS,
    Stream,
)

PERIOD = SPACE.period
_TINY = 1e-6


@dataclass(frozen=True)
class Figures:
    """What one chain did with one stream.

    Peaks of the commands: m/s, m/s^2, m/s^3. time_to_stop, stopping_distance: of the robot from
    the event to rest, s and m; None where it is not measured or does not end. kept: least
    distance from the wall, m. speed: at the event, m/s. emergency: that set was in force.
    """

    velocity: float
    acceleration: float
    jerk: float
    time_to_stop: float | None
    stopping_distance: float | None
    kept: float | None
    speed: float
    emergency: bool


@dataclass(frozen=True)
class Row:
    """One stream of the table."""

    stream: Stream
    ours: Figures
    nav2: Figures


def compare(streams: Sequence[Stream] = STREAMS) -> list[Row]:
    """Run both chains on each stream."""
    return [Row(stream, run(stream, Ours()), run(stream, Nav2())) for stream in streams]


def run(stream: Stream, chain: Ours | Nav2) -> Figures:
    """Figures of one chain on one stream."""
    commands, velocities, positions = [0.0, 0.0], [0.0], [0.0]
    emergency = False
    kept = math.inf
    noise = random.Random(stream.name)
    for tick in range(round(stream.duration / PERIOD)):
        now = tick * PERIOD
        _tell(chain, stream, now, positions[-1], noise)
        commands.append(chain.step(now))
        emergency = emergency or chain.emergency
        most = EMERGENCY.acceleration * PERIOD
        change = min(max(commands[-1] - velocities[-1], -most), most)
        velocities.append(velocities[-1] + change)
        positions.append(positions[-1] + velocities[-1] * PERIOD)
        kept = min(kept, stream.wall(now) - positions[-1])
    rates = [(b - a) / PERIOD for a, b in zip(commands, commands[1:], strict=False)]
    jerks = [(b - a) / PERIOD for a, b in zip(rates, rates[1:], strict=False)]
    time, way, speed = _stop(stream, velocities, positions)
    return Figures(
        max(map(abs, commands)),
        max(map(abs, rates)),
        max(map(abs, jerks)),
        time,
        way,
        kept if stream.has_wall else None,
        speed,
        emergency,
    )


def _tell(chain: Chain, stream: Stream, now: float, position: float, noise: random.Random) -> None:
    if _due(now, MESSAGE_PERIOD) and now < stream.messages_end:
        chain.take_plan(now, [stream.plan(now, now + i * ROW_PERIOD) for i in range(ROWS)])
    if _due(now, SCAN_PERIOD) and now < stream.scans_end:
        distance = stream.wall(now) - position + FRONT
        points: Points = wall_points(distance)
        if stream.noise:
            points = [(x + noise.gauss(0.0, stream.noise), y) for x, y in points]
        chain.take_scan(now, points)


def _due(now: float, period: float) -> bool:
    return abs(now / period - round(now / period)) < _TINY


def _stop(
    stream: Stream, velocities: Sequence[float], positions: Sequence[float]
) -> tuple[float | None, float | None, float]:
    """Time and way from the event to rest, and the speed at the event."""
    if stream.event is None:
        return None, None, 0.0
    first = round(stream.event / PERIOD)
    moving = [i for i in range(first, len(velocities)) if abs(velocities[i]) > 1e-3]
    last = moving[-1] + 1 if moving else first
    speed = abs(velocities[first])
    if last >= len(velocities):
        return None, None, speed
    ways = [abs(positions[i] - positions[first]) for i in range(first, last + 1)]
    return (last - first) * PERIOD, max(ways), speed


def worse(row: Row) -> list[str]:
    """Every way in which ours is worse than it may be; see the module. Empty: never."""
    ours, nav2 = row.ours, row.nav2
    limits = EMERGENCY if ours.emergency else NORMAL
    ramp = limits.acceleration / limits.jerk + BLEND_WINDOW + 2.0 * PERIOD
    found = [
        _above("velocity", ours.velocity, limits.velocity),
        _above("acceleration", ours.acceleration, limits.acceleration),
        _above("jerk", ours.jerk, min(limits.jerk, nav2.jerk)),
    ]
    if not ours.emergency:
        found.append(_above("acceleration", ours.acceleration, nav2.acceleration))
    if row.stream.event is not None and nav2.time_to_stop is not None:
        found.append(_above("time to stop", ours.time_to_stop, nav2.time_to_stop + ramp))
        way = (nav2.stopping_distance or 0.0) + max(ours.speed, nav2.speed) * ramp
        found.append(_above("stopping distance", ours.stopping_distance, way))
    if ours.kept is not None and nav2.kept is not None:
        cost = EMERGENCY.velocity * (EMERGENCY.acceleration / EMERGENCY.jerk + 2.0 * PERIOD)
        least = min(MINIMUM_DISTANCE - 3.0 * row.stream.noise, nav2.kept - cost)
        found.append(_above("nearness to the wall", -ours.kept, -least))
    return [one for one in found if one]


def _above(what: str, value: float | None, bound: float) -> str:
    if value is not None and value <= bound + _TINY:
        return ""
    return f"{what} is {value}, accepted: at most {bound:.4f}"


def table(rows: Sequence[Row]) -> str:
    """The figures as Markdown, ours and nav2's side by side in each cell."""
    heads = (
        "stream",
        "peak velocity [m/s]",
        "peak acceleration [m/s²]",
        "peak jerk [m/s³]",
        "time to stop [s]",
        "stopping distance [m]",
        "distance kept [m]",
    )
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in rows:
        cells = [row.stream.name + (" (E)" if row.ours.emergency else "")]
        for name, digits in (
            ("velocity", 2),
            ("acceleration", 2),
            ("jerk", 1),
            ("time_to_stop", 2),
            ("stopping_distance", 2),
            ("kept", 2),
        ):
            pair = (getattr(row.ours, name), getattr(row.nav2, name))
            cells.append(" / ".join(_number(value, digits) for value in pair))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isinf(value) else f"{value:.{digits}f}"
