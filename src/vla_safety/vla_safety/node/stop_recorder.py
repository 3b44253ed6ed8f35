"""Why did it stop: the last seconds of inputs and outputs, written as a small bag at every stop.

A ring buffer holds what came and went, serialised; at a stop, and a little after it, it is handed
to a thread that writes it. The control loop only appends to a deque: it never waits for a disk,
and whatever goes wrong there is a counter and one line. Free of ROS.
"""

from __future__ import annotations

import contextlib
import queue
import re
import shutil
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from vla_contract import topics
from vla_contract.recording import BagWriter, RecordingError, prepare
from vla_contract.stamps import NANOSECONDS

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z_\w+")
_MAX_WORDS = 60  # letters of the cause in a name
_BATCH = 8  # messages written before the thread lets the control loop in
_PAUSE = 0.0005  # s
LARGE = 65536  # bytes of a message; larger ones, such as point clouds, crowd nothing else out
# What every safety node records: prepared before it moves anything.
_USUAL = tuple(
    f"vla_interfaces/msg/{name}" for name in ("ActionChunk", "Fault", "SafeAction", "SafetyStatus")
) + ("sensor_msgs/msg/JointState", "sensor_msgs/msg/LaserScan", "nav_msgs/msg/Odometry")


@dataclass(frozen=True)
class RecorderSettings:
    """What is recorded and how much of it is kept.

    folder: of the recordings; made when the first one is written. duration, tail: s before and
    after a stop. buffer_bytes: of serialised messages in memory, half of them for large ones.
    large_period: least time between two large messages of one topic, s; 0: every one. keep,
    keep_bytes: recordings, and their size in all, beyond which the oldest are deleted.
    """

    folder: Path
    duration: float = 10.0
    tail: float = 1.0
    buffer_bytes: int = 64 * 1024**2
    large_period: float = 1.0
    keep: int = 50
    keep_bytes: int = 1024**3


@dataclass(frozen=True)
class Entry:
    """One message in the ring: when it came (steady, and node clock, ns), and what it was."""

    steady: int
    stamp: int
    topic: str
    type: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """One recording that was written, or why it was not.

    folder: of the bag; empty where there is none. problem: one line; empty where there is none.
    """

    folder: str = ""
    problem: str = ""


class Ring:
    """The newest messages: bounded in time and in bytes; the oldest go first."""

    def __init__(self, duration: int, limit: int) -> None:
        """duration: ns. limit: bytes."""
        self.dropped = 0  # for want of room; not those that grew too old
        self._duration = duration
        self._limit = limit
        self._bytes = 0
        self._entries: deque[Entry] = deque()

    def add(self, entry: Entry) -> None:
        """Append; a message that is larger than the whole ring is dropped itself."""
        size = len(entry.data)
        if size > self._limit:
            self.dropped += 1
            return
        self._entries.append(entry)
        self._bytes += size
        while self._bytes > self._limit:
            self._drop_oldest()
            self.dropped += 1
        self.expire(entry.steady)

    def expire(self, steady: int) -> None:
        """Let go of what is too old."""
        while self._entries and steady - self._entries[0].steady > self._duration:
            self._drop_oldest()

    def snapshot(self) -> list[Entry]:
        """What is there, oldest first."""
        return list(self._entries)

    @property
    def span(self) -> int:
        """Time from the oldest to the newest, ns."""
        return self._entries[-1].steady - self._entries[0].steady if self._entries else 0

    def _drop_oldest(self) -> None:
        self._bytes -= len(self._entries.popleft().data)


@dataclass(frozen=True)
class _Stop:
    state: str
    cause: str
    stamp: int
    steady: int
    wall: int  # ns; a simulated clock begins at 0 in every run and names no day


class StopRecorder:
    """Feeds the ring and hands a recording over when a stop and its tail are in it.

    Every method is quick and raises nothing; all but `close` are for the control loop.

    Attributes:
        folder: the last recording that was written; empty while there is none.
        counters: what was dropped and what failed.
    """

    def __init__(self, settings: RecorderSettings) -> None:
        """Start the thread; nothing is written before the first stop. Takes its time."""
        for name in _USUAL:
            prepare(name)
        self.folder = ""
        self.counters: Counter[str] = Counter()
        self._tail = round(settings.tail * NANOSECONDS)
        duration = round((settings.duration + settings.tail) * NANOSECONDS)
        self._ring = Ring(duration, settings.buffer_bytes // 2)
        self._large = Ring(duration, settings.buffer_bytes // 2)
        self._large_period = round(settings.large_period * NANOSECONDS)
        self._large_at: dict[str, int] = {}  # topic → steady
        self._stop: _Stop | None = None
        self._jobs: queue.Queue[tuple[_Stop, list[Entry]] | None] = queue.Queue(maxsize=2)
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(settings, self._jobs, self._outcomes), name="recorder", daemon=True
        )
        self._thread.start()

    def record(self, topic: str, type_name: str, data: bytes, stamp: int, steady: int) -> None:
        """A message came or went.

        Args:
            topic: full name. type_name: e.g. "std_msgs/msg/Bool". data: serialised.
            stamp: node clock, ns. steady: ns.
        """
        ring = self._ring
        if len(data) > LARGE:
            last = self._large_at.get(topic)
            if last is not None and steady - last < self._large_period:
                return
            ring, self._large_at[topic] = self._large, steady
        ring.add(Entry(steady, stamp, topic, type_name, data))

    @property
    def reach(self) -> float:
        """Time that a recording of a stop now would reach back to, s; of large messages less."""
        return self._ring.span / NANOSECONDS

    def stopped(self, state: str, cause: str, stamp: int, steady: int) -> None:
        """The robot was stopped; one more stop within the tail is part of the same recording.

        Args:
            state: the state entered, e.g. "STOPPED". cause: in plain words.
            stamp: node clock, ns.
        """
        if self._stop is None:
            self._stop = _Stop(state, cause, stamp, steady, time.time_ns())

    def poll(self, steady: int) -> Outcome | None:
        """Call once in every period: starts what is due, and tells what has ended since."""
        if self._stop is not None and steady - self._stop.steady >= self._tail:
            self._hand_over()
        if dropped := self._ring.dropped + self._large.dropped:
            self.counters["dropped"] = dropped
        try:
            outcome = self._outcomes.get_nowait()
        except queue.Empty:
            return None
        self.folder = outcome.folder or self.folder
        if outcome.problem:
            self.counters["failed"] += 1
        return outcome

    def close(self, timeout: float = 5.0) -> None:
        """Write what is pending and end the thread; waits for at most `timeout` s."""
        if self._stop is not None:
            self._hand_over()
        with contextlib.suppress(queue.Full):
            self._jobs.put(None, timeout=timeout)
        self._thread.join(timeout)

    def _hand_over(self) -> None:
        stop, self._stop = self._stop, None
        assert stop is not None
        entries = []
        for ring in (self._ring, self._large):
            ring.expire(stop.steady + self._tail)
            entries += ring.snapshot()
        try:
            self._jobs.put_nowait((stop, sorted(entries, key=lambda entry: entry.steady)))
        except queue.Full:
            self.counters["skipped"] += 1  # the disk is slower than the stops


def _work(
    settings: RecorderSettings,
    jobs: queue.Queue[tuple[_Stop, list[Entry]] | None],
    outcomes: queue.SimpleQueue[Outcome],
) -> None:
    while (job := jobs.get()) is not None:
        try:
            outcomes.put(Outcome(folder=str(_write(settings, *job))))
        except Exception as error:  # whatever it is, the loop must hear of it and go on
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            outcomes.put(Outcome(problem=f"stop not recorded: {reason or type(error).__name__}"))


def _write(settings: RecorderSettings, stop: _Stop, entries: list[Entry]) -> Path:
    """Write one recording under a hidden name first, so that what has its name is whole."""
    name = recording_name(stop.state, stop.cause, stop.wall)
    folder = settings.folder / name
    scratch = settings.folder / f".{name}"
    settings.folder.mkdir(parents=True, exist_ok=True)
    make_room(settings.folder, settings.keep - 1, settings.keep_bytes)
    notes = {"state": stop.state, "cause": stop.cause, "stopped_at": str(stop.stamp)}
    notes["wall_time"] = str(stop.wall)
    try:
        with BagWriter(scratch / name, notes) as bag:
            skipped = _write_entries(bag, entries)
        scratch.joinpath(name).rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if skipped:
        raise RecordingError(f"{folder} lacks {skipped}, whose definitions are not installed")
    return folder


def _write_entries(bag: BagWriter, entries: list[Entry]) -> str:
    """Write them; the names of the types that are not installed, or an empty text."""
    skipped: set[str] = set()
    for number, entry in enumerate(entries):
        if number % _BATCH == 0:
            time.sleep(_PAUSE)
        if not bag.has(entry.topic) and entry.type not in skipped:
            try:
                bag.add_topic(entry.topic, entry.type, qos_of(entry.topic))
            except RecordingError:
                skipped.add(entry.type)
        if entry.type not in skipped:
            bag.write(entry.topic, entry.data, entry.stamp)
    return ", ".join(sorted(skipped))


def qos_of(topic: str) -> topics.Qos:
    """Row of the QoS table for a full name; a robot's own topics are commands to it."""
    return topics.QOS.get(topic.rsplit("/", 1)[-1], topics.QOS[topics.ROBOT_COMMAND])


def recording_name(state: str, cause: str, wall: int) -> str:
    """Time (UTC) and cause, e.g. 20260102T030405.678Z_STOPPED_the_emergency_stop_is_pressed."""
    seconds, rest = divmod(max(0, wall), NANOSECONDS)
    when = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y%m%dT%H%M%S")
    words = re.sub(r"[^A-Za-z0-9]+", "_", f"{state} {cause}").strip("_")[:_MAX_WORDS]
    return f"{when}.{rest // 1_000_000:03d}Z_{words.rstrip('_') or 'stop'}"


def make_room(folder: Path, keep: int, keep_bytes: int) -> None:
    """Delete the oldest recordings beyond a number and a size, and what a crash left behind.

    Only what carries a recording's name is touched. The newest stays, whatever its size.
    """
    for scratch in folder.iterdir():
        if scratch.name.startswith(".") and _NAME.fullmatch(scratch.name[1:]):
            shutil.rmtree(scratch, ignore_errors=True)
    recordings = sorted(p for p in folder.iterdir() if _NAME.fullmatch(p.name) and p.is_dir())
    sizes = {path: _size(path) for path in recordings}
    while len(recordings) > max(0, keep) or (
        len(recordings) > 1 and sum(sizes[path] for path in recordings) > keep_bytes
    ):
        shutil.rmtree(recordings.pop(0), ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
