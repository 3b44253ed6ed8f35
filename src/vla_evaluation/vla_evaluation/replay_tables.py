"""Tables from the bag that a replay leaves: actions.mcap, or any recording of the graph's topics.

Topics are found by type: ActionChunk and SafeAction of vla_interfaces. What the replay measured by
its own clock is read from the result.json beside actions.mcap.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from vla_contract.stamps import to_seconds
from vla_evaluation.metric_errors import EvaluationError
from vla_evaluation.record_files import Table
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.bag_storage import BagError
from vla_replay.results.replay_result import DOCUMENT, read_document

FILE = "actions.mcap"
_CHUNK = "vla_interfaces/msg/ActionChunk"
_SAFE = "vla_interfaces/msg/SafeAction"


def tables(source: Path, notes: list[str] | None = None) -> list[Table]:
    """What can be evaluated without a known truth: timing, smoothness, seams, what limits changed.

    Args:
        source: the folder of a replay's result, or a bag.
        notes: gets what was lost of it.

    Raises:
        EvaluationError: no such bag or one without safe actions, or something in the folder that
            cannot be read.
    """
    bag = _bag(source)
    messages, document = _read(bag, notes if notes is not None else []), _document(bag)
    safe, chunks = messages[_SAFE], messages[_CHUNK]
    if not safe:
        raise EvaluationError(f"{source}: holds no {_SAFE}; accepted: the bag of a replay")
    name = str(source)
    units = {each["name"]: each["unit"] for each in document["dimensions"]}
    dimensions = {"names": list(safe[0].dimension_names), "units": units}
    found = [
        Table("jitter", _periods(safe), {"nominal": {"control": safe[0].period}}, name),
        Table("latency", _latencies(chunks, safe, "lock-step" in document["mode"]), {}, name),
        Table("hops", _hops(document), {}, name),
        Table("action", _changes(safe), dimensions, name),
        Table("smoothness", _movements(safe), {}, name),
        Table("seams", _chunks(chunks), dimensions, name),
    ]
    return [table for table in found if len(table.records) > (table.kind in ("seams", "jitter"))]


def _bag(source: Path) -> Path:
    inside = source / FILE
    return inside if inside.exists() else source


def _document(path: Path) -> dict[str, Any]:
    """What a replay has written beside its actions, or of another bag nothing."""
    if path.name != FILE or not (path.parent / DOCUMENT).is_file():
        return {"mode": "", "latency_ms": {}, "dimensions": []}
    try:
        return read_document(path.parent)
    except BagError as error:
        raise EvaluationError(str(error)) from error


def _read(path: Path, notes: list[str]) -> dict[str, list[Any]]:
    messages: dict[str, list[Any]] = defaultdict(list)
    try:
        with open_bag(path) as bag:
            wanted = [t.name for t in bag.topics.values() if t.type in (_CHUNK, _SAFE)]
            for stored in bag.messages(wanted):
                if (message := bag.read(stored)) is not None:
                    messages[stored.type].append(message)
            notes += bag.losses.told()
    except BagError as error:
        raise EvaluationError(str(error)) from error
    return messages


def _periods(safe: list[Any]) -> list[dict[str, Any]]:
    return [{"stream": "control", "stamp": to_seconds(each.header.stamp)} for each in safe]


def _latencies(chunks: list[Any], safe: list[Any], lock_step: bool) -> list[dict[str, Any]]:
    records = [{"hop": "model forward", "latency": each.inference_time} for each in chunks]
    # In lock-step a chunk has the stamp of its control period, however long it took.
    for each in () if lock_step else chunks:
        age = to_seconds(each.header.stamp) - to_seconds(each.observation_stamp)
        records.append({"hop": "image to chunk", "latency": max(0.0, age)})
    records += [
        {"hop": "image to command", "latency": each.observation_age}
        for each in safe
        if math.isfinite(each.observation_age)
    ]
    return [record for record in records if math.isfinite(record["latency"])]


def _hops(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Figures of each hop that something went through, in s."""
    return [
        {"hop": hop, "p50": figures["p50"] * 1e-3, "p99": figures["p99"] * 1e-3}
        for hop, figures in document["latency_ms"].items()
        if figures
    ]


def _changes(safe: list[Any]) -> list[dict[str, Any]]:
    """Requested against safe, where something was requested."""
    return [
        {"target": each.requested.tolist(), "predicted": each.safe.tolist()}
        for each in safe
        if all(math.isfinite(value) for value in each.requested)
    ]


def _movements(safe: list[Any]) -> list[dict[str, Any]]:
    """Stretches of consecutive periods, three or more."""
    stretches: list[list[Any]] = [[]]
    for each in safe:
        if stretches[-1] and each.tick != stretches[-1][-1].tick + 1:
            stretches.append([])
        stretches[-1].append(each)
    return [
        {"velocity": [each.safe.tolist() for each in stretch], "period": stretch[0].period}
        for stretch in stretches
        if len(stretch) >= 3
    ]


def _chunks(chunks: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "stamp": to_seconds(each.observation_stamp),
            "period": each.period,
            "actions": each.actions.reshape(-1, len(each.dimension_names)).tolist(),
            "since": max(to_seconds(each.header.stamp), to_seconds(each.observation_stamp)),
        }
        for each in chunks
        if len(each.actions)
    ]
