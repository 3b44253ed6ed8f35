"""Replay in real time or at a rate: the graph runs on its own timers, as on the robot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from vla_contract.stamps import NANOSECONDS
from vla_replay.bags import cdr_fields
from vla_replay.bags.blocks import Stored
from vla_replay.bags.message_codec import Codec
from vla_replay.play.period_timeline import GAP, PAUSE, Timeline
from vla_replay.play.player import Player
from vla_replay.play.topic_selection import CAMERA, COMMAND

CLOCK_PERIOD = 0.005  # s of wall time
TAIL = 0.5  # s of the bag's time after its last message
LATE = 0.05  # s behind the wall clock that is counted


class FreeRunningReplay:
    """Plays messages at their times. rate: seconds of the bag per second."""

    def __init__(
        self,
        player: Player,
        spin: Callable[[float], None],
        check: Callable[[], None],
        *,
        rate: float,
        command: str | None,
        timeline: Timeline,
    ) -> None:
        """timeline: checks the messages, and counts what is broken."""
        self._player = player
        self._spin = spin
        self._check = check
        self._rate = rate
        self._command = command
        self._timeline = timeline
        self._codec = Codec()
        self._begin = self._wall = 0.0
        self._first = self._shift = 0

    def run(self, messages: Iterable[Stored], roles: dict[str, str]) -> None:
        """Play them all."""
        self._wall = time.monotonic()
        segment = last = 0
        for message in messages:
            role = roles.get(message.topic)
            part = self._timeline.part(message, role) if role else None
            if role is None or part is None:
                continue
            if not self._first:
                # /clock of 0 would tell the nodes that there is no time yet.
                self._first = last = max(message.key.time, 1)
                self._player.answers.session.begin = self._first
                self._player.answers.recording = True
            silence = message.key.time - last
            if message.key.segment != segment:
                segment = message.key.segment
                self._shift = self._elapsed() - (message.key.time - self._first)
                self._timeline.notes.append("time jumps back in the bag: it goes on from there")
            elif silence > GAP:
                self._shift -= silence - PAUSE
                self._timeline.notes.append(
                    f"{silence / 1e9:.0f} s without any message are played as {PAUSE / 1e9:.0f} s"
                )
            last = message.key.time
            due = message.key.time + self._shift
            self._until(due - self._first)
            self._publish(role, part.data, part.stamp + self._shift, message.type)
        self._until(self._elapsed() + round(TAIL * NANOSECONDS))
        self._player.answers.recording = False

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._wall) * self._rate * NANOSECONDS)

    def _until(self, elapsed: int) -> None:
        """Keep the clock going until `elapsed` ns of the bag have passed."""
        while (left := elapsed - self._elapsed()) > 0:
            self._tick()
            self._spin(min(CLOCK_PERIOD, left / self._rate * 1e-9))
            self._check()
        if left < -LATE * NANOSECONDS * self._rate:
            self._player.answers.session.drops["(player): later than the bag's time"] += 1
        self._tick()
        self._spin(0.0)

    def _tick(self) -> None:
        self._player.clock(self._first + self._elapsed())
        if self._command is not None and self._elapsed() > 0:
            text, self._command = self._command, None
            self._player.command(text, self._player.answers.now)

    def _publish(self, role: str, data: bytes, stamp: int, kind: str) -> None:
        player = self._player
        if role == COMMAND:
            player.command(self._codec.command_text(kind, data), player.answers.now)
        elif role.startswith(CAMERA):
            self._timeline.images += 1
            player.image(role[len(CAMERA) :], data, stamp)
        else:
            player.state(role, data, stamp if kind in cdr_fields.STAMPED else 0)
