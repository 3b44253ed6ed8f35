"""What a page may send: each message is read into a checked request, or refused in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_MESSAGE = 4096  # bytes
LONGEST_COMMAND = 200  # letters
LONGEST_NOTE = 500
MOST_CAMERAS = 16


class RequestError(ValueError):
    """A message that is none; what is wrong, and what is accepted."""


@dataclass(frozen=True)
class Request:
    """A message of a page: its kind, its number (0: no answer is wanted) and its fields."""

    kind: str
    number: int
    fields: dict[str, Any]


def _text(longest: int, least: int = 1) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise RequestError("a text")
        text = value.strip()
        if not least <= len(text) <= longest or not (text.isprintable() or not text):
            raise RequestError(f"{least} to {longest} printable letters")
        return text

    return check


def _number(low: float, high: float) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RequestError(f"a number from {low:g} to {high:g}")
        if not low <= value <= high:  # also where it is no number
            raise RequestError(f"a number from {low:g} to {high:g}")
        return float(value)

    return check


def _truth(value: Any) -> Any:
    if not isinstance(value, bool):
        raise RequestError("true or false")
    return value


def _choice(*accepted: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in accepted:
            raise RequestError(", ".join(accepted))
        return value

    return check


def _cameras(value: Any) -> Any:
    if (
        not isinstance(value, list)
        or len(value) > MOST_CAMERAS
        or not all(isinstance(each, str) and len(each) <= 100 for each in value)
    ):
        raise RequestError(f"a list of at most {MOST_CAMERAS} names")
    return value


def _twist(value: Any) -> Any:
    if (
        not isinstance(value, list)
        or len(value) != 6
        or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in value)
        or not all(map(math.isfinite, value))
    ):
        raise RequestError("six finite numbers")
    return [float(v) for v in value]


# Kind → its fields, and what checks each.
KINDS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "watch": {"cameras": _cameras, "plot": _truth},
    "shown": {"camera": _text(100), "sequence": _number(0, 2**53)},
    "control": {"take": _truth},
    "command": {"text": _text(LONGEST_COMMAND)},
    "stop": {},
    "reset": {},
    "arm": {"on": _truth},
    "shadow": {"on": _truth},
    "speed": {"scale": _number(0.0, 1.0)},
    "takeover": {"on": _truth},
    "drive": {"twist": _twist, "at": _number(0.0, 1e12)},
    "episode": {
        "action": _choice("start", "success", "failure", "discard"),
        "note": _text(LONGEST_NOTE, 0),
    },
    "pair": {"role": _choice("viewer", "operator")},
}


def read_request(text: str) -> Request:
    """The request that a message is.

    Raises:
        RequestError: it is none; the message says what is accepted.
    """
    if len(text.encode("utf-8", "replace")) > LONGEST_MESSAGE:
        raise RequestError(f"the message is too long; accepted: {LONGEST_MESSAGE} bytes")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError("the message is no JSON; accepted: an object with a kind") from error
    if not isinstance(data, dict) or not isinstance(kind := data.pop("kind", None), str):
        raise RequestError("the message has no kind; accepted: an object with a kind")
    if kind not in KINDS:
        raise RequestError(f"kind {kind[:40]!r}; accepted: {', '.join(KINDS)}")
    number = data.pop("number", 0)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**53:
        raise RequestError("number is none; accepted: a whole number from 0")
    checks = KINDS[kind]
    if set(data) != set(checks):
        accepted = ", ".join(checks) or "none"
        raise RequestError(f"{kind} has the fields {sorted(data)}; accepted: {accepted}")
    fields = {}
    for name, check in checks.items():
        try:
            fields[name] = check(data[name])
        except RequestError as error:
            raise RequestError(f"{kind}: {name} is not accepted; accepted: {error}") from None
    return Request(kind, number, fields)
