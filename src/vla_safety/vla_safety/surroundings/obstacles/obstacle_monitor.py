"""What obstacles let the base do: distance, zones, time to collision, sources that died. ROS-free.

`ObstacleMonitor.take` is told what each source sees, `evaluate` says in each control period what
follows for a commanded motion. The most restrictive demand wins and is named.

A source that is silent, or whose messages are no good, counts as an obstacle: stop. What a source
saw some time ago is taken to be nearer by the way that the base can have gone since.
Times are ns of a clock that never jumps; lengths in m, in the base's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_contract.stamps import NANOSECONDS
from vla_safety.config.obstacle_config import ObstacleConfig, ZoneSetting
from vla_safety.surroundings.obstacles.base_kinematics import Twist2D
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.obstacle_field import STILL, Field, Memory, Odometer, Seen
from vla_safety.surroundings.obstacles.obstacle_types import (
    MINIMUM_DISTANCE,
    BaseBoundary,
    Finding,
    InvalidSource,
    ObstacleVerdict,
    Reading,
)
from vla_safety.surroundings.obstacles.protective_zones import Action, Outcome, approach, outcome_of

__all__ = [
    "MINIMUM_DISTANCE",
    "BaseBoundary",
    "Finding",
    "InvalidSource",
    "ObstacleMonitor",
    "ObstacleVerdict",
    "Reading",
]

_SEVERITY = {action: rank for rank, action in enumerate(Action)}


class ObstacleMonitor:
    """See the module. Not thread-safe."""

    def __init__(self, config: ObstacleConfig) -> None:
        self._memories = {name: Memory(one) for name, one in config.sources.items()}
        self._field: Field | None = None
        self._odometer = Odometer()
        self.configure(config)

    def configure(self, config: ObstacleConfig) -> None:
        """Change distances at run time; footprint, sources and zones stay."""
        self.config = config
        self._watches = tuple(_Watch.of(setting, config.footprint) for setting in config.zones)

    def forget(self) -> None:
        """Know of nothing that was seen: another episode, or a clock that jumped."""
        self._memories = {name: Memory(one) for name, one in self.config.sources.items()}
        self._field = None
        self._odometer = Odometer()

    def accept_reading(self, source: str, reading: Reading, steady: int, age: float = 0.0) -> None:
        """Note what a source says.

        steady: when it arrived. age: how old it was then (node clock - stamp), s; what is
        older than the last one is not taken.

        Raises:
            KeyError: there is no such source.
        """
        seen = steady - round(max(0.0, age) * NANOSECONDS)
        if self._memories[source].accept_reading(reading, seen, self.config.footprint):
            self._field = None

    def evaluate(
        self,
        velocity: Twist2D,
        steady: int,
        moving: Twist2D | None = None,
    ) -> ObstacleVerdict:
        """What follows in this period.

        velocity: the commanded motion, before anything limits it. moving: the present motion;
        by default the commanded one.
        """
        # The limiter refuses a request that is not finite; here nothing can be said of it.
        velocity = velocity if velocity.is_finite else Twist2D()
        moving = velocity if moving is None or not moving.is_finite else moving
        speed = moving.linear + abs(moving.wz) * self.config.footprint.reach
        self._odometer.advance(speed, steady)
        invalid = self._invalid(steady)
        if invalid:
            return _blind(invalid)
        if self._field is None:
            self._field = Field(self._memories)
        seen = self._field.aged(self._odometer, speed, steady)
        demands = [
            *self._too_near(seen, velocity, moving),
            *self._zones(seen, velocity),
        ]
        demands.sort(key=lambda demand: (demand.ratio, -_SEVERITY[demand.action]))
        return self._verdict(demands, seen, velocity, moving)

    def _verdict(
        self, demands: list[_Demand], seen: Seen, velocity: Twist2D, moving: Twist2D
    ) -> ObstacleVerdict:
        first = demands[0] if demands else _NO_DEMAND
        stop = first.action is Action.STOP
        times = [demand.time for demand in demands if demand.time is not None]
        distance = seen.nearest
        near = distance is not None and distance < self.config.warning_distance
        return ObstacleVerdict(
            action=first.action,
            name=first.name,
            ratio=first.ratio,
            cause=first.cause if stop else "",
            clears_when="the obstacle is gone" if stop else "",
            violations=tuple(demand.finding for demand in demands),
            warnings=(
                (Finding("obstacle", distance, self.config.warning_distance),)
                if near and distance is not None
                else ()
            ),
            distance=distance,
            time_to_collision=min(times) if times else None,
            boundaries=seen.boundaries(self.config.minimum_distance, velocity, moving),
        )

    def _invalid(self, steady: int) -> tuple[InvalidSource, ...]:
        found = (memory.invalid(name, steady) for name, memory in self._memories.items())
        return tuple(one for one in found if one is not None)

    def _too_near(self, seen: Seen, velocity: Twist2D, moving: Twist2D) -> list[_Demand]:
        """Stop for a point that is too near and comes nearer; to go away from it is free."""
        least = self.config.minimum_distance
        if seen.nearest is None or seen.nearest >= least:
            return []
        left = seen.distances - least
        closing = (seen.rates(velocity) > STILL) | (seen.rates(moving) > STILL)
        late = (left < 0.0) & closing
        if not late.any():
            return []
        distance = float(seen.distances[late].min())
        return [
            _Demand(
                Action.STOP,
                MINIMUM_DISTANCE,
                0.0,
                Finding(MINIMUM_DISTANCE, distance, least),
                f"an obstacle is {max(0.0, distance):.2f} m away, too near to go on",
            )
        ]

    def _zones(self, seen: Seen, velocity: Twist2D) -> list[_Demand]:
        demands = []
        for watch in self._watches:
            outcome = watch.outcome(seen, velocity)
            if outcome is not None and outcome.ratio < 1.0:
                demands.append(_zone_demand(outcome, velocity))
        return demands


@dataclass(frozen=True)
class _Demand:
    action: Action
    name: str
    ratio: float
    finding: Finding
    cause: str = ""
    time: float | None = None


_NO_DEMAND = _Demand(Action.NONE, "", 1.0, Finding("", 0.0, 0.0))


def _zone_demand(outcome: Outcome, velocity: Twist2D) -> _Demand:
    zone, time = outcome.zone, outcome.time_to_collision
    if time is not None:
        finding = Finding(zone.name, time, zone.time_before_collision)
    else:
        speed = velocity.linear or abs(velocity.wz)
        finding = Finding(zone.name, speed, speed * outcome.ratio)
    return _Demand(
        zone.action,
        zone.name,
        outcome.ratio,
        finding,
        f"an obstacle is in zone {zone.name}",
        time,
    )


@dataclass(frozen=True)
class _Watch:
    """A zone as it is looked at. farthest: distance of its points from the footprint, m."""

    setting: ZoneSetting
    farthest: float

    @staticmethod
    def of(setting: ZoneSetting, footprint: Shape) -> _Watch:
        # No point is farther from the footprint than the origin by more than from the origin.
        middle = float(footprint.signed_distance(np.zeros((1, 2)))[0])
        return _Watch(setting, middle + setting.zone.shape.reach + 1e-6)

    def outcome(self, seen: Seen, velocity: Twist2D) -> Outcome | None:
        """What the zone asks for, if it does."""
        zone, margin, sources = self.setting.zone, self.setting.margin, self.setting.sources
        if zone.action is Action.APPROACH:
            if velocity.is_zero:
                return None
            points = seen.field.near(self._horizon(velocity), sources)
            return approach(zone, points, velocity) if len(points) else None
        if margin is not None:
            return outcome_of(zone, seen.within(margin, sources), velocity)
        points = seen.field.near(self.farthest, sources)
        if not len(points):
            return None
        return outcome_of(zone, int(np.count_nonzero(zone.shape.contains(points))), velocity)

    def _horizon(self, velocity: Twist2D) -> float:
        """What is farther away than the base can come need not be looked at, m."""
        zone = self.setting.zone
        way = velocity.linear * (zone.time_before_collision + zone.simulation_time_step)
        # The half-planes around a margin hold a little more than its round corners.
        return self.farthest + way + 0.5 * (self.setting.margin or 0.0)


def _blind(invalid: Sequence[InvalidSource]) -> ObstacleVerdict:
    first = invalid[0]
    return ObstacleVerdict(
        action=Action.STOP,
        name=f"invalid source {first.name}",
        ratio=0.0,
        cause="; ".join(f"invalid source {one.name}: {one.reason}" for one in invalid),
        clears_when=f"{first.name} is received",
        invalid_sources=tuple(invalid),
    )
