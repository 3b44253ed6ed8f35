"""The words and commands that the policy knows, as its checkpoint tells."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import yaml

from vla_contract.language.spoken_text import normalised, tokens
from vla_contract.language.spoken_text import words as split

_LIKELY = 0.8  # difflib's ratio: of both texts' letters, the share that they have in common
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
        return tuple(dict.fromkeys(word for word in split(text) if not self._knows(word)))

    def known_fraction(self, text: str) -> float:
        """Share of the words of a text that are known, 0 to 1; 0 where it has none."""
        words = split(text)
        if self.words is None:
            return 1.0
        return sum(map(self._knows, words)) / len(words) if words else 0.0

    def _knows(self, word: str) -> bool:
        """The policy sees the whole word, or it is of a command with which it was trained.

        Of a word with other letters than a-z the policy sees the rest: of "öopen", "open".
        """
        seen = tokens(word)
        if self.words is None or not seen or not self.words.issuperset(seen):
            return self.words is None
        whole = "".join(seen) == word.replace("'", "")
        return whole or any(word in split(text) for text in chain(*self.wordings.values()))

    def unknown_before_action(self, text: str, courtesies: Collection[str]) -> str:
        """The first unknown word up to the last action of a text; empty where there is none.

        A policy reads words without their grammar: told "don't open the drawer" it opens it. An
        unknown word may be a negation in any spelling or language, or have one within, where a
        script puts no spaces: "不open". Courtesies are none.
        """
        words, actions = split(text), self.actions - set(courtesies)
        ends = [i for i, word in enumerate(words, 1) if actions & {word, *tokens(word)}]
        for word in words[: ends[-1]] if ends else ():
            if word not in courtesies and not self._knows(word):
                return word
        return ""

    def offers(self, text: str, count: int = 5) -> tuple[str, ...]:
        """Commands the policy knows, those most like the text first; one of each task."""
        return tuple(sorted(self.commands, key=partial(_likeness, text), reverse=True)[:count])

    def likest(self, text: str) -> str:
        """The wording that a text may be a slip of the fingers of; empty where none is near it."""
        wordings = [wording for texts in self.wordings.values() for wording in texts]
        found = max(wordings, key=partial(_likeness, text), default="")
        return found if found and _likeness(text, found) >= _LIKELY else ""


def _likeness(text: str, command: str) -> float:
    return difflib.SequenceMatcher(None, normalised(text[:200]), normalised(command)).ratio()


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
