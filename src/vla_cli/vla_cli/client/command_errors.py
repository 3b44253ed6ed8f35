"""How a command ends early."""

from __future__ import annotations

import signal
from types import FrameType


class CommandError(RuntimeError):
    """A command cannot do what it was asked; the message is one line with the remedy."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM; not an Exception, so that no handler of errors takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def raise_on_signals() -> None:
    """Turn the first SIGINT or SIGTERM into Interrupted; a second one is ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        ignore_signals()
        raise Interrupted(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """From here on the command ends by itself, and soon."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
