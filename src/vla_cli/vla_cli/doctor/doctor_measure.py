"""How a robot moved, from a recorded bag: robust greatest velocity, acceleration and jerk.

Joint states, odometry and twists are taken, the measured ones (joint states, odometry) before the
commanded ones. A signal is laid on an even time grid, a cubic is fitted around each sample, and
the derivatives are read from it, so that noise does not count as jerk; of each magnitude the 99.5th
percentile counts, so that single outliers do not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.percentiles import percentile
from vla_contract.stamps import to_seconds
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.bag_storage import BagError
from vla_replay.bags.blocks import Stored

Array = npt.NDArray[np.float64]
JOINT_STATE = "sensor_msgs/msg/JointState"
ODOMETRY = "nav_msgs/msg/Odometry"
TWIST = "geometry_msgs/msg/Twist"
TWIST_STAMPED = "geometry_msgs/msg/TwistStamped"

PERCENTILE = 99.5
WINDOW = 0.15  # s, over which a cubic is fitted
LEAST_SAMPLES = 50
GAP = 0.5  # s without a sample: the motion before and after are not one
STILL = 1e-3  # of the unit's velocity: a dimension that never moved faster is left out


class MeasureError(ValueError):
    """A bag from which nothing follows; the message says which and what is accepted."""


@dataclass(frozen=True)
class Motion:
    """How one quantity moved: magnitudes of velocity and its derivatives, SI; low, high: values."""

    name: str
    kind: str
    unit: str
    topic: str
    frame: str
    output: tuple[str, str, str]
    samples: int
    rate: float
    low: float
    high: float
    velocity: float
    acceleration: float
    jerk: float


@dataclass(frozen=True)
class _Key:
    """One signal. rank: measured ones go before commanded ones of the same name."""

    rank: int
    topic: str
    type: str
    name: str
    position: bool
    frame: str


def measure(path: Path, notes: list[str] | None = None) -> list[Motion]:
    """Every quantity that moved, in the order of the bag; what was lost of it goes to `notes`.

    Raises:
        MeasureError: it is no bag, or nothing in it moved for long enough.
    """
    signals: dict[_Key, list[tuple[float, float]]] = defaultdict(list)
    try:
        with open_bag(path) as bag:
            known = (JOINT_STATE, ODOMETRY, TWIST, TWIST_STAMPED)
            wanted = [topic.name for topic in bag.topics.values() if topic.type in known]
            for stored in bag.messages(wanted):
                if (message := bag.read(stored)) is not None:
                    for key, when, value in _samples(stored, message):
                        signals[key].append((when, value))
            if notes is not None:
                notes += bag.losses.told()
    except BagError as error:
        raise MeasureError(f"{path} is no bag that can be read: {error}") from error
    found: dict[str, Motion] = {}
    for key in sorted(signals, key=lambda key: key.rank):
        motion = _motion(key, np.array(signals[key]))
        if motion is not None:
            found.setdefault(motion.name, motion)
    if not found:
        raise MeasureError(
            f"{path}: nothing moved for {LEAST_SAMPLES} samples; accepted: a bag with JointState, "
            "Odometry, Twist or TwistStamped of a robot that moves"
        )
    return list(found.values())


def _samples(stored: Stored, message: Any) -> Iterator[tuple[_Key, float, float]]:
    """(signal, time in s, value) of a message."""
    header = getattr(message, "header", None)
    stamp = to_seconds(header.stamp) if header else 0.0
    when = stamp or stored.key.time * 1e-9
    topic, kind = stored.topic, stored.type
    if kind == JOINT_STATE:
        for name, value in zip(message.name, message.position, strict=False):
            yield _Key(0, topic, kind, name, True, "base_link"), when, float(value)
        return
    twist = message.twist.twist if kind == ODOMETRY else getattr(message, "twist", message)
    frame = "base_link"
    if kind == ODOMETRY:
        frame = message.child_frame_id or frame
    elif header is not None:
        frame = header.frame_id or frame
    rank = 0 if kind == ODOMETRY else 1
    for part in ("linear", "angular"):
        for axis in "xyz":
            value = float(getattr(getattr(twist, part), axis))
            yield _Key(rank, topic, kind, f"{part}_{axis}", False, frame), when, value


def _motion(key: _Key, samples: Array) -> Motion | None:
    """Derivatives of one signal, shape (n, 2): time, value; None where it did not move."""
    samples = samples[np.isfinite(samples).all(axis=1)]
    _, first = np.unique(samples[:, 0], return_index=True)
    samples = samples[first]
    if len(samples) < LEAST_SAMPLES:
        return None
    step = float(np.median(np.diff(samples[:, 0])))
    parts = [
        _derivatives(part, step)
        for part in np.split(samples, np.flatnonzero(np.diff(samples[:, 0]) > GAP) + 1)
        if len(part) >= _window(step)
    ]
    if not parts:
        return None
    value, first_, second, third = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    motion = (first_, second, third) if key.position else (value, first_, second)
    velocity, acceleration, jerk = (percentile(np.abs(m), PERCENTILE) for m in motion)
    if velocity < STILL:
        return None
    kind, unit = _kind(key)
    return Motion(
        name=key.name,
        kind=kind,
        unit=unit,
        topic=key.topic,
        frame=key.frame,
        output=_output(key),
        samples=len(samples),
        rate=1.0 / step,
        low=float(samples[:, 1].min()),
        high=float(samples[:, 1].max()),
        velocity=velocity,
        # A motion at one speed has none of its own; the file needs a number above 0.
        acceleration=max(acceleration, STILL),
        jerk=max(jerk, STILL),
    )


def _kind(key: _Key) -> tuple[str, str]:
    """Kind and unit; a bag does not say whether a joint slides: rad."""
    if key.position:
        return "joint_position", "rad"
    if key.name.startswith("linear"):
        return "linear_velocity", "m/s"
    return "angular_velocity", "rad/s"


def _output(key: _Key) -> tuple[str, str, str]:
    if key.position:
        return "joint_trajectory", "trajectory_msgs/msg/JointTrajectory", key.name
    field = key.name.replace("_", ".")
    if key.type == TWIST_STAMPED:
        return key.topic.rsplit("/", 1)[-1], TWIST_STAMPED, f"twist.{field}"
    return ("cmd_vel" if key.type == ODOMETRY else key.topic.rsplit("/", 1)[-1]), TWIST, field


def _window(step: float) -> int:
    """Samples in the window, odd, enough for a cubic that is not mere interpolation."""
    return max(7, 2 * math.ceil(WINDOW / step / 2.0) + 1)


def _derivatives(samples: Array, step: float) -> tuple[Array, Array, Array, Array]:
    """Value and its first three derivatives on an even grid, by a cubic around each sample."""
    grid = np.arange(samples[0, 0], samples[-1, 0] + step / 2.0, step)
    even = np.interp(grid, samples[:, 0], samples[:, 1])
    width = min(_window(step), len(even) - 1 + len(even) % 2)
    offsets = np.arange(width) - width // 2
    fit = np.linalg.pinv(np.vander(offsets * step, 4, increasing=True))  # (4, width)
    rows = [np.convolve(even, row[::-1], mode="valid") for row in fit]
    return rows[0], rows[1], 2.0 * rows[2], 6.0 * rows[3]
