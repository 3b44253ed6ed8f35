"""A question that the robot has asked, and the yes or no that answers it. Free of ROS.

"Did you mean: open the drawer? Say yes, or another command." Yes within the time gives the guessed
command as if it had been said, no drops it; any other command takes the question's place.
"""

from __future__ import annotations

from collections.abc import Iterable

from vla_contract.language.spoken_text import without_accents, words

# In sixteen languages; accents, case and punctuation do not matter.
YES = (
    "yes", "yes please", "yep", "yeah", "ja", "ja bitte", "jawohl", "oui", "oui merci", "sí", "si",
    "sì", "sim", "tak", "evet", "да", "نعم", "是", "是的", "对", "對", "はい", "ええ", "네", "예",
    "ใช่",
)  # fmt: skip
NO = (
    "no", "no thanks", "nope", "nein", "non", "não", "nee", "nie", "hayır", "нет", "لا", "不",
    "不是", "いいえ", "いや", "아니요", "아니", "ไม่", "ไม่ใช่",
)  # fmt: skip


class QuestionError(ValueError):
    """A yes or no to nothing; the message is what the robot says."""


class OpenQuestion:
    """At most one question, and until when it is open, s, steady."""

    def __init__(self) -> None:
        self._guess, self._until = "", 0.0

    def ask(self, guess: str, until: float) -> None:
        """A command was guessed."""
        self._guess, self._until = guess, until

    def drop(self) -> None:
        """Something else was said."""
        self._guess = ""

    def answer(self, text: str, now: float) -> str | None:
        """The command that a yes gives, empty for a no; None: the text is neither.

        Raises:
            QuestionError: a yes or no where no question is open.
        """
        said = _spelt(text)
        if said not in _YES | _NO:
            return None
        guess, self._guess = self._guess, ""
        if not guess:
            raise QuestionError(f"I have asked nothing that {text.strip()!r} could answer")
        if now > self._until:
            raise QuestionError(f"my question, whether you meant {guess!r}, is too long ago")
        return guess if said in _YES else ""


def _spelt(text: str) -> str:
    return " ".join(words(without_accents(text[:100])))


def _all(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_spelt, texts))


_YES, _NO = _all(YES), _all(NO)
