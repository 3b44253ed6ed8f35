"""The transforms of the last seconds, and the newest one between two frames."""

from __future__ import annotations

import bisect
import math
import threading
from typing import Any, NamedTuple

from geometry_msgs.msg import TransformStamped
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    LookupException,
    TransformException,
)

_Vector = tuple[float, float, float]
_Quaternion = tuple[float, float, float, float]  # x, y, z, w
_JUMP_BACK = JumpThreshold(
    min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True
)


class _Link(NamedTuple):
    """Takes points of a child frame into its parent's. stamp: ns; None: it always holds."""

    stamp: int | None
    parent: str
    translation: _Vector
    rotation: _Quaternion


class Buffer:
    """Transforms between frames; safe to use from several threads."""

    def __init__(self, cache_time: Duration | None = None, node: Any = None) -> None:
        """node: whose clock tells of jumps back, after which only static transforms stay."""
        self._kept = Duration(seconds=10).nanoseconds if not cache_time else cache_time.nanoseconds
        self._links: dict[str, list[_Link]] = {}  # by child, the oldest first
        self._known: set[str] = set()
        self._lock = threading.RLock()
        if node is not None:
            self.jump_handle = node.get_clock().create_jump_callback(
                _JUMP_BACK, post_callback=lambda _: self.clear()
            )

    def clear(self) -> None:
        """Forget all but static transforms."""
        with self._lock:
            self._links = {c: links for c, links in self._links.items() if links[0].stamp is None}

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform that holds at its stamp; one that is none is logged and left out."""
        self._insert(transform, Time.from_msg(transform.header.stamp).nanoseconds, authority)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform that always holds; one that is none is logged and left out."""
        self._insert(transform, None, authority)

    def can_transform(self, target_frame: str, source_frame: str, time: Time) -> bool:
        """Return whether there is a newest transform between two frames."""
        try:
            self.lookup_transform(target_frame, source_frame, time)
        except TransformException:
            return False
        return True

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time
    ) -> TransformStamped:
        """Return the newest transform that takes points in `source_frame` into `target_frame`.

        It holds at the newest time that all moving frames between the two have in common.

        Raises:
            TransformException: one of its kinds; the message says why there is none.
            NotImplementedError: a time other than 0, the newest, is asked for.
        """
        if time.nanoseconds:
            raise NotImplementedError(f"lookup at {time}; accepted here: Time(), the newest")
        with self._lock:
            up, down = self._path(source_frame), self._path(target_frame)
            meeting = next((frame for frame in up if frame in down), None)
            if meeting is None:
                raise ConnectivityException(
                    f"Could not find a connection between '{target_frame}' and '{source_frame}' "
                    "because they are not part of the same tree."
                )
            up, down = up[: up.index(meeting)], down[: down.index(meeting)]
            newest = [self._links[frame][-1].stamp for frame in up + down]
            stamp = min((each for each in newest if each is not None), default=0)
            translation, rotation = self._chain(up, stamp)
            if down:
                origin, (x, y, z, w) = self._chain(down, stamp)
                back = (-x, -y, -z, w)
                translation = _rotate(back, _sum(translation, _scaled(origin, -1.0)))
                rotation = _product(back, rotation)
        return _message(target_frame, source_frame, stamp, translation, rotation)

    def _insert(self, transform: TransformStamped, stamp: int | None, authority: str) -> None:
        parent = transform.header.frame_id.removeprefix("/")
        child = transform.child_frame_id.removeprefix("/")
        where, turn = transform.transform.translation, transform.transform.rotation
        rotation = (turn.x, turn.y, turn.z, turn.w)
        length = math.sqrt(sum(value * value for value in rotation))
        if not (parent and child and parent != child):
            problem = "accepted: two different frames"
        elif math.isnan(where.x + where.y + where.z) or not 0.0 < length < math.inf:
            problem = "accepted: numbers, and a rotation that is not 0"
        else:
            x, y, z, w = (value / length for value in rotation)
            link = _Link(stamp, parent, (where.x, where.y, where.z), (x, y, z, w))
            with self._lock:
                self._known |= {parent, child}
                self._keep(child, link)
            return
        get_logger("tf2").error(
            f'transform "{parent}" ← "{child}" of {authority} is left out; {problem}'
        )

    def _keep(self, child: str, link: _Link) -> None:
        if link.stamp is None:
            self._links[child] = [link]
            return
        links = [
            each for each in self._links.get(child, ()) if each.stamp not in (None, link.stamp)
        ]
        if links and links[-1].parent != link.parent:
            if _stamp(links[-1]) > link.stamp:
                return  # the newest parent counts
            links = []
        bisect.insort(links, link, key=_stamp)
        oldest = _stamp(links[-1]) - self._kept
        self._links[child] = [each for each in links if _stamp(each) >= oldest]

    def _path(self, frame: str) -> list[str]:
        """Return a frame and all above it, up to the root of its tree."""
        path = [frame]
        if frame not in self._known:
            raise LookupException(f'"{frame}" does not exist')
        while path[-1] in self._links:
            parent = self._links[path[-1]][-1].parent
            if parent in path:
                raise LookupException(f"The tf tree contains a loop: {' ← '.join([parent, *path])}")
            path.append(parent)
        return path

    def _chain(self, frames: list[str], stamp: int) -> tuple[_Vector, _Quaternion]:
        """Return the transform of the first frame into the parent of the last."""
        translation, rotation = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
        for frame in frames:
            link = _at(self._links[frame], stamp, frame)
            translation = _sum(link.translation, _rotate(link.rotation, translation))
            rotation = _product(link.rotation, rotation)
        return translation, rotation


def _stamp(link: _Link) -> int:
    return link.stamp or 0


def _at(links: list[_Link], stamp: int, frame: str) -> _Link:
    """Return the link at a time that is none after the newest, interpolated between two."""
    if links[0].stamp is None:
        return links[0]
    index = bisect.bisect_right(links, stamp, key=_stamp)
    if not index:
        raise ExtrapolationException(
            f"Lookup of '{frame}' would require extrapolation into the past. Requested time "
            f"{stamp / 1e9:.6f} but the earliest data is at time {_stamp(links[0]) / 1e9:.6f}"
        )
    older = links[index - 1]
    if older.stamp == stamp:
        return older
    newer = links[index]
    share = (stamp - _stamp(older)) / (_stamp(newer) - _stamp(older))
    where = _sum(_scaled(older.translation, 1.0 - share), _scaled(newer.translation, share))
    return _Link(stamp, older.parent, where, _slerp(older.rotation, newer.rotation, share))


def _slerp(a: _Quaternion, b: _Quaternion, share: float) -> _Quaternion:
    """Return the rotation between two, on the shorter way at a constant rate."""
    cosine = sum(p * q for p, q in zip(a, b, strict=True))
    angle = math.acos(min(1.0, abs(cosine)))
    if angle == 0.0:
        return a
    first, second = math.sin((1.0 - share) * angle), math.sin(share * angle)
    second = math.copysign(second, cosine)
    x, y, z, w = ((first * p + second * q) / math.sin(angle) for p, q in zip(a, b, strict=True))
    return (x, y, z, w)


def _product(a: _Quaternion, b: _Quaternion) -> _Quaternion:
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by + ay * bw + az * bx - ax * bz,
        aw * bz + az * bw + ax * by - ay * bx,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def _rotate(rotation: _Quaternion, vector: _Vector) -> _Vector:
    x, y, z, w = rotation
    return _product(_product(rotation, (*vector, 0.0)), (-x, -y, -z, w))[:3]


def _sum(a: _Vector, b: _Vector) -> _Vector:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def _scaled(vector: _Vector, factor: float) -> _Vector:
    return (vector[0] * factor, vector[1] * factor, vector[2] * factor)


def _message(
    target: str, source: str, stamp: int, translation: _Vector, rotation: _Quaternion
) -> TransformStamped:
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = target, source
    message.header.stamp = Time(nanoseconds=stamp).to_msg()
    where, turn = message.transform.translation, message.transform.rotation
    where.x, where.y, where.z = translation
    turn.x, turn.y, turn.z, turn.w = rotation
    return message
