"""The set of live cameras, matched by message_filters' approximate time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from message_filters import ApproximateTimeSynchronizer, SimpleFilter
from vla_perception.observe.stamped_streams import DropCounter, PendingFrames
from vla_perception.perception_conversions import Frame


class Matcher:
    """One frame of each camera, as near in time as they come.

    message_filters holds its lock while it calls back and does not release it when the callback
    raises: the callback here only enqueues. Rebuilding makes everything anew, the lock included.

    An image waits for those of the other cameras only: with one camera the set is complete at
    once.
    """

    def __init__(self, queue_size: int, slop: float, drops: DropCounter) -> None:
        self._queue_size = queue_size
        self._slop = slop
        self._drops = drops
        self._matched: deque[tuple[Frame, ...]] = deque()
        self._inputs: dict[str, SimpleFilter] = {}
        self._pending = PendingFrames((), queue_size, drops)

    def rebuild(self, cameras: Sequence[str]) -> None:
        """Match these cameras from now on, with empty buffers."""
        self._pending.clear()
        self._matched.clear()
        self._pending = PendingFrames(cameras, self._queue_size, self._drops)
        self._inputs = {camera: SimpleFilter() for camera in cameras}
        if cameras:
            synchronizer = ApproximateTimeSynchronizer(
                list(self._inputs.values()), self._queue_size, self._slop
            )
            synchronizer.registerCallback(self._enqueue)

    def add(self, frame: Frame) -> list[dict[str, Frame]]:
        """Take a frame; the sets that it completes, camera → frame. Other cameras are ignored."""
        source = self._inputs.get(frame.camera)
        if source is None:
            return []
        self._pending.add(frame.camera, frame.stamp)
        source.signalMessage(frame)
        sets = []
        while self._matched:
            frames = {each.camera: each for each in self._matched.popleft()}
            if self._pending.match({camera: each.stamp for camera, each in frames.items()}):
                sets.append(frames)
        return sets

    def _enqueue(self, *frames: Frame) -> None:
        self._matched.append(frames)
