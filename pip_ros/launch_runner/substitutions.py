"""The ``$(name argument…)`` of launch files: parsing and evaluating.

A parsed text is a list of parts, each a plain text or a call; the rules of quoting and escaping are launch's.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)

from .expression import ExpressionError, evaluate

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


@dataclass
class Place:
    """The launch file being read; none after an include, when launch itself names the wrong one."""

    file: Path | None = None


@dataclass
class Scope:
    """What substitutions can see."""

    variables: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    place: Place = field(default_factory=Place)

    def copy(self) -> Scope:
        """Return a scope whose variables and environment can change without changing these."""
        return Scope(dict(self.variables), dict(self.environment), self.place)


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
        """Read up to the character `end` (all of the text when it is empty), or before one of `stop`."""
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


def perform(parts: Template, scope: Scope) -> str:
    """Return the text with every substitution replaced by its value.

    Raises:
        SubstitutionError: a substitution is unknown, has a wrong number of arguments, or has no value.
    """
    return "".join(part if isinstance(part, str) else _perform_call(part, scope) for part in parts)


def _perform_call(call: Call, scope: Scope) -> str:
    if call.name not in SUBSTITUTIONS:
        known = ", ".join(sorted(SUBSTITUTIONS))
        raise SubstitutionError(f"unknown substitution $({call.name}), expected one of: {known}")
    function, least, most = SUBSTITUTIONS[call.name]
    if not least <= len(call.arguments) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise SubstitutionError(f"$({call.name}) takes {count} arguments, got {len(call.arguments)}")
    return function(scope, *(perform(argument, scope) for argument in call.arguments))


def _lookup(table: Mapping[str, str], kind: str, name: str, default: str | None) -> str:
    value = table.get(name, default)
    if value is None:
        raise SubstitutionError(f"{kind} '{name}' does not exist")
    return value


def _package(find: Callable[[str], str], name: str) -> str:
    try:
        return find(name)
    except (PackageNotFoundError, ValueError) as error:
        raise SubstitutionError(f"package '{name}' is not found; is it built and sourced?") from error


def find_executable(executable: str, package: str) -> str:
    """Return the path of a package's executable.

    Raises:
        SubstitutionError: there is no such package, or it does not have the executable.
    """
    folder = Path(_package(get_package_prefix, package)) / "lib" / package
    path = shutil.which(executable, path=str(folder))
    if path is None:
        have = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        raise SubstitutionError(
            f"executable '{executable}' is not in package '{package}', which has: {', '.join(have) or 'none'}"
        )
    return path


def truth(text: str) -> bool:
    """Return what a condition's text says.

    Raises:
        SubstitutionError: it is none of true, 1, false, 0.
    """
    value = text.strip().lower()
    if value not in ("true", "1", "false", "0"):
        raise SubstitutionError(f"'{text}' is no condition, expected one of: true, 1, false, 0")
    return value in ("true", "1")


def boolean(text: str) -> bool:
    """Return a boolean as YAML spells it, which is what the logical substitutions take."""
    value = yaml.safe_load(text) if text else text
    if not isinstance(value, bool):
        raise SubstitutionError(f"'{text}' is no boolean, expected one of: true, false")
    return value


def _which(_scope: Scope, name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SubstitutionError(f"executable '{name}' is not on the PATH")
    return path


def _var(scope: Scope, name: str, default: str | None = None) -> str:
    return _lookup(scope.variables, "argument or variable", name, default)


def _env(scope: Scope, name: str, default: str | None = None) -> str:
    return _lookup(scope.environment, "environment variable", name, default)


def _file(scope: Scope) -> Path:
    if scope.place.file is None:
        raise SubstitutionError(
            "after an <include>, launch takes the included file for this one; put it in a <let> before the include"
        )
    return scope.place.file


def _eval(_scope: Scope, text: str) -> str:
    try:
        return str(evaluate(text))
    except ExpressionError as error:
        raise SubstitutionError(str(error)) from error


# name -> function, least and most arguments
SUBSTITUTIONS: dict[str, tuple[Callable[..., str], int, int]] = {
    "and": (lambda _, a, b: str(boolean(a) and boolean(b)).lower(), 2, 2),
    "dirname": (lambda scope: str(_file(scope).parent), 0, 0),
    "env": (_env, 1, 2),
    "eval": (_eval, 1, 1),
    "exec-in-pkg": (lambda _, executable, package: find_executable(executable, package), 2, 2),
    "filename": (lambda scope: str(_file(scope)), 0, 0),
    "find-exec": (_which, 1, 1),
    "find-pkg-prefix": (lambda _, name: _package(get_package_prefix, name), 1, 1),
    "find-pkg-share": (lambda _, name: _package(get_package_share_directory, name), 1, 1),
    "not": (lambda _, a: str(not boolean(a)).lower(), 1, 1),
    "or": (lambda _, a, b: str(boolean(a) or boolean(b)).lower(), 2, 2),
    "var": (_var, 1, 2),
}
