"""What a person says, in one spelling: Unicode forms, case, apostrophes, invisible characters.

Every text that is compared with others goes through here first, once, where it enters: stop words,
vocabulary and wordings then see one spelling of each word. Free of ROS.
"""

from __future__ import annotations

import re
import unicodedata

# What keyboards, word processors and phones give for an apostrophe. NFKC makes a space and an
# accent of some of them, so they are replaced before it.
_APOSTROPHES = dict.fromkeys(
    map(
        ord,
        "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
        "\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}"
        "\N{ACUTE ACCENT}\N{GRAVE ACCENT}\N{PRIME}\N{REVERSED PRIME}\N{FULLWIDTH APOSTROPHE}"
        "\N{FULLWIDTH GRAVE ACCENT}\N{MODIFIER LETTER APOSTROPHE}\N{MODIFIER LETTER PRIME}"
        "\N{MODIFIER LETTER VERTICAL LINE}\N{MODIFIER LETTER TURNED COMMA}"
        "\N{MODIFIER LETTER REVERSED COMMA}\N{MODIFIER LETTER ACUTE ACCENT}"
        "\N{MODIFIER LETTER GRAVE ACCENT}\N{MODIFIER LETTER LEFT HALF RING}"
        "\N{MODIFIER LETTER RIGHT HALF RING}\N{GREEK TONOS}\N{GREEK OXIA}\N{GREEK VARIA}"
        "\N{GREEK PSILI}\N{GREEK KORONIS}\N{GREEK DASIA}\N{GREEK NUMERAL SIGN}"
        "\N{ARMENIAN APOSTROPHE}\N{HEBREW PUNCTUATION GERESH}"
        "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
        "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}\N{LATIN SMALL LETTER SALTILLO}"
        "\N{HEAVY SINGLE COMMA QUOTATION MARK ORNAMENT}"
        "\N{HEAVY SINGLE TURNED COMMA QUOTATION MARK ORNAMENT}",
    ),
    "'",
)
# Invisible, but part of ordinary text: Persian and Indic words and emoji are written with joiners,
# Arabic and Hebrew with direction marks, and editors leave the others. No word differs by them.
_INVISIBLE = {
    **dict.fromkeys(
        map(
            ord,
            "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}\N{LEFT-TO-RIGHT MARK}"
            "\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}\N{WORD JOINER}\N{SOFT HYPHEN}"
            "\N{ZERO WIDTH NO-BREAK SPACE}\N{ZERO WIDTH SPACE}",
        )
    ),
    **dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0020, 0xE0080)]),  # of emoji
}
_TOKEN = re.compile(r"[a-z0-9]+")
_ACCENTS = range(0x300, 0x370)  # combining ones of Latin, Greek and Cyrillic letters


def normalised(text: str) -> str:
    """The text in Unicode's NFKC form, without differences of case, with one kind of apostrophe."""
    plain = text.translate(_APOSTROPHES).translate(_INVISIBLE)
    folded = unicodedata.normalize("NFKC", plain).translate(_APOSTROPHES).casefold()
    return unicodedata.normalize("NFKC", folded)


def words(text: str) -> list[str]:
    """The words of a text in that spelling: letters, marks and digits, apostrophes between them."""
    return _split(normalised(text))


def as_typed(word: str, text: str) -> str:
    """How a word of `words(text)` is written in the text; the word itself where it is not whole."""
    return next((each for each in _split(text) if normalised(each) == word), word)


def tokens(text: str) -> list[str]:
    """What a checkpoint's tokenizer sees of the words of a text: runs of a-z and 0-9."""
    return [token for word in words(text) for token in _TOKEN.findall(word)]


def without_accents(text: str) -> str:
    """The text without the accents of Latin, Greek and Cyrillic letters, which many leave out."""
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in apart if ord(c) not in _ACCENTS))


def _split(text: str) -> list[str]:
    spaced = "".join(c if c == "'" or _of_a_word(c) else " " for c in text)
    return [word for word in (each.strip("'") for each in spaced.split()) if word]


def _of_a_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
