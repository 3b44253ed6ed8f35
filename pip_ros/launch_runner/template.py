"""Texts with ``$(name argument…)`` in them, taken apart.

A parsed text is a list of parts, each a plain text or a call. The rules of quoting and escaping are
launch's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class SubstitutionError(ValueError):
    """A substitution is malformed or has no value; the caller knows the place."""


@dataclass(frozen=True)
class Call:
    """One ``$(name argument…)``."""

    name: str
    arguments: tuple[Template, ...]


Part = str | Call
Template = list[Part]


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        return self.text[self.at + ahead : self.at + ahead + 1]

    def escaped(self) -> bool:
        """Whether a backslash stands before the next character, be it escaped itself."""
        return self.text[self.at - 1 : self.at] == "\\"

    def starts_call(self) -> bool:
        return self.peek() == "$" and self.peek(1) == "(" and not self.escaped()

    def template(self, quote: str = "") -> Template:
        """Read up to the quote that is open, or all of the text."""
        return self._parts(lambda: self.peek() == quote and not self.escaped(), quote)

    def word(self, quote: str) -> Template:
        """Read up to the space or ')' that ends an argument, within the quote that is open."""

        def ends() -> bool:
            if self.peek() in {"(", *(quote or "'\"")} and not self.escaped():
                raise SubstitutionError(f"{self.peek()} needs a backslash in '{self.text}'")
            return self.peek() == " " or (self.peek() == ")" and not self.escaped())

        value = self._parts(ends, quote)
        if not value:
            raise SubstitutionError(f"an argument is missing in '{self.text}'")
        return value

    def _parts(self, ends: Callable[[], bool], quote: str) -> Template:
        parts: Template = []
        begin = self.at
        while self.peek() and not ends():
            if self.starts_call():
                parts += [unescape(self.text[begin : self.at])] if self.at > begin else []
                parts.append(self.call(quote))
                begin = self.at
            else:
                self.at += 1
        return parts + ([unescape(self.text[begin : self.at])] if self.at > begin else [])

    def call(self, quote: str = "") -> Call:
        """Read a call whose ``$(`` is next, within the quote that is open."""
        begin = self.at
        self.at += 2
        match = IDENTIFIER.match(self.text, self.at)
        if match is None:
            raise SubstitutionError(f"a name is missing after '$(' in '{self.text[begin:]}'")
        self.at = match.end()
        arguments = []
        while self.peek() == " ":
            self.at += 1
            arguments.append(self.argument(quote))
        if self.peek() != ")":
            raise SubstitutionError(f"the closing ')' is missing in '{self.text[begin:]}'")
        self.at += 1
        return Call(match[0], tuple(arguments))

    def argument(self, quote: str) -> Template:
        """Read a quoted or a plain argument; within quotes there are no others."""
        opening = self.peek()
        if quote or opening not in ("'", '"'):
            return self.word(quote)
        self.at += 1
        value = self.template(opening)
        if self.peek() != opening:
            raise SubstitutionError(f"the closing {opening} is missing in '{self.text}'")
        self.at += 1
        return value


def unescape(text: str) -> str:
    """Return a text that holds no substitutions without the backslashes that escape."""
    return re.sub(r"\\(.)", r"\1", text)


def parse(text: str) -> Template:
    """Return the parts of a text; an empty text has one, which is empty.

    Raises:
        SubstitutionError: a substitution in it is malformed.
    """
    return _Parser(text).template() or [""]
