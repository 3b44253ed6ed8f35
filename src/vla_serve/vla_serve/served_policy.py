"""What a server asks of a policy, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Request = Mapping[str, Any]
Reply = dict[str, Any]


class RequestError(ValueError):
    """A request that cannot be answered; one line that says what is wrong and what is accepted."""


class ServedPolicy(Protocol):
    """Answers requests, several at a time; called by one thread at a time.

    metadata: what clients are greeted with. Its entries: server, policy, features (by key: dtype,
    shape and, of vectors, names, as LeRobot's datasets have them), chunk_size (rows), fps (rows per
    s), units of the actions. batches: whether several requests cost less than each by itself; else
    they are answered one by one, the first without waiting for the last.
    """

    metadata: Mapping[str, Any]
    batches: bool

    def answer(self, requests: Sequence[Request]) -> Sequence[Reply | RequestError]:
        """One reply, or why there is none, for each request."""


def first_line(error: BaseException, length: int = 300) -> str:
    """An error's text in one line, or its type where it has none."""
    return " ".join(str(error).split())[:length] or type(error).__name__
