"""Streams of stamped messages: what is refused, why, and how often."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Sequence

# So many messages in a row behind the newest one are a source that has started anew.
RESTART_COUNT = 5


class Drop(enum.Enum):
    """Why a message was dropped, or what was wrong with one that was mended."""

    ENCODING = "wrong_encoding"
    SIZE = "zero_or_huge_size"
    STEP = "wrong_step"
    LENGTH = "wrong_data_length"
    CORRUPT = "corrupt"
    ZERO_STAMP = "zero_stamp"  # mended: the time of arrival
    FUTURE = "future_stamp"
    DUPLICATE = "duplicate_stamp"
    OUT_OF_ORDER = "out_of_order"
    UNMATCHED = "unmatched"  # a newer one made a set first
    QUEUE_FULL = "queue_full"  # waited in vain for the other cameras
    NAMES = "joint_names"
    NOT_FINITE = "not_finite"
    INVALID = "invalid_message"
    TOO_OLD = "too_old"
    TOO_FAST = "too_fast"
    BLACK = "black"
    SATURATED = "saturated"
    UNIFORM = "uniform"
    HALF = "half_image"
    FROZEN = "frozen"
    CHANGED_SIZE = "changed_size"


class Refused(ValueError):
    """A message that cannot be used: the reason for the count, and a sentence for people."""

    def __init__(self, reason: Drop, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DropCounter:
    """Counts drops by stream and reason."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Drop]] = Counter()

    def count(self, stream: str, reason: Drop, number: int = 1) -> bool:
        """Count; True for the first one of this stream and reason, which deserves a log line."""
        first = self._counts[stream, reason] == 0 and number > 0
        self._counts[stream, reason] += number
        return first

    def values(self) -> dict[str, int]:
        """`dropped.<stream>.<reason>` → count, for diagnostics."""
        counted = sorted((s, r.value, n) for (s, r), n in self._counts.items() if n)
        return {f"dropped.{stream}.{reason}": number for stream, reason, number in counted}


class StampGate:
    """Lets the stamps of one stream pass where they rise and do not lie ahead of the clock.

    future_tolerance: ns; None: the clock is no authority (lock-step, where the stamps are it).
    """

    def __init__(self, future_tolerance: int | None) -> None:
        self._tolerance = future_tolerance
        self._last = -1
        self._behind: list[int] = []

    def check(self, stamp: int, now: int) -> None:
        """Accept a stamp, ns, or refuse it.

        Raises:
            Refused: negative, in the future, seen before, or older than the newest one.
        """
        if stamp < 0:
            raise Refused(Drop.INVALID, f"stamp is {stamp * 1e-9:.3f} s; accepted: above 0")
        # A clock that has not started (0) cannot tell.
        if self._tolerance is not None and now > 0 and stamp > now + self._tolerance:
            ahead = (stamp - now) * 1e-9
            raise Refused(Drop.FUTURE, f"stamp is {ahead:.3f} s ahead of the node's clock")
        if stamp == self._last:
            raise Refused(Drop.DUPLICATE, f"stamp {stamp * 1e-9:.6f} s came twice")
        if stamp < self._last and not self._restarted(stamp):
            behind = (self._last - stamp) * 1e-9
            raise Refused(Drop.OUT_OF_ORDER, f"stamp is {behind:.3f} s older than the newest one")
        self._behind.clear()
        self._last = stamp

    def reset(self) -> None:
        """Forget what was seen: the clock jumped."""
        self._last = -1
        self._behind.clear()

    def _restarted(self, stamp: int) -> bool:
        if self._tolerance is None or (self._behind and stamp <= self._behind[-1]):
            self._behind.clear()
        self._behind.append(stamp)
        return self._tolerance is not None and len(self._behind) >= RESTART_COUNT


class PendingFrames:
    """What the synchroniser still holds of each camera, to count what never made a set.

    The synchroniser drops the oldest in silence; this keeps the same book beside it.
    """

    def __init__(self, cameras: Sequence[str], queue_size: int, drops: DropCounter) -> None:
        self._queues: dict[str, deque[int]] = {camera: deque() for camera in cameras}
        self._size = queue_size
        self._drops = drops

    def add(self, camera: str, stamp: int) -> None:
        """An image goes into the synchroniser."""
        queue = self._queues[camera]
        queue.append(stamp)
        if len(queue) > self._size:
            queue.popleft()
            self._drops.count(camera, Drop.QUEUE_FULL)

    def match(self, stamps: dict[str, int]) -> bool:
        """A set came out; False where part of it is older than a set that came out before."""
        current = all(stamp in self._queues[camera] for camera, stamp in stamps.items())
        for camera, stamp in stamps.items():
            queue = self._queues[camera]
            while queue and queue[0] <= stamp:
                if queue.popleft() != stamp or not current:
                    self._drops.count(camera, Drop.UNMATCHED)
        return current

    def clear(self) -> None:
        """The synchroniser was made anew: what it held is gone."""
        for camera, queue in self._queues.items():
            self._drops.count(camera, Drop.UNMATCHED, len(queue))
            queue.clear()


class ClockEvent(enum.Enum):
    """What the node's clock did since the last look at it."""

    RUNS = "runs"
    NOT_STARTED = "not started"  # use_sim_time, and no /clock yet
    JUMPED_BACK = "jumped back"


class ClockWatch:
    """Sees a clock that has not started or goes back."""

    def __init__(self) -> None:
        self._last = 0

    def update(self, now: int) -> ClockEvent:
        """Look at the clock; now in ns."""
        last, self._last = self._last, now
        if now == 0:
            return ClockEvent.JUMPED_BACK if last else ClockEvent.NOT_STARTED
        return ClockEvent.JUMPED_BACK if now < last else ClockEvent.RUNS
