"""The words and commands that the policy knows, as its checkpoint tells."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from vla_contract.language.spoken_text import normalised, tokens
from vla_contract.language.spoken_text import words as split

_SPECIAL = 2  # words[0] is padding, words[1] the unknown word


class VocabularyError(ValueError):
    """A vocabulary file that cannot be used; the message names the file."""


@dataclass(frozen=True)
class Vocabulary:
    """Known words, and commands to offer.

    words: lower case; None: every word counts as known.
    wordings: task → the commands with which the policy was trained for it.
    actions: the first words of all wordings.
    """

    words: frozenset[str] | None = None
    wordings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    actions: frozenset[str] = frozenset()

    @property
    def commands(self) -> tuple[str, ...]:
        """One wording of each task."""
        return tuple(texts[0] for texts in self.wordings.values())

    @staticmethod
    def load(path: str) -> Vocabulary:
        """Read tokenizer.json, and the commands from config.yaml beside it if there is one.

        Raises:
            VocabularyError: no such file, or not {"words": [...]}.
        """
        file = Path(path).expanduser()
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise VocabularyError(f"vocabulary {file}: {error.strerror}") from error
        except ValueError as error:
            raise VocabularyError(f"vocabulary {file}: not JSON: {error}") from error
        words = data.get("words") if isinstance(data, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise VocabularyError(f'vocabulary {file}: accepted: {{"words": [a list of words]}}')
        if len(words) <= _SPECIAL:
            raise VocabularyError(f"vocabulary {file}: no words after padding and unknown")
        known = frozenset(normalised(word) for word in words[_SPECIAL:])
        wordings = _wordings(file.with_name("config.yaml"))
        actions = {split(text)[0] for texts in wordings.values() for text in texts if split(text)}
        return Vocabulary(known, wordings, frozenset(actions))

    def unknown(self, text: str) -> tuple[str, ...]:
        """Words of a text that the policy does not know, each once, in order."""
        if self.words is None:
            return ()
        words = tokens(text)
        return tuple(dict.fromkeys(word for word in words if word not in self.words))

    def known_fraction(self, text: str) -> float:
        """Share of the words of a text that are known, 0 to 1; 0 where it has none."""
        words = tokens(text)
        if self.words is None:
            return 1.0
        return sum(word in self.words for word in words) / len(words) if words else 0.0

    def unknown_before_action(self, text: str, courtesies: Collection[str]) -> str:
        """The first unknown word before the last action of a text; empty where there is none.

        A policy reads words without their grammar: told "don't open the drawer" it opens it. An
        unknown word may be a negation in any spelling or language. Courtesies are none.
        """
        words = split(text)
        actions = [i for i, word in enumerate(words) if word in self.actions - set(courtesies)]
        for word in words[: actions[-1]] if actions else ():
            if word not in courtesies and (self.unknown(word) or not tokens(word)):
                return word
        return ""

    def offers(self, text: str, count: int = 5) -> tuple[str, ...]:
        """Commands the policy knows, those most like the text first; one of each task."""

        def likeness(command: str) -> float:
            return difflib.SequenceMatcher(None, text[:200], normalised(command)).ratio()

        return tuple(sorted(self.commands, key=likeness, reverse=True)[:count])


def _wordings(file: Path) -> dict[str, tuple[str, ...]]:
    """The wordings of each task; empty where the checkpoint lists none."""
    if not file.is_file():
        return {}
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise VocabularyError(f"{file}: {' '.join(str(error).split())}") from error
    commands = data.get("commands") if isinstance(data, dict) else None
    if commands is None:
        return {}
    if not isinstance(commands, dict):
        raise VocabularyError(f"{file}: commands is not a mapping of a task to its wordings")
    return {
        str(task): tuple(str(each) for each in (texts if isinstance(texts, list) else [texts]))
        for task, texts in commands.items()
        if texts
    }
