"""The tree of frames over time, with the rules and messages of tf2::BufferCore."""

from __future__ import annotations

import math
import threading
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.logging import get_logger

from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from .time_cache import Quaternion, StaticCache, Stored, TimeCache, Vector

CACHE_TIME = 10_000_000_000  # ns
_MAX_DEPTH = 1000
_Pose = tuple[Vector, Quaternion]
_IDENTITY: _Pose = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


class BufferCore:
    """Transforms between frames; safe to use from several threads."""

    def __init__(self, cache_time: Duration | None = None) -> None:
        self._duration = CACHE_TIME if cache_time is None else cache_time.nanoseconds
        self._caches: dict[str, StaticCache | TimeCache] = {}
        self._known: set[str] = set()
        self._lock = threading.RLock()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that holds at its stamp."""
        self._set(transform, authority, TimeCache)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that always holds."""
        self._set(transform, authority, StaticCache)

    def clear(self) -> None:
        """Forget all but static transforms."""
        with self._lock:
            for cache in self._caches.values():
                cache.clear()

    def all_frames_as_yaml(self) -> str:
        """The known frames and their parents."""
        with self._lock:
            parents = {name: cache.at(0) for name, cache in self._caches.items()}
        return "".join(
            f"{name}:\n  parent: '{one.parent}'\n" for name, one in parents.items() if one
        )

    def can_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> tuple[bool, str]:
        """Whether there is a transform, and why not."""
        return _tried(lambda: self.lookup_transform_core(target_frame, source_frame, time))

    def can_transform_full_core(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed: str
    ) -> tuple[bool, str]:
        """The same for two times and a frame that stays fixed between them."""
        return _tried(
            lambda: self.lookup_transform_full_core(
                target_frame, target_time, source_frame, source_time, fixed
            )
        )

    def lookup_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """Transform that takes points in `source_frame` into `target_frame`.

        Raises:
            TransformException: one of its kinds; the message says why there is none.
        """
        with self._lock:
            self._check("target_frame", target_frame)
            self._check("source_frame", source_frame)
            pose, when = self._look_up(target_frame, source_frame, _nanoseconds(time))
        return _message(target_frame, source_frame, pose, when)

    def lookup_transform_full_core(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed: str
    ) -> TransformStamped:
        """From the source at its time into the target at its time.

        Raises:
            TransformException: one of its kinds; the message says why there is none.
        """
        with self._lock:
            self._check("target_frame", target_frame)
            self._check("source_frame", source_frame)
            self._check("fixed_frame", fixed)
            first, _ = self._look_up(fixed, source_frame, _nanoseconds(source_time))
            second, when = self._look_up(target_frame, fixed, _nanoseconds(target_time))
        return _message(target_frame, source_frame, _compose(second, first), when)

    def _set(
        self, transform: TransformStamped, authority: str, kind: type[StaticCache | TimeCache]
    ) -> None:
        parent = transform.header.frame_id.removeprefix("/")
        child = transform.child_frame_id.removeprefix("/")
        where, turn = transform.transform.translation, transform.transform.rotation
        stored = Stored(
            _nanoseconds(transform.header.stamp),
            parent,
            (where.x, where.y, where.z),
            _through_matrix((turn.x, turn.y, turn.z, turn.w)),
        )
        problem = _problem(stored, child)
        if not problem:
            with self._lock:
                cache = self._caches.get(child)
                if not isinstance(cache, kind):
                    cache = StaticCache() if kind is StaticCache else TimeCache(self._duration)
                    self._caches[child] = cache
                self._known |= {parent, child}
                if not cache.insert(stored):
                    problem = "TF_OLD_DATA ignoring data from the past"
        if problem:
            get_logger("tf2").error(f'{problem}: frame "{child}", authority "{authority}"')

    def _check(self, argument: str, frame: str) -> None:
        if not frame:
            raise InvalidArgumentException(
                f"Invalid argument passed to lookupTransform argument {argument} in tf2 "
                "frame_ids cannot be empty"
            )
        if frame.startswith("/"):
            raise InvalidArgumentException(
                f'Invalid argument "{frame}" passed to lookupTransform argument {argument} in tf2 '
                "frame_ids cannot start with a '/' like: "
            )
        if frame not in self._known:
            raise LookupException(
                f'"{frame}" passed to lookupTransform argument {argument} does not exist. '
            )

    def _look_up(self, target: str, source: str, time: int) -> tuple[_Pose, int]:
        if target == source:
            # tf2: the latest of the frame where no time is asked for.
            cache = self._caches.get(target)
            return _IDENTITY, time or (cache.latest if cache else 0)
        time = time or self._latest_common(target, source)
        up, top, problem = self._climb(source, target, time)
        if top == target:
            return up[target], time
        down, meeting, second = self._climb(target, source, time, set(up))
        if meeting not in up:
            problem = problem or second
            if problem:
                raise ExtrapolationException(
                    f"{problem}, when looking up transform from frame [{source}] to frame "
                    f"[{target}]"
                )
            raise self._unconnected(target, source)
        return _compose(_inverse(down[meeting]), up[meeting]), time

    def _climb(
        self, start: str, goal: str, time: int, meetings: set[str] | None = None
    ) -> tuple[dict[str, _Pose], str, str]:
        """Poses of `start` in each of its ancestors, up to a goal, a meeting, or the top.

        The text says why it went no further, where that is for want of data at that time.
        """
        poses, frame = {start: _IDENTITY}, start
        for _ in range(_MAX_DEPTH):
            if frame == goal or (meetings is not None and frame in meetings):
                break
            cache = self._caches.get(frame)
            try:
                stored = cache.at(time) if cache else None
            except ExtrapolationException as error:
                return poses, frame, str(error)
            if stored is None:
                break
            poses[stored.parent] = _compose((stored.translation, stored.rotation), poses[frame])
            frame = stored.parent
        else:
            raise LookupException(
                "The tf tree is invalid because it contains a loop." + self.all_frames_as_yaml()
            )
        return poses, frame, ""

    def _latest_common(self, target: str, source: str) -> int:
        """The latest time at which every transform between the two is known; 0: all are static."""
        ways = {}
        for name in (source, target):
            way: list[str] = []
            frame = name
            while frame in self._caches and len(way) <= _MAX_DEPTH:
                way.append(frame)
                stored = self._caches[frame].at(0)
                if stored is None:
                    break
                frame = stored.parent
            ways[name] = [*way, frame]
        met = next((frame for frame in ways[source] if frame in ways[target]), None)
        if met is None:
            raise self._unconnected(target, source)
        between = [f for way in ways.values() for f in way[: way.index(met)]]
        times = [self._caches[frame].latest for frame in between]
        return min((time for time in times if time), default=0)

    @staticmethod
    def _unconnected(target: str, source: str) -> ConnectivityException:
        return ConnectivityException(
            f"Could not find a connection between '{target}' and '{source}' because they are not "
            "part of the same tree.Tf has two or more unconnected trees."
        )


def _tried(look_up: Any) -> tuple[bool, str]:
    try:
        look_up()
    except TransformException as error:
        return False, str(error)
    return True, ""


def _problem(stored: Stored, child: str) -> str:
    if child == stored.parent:
        return "TF_SELF_TRANSFORM: frame_id and child_frame_id are the same"
    if not child:
        return "TF_NO_CHILD_FRAME_ID: child_frame_id not set"
    if not stored.parent:
        return "TF_NO_FRAME_ID: frame_id not set"
    numbers = (*stored.translation, *stored.rotation)
    if any(number != number for number in numbers):
        return "TF_NAN_INPUT: a nan value in the transform"
    return ""


def _nanoseconds(time: Any) -> int:
    """Of an rclpy Time or of a message."""
    if hasattr(time, "nanoseconds"):
        return int(time.nanoseconds)
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def _message(target: str, source: str, pose: _Pose, when: int) -> TransformStamped:
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = target, source
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(when, 1_000_000_000)
    where, turn = message.transform.translation, message.transform.rotation
    where.x, where.y, where.z = pose[0]
    turn.x, turn.y, turn.z, turn.w = _through_matrix(pose[1])
    return message


def _through_matrix(q: Quaternion) -> Quaternion:
    """The quaternion that tf2 makes of one's matrix: of length 1, whatever length it had.

    NaN where it is 0 or not finite; of a length whose square overflows, no rotation.
    """
    square = sum(value * value for value in q)
    if square == math.inf and all(map(math.isfinite, q)):
        return _IDENTITY[1]
    if not (square and 0.0 < 2.0 / square < math.inf):
        return (math.nan,) * 4
    length = math.sqrt(square)
    x, y, z, w = (value / length for value in q)
    # The matrix does not tell q from -q: the greatest part comes out positive, w where it suffices.
    positive = w if w * w > 0.25 else max((x, y, z), key=abs)
    return (x, y, z, w) if positive > 0.0 else (-x, -y, -z, -w)


def _multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by + ay * bw + az * bx - ax * bz,
        aw * bz + az * bw + ax * by - ay * bx,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def _rotate(q: Quaternion, v: Vector) -> Vector:
    x, y, z, _ = _multiply(_multiply(q, (*v, 0.0)), (-q[0], -q[1], -q[2], q[3]))
    return (x, y, z)


def _compose(outer: _Pose, inner: _Pose) -> _Pose:
    if outer is _IDENTITY or inner is _IDENTITY:
        return inner if outer is _IDENTITY else outer
    (ax, ay, az), (bx, by, bz) = outer[0], _rotate(outer[1], inner[0])
    return (ax + bx, ay + by, az + bz), _multiply(outer[1], inner[1])


def _inverse(pose: _Pose) -> _Pose:
    if pose is _IDENTITY:
        return pose
    x, y, z, w = pose[1]
    back = (-x, -y, -z, w)
    dx, dy, dz = _rotate(back, pose[0])
    return (-dx, -dy, -dz), back
