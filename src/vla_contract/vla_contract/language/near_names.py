"""Which known name a word was meant to be. Free of ROS."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LIKENESS = 0.7  # difflib's ratio: of both words' letters, the share that they have in common


def near_names(word: str, names: Iterable[str], count: int = 1) -> list[str]:
    """Names of which a slip of the fingers makes this word, the likest first; often none.

    A name that is much longer or shorter is another word: "now" is no "window".
    """
    room = max(1, len(word) // 3)
    likely = sorted({name for name in names if abs(len(name) - len(word)) <= room})
    return difflib.get_close_matches(word, likely, count, _LIKENESS)
