"""Metrics by their dotted names, and the unit of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SHARE = "share"  # of a whole, from 0 to 1
OF_DIMENSION = "of the dimension"
NONE = ""


def rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as dotted names and plain values."""
    for name, value in values.items():
        full = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict):
            yield from rows(value, full)
        else:
            yield full, value


def units_of(
    values: Mapping[str, Any], known: Mapping[str, str], dimensions: Mapping[str, str]
) -> dict[str, str]:
    """Dotted name → unit, of those that have one.

    Args:
        values: nested, of a kind of evaluation.
        known: unit of a metric, or of all that is in a group, by the name of either.
        dimensions: unit of each dimension, where the source tells it.
    """
    found = {}
    for name, _ in rows(values):
        group, _, last = name.rpartition(".")
        unit = known.get(group.rpartition(".")[2], known.get(last, NONE))
        found[name] = dimensions.get(last, unit) if unit == OF_DIMENSION else unit
    return {name: unit for name, unit in found.items() if unit not in (NONE, "1")}
