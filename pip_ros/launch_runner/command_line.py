"""The words of a command line that may hold substitutions."""

from __future__ import annotations

import shlex

from .substitutions import Scope, perform
from .template import Template, parse


def split(text: str, scope: Scope) -> list[str]:
    """Return the words of a command line.

    What a substitution gives is never split: it is one word, or a part of the word it touches.

    Raises:
        SubstitutionError: a substitution is malformed or has no value.
        ValueError: a quote is not closed.
    """
    return [perform(word, scope) for word in _words(parse(text))]


def _words(parts: Template) -> list[Template]:
    words: list[Template] = []
    word: Template = []
    for part in parts:
        if not isinstance(part, str):
            word.append(part)
            continue
        tokens = shlex.split(part)
        if not tokens:  # as in launch, blank text ends a word even where none has begun
            words.append(word)
            word = []
            continue
        if word and part[0].isspace():
            words.append(word)
            word = []
        for token in tokens[:-1]:
            words.append([*word, token])
            word = []
        word.append(tokens[-1])
        if part[-1].isspace():
            words.append(word)
            word = []
    return words + ([word] if word else [])
