"""A replay's result, read back from its folder. Free of ROS: definitions are in the file itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.message_enums import State, Verdict
from vla_contract.stamps import to_nanoseconds
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.bag_storage import BagError
from vla_replay.play.replay_session import violation_name

DOCUMENT, ACTIONS = "result.json", "actions.mcap"
FORMAT = 1
SAFE_ACTION = "vla_interfaces/msg/SafeAction"
Array = npt.NDArray[np.float64]
# What of result.json is read: its type, and what each entry of it must have.
_NUMBER = (int, float)
_KEYS: dict[str, tuple[type, dict[str, Any]]] = {
    "mode": (str, {}),
    "dimensions": (list, {"name": str, "unit": str, "low": _NUMBER, "high": _NUMBER}),
    "latency_ms": (dict, {"p50": _NUMBER, "p99": _NUMBER}),
    "commands": (list, {"time": _NUMBER, "text": str}),
}
_NAMES: dict[type, str] = {str: "text", list: "list", dict: "object"}


@dataclass(frozen=True)
class Result:
    """Safe actions of every control period, by tick or, of free runs, in order.

    requested, safe: shape (ticks, dimensions), in the action space's units; requested is NaN where
    nothing was asked for. decisions: verdict and state in words. violations: per tick.
    """

    folder: Path
    document: dict[str, Any]
    ticks: list[int]
    stamps: list[int]
    requested: Array
    safe: Array
    decisions: list[str]
    violations: list[frozenset[str]]


def load(folder: Path) -> Result:
    """Read a folder that `./vla replay --out` has written.

    Raises:
        BagError: it is no result; one line says which file and why.
    """
    document = read_document(folder)
    actions = list(safe_actions(folder / ACTIONS))
    width = len(document["dimensions"])
    return Result(
        folder,
        document,
        [int(a.tick) for a in actions],
        [to_nanoseconds(a.header.stamp) for a in actions],
        np.array([_row(a.requested, width) for a in actions]).reshape(-1, width),
        np.array([_row(a.safe, width) for a in actions]).reshape(-1, width),
        [f"{Verdict(a.verdict).name} in {State(a.state).name}" for a in actions],
        [frozenset(violation_name(each) for each in a.violations) for a in actions],
    )


def read_document(folder: Path) -> dict[str, Any]:
    """The result.json of a folder, with everything that is read of it later.

    Raises:
        BagError: it cannot be read, is of another format, or lacks something.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    except OSError as error:
        why = f"{DOCUMENT}: {error.strerror}"
        raise BagError(f"{folder} is no result of ./vla replay: {why}") from error
    except (ValueError, RecursionError) as error:
        raise BagError(f"{folder} is no result of ./vla replay: {DOCUMENT}: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BagError(f"{folder / DOCUMENT}: format is not {FORMAT}")
    for key, (kind, entry) in _KEYS.items():
        if not isinstance(document.get(key), kind):
            raise BagError(f"{folder / DOCUMENT}: {key} is missing, or no {_NAMES[kind]}")
        content = document[key]
        # A hop that nothing went through has no figures.
        entries = [each for each in content.values() if each] if kind is dict else content
        if entry and not all(_has(each, entry) for each in entries):
            raise BagError(f"{folder / DOCUMENT}: an entry of {key} lacks {' or '.join(entry)}")
    return document


def _has(content: Any, entry: dict[str, Any]) -> bool:
    """Whether it is an object with these keys, each of its type."""
    return isinstance(content, dict) and all(
        isinstance(content.get(key), kind) and not isinstance(content[key], bool)
        for key, kind in entry.items()
    )


def safe_actions(path: Path) -> Iterator[Any]:
    """Every SafeAction of an actions.mcap."""
    with open_bag(path) as bag:
        topic = next((t for t in bag.topics.values() if t.type == SAFE_ACTION), None)
        if topic is None:
            raise BagError(f"{path} holds no {SAFE_ACTION}")
        for message in bag.messages([topic.name]):
            if (content := bag.read(message)) is not None:
                yield content


def _row(values: Any, width: int) -> list[float]:
    row = [float(value) for value in values]
    return row if len(row) == width else [float("nan")] * width
