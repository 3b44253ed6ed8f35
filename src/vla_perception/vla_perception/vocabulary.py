"""The words and commands that the policy knows, as its checkpoint tells."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

_WORD = re.compile(r"[a-z0-9]+")
_SPECIAL = 2  # words[0] is padding, words[1] the unknown word


class VocabularyError(ValueError):
    """A vocabulary file that cannot be used; the message names the file."""


@dataclass(frozen=True)
class Vocabulary:
    """Known words, and commands to offer.

    words: lower case; None: every word counts as known.
    commands: one wording of each task the policy was trained for.
    """

    words: frozenset[str] | None = None
    commands: tuple[str, ...] = ()

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
        known = frozenset(word.lower() for word in words[_SPECIAL:])
        return Vocabulary(known, _commands(file.with_name("config.yaml")))

    def unknown(self, text: str) -> tuple[str, ...]:
        """Words of a text that the policy does not know, each once, in order."""
        if self.words is None:
            return ()
        words = _WORD.findall(text.lower())
        return tuple(dict.fromkeys(word for word in words if word not in self.words))

    def known_fraction(self, text: str) -> float:
        """Share of the words of a text that are known, 0 to 1; 0 where it has none."""
        words = _WORD.findall(text.lower())
        if self.words is None:
            return 1.0
        return sum(word in self.words for word in words) / len(words) if words else 0.0

    def offers(self, text: str, count: int = 5) -> tuple[str, ...]:
        """Commands the policy knows, those most like the text first."""

        def likeness(command: str) -> float:
            return difflib.SequenceMatcher(None, text.lower()[:200], command.lower()).ratio()

        return tuple(sorted(self.commands, key=likeness, reverse=True)[:count])


def _commands(file: Path) -> tuple[str, ...]:
    """First wording of each task; empty where the checkpoint lists none."""
    if not file.is_file():
        return ()
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise VocabularyError(f"{file}: {' '.join(str(error).split())}") from error
    commands = data.get("commands") if isinstance(data, dict) else None
    if commands is None:
        return ()
    if not isinstance(commands, dict):
        raise VocabularyError(f"{file}: commands is not a mapping of a task to its wordings")
    wordings = [w if isinstance(w, list) else [w] for w in commands.values()]
    return tuple(str(wording[0]) for wording in wordings if wording)
