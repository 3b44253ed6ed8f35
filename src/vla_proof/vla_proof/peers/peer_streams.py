"""What both sides are given: requests as chunks, and what the scanner sees. Free of ROS.

One base that drives along x. A stream says what a policy asks for: a message every
`MESSAGE_PERIOD`, which plans the time after it; and where a wall stands in front of the base.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace

SPEED = 0.6  # m/s
MESSAGE_PERIOD = 0.1  # s
ROWS, ROW_PERIOD = 8, 0.05
SCAN_PERIOD = 0.1  # s
FOOTPRINT = (0.25, 0.2, -0.25, 0.2, -0.25, -0.2, 0.25, -0.2)
FRONT = 0.25  # m
STOP_AT = 4.0  # s
# The limits of the mobile base that is shipped, with a symmetric range.
SPACE = ActionSpace.from_dict(
    {
        "name": "peers",
        "control_rate": 50.0,
        "chunk": {"length": ROWS, "period": ROW_PERIOD},
        "braking_time": 0.6,
        "dimensions": [
            {
                "name": "linear_x",
                "kind": "linear_velocity",
                "unit": "m/s",
                "range": [-SPEED, SPEED],
                "normal": {"velocity": SPEED, "acceleration": 0.5, "jerk": 2.0},
                "emergency": {"velocity": SPEED, "acceleration": 2.0, "jerk": 20.0},
                "frame": "base_link",
                "output": {
                    "topic": "cmd_vel",
                    "type": "geometry_msgs/msg/Twist",
                    "field": "linear.x",
                },
            }
        ],
    }
)
NORMAL = SPACE.dimensions[0].normal
EMERGENCY = SPACE.dimensions[0].emergency


@dataclass(frozen=True)
class Stream:
    """One case.

    plan: what a message of a time says of a later time, m/s; NaN where it is broken.
    messages_end, scans_end: when these fall silent, s. wall: distance from the footprint's front
    at the start at which a wall stands, m, by time; infinite: none. noise: standard deviation of
    the scanner's ranges, m. event: from when stopping is measured, s; None: it is not.
    """

    name: str
    plan: Callable[[float, float], float]
    duration: float = 7.0
    event: float | None = STOP_AT
    messages_end: float = math.inf
    scans_end: float = math.inf
    wall: Callable[[float], float] = lambda time: math.inf
    noise: float = 0.0

    @property
    def has_wall(self) -> bool:
        """There is something to keep a distance from."""
        return any(math.isfinite(self.wall(0.5 * i)) for i in range(int(2 * self.duration)))


def _until_stop(value: float) -> Callable[[float, float], float]:
    return lambda message, time: value if 0.5 <= time < STOP_AT else 0.0


def _on(value: float) -> Callable[[float, float], float]:
    return lambda message, time: value


def _reversal(message: float, time: float) -> float:
    return SPEED if time < 3.0 else -SPEED if time < 6.0 else 0.0


def _seams(message: float, time: float) -> float:
    if time >= STOP_AT:
        return 0.0
    return SPEED if round(message / MESSAGE_PERIOD) % 2 else 0.2


def _broken(message: float, time: float) -> float:
    return math.nan if 2.0 <= message < 2.25 else _until_stop(SPEED)(message, time)


def _noisy(message: float, time: float) -> float:
    noise = random.Random(f"{message:.3f} {time:.3f}").gauss(0.0, 0.15)
    return 0.4 + noise if time < STOP_AT else 0.0


def _appears(at: float, distance: float) -> Callable[[float], float]:
    """A wall that stands `distance` before the base when it gets there at full speed."""
    return lambda time: distance if time >= at else math.inf


STREAMS = (
    Stream("step", _until_stop(SPEED)),
    Stream("step beyond the range", _until_stop(1.5)),
    Stream("reversal", _reversal, 9.0, 6.0),
    Stream("chunk seams", _seams),
    Stream("NaN", _broken),
    Stream("noise", _noisy),
    Stream("silence", _until_stop(SPEED), event=2.0, messages_end=2.0),
    *(
        Stream(f"wall ahead at {speed:g} m/s", _on(speed), 14.0, None, wall=lambda time: 2.0)
        for speed in (0.2, 0.4, 0.6)
    ),
    Stream("wall, noisy scan", _on(SPEED), 12.0, None, wall=lambda time: 2.0, noise=0.01),
    Stream("wall appears near", _on(SPEED), 8.0, None, wall=_appears(2.5, 1.7)),
    Stream("wall appears too near", _on(SPEED), 8.0, None, wall=_appears(2.5, 1.35)),
    Stream("scanner dies", _on(SPEED), 8.0, 2.0, scans_end=2.0),
)
