"""Commands that contradict themselves: negated, opposite actions or directions, two in one.

A policy reads words without their grammar: told "do not open the drawer" it opens it, and of
"open and close the drawer" it does either. What is looked for is small and explicit, in tables
that are parameters. What the policy was trained with, word for word, is never refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vla_contract.text import normalised
from vla_contract.text import words as split

# Forms of "not" that are grown together with a verb (don't, cannot) are known without a list.
NEGATIONS = (
    "not", "never", "no", "without", "except", "unless", "avoid", "refuse", "forbid",
    "nicht", "kein", "keine", "nie", "niemals", "ohne", "pas", "jamais", "sans", "nunca", "jamás",
    "sin", "não", "nem", "sem", "non", "mai", "senza", "niet", "geen", "nooit", "zonder", "nigdy",
    "bez", "hayır", "değil", "asla", "не", "нет", "никогда", "без", "لا", "ليس", "بدون",
)  # fmt: skip
# Words in front of a command that forbid nothing.
COURTESIES = (
    "please", "kindly", "hey", "hi", "hello", "ok", "okay", "robot", "now", "then", "and", "so",
    "first", "next", "again", "just", "also", "quickly", "slowly", "carefully", "gently",
    "can", "could", "would", "will", "you", "i", "we", "want", "like", "need", "us", "let", "lets",
    "me", "my", "arm", "your", "try", "go", "ahead", "should", "must", "help", "thanks", "thank",
    "bitte", "mal", "s'il", "te", "vous", "plaît", "por", "favor", "favore", "per", "proszę",
    "lütfen", "пожалуйста", "alstublieft", "graag",
)  # fmt: skip
OPPOSITE_ACTIONS = (
    "open opens opening|close closes closing closed shut shuts",
    "push pushes pushing|pull pulls pulling",
    "lock locks locking|unlock unlocks unlocking",
    "pick picks picking grasp grasps|drop drops dropping release releases",
    "raise raises lift lifts|lower lowers",
    "start begin|stop halt freeze",
)
OPPOSITE_DIRECTIONS = (
    "left leftwards|right rightwards",
    "up upwards|down downwards",
    "forward forwards|back backward backwards",
    "clockwise|counterclockwise anticlockwise",
)

# "do", "can", "would", … with "not", "n't" or "nt" behind it, however that is spelt or split.
_NOT_WITH_A_VERB = re.compile(
    r"\b(?:do|does|did|is|are|was|were|am|ai|wo|will|would|ca|can|could|sha|shall|should|must|need"
    r"|ought|may|might|have|has|had|dare)(?:[\W_]*n[\W_]*t|not)\b"
)
_COUNTER = re.compile(r"\b(counter|anti)[ -]clockwise\b")
_ARTICLES = frozenset({"the", "a", "an", "this", "that"})
# After an adjective comes what it belongs to; after these, or at the end, comes none.
_NO_NOUNS = frozenset({"and", "or", "then", "to", "of", "from", "but", "with", "at", "on", "in"})
_ORIGINS = frozenset({"from"})
# Actions whose particle is no direction: "pick up the nut and put it down".
_PHRASAL = frozenset({"pick", "picks", "picking", "put", "puts", "set", "sets", "press", "push"})


@dataclass(frozen=True)
class Pair:
    """Two sets of words that exclude each other."""

    one: frozenset[str]
    other: frozenset[str]


def table(lines: Sequence[str]) -> tuple[Pair, ...]:
    """Pairs from lines like "open opens|close closes".

    Raises:
        ValueError: a line that is not two lists of words.
    """
    pairs = []
    for line in lines:
        sides = [frozenset(normalised(side).split()) for side in line.split("|")]
        if len(sides) != 2 or not all(sides) or sides[0] & sides[1]:
            raise ValueError(f"{line!r}; accepted: two lists of words, as open|close shut")
        pairs.append(Pair(*sides))
    return tuple(pairs)


def words_of(text: str) -> list[str]:
    """The words, counter-clockwise as one."""
    return split(_COUNTER.sub(r"\1clockwise", normalised(text)))


@dataclass(frozen=True)
class Contradictions:
    """Finds what contradicts itself in a command.

    wordings: of every task, the commands that the policy was trained with. known: its words; None:
    every word counts as known. courtesies: words that may stand before an action.
    """

    negations: frozenset[str]
    actions: tuple[Pair, ...]
    directions: tuple[Pair, ...]
    wordings: Mapping[str, tuple[str, ...]]
    known: frozenset[str] | None = None
    courtesies: frozenset[str] = frozenset(COURTESIES)

    def find(self, text: str) -> str:
        """What contradicts what, in words; empty where nothing does."""
        words = words_of(text)
        known = [(task, words_of(each)) for task, texts in self.wordings.items() for each in texts]
        if any(words == wording for _, wording in known):
            return ""
        return (
            self._negation(text, words)
            or self._unknown_before_the_action(words, [wording for _, wording in known])
            or _two_commands(words, known)
            or _opposites(words, self.actions, _actions)
            or _opposites(words, self.directions, _directions)
        )

    def _negation(self, text: str, words: list[str]) -> str:
        with_a_verb = _NOT_WITH_A_VERB.search(normalised(text))
        found = [word for word in words if word in self.negations]
        if with_a_verb:
            found.insert(0, with_a_verb.group())
        return f'"{found[0]}" asks me not to, and I know only what to do' if found else ""

    def _unknown_before_the_action(self, words: list[str], wordings: list[list[str]]) -> str:
        """A word before the action may forbid it, in a spelling that no list tells."""
        actions = {each for wording in wordings for each in wording[:1]} - self.courtesies
        first = next((i for i, word in enumerate(words) if word in actions), None)
        if self.known is None or first is None:
            return ""
        strange = [w for w in words[:first] if w not in self.known and w not in self.courtesies]
        if not strange:
            return ""
        return f'"{strange[0]}" before "{words[first]}" may forbid it; I do not know it'


def _two_commands(words: list[str], known: list[tuple[str, list[str]]]) -> str:
    """Commands of two tasks that stand beside each other in one text."""
    taken: list[tuple[int, int, str]] = []
    for task, wording in sorted(known, key=lambda each: -len(each[1])):
        for start in range(len(words) - len(wording) + 1):
            end = start + len(wording)
            free = all(end <= first or last <= start for first, last, _ in taken)
            if wording and free and words[start:end] == wording:
                taken.append((start, end, task))
    taken.sort()
    tasks = dict.fromkeys(task for _, _, task in taken)
    if len(tasks) < 2:
        return ""
    parts = [" ".join(words[first:last]) for first, last, _ in taken[:3]]
    return "that is " + " and ".join(f'"{part}"' for part in parts) + "; one at a time"


def _opposites(
    words: list[str], pairs: tuple[Pair, ...], meant: Callable[[list[str], Pair], Iterator[str]]
) -> str:
    for pair in pairs:
        one = [word for word in meant(words, pair) if word in pair.one]
        other = [word for word in meant(words, pair) if word in pair.other]
        if one and other:
            return f'"{one[0]}" and "{other[0]}" contradict each other'
    return ""


def _actions(words: list[str], pair: Pair) -> Iterator[str]:
    """Words of a pair that are actions: "close the open drawer" has one."""
    for i, word in enumerate(words):
        if word in pair.one | pair.other and not _is_adjective(words, i):
            yield word


def _directions(words: list[str], pair: Pair) -> Iterator[str]:
    """Words of a pair that say where to: not "from left", "the left block", "left of"."""
    for i, word in enumerate(words):
        if word not in pair.one | pair.other or _is_adjective(words, i):
            continue
        before = words[max(0, i - 2) : i]
        if _ORIGINS & set(before) or words[i + 1 : i + 2] == ["of"]:
            continue
        if i and words[i - 1] in _PHRASAL:
            continue
        yield word


def _is_adjective(words: list[str], index: int) -> bool:
    after = words[index + 1 : index + 2]
    return index > 0 and words[index - 1] in _ARTICLES and bool(after) and after[0] not in _NO_NOUNS
