"""Evaluations as JSON, as a table for the terminal, and as one HTML page without network."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment

from vla_evaluation.evaluation_kinds import KINDS, Evaluation

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
p.source { color: #57606a; margin: 0 0 .5rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #d8dee4; }
td.value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 30%; } td.bar div { background: #2f6f9f; height: .7rem; border-radius: .2rem; }
</style></head><body>
<h1>Evaluation</h1>
{% for e in evaluations %}
<h2>{{ e.group }}: {{ e.kind }}</h2>
<p class="source">{{ e.records }} records of {{ e.source or "memory" }}</p>
<table><thead><tr><th>metric</th><th>value</th><th></th></tr></thead><tbody>
{% for row in e.rows %}
<tr><td>{{ row.name }}</td><td class="value">{{ row.text }}</td>
<td class="bar">{% if row.share is not none %}<div style="width:{{ row.share }}%"></div>{% endif %}
</td></tr>
{% endfor %}
</tbody></table>
{% endfor %}
</body></html>
"""
# Values between 0 and 1 that are shares of a whole; they get a bar.
_SHARES = {
    "accuracy", "precision", "recall", "f1", "mean_iou", "matched_iou", "pixel_accuracy", "rate",
    "identity_accuracy", "within_tolerance", "tokens", "types", "commands", "recall_at_1",
    "recall_at_5", "mean_reciprocal_rank", "miss_rate", "low", "high", "chance",
}  # fmt: skip


def rows(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as dotted names and plain values."""
    for name, value in values.items():
        full = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict):
            yield from rows(value, full)
        else:
            yield full, value


def text(value: Any) -> str:
    """A value for people: five significant digits, a dash for what is not a number."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.5g}"
    return str(value)


def to_json(evaluations: Sequence[Evaluation]) -> str:
    """Every value; what is not a number becomes null, as JSON has no NaN."""
    return json.dumps(_plain([asdict(e) for e in evaluations]), indent=1, allow_nan=False) + "\n"


def html(evaluations: Sequence[Evaluation]) -> str:
    """One page, self-contained; every text is escaped."""
    shown = [
        {
            "kind": e.kind,
            "group": KINDS[e.kind].group,
            "source": e.source,
            "records": e.records,
            "rows": [_row(name, value) for name, value in rows(e.values)],
        }
        for e in evaluations
    ]
    page: str = Environment(autoescape=True).from_string(_PAGE).render(evaluations=shown)
    return page


def write(folder: Path, evaluations: Sequence[Evaluation]) -> tuple[Path, Path]:
    """Write evaluation.json and evaluation.html; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "evaluation.json", folder / "evaluation.html"
    files[0].write_text(to_json(evaluations), encoding="utf-8")
    files[1].write_text(html(evaluations), encoding="utf-8")
    return files


def _row(name: str, value: Any) -> dict[str, Any]:
    share = None
    number = isinstance(value, float) and math.isfinite(value)
    if number and name.rpartition(".")[2] in _SHARES and 0.0 <= value <= 1.0:
        share = round(100.0 * value, 1)
    return {"name": name, "text": text(value), "share": share}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
