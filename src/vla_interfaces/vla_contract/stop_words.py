"""Recognition of the utterances that stop the robot; perception and safety must agree on them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = re.compile(r"[^\W_]+")
# Longer texts are no stop word; they are not even looked at, whatever their size.
_LONGEST = 1000


class StopWords:
    """Recognises an utterance of nothing but stop words.

    Case, spaces and punctuation do not matter: " STOP!! " and "stop, halt" are, "push the stop
    button" is not. A stop word may have several words ("hold still").
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted({_normalised(word) for word in words} - {""}, key=len, reverse=True)

    def match(self, text: str) -> str:
        """The stop word that the text begins with, where it is one as a whole; else empty."""
        if len(text) > _LONGEST:
            return ""
        first, rest = "", _normalised(text)
        while rest:
            word = next((w for w in self._words if rest == w or rest.startswith(w + " ")), "")
            if not word:
                return ""
            first, rest = first or word, rest[len(word) + 1 :]
        return first


def _normalised(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))
