"""report.html: everything about a replay, or about the difference of two, in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from vla_replay.play.answer_recorder import Moments
from vla_replay.play.replay_session import Session
from vla_replay.results import charts, moment_frames
from vla_replay.results.charts import Row

FRAMES = "frames.json"
TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Material:
    """What a report is made of. document: as in result.json. moments: worst and even, as there."""

    document: Mapping[str, Any]
    rows: Sequence[Row]
    latencies: Mapping[str, Sequence[float]]
    skew: Sequence[float]
    worst: Sequence[Mapping[str, Any]]
    even: Sequence[Mapping[str, Any]]


def material(document: Mapping[str, Any], session: Session) -> Material:
    """Of a replay that has just ended."""
    moments: Moments = session.moments
    return Material(
        document,
        session.series.rows,
        {hop: samples.values for hop, samples in session.latencies.items()},
        session.skew.values,
        moment_frames.as_document(moments.worst),
        moment_frames.as_document(moments.even),
    )


def save_frames(path: Path, found: Material) -> None:
    """Keep the pictures beside the result, for a comparison."""
    content = {"worst": found.worst, "even": found.even}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def write(path: Path, found: Material) -> None:
    """Write the page of one replay."""
    document = found.document
    end = float(document["seconds"])
    page = _page(
        title=f"Replay of {Path(str(document['bag'])).name}",
        document=document,
        actions=charts.actions(found.rows, document["dimensions"]) if found.rows else "",
        latencies=charts.distributions(found.latencies),
        skew=charts.distributions({"skew of the stamps in a set": found.skew}),
        timeline=charts.timeline(
            document["faults"], document["state_changes"], document["commands"], end
        ),
        worst=_cards(found, found.worst),
        even=_cards(found, found.even),
    )
    path.write_text(page, encoding="utf-8")


def _cards(found: Material, moments: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    rows = found.rows
    if not rows:
        return []
    begin = float(found.document["begin"])
    cards = []
    for moment in moments:
        time = (moment["stamp"] - begin) * 1e-9
        row = next((row for row in rows if row[0] >= time - 1e-6), rows[-1])
        said = [c["text"] for c in found.document["commands"] if c["time"] <= row[0] + 1e-6]
        picture = moment_frames.card(
            moment, row, found.document["dimensions"], said[-1] if said else ""
        )
        cards.append({"svg": picture, "why": str(moment["why"])})
    return cards


def write_comparison(
    path: Path, comparison: Mapping[str, Any], pictures: Mapping[str, Any]
) -> None:
    """Write the page of a comparison; pictures: charts by name."""
    title = f"{comparison['a']['folder']} against {comparison['b']['folder']}"
    path.write_text(_page(title=title, comparison=comparison, **pictures), encoding="utf-8")


def _page(**values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    given = {"document": None, "comparison": None, **values}
    return environment.get_template(TEMPLATE).render(**given)
