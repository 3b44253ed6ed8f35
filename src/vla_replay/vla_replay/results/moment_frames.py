"""Moments of a replay as pictures: camera images with command, state and limits drawn in."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vla_contract.message_enums import State, Verdict
from vla_replay.play.answer_recorder import Moment
from vla_replay.results.charts import ASKED, LIMIT, SAFE, STATE_COLOURS, Row

IMAGE_WIDTH, IMAGE_HEIGHT, BAR, HEAD = 240, 180, 22, 40  # px


def as_document(moments: Sequence[Moment]) -> list[dict[str, Any]]:
    """For frames.json: pictures as base64."""
    return [
        {
            "score": moment.score,
            "tick": moment.tick,
            "stamp": moment.stamp,
            "why": moment.why,
            "pictures": {
                name: base64.b64encode(data).decode() for name, data in moment.pictures.items()
            },
        }
        for moment in moments
    ]


def card(
    moment: Mapping[str, Any],
    row: Row,
    dimensions: Sequence[Mapping[str, Any]],
    command: str,
) -> str:
    """An SVG: the cameras, what was commanded, and each dimension against its limits."""
    pictures: Mapping[str, str] = moment["pictures"]
    width = IMAGE_WIDTH * max(1, len(pictures))
    height = HEAD + IMAGE_HEIGHT + BAR * len(dimensions) + 8
    time, requested, safe, verdict, state = row
    name = State(state).name
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(command, quote=True)} at {time:.2f} s">',
        f'<rect width="{width}" height="{height}" fill="#fff" stroke="#d5d9dd"/>',
        f'<rect x="0" y="0" width="{width}" height="{HEAD}" fill="{STATE_COLOURS[name]}"/>',
        _text(6, 16, f"{time:.2f} s  {name}  {Verdict(verdict).name}", "#fff", 12, "bold"),
        _text(6, 33, command or "no command", "#fff", 11),
    ]
    for index, (camera, data) in enumerate(pictures.items()):
        left = index * IMAGE_WIDTH
        parts.append(
            f'<image x="{left}" y="{HEAD}" width="{IMAGE_WIDTH}" height="{IMAGE_HEIGHT}" '
            f'preserveAspectRatio="xMidYMid meet" href="data:image/jpeg;base64,{data}"/>'
        )
        parts.append(_text(left + 6, HEAD + 14, camera, "#fff", 10, "bold", outline=True))
    for index, dimension in enumerate(dimensions):
        top = HEAD + IMAGE_HEIGHT + 4 + BAR * index
        parts += _bar(dimension, _at(requested, index), _at(safe, index), top, width)
    return "".join([*parts, "</svg>"])


def _bar(
    dimension: Mapping[str, Any], asked: float, safe: float, top: float, width: float
) -> list[str]:
    """One dimension: its limits as ends of the scale, requested (red) and safe (blue) on it."""
    left, right = 92.0, width - 58.0
    low, high = float(dimension["low"]), float(dimension["high"])

    def x(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return left + share * (right - left)

    middle = top + BAR / 2
    parts = [
        _text(6, middle + 4, str(dimension["name"]), "#333", 10),
        f'<line x1="{left}" x2="{right}" y1="{middle}" y2="{middle}" stroke="{LIMIT}"/>',
    ]
    for bound in (low, high):
        parts.append(_mark(x(bound), middle, 7, LIMIT, 2))
    if math.isfinite(asked):
        outside = not low <= asked <= high
        parts.append(_mark(x(asked), middle, 8, ASKED, 4 if outside else 2))
    if math.isfinite(safe):
        parts.append(f'<circle cx="{x(safe):.1f}" cy="{middle}" r="4" fill="{SAFE}"/>')
        parts.append(_text(right + 8, middle + 4, f"{safe:+.3f}", "#333", 10))
    return parts


def _mark(x: float, y: float, half: float, colour: str, width: int) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - half}" y2="{y + half}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    colour: str,
    size: int,
    weight: str = "normal",
    outline: bool = False,
) -> str:
    edge = ' stroke="#222" stroke-width="3" paint-order="stroke"' if outline else ""
    return (
        f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="{size}" '
        f'font-weight="{weight}" fill="{colour}"{edge}>{escape(words)}</text>'
    )


def _at(values: Sequence[float], index: int) -> float:
    return values[index] if index < len(values) else math.nan
