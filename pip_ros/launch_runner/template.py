"""Texts with ``$(name argument…)`` in them, taken apart.

A parsed text is a list of parts, each a plain text or a call. The rules of quoting and escaping are
launch's.
"""

from __future__ import annotations

import re
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

    def starts_call(self) -> bool:
        return self.peek() == "$" and self.peek(1) == "("

    def template(self, end: str = "", stop: str = "") -> Template:
        """Read up to the character `end` (empty: all of the text), or before one of `stop`."""
        parts: Template = []
        plain = ""
        while self.at < len(self.text) and self.peek() != end and self.peek() not in (*stop, ""):
            if self.starts_call():
                parts += [plain] if plain else []
                plain = ""
                parts.append(self.call())
                continue
            if self.peek() == "\\" and self.peek(1) not in ("", " " if stop else ""):
                self.at += 1
            plain += self.peek()
            self.at += 1
        return parts + ([plain] if plain else [])

    def call(self) -> Call:
        """Read a call whose ``$(`` is next."""
        begin = self.at
        self.at += 2
        match = IDENTIFIER.match(self.text, self.at)
        if match is None:
            raise SubstitutionError(f"a name is missing after '$(' in '{self.text[begin:]}'")
        self.at = match.end()
        arguments = []
        while self.peek() == " ":
            self.at += 1
            arguments.append(self.argument())
        if self.peek() != ")":
            raise SubstitutionError(f"the closing ')' is missing in '{self.text[begin:]}'")
        self.at += 1
        return Call(match[0], tuple(arguments))

    def argument(self) -> Template:
        """Read a quoted or a plain argument."""
        quote = self.peek()
        if quote not in ("'", '"') or not quote:
            value = self.template(stop=" )")
            if not value:
                raise SubstitutionError(f"an argument is missing in '{self.text}'")
            return value
        self.at += 1
        value = self.template(end=quote)
        if self.peek() != quote:
            raise SubstitutionError(f"the closing {quote} is missing in '{self.text}'")
        self.at += 1
        return value


def parse(text: str) -> Template:
    """Return the parts of a text.

    Raises:
        SubstitutionError: a substitution in it is malformed.
    """
    return _Parser(text).template()
