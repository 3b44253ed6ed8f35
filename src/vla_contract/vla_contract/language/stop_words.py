"""Recognition of the utterances that stop the robot; perception and safety must agree on them."""

from __future__ import annotations

from collections.abc import Iterable

from vla_contract.language.spoken_text import without_accents, words

# In sixteen languages; accents, case and punctuation do not matter.
STOP_WORDS = (
    "stop", "halt", "freeze",  # English; the first also German, French, Italian, Dutch, Polish
    "stopp", "stoppen", "anhalten", "sofort anhalten",  # German
    "arrête", "arrêtez", "arrête-toi", "arrêtez-vous", "halte",  # French
    "para", "pare", "parar", "alto", "detente", "deténgase", "quieto",  # Spanish
    "pára", "parem", "parado",  # Portuguese, beside Spanish's
    "ferma", "fermati", "fermatevi", "fermo", "alt",  # Italian
    "houd op", "stilstaan",  # Dutch, beside German's
    "stój", "zatrzymaj", "zatrzymaj się",  # Polish
    "dur", "durun", "durdur",  # Turkish
    "стоп", "стой", "стойте", "остановись", "остановитесь",  # Russian
    "قف", "توقف", "توقفي", "توقفوا",  # Arabic
    "停", "停止", "停下", "停下来", "停下來", "站住", "别动", "別動",  # Chinese, both scripts
    "止まれ", "とまれ", "止まって", "とまって", "止めて", "ストップ",  # Japanese
    "멈춰", "멈춰요", "멈추세요", "멈춰라", "정지", "그만", "스톱",  # Korean
    "หยุด", "หยุดนะ", "หยุดเดี๋ยวนี้",  # Thai
)  # fmt: skip

# Longer texts are no stop word; they are not even looked at, whatever their size.
_LONGEST = 1000
# Scripts that put no space between words: Thai to Tibetan, and from the CJK radicals on but for
# Korean's syllables, which are written with spaces.
_UNSPACED = ((0x0E00, 0x0FFF), (0x2E80, 0xABFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


class StopWords:
    """Recognises an utterance of nothing but stop words.

    Case, accents, spaces and punctuation do not matter: " STOP!! ", "stop, halt" and "stój" without
    its accent are, "push the stop button" is not. One may have several words ("hold still").
    """

    def __init__(self, stop_words: Iterable[str]) -> None:
        self._words = sorted({_spelt(each) for each in stop_words} - {""}, key=len, reverse=True)

    def match(self, text: str) -> str:
        """The stop word that the text begins with, where it is one as a whole; else empty."""
        if len(text) > _LONGEST:
            return ""
        first, rest = "", _spelt(text)
        while rest:
            word = next((w for w in self._words if _begins(rest, w)), "")
            if not word:
                return ""
            first, rest = first or word, rest[len(word) :].lstrip()
        return first


def _spelt(text: str) -> str:
    return without_accents(" ".join(words(text)))


def _begins(text: str, word: str) -> bool:
    if not text.startswith(word):
        return False
    follows = text[len(word) :]
    return not follows or follows[0] == " " or _unspaced(word[-1])


def _unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _UNSPACED)
