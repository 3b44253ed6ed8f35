"""The kinds of evaluation: the columns that each takes from a file, and its metric.

A table is a list of records, each a dict of column → value. This is the schema of the files;
the README's table is made of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vla_evaluation import (
    action_metrics,
    alignment,
    language_metrics,
    smoothness,
    timing_metrics,
    vision_metrics,
)
from vla_evaluation.metric_errors import EvaluationError, finite
from vla_evaluation.metric_units import NONE, OF_DIMENSION, SHARE, units_of

Records = Sequence[Mapping[str, Any]]
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of evaluation.

    columns: name → what it holds. options: likewise, of what belongs to the whole file.
    measure: records and options → plain values, to be shown and written. units: of its metrics,
    as `units_of` takes them.
    """

    name: str
    group: str
    columns: dict[str, str]
    measure: Callable[[Records, Options], dict[str, Any]]
    options: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


def column(records: Records, name: str, *, empty: bool = False) -> list[Any]:
    """Values of one column; empty: of which some may be None.

    Raises:
        EvaluationError: a record lacks it.
    """
    for index, record in enumerate(records):
        if name not in record or (record[name] is None and not empty):
            found = ", ".join(sorted(record)) or "none"
            raise EvaluationError(f"record {index} lacks {name}; it has: {found}")
    return [record[name] for record in records]


def _classification(records: Records, options: Options) -> dict[str, Any]:
    return asdict(
        vision_metrics.classification(column(records, "truth"), column(records, "predicted"))
    )


def _detection(records: Records, options: Options) -> dict[str, Any]:
    boxes = [
        [
            vision_metrics.Boxes(corners, labels)
            for corners, labels in zip(
                column(records, f"{side}_boxes"), column(records, f"{side}_labels"), strict=True
            )
        ]
        for side in ("truth", "predicted")
    ]
    return asdict(
        vision_metrics.detection(boxes[0], boxes[1], float(options.get("threshold", 0.5)))
    )


def _segmentation(records: Records, options: Options) -> dict[str, Any]:
    masks = []
    for truth, predicted in zip(
        column(records, "truth"), column(records, "predicted"), strict=True
    ):
        pair = np.asarray(truth), np.asarray(predicted)
        if pair[0].shape != pair[1].shape:
            raise EvaluationError(
                f"masks have shapes {pair[0].shape} and {pair[1].shape}; accepted: equal shapes"
            )
        masks.append((pair[0].ravel(), pair[1].ravel()))
    return asdict(
        vision_metrics.segmentation(
            np.concatenate([a for a, _ in masks]), np.concatenate([b for _, b in masks])
        )
    )


def _command(records: Records, options: Options) -> dict[str, Any]:
    return asdict(
        language_metrics.commands(column(records, "intended"), column(records, "understood"))
    )


def _grounding(records: Records, options: Options) -> dict[str, Any]:
    return asdict(
        language_metrics.grounding(
            column(records, "named"),
            column(records, "position"),
            column(records, "found", empty=True),
            column(records, "found_position", empty=True),
            float(options.get("tolerance", 0.05)),
        )
    )


def _coverage(records: Records, options: Options) -> dict[str, Any]:
    vocabulary = options.get("vocabulary")
    if not vocabulary:
        raise EvaluationError("option vocabulary is missing; accepted: a list of words")
    return asdict(language_metrics.coverage(column(records, "text"), vocabulary))


def _success(records: Records, options: Options) -> dict[str, Any]:
    rates = action_metrics.tasks(column(records, "task"), column(records, "success"))
    return {task: asdict(rate) for task, rate in rates.items()}


def _action(records: Records, options: Options) -> dict[str, Any]:
    target, predicted = column(records, "target"), column(records, "predicted")
    return asdict(action_metrics.action_error(target, predicted, options.get("names")))


def _trajectory(records: Records, options: Options) -> dict[str, Any]:
    pairs = zip(column(records, "reference"), column(records, "actual"), strict=True)
    return _mean_of([asdict(action_metrics.trajectory_error(*pair)) for pair in pairs])


def _smoothness(records: Records, options: Options) -> dict[str, Any]:
    movements = zip(column(records, "velocity"), column(records, "period"), strict=True)
    return _mean_of([asdict(smoothness.smoothness(*movement)) for movement in movements])


def _seams(records: Records, options: Options) -> dict[str, Any]:
    columns = [column(records, name) for name in ("stamp", "period", "actions", "since")]
    chunks = [smoothness.TimedChunk(*values) for values in zip(*columns, strict=True)]
    return asdict(smoothness.seams(chunks, options.get("names")))


def _latency(records: Records, options: Options) -> dict[str, Any]:
    hops = _grouped(records, "hop", "latency")
    deadlines = _of_groups(options, "deadlines", hops)
    return {
        hop: asdict(timing_metrics.latency(values, deadlines.get(hop, options.get("deadline"))))
        for hop, values in hops.items()
    }


def _hops(records: Records, options: Options) -> dict[str, Any]:
    names, p50, p99 = (column(records, name) for name in ("hop", "p50", "p99"))
    if len(set(names)) < len(names):
        raise EvaluationError("a hop has two records; accepted: one a hop")
    figures = zip(finite("p50", p50, 1).tolist(), finite("p99", p99, 1).tolist(), strict=True)
    return {str(n): {"p50": a, "p99": b} for n, (a, b) in zip(names, figures, strict=True)}


def _jitter(records: Records, options: Options) -> dict[str, Any]:
    streams = _grouped(records, "stream", "stamp")
    nominal = _of_groups(options, "nominal", streams)
    return {
        stream: asdict(timing_metrics.jitter(stamps, nominal.get(stream)))
        for stream, stamps in streams.items()
    }


def _alignment(records: Records, options: Options) -> dict[str, Any]:
    return asdict(alignment.retrieval(column(records, "scores"), column(records, "correct")))


def _grouped(records: Records, key: str, value: str) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for name, each in zip(column(records, key), column(records, value), strict=True):
        groups.setdefault(str(name), []).append(each)
    if not groups:
        raise EvaluationError("no records; accepted: at least one")
    return groups


def _of_groups(options: Options, name: str, groups: Mapping[str, Any]) -> dict[str, Any]:
    """An option that has one value a group, of which none may be unknown."""
    values = dict(options.get(name, {}))
    unknown = sorted(map(str, set(values) - set(groups)))
    if unknown:
        raise EvaluationError(f"option {name} names {unknown[0]}; accepted: {', '.join(groups)}")
    return values


def _mean_of(results: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Means over records; counted: of how many, of a value that is no number in some of them."""
    if not results:
        raise EvaluationError("no records; accepted: at least one")
    values: dict[str, Any] = {}
    counted: dict[str, int] = {}
    for name in results[0]:
        usable = [result[name] for result in results if math.isfinite(result[name])]
        values[name] = sum(usable) / len(usable) if usable else math.nan
        if len(usable) < len(results):
            counted[name] = len(usable)
    return {**values, "counted": counted}


_MATRIX = "rows of numbers"
_SCORES = dict.fromkeys(("accuracy", "precision", "recall", "f1"), SHARE)
_SECONDS = dict.fromkeys(("mean", "p50", "p90", "p99", "maximum"), "s")
_JERK = "m/s³ or rad/s³"
_OF_DIMENSIONS = {"names": "of the dimensions", "units": "dimension → unit"}
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "classification",
            "vision",
            {"truth": "label", "predicted": "label"},
            _classification,
            units=_SCORES,
        ),
        Kind(
            "detection",
            "vision",
            {
                "truth_boxes": "rows of x_min, y_min, x_max, y_max, px",
                "truth_labels": "label of each",
                "predicted_boxes": "likewise",
                "predicted_labels": "likewise",
            },
            _detection,
            {"threshold": "least IoU of a hit; 0.5"},
            {**_SCORES, "mean_iou": SHARE, "matched_iou": SHARE},
        ),
        Kind(
            "segmentation",
            "vision",
            {"truth": "rows of class numbers", "predicted": "likewise"},
            _segmentation,
            units={"mean_iou": SHARE, "pixel_accuracy": SHARE, "iou": SHARE},
        ),
        Kind(
            "command",
            "language",
            {"intended": "command", "understood": "command"},
            _command,
            units=_SCORES,
        ),
        Kind(
            "grounding",
            "language",
            {
                "named": "object that the command names",
                "position": "where it is, m",
                "found": "object that was chosen, or null",
                "found_position": "where it was taken to be, m, or null",
            },
            _grounding,
            {"tolerance": "m; 0.05"},
            {
                **_SCORES,
                "identity_accuracy": SHARE,
                "within_tolerance": SHARE,
                "position_error": "m",
                "tolerance": "m",
            },
        ),
        Kind(
            "coverage",
            "language",
            {"text": "command"},
            _coverage,
            {"vocabulary": "list of words"},
            {"tokens": SHARE, "types": SHARE, "commands": SHARE, "unknown": NONE},
        ),
        Kind(
            "success",
            "action",
            {"task": "name", "success": "true or false"},
            _success,
            units={"rate": SHARE, "low": SHARE, "high": SHARE},
        ),
        Kind(
            "action",
            "action",
            {"target": "one number a dimension", "predicted": "likewise"},
            _action,
            _OF_DIMENSIONS,
            {"mae": OF_DIMENSION, "rmse": OF_DIMENSION},
        ),
        Kind(
            "trajectory",
            "action",
            {"reference": f"{_MATRIX}: positions over time, m", "actual": "likewise"},
            _trajectory,
            units={"counted": NONE, **dict.fromkeys(("ade", "fde", "dtw", "dtw_mean"), "m")},
        ),
        Kind(
            "smoothness",
            "action",
            {"velocity": f"{_MATRIX}: over time, m/s or rad/s", "period": "s"},
            _smoothness,
            units={"counted": NONE, "jerk_rms": _JERK, "jerk_max": _JERK},
        ),
        Kind(
            "seams",
            "action",
            {
                "stamp": "of the first row, s",
                "period": "s",
                "actions": _MATRIX,
                "since": "when it took over, s",
            },
            _seams,
            _OF_DIMENSIONS,
            {"jump_mean": OF_DIMENSION, "jump_max": OF_DIMENSION},
        ),
        Kind(
            "latency",
            "timing",
            {"hop": "name", "latency": "s"},
            _latency,
            {"deadline": "s, of every hop", "deadlines": "hop → s"},
            {**_SECONDS, "deadline": "s", "miss_rate": SHARE},
        ),
        Kind(
            "hops",
            "timing",
            {"hop": "name", "p50": "s, as measured", "p99": "s"},
            _hops,
            units=_SECONDS,
        ),
        Kind(
            "jitter",
            "timing",
            {"stream": "name", "stamp": "s"},
            _jitter,
            {"nominal": "stream → period, s; the median where it is missing"},
            {**_SECONDS, "nominal": "s", "mean_period": "s"},
        ),
        Kind(
            "alignment",
            "alignment",
            {"scores": "one number a command, greater is better", "correct": "index"},
            _alignment,
            units=dict.fromkeys(
                ("recall_at_1", "recall_at_5", "mean_reciprocal_rank", "chance"), SHARE
            ),
        ),
    )
}


@dataclass(frozen=True)
class Evaluation:
    """Outcome of one kind from one source; values: nested plain values; units: as `units_of`."""

    kind: str
    source: str
    records: int
    values: dict[str, Any]
    units: dict[str, str] = field(default_factory=dict)


def evaluate(kind: str, records: Records, options: Options, source: str = "") -> Evaluation:
    """Compute the metric of a kind.

    Raises:
        EvaluationError: unknown kind or option, no records, or what the metric refuses; the
            source is named.
    """
    where = f"{source}: " if source else ""
    if kind not in KINDS:
        raise EvaluationError(f"{where}kind is {kind!r}; accepted: {', '.join(KINDS)}")
    chosen = KINDS[kind]
    unknown = sorted(set(options) - set(chosen.options))
    if unknown:
        raise EvaluationError(
            f"{where}option {unknown[0]} of {kind}; accepted: "
            f"{', '.join(chosen.options) or 'no option'}"
        )
    if not records:
        raise EvaluationError(f"{where}no records; accepted: at least one")
    try:
        values = chosen.measure(records, options)
        told = {str(name): str(unit) for name, unit in dict(options.get("units", {})).items()}
        units = units_of(values, chosen.units, told)
        return Evaluation(kind, source, len(records), values, units)
    except EvaluationError as error:
        raise EvaluationError(f"{where}{kind}: {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise EvaluationError(f"{where}{kind}: a value of the wrong type ({error})") from error
