"""What `bench` measures: one function per case, each a `step(k)` to be timed. Free of ROS."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.obstacle_config import (
    DEFAULT_ZONES,
    ObstacleParameters,
    SourceConfig,
    ZoneConfig,
    build,
)
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.limits.limiter import Limit, MotionLimiter, SpeedCap
from vla_safety.limits.warning_thresholds import warnings
from vla_safety.plan.sequencing import Chunk
from vla_safety.surroundings.obstacles.base_kinematics import Twist2D
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor
from vla_safety.surroundings.obstacles.obstacle_sources import SourceReader
from vla_safety.surroundings.workspace import Workspace, yaw_rotation

Step = Callable[[int], None]
_FIELDS = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")
# Requests repeat after so many steps, so that making them costs nothing while measuring.
_REQUESTS = 512


def example_space(kind: Kind, width: int, rate: float = 100.0) -> ActionSpace:
    """An action space of `width` equal dimensions with limits of a usual arm."""
    made = tuple(_dimension(f"d{i}", kind, "data") for i in range(width))
    return ActionSpace("bench", rate, 40, 1.0 / rate, 1.0, made)


def arm_space(rate: float = 50.0) -> ActionSpace:
    """Seven dimensions, as an arm's end effector with a gripper has, and norms for both parts."""
    made = tuple(
        _dimension(
            field,
            Kind.LINEAR_VELOCITY if field.startswith("linear") else Kind.ANGULAR_VELOCITY,
            f"twist.{field}",
        )
        for field in _FIELDS
    )
    gripper = _dimension("gripper", Kind.GRIPPER, "data")
    return ActionSpace("bench", rate, 40, 1.0 / rate, 1.0, (*made, gripper), Norms(0.8, 0.8))


def _dimension(name: str, kind: Kind, field: str) -> Dimension:
    return Dimension(
        name, kind, kind.units[0], -1.0, 1.0, -1.0, 1.0,
        Limits(1.0, 5.0, 50.0, 4.0), Limits(1.0, 10.0, 100.0, 10.0),
        "base_link", Output(name, "std_msgs/msg/Float64", field),
    )  # fmt: skip


def _requests(width: int) -> list[list[float]]:
    """Goals that jump now and then, and are noisy always."""
    source = random.Random(0)
    rows, goal = [], [0.0] * width
    for k in range(_REQUESTS):
        if k % 50 == 0:
            goal = [source.uniform(-1.2, 1.2) for _ in range(width)]
        rows.append([g + source.gauss(0.0, 0.01) for g in goal])
    return rows


def limiter(kind: Kind, width: int) -> Step:
    """Limits of each dimension only."""
    made, rows = MotionLimiter(example_space(kind, width)), _requests(width)
    return lambda k: (made.step(rows[k % _REQUESTS]), None)[1]


def validator() -> Step:
    """All limits of 7 dimensions: also norms, workspace box, a cap of a speed zone, warnings."""
    space = arm_space()
    made, rows = MotionLimiter(space), _requests(space.width)
    box = Workspace((-0.5, -0.5, 0.0), (0.5, 0.5, 1.0), "base_link")
    turned = yaw_rotation(0.3)
    (c, minus_s, _), (s, _, _), _ = turned
    cap = SpeedCap(0.6, Limit.SPEED_ZONE, "slow")

    place, period = [0.0, 0.0, 0.5], space.period

    def step(k: int) -> None:
        faces = box.boundaries(place, space, turned, speed=0.5, latency=0.02)
        result = made.step(rows[k % _REQUESTS], boundaries=faces, speed_cap=cap)
        values = result.safe.tolist()
        warnings(space, values)
        # Where the commands lead, as the box sees it; written out, for it is not the validator's.
        x, y, z = values[0], values[1], values[2]
        place[0] += period * (c * x + minus_s * y)
        place[1] += period * (s * x + c * y)
        place[2] += period * z

    return step


def scan_message(beams: int, seed: int = 0) -> SimpleNamespace:
    """What a LaserScan holds: a room with walls at 2 to 6 m, and some beams without an echo."""
    rng = np.random.default_rng(seed)
    ranges = rng.uniform(2.0, 6.0, beams).astype(np.float32)
    ranges[:: max(1, beams // 20)] = np.inf
    ranges[beams // 2] = 0.9
    return SimpleNamespace(
        ranges=ranges, range_min=0.1, range_max=12.0,
        angle_min=-math.pi, angle_increment=2.0 * math.pi / beams,
    )  # fmt: skip


def obstacle_monitor() -> ObstacleMonitor:
    """A base with the default zones, and one each of the other actions and shapes."""
    zones = {
        **DEFAULT_ZONES,
        "stop_zone": ZoneConfig(action="stop", shape="circle", radius=0.4),
        "limit_zone": ZoneConfig(
            action="limit", shape="polygon", points=(1.5, 1.0, 1.5, -1.0, -0.5, -1.0, -0.5, 1.0)
        ),
    }
    parameters = ObstacleParameters(obstacle_sources=("scan",), obstacle_zones=tuple(zones))
    return ObstacleMonitor(build(parameters, {"scan": SourceConfig()}, zones))


def scan(beams: int) -> Step:
    """A new scan: message to points, and what all zones say of it for the present motion."""
    monitor = obstacle_monitor()
    reader, mount = SourceReader(SourceConfig(use_tf=False, max_points=10_000)), None
    messages = [scan_message(beams, seed) for seed in range(16)]
    velocity = Twist2D(0.4, 0.0, 0.3)

    def step(k: int) -> None:
        now = (k + 1) * NANOSECONDS // 50
        monitor.accept_reading("scan", reader.read(messages[k % 16], mount), now, 0.01)
        monitor.evaluate(velocity, now, velocity)

    return step


def core(space: ActionSpace, rows: int | None = None) -> Step:
    """The whole decision of a period, with the chunks that come between two of them, 20 a second.

    rows: of a chunk; the action space's own number by default.
    """
    config = SafetyConfig(armed_on_start=True, required_inputs=(), heartbeat_sources=())
    made = SafetyCore(space, config)
    period = round(space.period * NANOSECONDS)
    between = max(1, round(0.05 * space.control_rate))
    source = random.Random(0)
    count = (rows or space.chunk_length) * space.width
    actions = [[source.uniform(-1.0, 1.0) for _ in range(count)] for _ in range(8)]
    made.activate(period)

    def step(k: int) -> None:
        now = (k + 2) * period
        if k % between == 0:
            made.accept_chunk(
                Chunk(
                    now, period, actions[k // between % 8], space.name, space.dimension_names,
                    command_id=1,
                ),
                now,
            )  # fmt: skip
        made.decide(now, now)

    return step


def chunk(rows: int) -> Step:
    """A chunk of so many rows comes, and its plan is asked."""
    space = arm_space()
    config = SafetyConfig(armed_on_start=True, required_inputs=(), heartbeat_sources=())
    made = SafetyCore(space, config)
    period = round(space.period * NANOSECONDS)
    source = random.Random(0)
    actions = [source.uniform(-1.0, 1.0) for _ in range(rows * space.width)]
    made.activate(period)

    def step(k: int) -> None:
        now = (k + 2) * period
        made.accept_chunk(
            Chunk(now, period, actions, space.name, space.dimension_names, command_id=1), now
        )
        made.plan.sequencer.at(now + period)

    return step
