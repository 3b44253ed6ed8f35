"""Messages of obstacle sources → points in the base's frame. Messages are only read, so ROS-free.

Ranges mean what REP 117 says: a finite one in [min, max] is an obstacle, +inf (or beyond max) is
free, -inf is an obstacle too near to be measured, NaN is no measurement. A finite one below the
minimum is no measurement either, nor is 0, which many drivers give where nothing came back, also
with a minimum of 0. A message without any measurement says nothing: not even that
the way is free. `SourceReader.read` never raises; a message that cannot be used says why.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.surroundings.obstacles.obstacle_types import Reading
from vla_safety.surroundings.obstacles.point_clouds import CloudError, cloud_points
from vla_safety.surroundings.transforms import Transform, TransformError

Array = npt.NDArray[np.float64]
MESSAGE_TYPES = {
    "scan": "sensor_msgs/msg/LaserScan",
    "range": "sensor_msgs/msg/Range",
    "pointcloud": "sensor_msgs/msg/PointCloud2",
}
MAX_BEAMS = 100_000
_RANGE_STEP = math.radians(1.0)


class MessageError(ValueError):
    """A message that cannot be used; one line."""


def mount_from_message(message: Any) -> Transform:
    """Transform of a geometry_msgs TransformStamped: child's frame → header's frame.

    Raises:
        TransformError: it is none.
    """
    where, turn = message.transform.translation, message.transform.rotation
    return Transform.from_quaternion((where.x, where.y, where.z), (turn.x, turn.y, turn.z, turn.w))


class SourceReader:
    """Reads the messages of one source."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._mounted = config.mounted
        self._beams = _Beams()
        self._read = {
            "scan": self._scan,
            "range": self._range,
            "pointcloud": self._cloud,
        }[config.type]

    def read(self, message: Any, mount: Transform | None = None) -> Reading:
        """Obstacles that a message shows. mount: sensor → base; None: from the parameters."""
        try:
            points = self._read(message, self._mounted if mount is None else mount)
        except (MessageError, CloudError, TransformError) as error:
            return Reading.unusable(str(error))
        return Reading(thin_out(points, self._config.max_points))

    def _scan(self, message: Any, mount: Transform) -> Array:
        beams, distances = scan_hits(message)
        points = self._beams.ways(message, mount).take(beams, axis=1)
        points *= distances
        points += mount.translation[:2, None]
        return points.T

    def _range(self, message: Any, mount: Transform) -> Array:
        distance = range_distance(message)
        if distance is None:
            return np.empty((0, 2))
        view = float(message.field_of_view)
        angles = np.linspace(-0.5 * view, 0.5 * view, 1 + math.ceil(view / _RANGE_STEP))
        arc = np.column_stack((np.cos(angles), np.sin(angles), np.zeros_like(angles)))
        return mount.apply(distance * arc)[:, :2]

    def _cloud(self, message: Any, mount: Transform) -> Array:
        # The height of every point first, and the rest of those within the slice alone; axis by
        # axis, for a matrix product would wake threads that other processes keep waiting.
        points = cloud_points(message).T
        height = _along(mount, 2, points)
        low, high = self._config.min_height, self._config.max_height
        points = points.take(((height >= low) & (height <= high)).nonzero()[0], axis=1)
        return np.stack((_along(mount, 0, points), _along(mount, 1, points)), axis=1)


def _along(mount: Transform, axis: int, points: Array) -> Array:
    """Coordinates of points, shape (3, n), along one axis of the base's frame."""
    (x, y, z), (a, b, c) = points, mount.rotation[axis]
    along = a * x
    along += b * y
    along += c * z
    along += mount.translation[axis]
    return along


def stamp_problem(age: float, timeout: float) -> str:
    """Why a message of this age on arrival, s, cannot be used; empty where it can."""
    if abs(age) <= timeout:
        return ""
    where = "behind" if age > 0.0 else "ahead of"
    # In whole seconds, as the text is counted by itself.
    return (
        f"its stamp is {math.ceil(abs(age))} s {where} the node's clock; accepted: up to the "
        f"source's timeout, {timeout:g} s, or a stamp of 0"
    )


def scan_hits(message: Any) -> tuple[npt.NDArray[np.intp], Array]:
    """Which beams meet an obstacle, and how far away, m: both of shape (n,).

    Raises:
        MessageError: no beam is a measurement, or the message contradicts itself.
    """
    ranges = np.asarray(message.ranges, dtype=np.float64)
    low, high = float(message.range_min), float(message.range_max)
    _check_scan(ranges, low, high, message)
    high = min(high, sys.float_info.max)  # an infinite range is none
    # Of what is no number, neither.
    below, within = (ranges < low) | (ranges == 0.0), ranges <= high
    hit = within ^ below  # what is below the minimum is below the maximum too
    if below.nonzero()[0].size:
        near = ranges == -np.inf
        hit |= near
        ranges = np.where(near, low, ranges)
    beams = hit.nonzero()[0]
    if not beams.size and not (ranges > high).any():
        raise MessageError(f"none of a scan's {len(ranges)} beams is a measurement")
    return beams, ranges.take(beams)


def _check_scan(ranges: Array, low: float, high: float, message: Any) -> None:
    if ranges.ndim != 1 or not 0 < len(ranges) <= MAX_BEAMS:
        raise MessageError(f"a scan has {ranges.size} beams; accepted: 1 to {MAX_BEAMS}")
    if not (math.isfinite(low) and 0.0 <= low < high):  # max may be infinite
        raise MessageError(f"a scan's range is {low:g} to {high:g} m; accepted: 0 <= min < max")
    start, step = float(message.angle_min), float(message.angle_increment)
    if not (math.isfinite(start) and math.isfinite(step)) or (step == 0.0 and len(ranges) > 1):
        raise MessageError(
            f"a scan's angle_min and angle_increment are {start:g} and {step:g}; "
            "accepted: finite, and an increment that is not 0"
        )


def range_distance(message: Any) -> float | None:
    """Distance of the obstacle, m; None: free.

    Raises:
        MessageError: it is no measurement, or the message contradicts itself.
    """
    low, high, view = (
        float(message.min_range),
        float(message.max_range),
        float(message.field_of_view),
    )
    if not (math.isfinite(low) and 0.0 <= low <= high and high > 0.0):
        raise MessageError(
            f"a range's limits are {low:g} to {high:g} m; accepted: 0 <= min <= max, max above 0"
        )
    if not 0.0 <= view <= 2.0 * math.pi:
        raise MessageError(f"a range's field_of_view is {view:g} rad; accepted: 0 to 2 pi")
    value = float(message.range)
    if value == -math.inf:
        return low
    if math.isnan(value) or value < low or value == 0.0:
        least = f"at least min_range, {low:g} m" if low else "above 0 m"
        raise MessageError(f"a range is {value:g} m; accepted: {least}")
    return value if value <= high and math.isfinite(value) else None


def thin_out(points: Array, most: int) -> Array:
    """At most so many points: the nearest to the base's origin in each of as many directions."""
    if len(points) <= most:
        return points
    x, y = points.T
    sectors = ((np.arctan2(y, x) + np.pi) * (most / (2.0 * np.pi))).astype(np.intp)
    sectors[sectors == most] = 0
    squares = x * x + y * y
    least = np.full(most, np.inf)
    np.minimum.at(least, sectors, squares)
    nearest = (squares == least[sectors]).nonzero()[0]
    # Of several that are as near, the first: the last assignment is the one that stays.
    chosen = np.full(most, -1)
    chosen[sectors[nearest][::-1]] = nearest[::-1]
    return points[chosen[chosen >= 0]]


class _Beams:
    """Directions of a scanner's beams in the base's frame, which rarely change."""

    def __init__(self) -> None:
        self._key: Sequence[Any] = ()
        self._ways: Array = np.empty((2, 0))

    def ways(self, message: Any, mount: Transform) -> Array:
        """X and y per m of each beam, shape (2, n)."""
        count = len(message.ranges)
        start, step = float(message.angle_min), float(message.angle_increment)
        key = (count, start, step, mount.rotation.tobytes())
        if key != self._key:
            angles = start + step * np.arange(count)
            self._ways = mount.rotation[:2, :2] @ np.stack((np.cos(angles), np.sin(angles)))
            self._key = key
        return self._ways
