"""What is said again and again, told once."""

from __future__ import annotations

import re
from collections.abc import Iterable

Row = tuple[float, str]
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?")  # those in names tell things apart


def without_numbers(text: str) -> str:
    """A text of which only ages, distances and the like may differ from another one's."""
    return _NUMBER.sub("#", text)


def fold(rows: Iterable[Row], kinds: tuple[str, ...]) -> list[Row]:
    """Rows (time in s, text) of which those of some kinds are told at their first time only.

    kinds: what their texts begin with. Two that differ in numbers alone count as one, which says
    how often it came, and when the last time was.
    """
    folded: list[Row] = []
    first: dict[str, int] = {}
    again: dict[int, list[float]] = {}
    for time, text in rows:
        key = without_numbers(text)
        if not text.startswith(kinds):
            folded.append((time, text))
        elif key in first:
            again.setdefault(first[key], []).append(time)
        else:
            first[key] = len(folded)
            folded.append((time, text))
    for index, times in again.items():
        time, text = folded[index]
        often = len(times) + 1
        folded[index] = (time, f"{text}  ({often} times, the last at {times[-1]:+.2f} s)")
    return folded
