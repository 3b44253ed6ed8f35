"""Two results of one bag side by side: what was asked for and sent, decisions, limits, latency."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_contract.message_enums import State, Verdict
from vla_contract.percentiles import percentile
from vla_replay.bags.bag_storage import BagError
from vla_replay.results import charts, moment_frames, replay_report
from vla_replay.results.replay_result import Array, Result, load

NOTHING_MOVED = 3  # exit status: a result, of which nothing can be concluded
SHOWN = 200  # changed decisions that a page lists
CARDS = 10


@dataclass(frozen=True)
class Tolerances:
    """What may differ. Of actions: share of each dimension's range, or its own in `dimensions`.

    action: greatest distance, of requested and of safe actions. decisions: share of control periods
    with another verdict or state. new_violations: periods with a limit that did not act in A.
    latency: factor of p99; 0: any. missing: control periods that only one of them has.
    """

    action: float = 1e-4
    dimensions: dict[str, float] = field(default_factory=dict)
    decisions: float = 0.0
    new_violations: int = 0
    latency: float = 0.0
    missing: int = 0


def load_tolerances(path: Path | None) -> Tolerances:
    """From a YAML file; without one the defaults.

    Raises:
        BagError: it cannot be read, or names what there is not.
    """
    if path is None:
        return Tolerances()
    known = {each.name: each for each in fields(Tolerances)}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise BagError(f"tolerances {path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BagError(f"tolerances {path}: no mapping; accepted: {', '.join(known)}")
    # As texts: YAML's keys may be of several types, which have no order.
    if wrong := sorted(map(str, set(content) - set(known))):
        raise BagError(f"tolerances {path}: {', '.join(wrong)}; accepted: {', '.join(known)}")
    dimensions = content.get("dimensions", {})
    numbers = [v for k, v in content.items() if k != "dimensions"] + list(
        dimensions.values() if isinstance(dimensions, dict) else ["?"]
    )
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and v >= 0 for v in numbers):
        raise BagError(f"tolerances {path}: a value is not a number of at least 0")
    return Tolerances(**content)


@dataclass(frozen=True)
class Pairs:
    """The control periods that both have: rows of A and of B."""

    a: list[int]
    b: list[int]
    only_a: int
    only_b: int


def paired(a: Result, b: Result) -> Pairs:
    """Control periods of the same stamp (lock-step), or of the same order (free runs)."""
    if _lock_step(a) and _lock_step(b):
        rows_a, rows_b = _by_stamp(a), _by_stamp(b)
        both = [stamp for stamp in rows_a if stamp in rows_b]
        return Pairs(
            [rows_a[s] for s in both],
            [rows_b[s] for s in both],
            len(rows_a) - len(both),
            len(rows_b) - len(both),
        )
    count = min(len(a.ticks), len(b.ticks))
    rows = list(range(count))
    return Pairs(rows, rows, len(a.ticks) - count, len(b.ticks) - count)


def _lock_step(result: Result) -> bool:
    return "lock-step" in str(result.document["mode"])


def _by_stamp(result: Result) -> dict[int, int]:
    return {stamp: row for row, stamp in enumerate(result.stamps)}


def compare(a: Result, b: Result, tolerances: Tolerances) -> dict[str, Any]:
    """Everything about the difference, for JSON and for the page.

    Raises:
        BagError: they are not of one bag, or of different action spaces, or a tolerance is of a
            dimension that they do not have; or there is nothing to compare.
    """
    _check_same_bag(a, b)
    names = [str(dimension["name"]) for dimension in a.document["dimensions"]]
    unknown = sorted(map(str, set(tolerances.dimensions) - set(names)))
    if unknown:
        raise BagError(
            f"tolerances: dimensions: {', '.join(unknown)}; accepted: {', '.join(names)}"
        )
    pairs = paired(a, b)
    _check_periods(a, b, pairs)
    changes = [
        {"time": _time(a, i), "a": a.decisions[i], "b": b.decisions[j]}
        for i, j in zip(pairs.a, pairs.b, strict=True)
        if a.decisions[i] != b.decisions[j]
    ]
    violations = _violations(a, b)
    heads = _heads(a, b)
    result: dict[str, Any] = {
        "a": heads[0],
        "b": heads[1],
        "made_differently": told_differences(*heads),
        "compared": len(pairs.a),
        "only_a": pairs.only_a,
        "only_b": pairs.only_b,
        "requested": _dimensions(a, a.requested, b.requested, pairs, tolerances),
        "dimensions": _dimensions(a, a.safe, b.safe, pairs, tolerances),
        "changed_decisions": len(changes),
        "changes": changes[:SHOWN],
        "violations": violations,
        "latency": _latency(a, b),
    }
    result["moved"] = any(_moves(r, rows) for r, rows in ((a, pairs.a), (b, pairs.b)))
    result["differences"] = _differences(result, tolerances)
    result["same"] = not result["differences"]
    return result


def _check_same_bag(a: Result, b: Result) -> None:
    kinds = [("bag_messages", "bags"), ("dimensions", "action spaces")]
    if "bag_sha256" in a.document and "bag_sha256" in b.document:  # older results have none
        kinds.append(("bag_sha256", "bags"))
    for key, what in kinds:
        if a.document.get(key) != b.document.get(key):
            raise BagError(
                f"{a.folder} and {b.folder} are of different {what}: they cannot be compared"
            )


def _check_periods(a: Result, b: Result, pairs: Pairs) -> None:
    """Refuse results that cannot be compared.

    Raises:
        BagError: one has no control period, or they have none in common.
    """
    pair = f"nothing to compare in {a.folder} and {b.folder}: "
    for result in (a, b):
        if not result.ticks:
            raise BagError(f"{pair}{result.folder} has no control period")
    if not pairs.a:
        raise BagError(f"{pair}they have no control period in common")


def _moves(result: Result, rows: list[int]) -> bool:
    """Something other than zero was requested, or what was sent changed."""
    requested, safe = result.requested[rows], result.safe[rows]
    return bool(np.nan_to_num(requested).any() or (safe[1:] != safe[:-1]).any())


def _heads(a: Result, b: Result) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each is a replay of, and with what; a setting that neither was given is in none."""
    settings = [_settings(result) for result in (a, b)]
    names = sorted({name for each in settings for name in each})
    both = [
        {**_head(result), **{name: given.get(name, "as configured") for name in names}}
        for result, given in zip((a, b), settings, strict=True)
    ]
    return both[0], both[1]


def _head(result: Result) -> dict[str, Any]:
    found = result.document
    keys = ("bag", "mode", "command", "backend", "threads", "ticks", "observations")
    sha = str(found.get("checkpoint_sha256", ""))[:8]
    return {
        "folder": str(result.folder),
        "checkpoint": f"{found.get('checkpoint')} ({sha})",
        **{key: found.get(key) for key in keys},
        "actions_sha256": found.get("actions_sha256"),
    }


def _settings(result: Result) -> dict[str, Any]:
    """node.parameter → value, of what `--set` changed."""
    nodes = result.document.get("settings") or {}
    return {f"{node}.{name}": value for node, each in nodes.items() for name, value in each.items()}


def told_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """In which way two replays were made differently, a line each."""
    made = [key for key in a if key not in ("folder", "ticks", "observations", "actions_sha256")]
    return [f"{key}: A {a[key]}, B {b[key]}" for key in made if a[key] != b[key]]


def _time(result: Result, row: int) -> float:
    return (result.stamps[row] - result.stamps[0]) * 1e-9


def _distance(left: Array, right: Array) -> Array:
    """|A − B| of actions, shape (pairs, dimensions); what is not finite on one side is infinite."""
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    both = np.isfinite(left) & np.isfinite(right)
    apart = np.abs(np.subtract(left, right, where=both, out=np.full(left.shape, np.inf)))
    return np.where(same, 0.0, apart)


def _dimensions(
    a: Result, left: Array, right: Array, pairs: Pairs, allowed: Tolerances
) -> list[dict[str, Any]]:
    """Distances of each dimension; left, right: (ticks, dimensions), actions of A and of B."""
    apart = _distance(left[pairs.a], right[pairs.b])
    found = []
    for index, dimension in enumerate(a.document["dimensions"]):
        column = apart[:, index]
        span = float(dimension["high"]) - float(dimension["low"])
        share = allowed.dimensions.get(dimension["name"], allowed.action)
        worst = int(np.argmax(column))
        found.append(
            {
                "name": dimension["name"],
                "unit": dimension["unit"],
                "mean": float(column.mean()),
                "p99": percentile(column, 99),
                "greatest": float(column.max()),
                "at": _time(a, pairs.a[worst]),
                "accepted": share * span,
            }
        )
    return found


def _violations(a: Result, b: Result) -> list[dict[str, Any]]:
    counts_a = Counter(name for row in a.violations for name in row)
    counts_b = Counter(name for row in b.violations for name in row)
    return [
        {"name": n, "a": counts_a[n], "b": counts_b[n], "new": not counts_a[n] and counts_b[n] > 0}
        for n in sorted(counts_a | counts_b)
    ]


def _latency(a: Result, b: Result) -> list[dict[str, Any]]:
    left, right = a.document["latency_ms"], b.document["latency_ms"]
    return [
        {
            "hop": hop,
            "a_p50": left[hop]["p50"],
            "b_p50": right[hop]["p50"],
            "a_p99": left[hop]["p99"],
            "b_p99": right[hop]["p99"],
        }
        for hop in left
        if left[hop] and right.get(hop)
    ]


def _differences(result: dict[str, Any], allowed: Tolerances) -> list[str]:
    lines = []
    missing = result["only_a"] + result["only_b"]
    if missing > allowed.missing:
        lines.append(f"{missing} control periods are in one of them only")
    for what, key in (("requested ", "requested"), ("", "dimensions")):
        lines += [
            f"{what}{d['name']} differs by up to {d['greatest']:.4g} {d['unit']} at "
            f"{d['at']:.2f} s; accepted: {d['accepted']:.4g}"
            for d in result[key]
            if d["greatest"] > d["accepted"]
        ]
    share = result["changed_decisions"] / result["compared"]
    if share > allowed.decisions:
        lines.append(f"{result['changed_decisions']} decisions changed ({share:.2%})")
    new = [v for v in result["violations"] if v["new"]]
    if sum(v["b"] for v in new) > allowed.new_violations:
        lines.append("new violations: " + ", ".join(f"{v['name']} ({v['b']})" for v in new))
    if allowed.latency:
        for hop in result["latency"]:
            if hop["b_p99"] > hop["a_p99"] * allowed.latency:
                lines.append(f"{hop['hop']}: p99 {hop['a_p99']:.1f} → {hop['b_p99']:.1f} ms")
    return lines


def write_page(path: Path, a: Result, b: Result, comparison: dict[str, Any]) -> None:
    """The page of a comparison."""
    dimensions = a.document["dimensions"]
    rows_a, rows_b = _rows(a), _rows(b)
    pictures = {
        "actions": charts.actions(rows_a, dimensions, rows_b, ("A", "B")),
        "frames": _frames(a, b, dimensions),
    }
    replay_report.write_comparison(path, comparison, pictures)


def _rows(result: Result) -> list[charts.Row]:
    step = max(1, len(result.ticks) // 8000)
    return [
        (_time(result, i), list(result.requested[i]), list(result.safe[i]), 0, 1)
        for i in range(0, len(result.ticks), step)
    ]


def _frames(a: Result, b: Result, dimensions: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Kept pictures of B at which both differ most: requested is A's action, safe is B's."""
    try:
        kept = json.loads((b.folder / replay_report.FRAMES).read_text(encoding="utf-8"))
        moments = [*kept["worst"], *kept["even"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    rows_a, rows_b = _by_stamp(a), _by_stamp(b)
    scored = []
    for moment in moments:
        stamp = moment["stamp"]
        if stamp in rows_a and stamp in rows_b and moment["pictures"]:
            i, j = rows_a[stamp], rows_b[stamp]
            apart = float(np.nanmax(np.abs(a.safe[i] - b.safe[j])))
            scored.append((apart, i, j, moment))
    scored.sort(key=lambda item: -item[0])
    commands = b.document["commands"]
    cards = []
    for apart, i, j, moment in scored[:CARDS]:
        time = _time(b, j)
        said = [c["text"] for c in commands if c["time"] <= time + 1e-6]
        verdict, state = _numbers(b.decisions[j])
        row = (time, list(a.safe[i]), list(b.safe[j]), verdict, state)
        svg = moment_frames.card(moment, row, dimensions, said[-1] if said else "")
        cards.append({"svg": svg, "why": f"red: A, blue: B; {apart:.4g} apart"})
    return cards


def _numbers(decision: str) -> tuple[int, int]:
    verdict, _, state = decision.partition(" in ")
    return Verdict[verdict], State[state]


def run(a: Path, b: Path, tolerances: Path | None, out: Path | None) -> int:
    """Compare two folders and print what differs.

    Returns:
        0: the same, 1: not, NOTHING_MOVED: the same, but nothing was asked for or moved in either.

    Raises:
        BagError: one of them is no result, they cannot be compared, or `out` cannot be written.
    """
    allowed = load_tolerances(tolerances)
    left, right = load(a), load(b)
    comparison = compare(left, right, allowed)
    for line in comparison["made_differently"]:
        print(f"made differently: {line}")
    print(f"{comparison['compared']} control periods compared")
    for asked, d in zip(comparison["requested"], comparison["dimensions"], strict=True):
        print(
            f"  {d['name']:<16} requested: mean {asked['mean']:.3g}, greatest "
            f"{asked['greatest']:.3g}; sent: mean {d['mean']:.3g}, greatest {d['greatest']:.3g} "
            f"{d['unit']}"
        )
    print(f"  changed decisions: {comparison['changed_decisions']}")
    for line in comparison["differences"]:
        print(f"DIFFERENT: {line}")
    if comparison["same"]:
        print("the same within the tolerances")
    if not comparison["moved"]:
        print(
            "WARNING: nothing moved in either: in no control period that both have was a motion "
            "asked for or sent; accepted: a bag with a command, or --command TEXT"
        )
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(comparison, indent=1) + "\n"
            (out / "compare.json").write_text(text, encoding="utf-8")
            write_page(out / "report.html", left, right, comparison)
        except OSError as error:
            raise BagError(
                f"cannot write to {out}: {error.strerror}; accepted: a folder"
            ) from error
        print(f"written: {out / 'compare.json'}, {out / 'report.html'}")
    if comparison["same"] and not comparison["moved"]:
        return NOTHING_MOVED
    return 0 if comparison["same"] else 1
