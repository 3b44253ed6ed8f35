"""What the robot is asked to do: checked text, held until something ends it."""

from __future__ import annotations

import enum
import unicodedata
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from vla_contract.language.near_names import near_names
from vla_contract.language.spoken_text import as_typed, normalised, words
from vla_contract.stamps import NANOSECONDS
from vla_perception.command.command_vocabulary import Vocabulary

_REMEMBERED_IDS = 1000


class Refusal(enum.Enum):
    """Why a text is not a command."""

    NOT_UTF8 = "not UTF-8"
    EMPTY = "empty"
    TOO_LONG = "too long"
    CONTROL = "control characters"
    UNKNOWN_WORDS = "unknown words"
    REPEATED_ID = "repeated id"
    NO_QUESTION = "an answer to no question"


class CommandError(ValueError):
    """A text that is refused; the message is what the robot says to the user.

    guess: a command that it may have meant; empty: none.
    """

    def __init__(self, refusal: Refusal, message: str, guess: str = "") -> None:
        super().__init__(message)
        self.refusal = refusal
        self.guess = guess


class End(enum.Enum):
    """What ended a command."""

    NEWER = "a newer command"
    STOP = "stop"
    DONE = "done"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    CLOCK = "the clock jumped back"
    FAILED = "it cannot be executed"


def shown(text: str, length: int = 80) -> str:
    """A text that may be anything as it was typed, in one line: what cannot be printed escaped."""
    return repr(text[:length]) + ("..." if len(text) > length else "")


def clean(text: str, max_length: int) -> str:
    """One line of printable text in the spelling in which texts are compared.

    Raises:
        CommandError: empty, too long, not UTF-8, or with characters that nobody types.
    """
    _check_length(text, max_length)
    if "\ufffd" in text:  # what rclpy puts in place of bytes that are no UTF-8
        raise CommandError(Refusal.NOT_UTF8, f"that is not UTF-8 text: {shown(text, 40)}")
    line = " ".join(normalised(text).split())
    _check_length(line, max_length)  # one character may be made of many
    if any(unicodedata.category(character).startswith("C") for character in line):
        raise CommandError(Refusal.CONTROL, f"that has control characters: {shown(line, 40)}")
    if not words(line):
        raise CommandError(Refusal.EMPTY, f"I see no words in {shown(line, 40)}")
    return line


def _check_length(text: str, longest: int) -> None:
    if len(text) > longest:
        raise CommandError(
            Refusal.TOO_LONG, f"that has {len(text)} characters, I read at most {longest}"
        )


def check_words(
    text: str,
    vocabulary: Vocabulary,
    min_known_fraction: float,
    courtesies: Collection[str] = (),
) -> None:
    """Refuse a text of which the policy would understand too little, or the contrary.

    text: as it was typed. courtesies: words that may stand before an action, known or not.

    Raises:
        CommandError: UNKNOWN_WORDS, naming them and offering commands.
    """
    fraction, guess = vocabulary.known_fraction(text), ""
    if fraction == 0.0 or fraction < min_known_fraction:
        words = [as_typed(word, text) for word in vocabulary.unknown(text)[:8]]
        unknown = ", ".join(shown(word, 30) for word in words)
        message = f"I do not know {unknown or shown(text, 40)}{_meant(words, vocabulary)}"
        guess = vocabulary.likest(text)
    elif word := vocabulary.unknown_before_action(text, courtesies):
        word = shown(as_typed(word, text), 30)
        message = f"I do not know {word}, and it may forbid what comes after it"
    else:
        return
    raise CommandError(Refusal.UNKNOWN_WORDS, message + _offer(text, vocabulary), guess)


def _meant(unknown: Sequence[str], vocabulary: Vocabulary) -> str:
    known = vocabulary.words or ()
    likest = [near for word in unknown for near in near_names(word.lower(), known)]
    return f"; did you mean {', '.join(map(repr, likest))}?" if likest else ""


def _offer(text: str, vocabulary: Vocabulary) -> str:
    offers = vocabulary.offers(text)
    more = len(vocabulary.commands) - len(offers)
    rest = f" and {more} more: ./vla say --list" if more else ""
    return "; I know: " + " | ".join(offers) + rest if offers else ""


@dataclass(frozen=True)
class HeldCommand:
    """A command in force.

    given: when it was given, ns; taken: when it arrived, ns, node clock; limit: s.
    """

    command_id: int
    text: str
    given: int
    taken: int
    limit: float


class CommandHold:
    """The one command in force, and identities that no two commands share.

    A command is paired with the image nearest its arrival of those not yet published: the next
    observation. It then stays in force until `withdraw`.
    """

    def __init__(self) -> None:
        self.current: HeldCommand | None = None
        self._last_id = 0
        self._used: deque[int] = deque(maxlen=_REMEMBERED_IDS)

    def give(
        self,
        text: str,
        now: int,
        limit: float,
        *,
        wall: int,
        command_id: int = 0,
        given: int = 0,
    ) -> HeldCommand:
        """Put a checked text in force in place of the present command.

        Args:
            now: ns, node clock. wall: ns since 1970, from which new ids are made: they go on
                rising when the node is started anew, which simulation time does not.
            command_id: 0: a new one. given: 0 or in the future: now.

        Raises:
            CommandError: REPEATED_ID.
        """
        if command_id in self._used:
            raise CommandError(
                Refusal.REPEATED_ID, f"command_id {command_id} was used before; 0 gets a new one"
            )
        if command_id == 0:
            command_id = self._last_id = max(self._last_id + 1, wall)
            while command_id in self._used:
                command_id = self._last_id = command_id + 1
        self._used.append(command_id)
        self.current = HeldCommand(command_id, text, min(given or now, now), now, limit)
        return self.current

    def retake(self, now: int) -> None:
        """Count the time of the command in force from now, ns."""
        if self.current is not None:
            self.current = replace(self.current, taken=now)

    def withdraw(self) -> HeldCommand | None:
        """No command is in force any more; returns the one that was."""
        command, self.current = self.current, None
        return command

    def expired(self, now: int) -> bool:
        """The time of the command in force is over."""
        command = self.current
        return command is not None and now - command.taken >= command.limit * NANOSECONDS
