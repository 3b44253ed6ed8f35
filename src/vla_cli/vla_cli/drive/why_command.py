"""`vla why`: why the robot stopped, from the recording that the safety node made of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vla_cli.client import domains, options
from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import Graph
from vla_cli.drive.announced_recording import STATUS, STOPS, announced_recording
from vla_cli.drive.told_once import fold
from vla_contract import message_enums, topics
from vla_contract.message_enums import State, Verdict
from vla_interfaces.msg import SafetyStatus
from vla_replay.bags.bag_files import is_bag
from vla_replay.bags.bag_reader import Bag, open_bag
from vla_replay.bags.bag_storage import BagError

SAFE_ACTION = topics.TYPES[topics.SAFE_ACTION]
FAULT = topics.TYPES[topics.FAULT]
CHUNK = topics.TYPES[topics.ACTION_CHUNK]
BOOL = topics.TYPES[topics.EMERGENCY_STOP]
STRING = topics.TYPES[topics.COMMAND]
TOLD = (SAFE_ACTION, FAULT, STATUS, CHUNK, BOOL, STRING)
ROW = 0.5  # s between two rows of the table


@dataclass
class Story:
    """What a recording tells.

    stopped_at: node clock, ns; wall: the same moment, ns. rows: (time, text), s, 0 is the stop.
    """

    bag: Path
    state: str
    cause: str
    stopped_at: int
    wall: int
    rows: list[tuple[float, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """As it is printed."""
        when = datetime.fromtimestamp(self.wall * 1e-9, timezone.utc)
        lines = [
            f"{self.state}: {self.cause}",
            f"at {when:%Y-%m-%d %H:%M:%S} UTC; recording: {self.bag}",
            "",
        ]
        lines += [f"{time:+8.2f} s  {text}" for time, text in self.rows]
        lines += ["", *(f"{count:6d}  {topic}" for topic, count in sorted(self.counts.items()))]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """0: told; CommandError where there is no recording."""
    parser = options.client("why", "Tell why the robot stopped, from the recording of it.")
    parser.add_argument("bag", nargs="?", type=Path, help="a recording (default: the newest one)")
    parser.add_argument("--last", type=float, default=5.0, help="seconds before the stop")
    chosen = parser.parse_args(arguments)
    bag = chosen.bag
    if bag is None and domains.in_use(domains.current()):
        with Graph(chosen.namespace) as graph:
            bag = announced_recording(graph)
    print(read(bag or newest(), chosen.last).text())
    return 0


def newest() -> Path:
    """The newest recording of this user.

    Raises:
        CommandError: there is none.
    """
    home = os.environ.get("ROS_HOME") or os.path.join(os.path.expanduser("~"), ".ros")
    folder = Path(home) / "vla_safety" / "recordings"
    found = [path for path in folder.glob("*/[0-9]*_*") if path.is_dir() and is_bag(path)]
    if not found:
        raise CommandError(f"no recording of a stop in {folder}; accepted: ./vla why BAG")
    return max(found, key=lambda path: path.name)


def read(bag: Path, last: float) -> Story:
    """The story of one recording, from `last` s before the stop on.

    Raises:
        CommandError: it cannot be read, or is no recording of a stop.
    """
    try:
        with open_bag(bag) as opened:
            return _story(bag, opened, last)
    except BagError as error:
        raise CommandError(f"recording {bag} cannot be read: {error}") from error


def _story(path: Path, bag: Bag, last: float) -> Story:
    wanted = [topic.name for topic in bag.topics.values() if topic.type in TOLD]
    messages = [
        (stored, message)
        for stored in bag.messages(wanted)
        if (message := bag.read(stored)) is not None
    ]
    story = _from_notes(path, bag.notes) or _from_status(path, messages)
    if story is None:
        raise CommandError(f"{path} is no recording of a stop; accepted: one by safety")
    story.counts = {topic.name: topic.count for topic in bag.topics.values()}
    story.notes += bag.losses.told()
    events = _Events()
    rows = []
    for stored, message in messages:
        time = (stored.key.time - story.stopped_at) * 1e-9
        for text in events.rows_of(stored.type, stored.topic, message, time):
            if time >= -last:
                rows.append((time, text))
    story.rows = fold(rows, ("fault ",))
    return story


def _from_notes(path: Path, notes: dict[str, str]) -> Story | None:
    """What the safety node wrote beside it; None where that is missing, or damaged."""
    try:
        times = int(notes["stopped_at"]), int(notes["wall_time"])
        return Story(path, notes["state"], notes["cause"], *times)
    except (KeyError, ValueError):
        return None


def _from_status(path: Path, messages: list[tuple[Any, Any]]) -> Story | None:
    """Of a recording without its metadata.yaml: the last stop that it tells of."""
    story, state = None, SafetyStatus.STATE_INACTIVE
    for stored, message in messages:
        if stored.type != STATUS:
            continue
        if message.state in STOPS and message.state > state:
            name = State.words_of(message.state).upper()
            story = Story(path, name, message.cause, stored.key.time, stored.key.time)
            story.notes.append("metadata.yaml is missing: told from the last stop in the messages")
        state = message.state
    return story


class _Events:
    """Messages → rows: what changed, and the motion every half second."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, int], int] = {}
        self._stopped: dict[str, bool] = {}
        self._state = ""
        self._command = 0
        self._due = -1e9

    def rows_of(self, kind: str, topic: str, message: Any, time: float) -> Iterator[str]:
        """Rows of one message."""
        if kind == SAFE_ACTION:
            yield from self._motion(message, time)
        elif kind == STATUS:
            state = f"{State.words_of(message.state)}: {message.cause}"
            if state != self._state:
                self._state = state
                yield f"state        {state.rstrip(': ')}"
        elif kind == FAULT:
            key = (message.source, message.kind)
            if self._levels.get(key, 0) != message.level:
                self._levels[key] = message.level
                yield f"fault        {message_enums.fault_text(message).rstrip(': ')}"
        elif kind == BOOL and self._stopped.get(topic) != message.data:
            self._stopped[topic] = message.data
            yield f"{topic}  {str(message.data).lower()}"
        elif kind == STRING:
            yield f'{topic}  "{message.data}"'
        elif kind == CHUNK and message.command_id != self._command:
            self._command = message.command_id
            yield f'chunk        for "{message.command}"' if message.command_id else "chunk  empty"

    def _motion(self, message: Any, time: float) -> Iterator[str]:
        fired = [message_enums.violation_text(violation) for violation in message.violations]
        if time < self._due and not (fired and time >= self._due - ROW / 2):
            return
        self._due = time + ROW
        safe = " ".join(
            f"{name} {value:+.3f}"
            for name, value in zip(message.dimension_names, message.safe, strict=False)
        )
        verdict = Verdict.words_of(message.verdict)
        hard = " emergency" if message.emergency else ""
        yield f"{verdict + hard:<12} {safe}" + (f"  limits: {'; '.join(fired)}" if fired else "")
