"""Evaluations as JSON, as a table for the terminal, and as one HTML page without network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

from vla_evaluation.evaluation_kinds import KINDS, Evaluation
from vla_evaluation.metric_units import SHARE, rows

UNKNOWN = "–"

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
div.wide { overflow-x: auto; }
td.value, th.value { text-align: right; font-variant-numeric: tabular-nums; }
td.value { white-space: nowrap; }
td.value div { background: #2f6f9f; height: .3rem; border-radius: .15rem; margin-left: auto; }
</style></head><body>
<h1>Evaluation</h1>
{% for e in comparisons %}
<h2>{{ e.group }}: {{ e.kind }}</h2>
<p class="source">{{ e.sources|join(", ") }}</p>
<div class="wide"><table><thead><tr><th>metric</th><th>unit</th>
{%- for label in e.labels %}<th class="value">{{ label if e.labels|length > 1 else "value" }}</th>
{%- endfor %}</tr></thead><tbody>
{% for row in e.rows %}
<tr><td>{{ row.name }}</td><td>{{ row.unit }}</td>
{%- for cell in row.cells %}<td class="value">{{ cell.text }}
{%- if cell.share is not none %}<div style="width:{{ cell.share }}%"></div>{% endif %}</td>
{%- endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
</body></html>
"""


@dataclass(frozen=True)
class Row:
    """One metric: its value in every source of a comparison, None where one does not have it."""

    name: str
    unit: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """One kind of evaluation, its sources side by side."""

    kind: str
    sources: tuple[str, ...]
    rows: tuple[Row, ...]


def compare(evaluations: Sequence[Evaluation]) -> list[Comparison]:
    """A comparison of each kind; what no source has a value of is left out."""
    kinds: dict[str, list[Evaluation]] = {}
    for each in evaluations:
        kinds.setdefault(each.kind, []).append(each)
    return [
        Comparison(kind, tuple(each.source or "memory" for each in group), _rows(group))
        for kind, group in kinds.items()
    ]


def _rows(group: Sequence[Evaluation]) -> tuple[Row, ...]:
    columns = [dict(rows(each.values)) for each in group]
    found = [Row("records", "", tuple(each.records for each in group))]
    for name in dict.fromkeys(name for column in columns for name in column):
        values = tuple(column.get(name) for column in columns)
        unit = next((each.units[name] for each in group if name in each.units), "")
        if any(text(value) != UNKNOWN for value in values):
            found.append(Row(name, unit, values))
    return tuple(found)


def labels(sources: Sequence[str]) -> list[str]:
    """Short names of sources: without the folders that all of them are in."""
    parts = [Path(source).parts for source in sources]
    shared = 0
    while len(parts) > 1 and len({part[: shared + 1] for part in parts}) == 1:
        if shared + 1 == min(map(len, parts)):
            break
        shared += 1
    return [str(Path(*part[shared:])) for part in parts]


def text(value: Any) -> str:
    """A value for people: five significant digits, a dash for what is not a number."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def to_json(evaluations: Sequence[Evaluation]) -> str:
    """Every value; what is not a number becomes null, as JSON has no NaN."""
    return json.dumps(_plain([asdict(e) for e in evaluations]), indent=1, allow_nan=False) + "\n"


def html(evaluations: Sequence[Evaluation]) -> str:
    """One page, self-contained; every text is escaped."""
    shown = [
        {
            "kind": each.kind,
            "group": KINDS[each.kind].group,
            "sources": each.sources,
            "labels": labels(each.sources),
            "rows": [
                {"name": row.name, "unit": row.unit, "cells": [_cell(row, v) for v in row.values]}
                for row in each.rows
            ],
        }
        for each in compare(evaluations)
    ]
    page: str = Environment(autoescape=True).from_string(_PAGE).render(comparisons=shown)
    return page


def write(folder: Path, evaluations: Sequence[Evaluation]) -> tuple[Path, Path]:
    """Write evaluation.json and evaluation.html; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "evaluation.json", folder / "evaluation.html"
    files[0].write_text(to_json(evaluations), encoding="utf-8")
    files[1].write_text(html(evaluations), encoding="utf-8")
    return files


def _cell(row: Row, value: Any) -> dict[str, Any]:
    """The text of a value, and the length of its bar in % where it is a share of a whole."""
    known = isinstance(value, float) and math.isfinite(value)
    share = round(100.0 * value, 1) if known and row.unit == SHARE and 0 <= value <= 1 else None
    return {"text": text(value), "share": share}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
