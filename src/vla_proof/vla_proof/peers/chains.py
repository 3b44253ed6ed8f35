"""The two chains from requests to commands: ours, and nav2's smoother before its monitor.

Both run at the same rate with the same limits, footprint and zones, on the same messages.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from vla_contract.stamps import NANOSECONDS
from vla_proof.peers.collision_monitor import ActionType, CollisionMonitor, Polygon
from vla_proof.peers.nav2_sources import Source
from vla_proof.peers.peer_streams import FOOTPRINT, NORMAL, ROW_PERIOD, SPACE, SPEED
from vla_proof.peers.velocity_smoother import SmootherParameters, VelocitySmoother
from vla_safety.config.obstacle_config import ObstacleParameters, SourceConfig, ZoneConfig, build
from vla_safety.limits.boundaries import Boundary
from vla_safety.limits.limiter import Limit, MotionLimiter
from vla_safety.plan.path_follower import PathFollower
from vla_safety.plan.path_speed import Factor, velocity_ceilings
from vla_safety.plan.sequencing import Chunk, Sequencer
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor, Reading
from vla_safety.surroundings.planar_base import BaseMotion

MINIMUM_DISTANCE = 0.15  # m
SLOW_MARGIN, SLOW_RATIO = 0.5, 0.5
APPROACH_MARGIN = 0.05
BLEND_WINDOW = 0.1  # s
CHUNK_TIMEOUT = 0.4  # s
_START = 10**12  # ns; a stamp of 0 means none
Points = list[tuple[float, float]]


class Chain(Protocol):
    """From messages to commands along x, m/s. Times in s."""

    def take_plan(self, now: float, rows: list[float]) -> None:
        """Hear the policy; a row for each `ROW_PERIOD` from now on."""

    def take_scan(self, now: float, points: Points) -> None:
        """Hear the scanner; points in the base's frame, m."""

    def step(self, now: float) -> float:
        """Give the command of this period."""


class Ours:
    """Sequencer, path speed, obstacle monitor and limiter, joined as in `SafetyCore`."""

    def __init__(self) -> None:
        self._sequencer = Sequencer(SPACE, BLEND_WINDOW)
        self._path = PathFollower(SPACE, self._sequencer)
        self._limiter = MotionLimiter(SPACE)
        self._base = BaseMotion(SPACE)
        parameters = ObstacleParameters(
            obstacle_sources=("scan",),
            obstacle_zones=("slow", "approach"),
            footprint=FOOTPRINT,
            obstacle_distance=MINIMUM_DISTANCE,
        )
        zones = {
            "slow": ZoneConfig(action="slowdown", margin=SLOW_MARGIN, slowdown_ratio=SLOW_RATIO),
            "approach": ZoneConfig(action="approach", margin=APPROACH_MARGIN),
        }
        self._monitor = ObstacleMonitor(build(parameters, {"scan": SourceConfig()}, zones))
        self.emergency = False

    def take_plan(self, now: float, rows: list[float]) -> None:
        """As a chunk."""
        stamp = _nanoseconds(now)
        period = round(ROW_PERIOD * NANOSECONDS)
        chunk = Chunk(stamp, period, rows, SPACE.name, SPACE.dimension_names)
        self._sequencer.accept(chunk, stamp)

    def take_scan(self, now: float, points: Points) -> None:
        """As a reading."""
        self._monitor.accept_reading(
            "scan", Reading(np.array(points).reshape(-1, 2)), _nanoseconds(now)
        )

    def step(self, now: float) -> float:
        """One control period."""
        steady, values = _nanoseconds(now), self._limiter.values
        self._path.advance_clock(steady)
        motion = self._path.planned(steady)
        chunk = self._sequencer.chunk
        old = chunk is not None and now - (chunk.observation_stamp - _START) / 1e9 > CHUNK_TIMEOUT
        asked = self._base.twist(motion.row if motion is not None else None)
        verdict = self._monitor.evaluate(asked, steady, self._base.twist(values))
        if motion is None or verdict.stop or old:
            row = self._path.brake(
                steady,
                emergency=verdict.stop or old,
                at_rest=self._limiter.standstill,
                values=values.tolist(),
                resting=self._limiter.hold_target().tolist(),
            )
        else:
            row = self._path.follow(
                motion,
                [Factor(verdict.name, verdict.ratio)],
                velocity_ceilings(SPACE, motion.rates, 1.0),
                by_policy=True,
                fade_time=0.0,
                values=values.tolist(),
                now=steady,
            )
        step = self._limiter.step(
            row,
            emergency=verdict.stop or old,
            boundaries=[
                Boundary(row, left, Limit.OBSTACLE, name)
                for row, left, name in self._base.boundaries(verdict.boundaries)
            ],
        )
        self.emergency = step.emergency
        return float(step.safe[0])


class _Points(Source):
    """Points that are there already, for nav2's monitor."""

    seen: Points = []

    def _read(self) -> Points:
        return self.seen


class Nav2:
    """A player of the newest message's rows, the velocity smoother, the collision monitor."""

    def __init__(self) -> None:
        self._smoother = VelocitySmoother(
            SmootherParameters(
                smoothing_frequency=SPACE.control_rate,
                max_velocity=(SPEED, 0.0, 0.0),
                min_velocity=(-SPEED, 0.0, 0.0),
                max_accel=(NORMAL.acceleration, 0.0, 0.0),
                max_decel=(-NORMAL.deceleration, 0.0, 0.0),
            )
        )
        self._scan = _Points()
        self._monitor = CollisionMonitor(
            [
                _zone("stop", ActionType.STOP, MINIMUM_DISTANCE),
                _zone("slow", ActionType.SLOWDOWN, SLOW_MARGIN),
                _zone("approach", ActionType.APPROACH, APPROACH_MARGIN),
            ],
            {"scan": self._scan},
        )
        self._plan: tuple[float, list[float]] | None = None
        self._command = 0.0
        self.emergency = False

    def take_plan(self, now: float, rows: list[float]) -> None:
        """Play it from now on."""
        self._plan = (now, rows)

    def take_scan(self, now: float, points: Points) -> None:
        """The newest counts."""
        self._scan.seen, self._scan.stamp = points, now

    def step(self, now: float) -> float:
        """One period of both; where nothing is published, the last command stays in force."""
        if self._plan is not None:
            index = int((now - self._plan[0]) / ROW_PERIOD + 1e-6)
            if index < len(self._plan[1]):
                self._smoother.take_command(now, (self._plan[1][index], 0.0, 0.0))
        smooth = self._smoother.step(now)
        if smooth is not None:
            action = self._monitor.process(now, (smooth[0], smooth[1], smooth[2]))
            if action is not None:
                self._command = action.velocity[0]
        return self._command


def _zone(name: str, action: ActionType, margin: float) -> Polygon:
    x, y = FOOTPRINT[0] + margin, FOOTPRINT[1] + margin
    corners = ((x, y), (-x, y), (-x, -y), (x, -y))
    return Polygon(name, action, min_points=1, slowdown_ratio=SLOW_RATIO, vertices=corners)


def _nanoseconds(now: float) -> int:
    return _START + round(now * NANOSECONDS)


def wall_points(distance: float) -> Points:
    """A wall across the way, so far before the base's origin; none where that is infinite."""
    if math.isinf(distance):
        return []
    return [(distance, 0.05 * i) for i in range(-12, 13)]
