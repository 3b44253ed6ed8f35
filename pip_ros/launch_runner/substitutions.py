"""The substitutions of launch files: what each ``$(name argument…)`` stands for."""

from __future__ import annotations

import os
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
from .template import Call, SubstitutionError, Template


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


def perform(parts: Template, scope: Scope) -> str:
    """Return the text with every substitution replaced by its value.

    Raises:
        SubstitutionError: a substitution is unknown, has wrong arguments, or has no value.
    """
    return "".join(part if isinstance(part, str) else _perform_call(part, scope) for part in parts)


def _perform_call(call: Call, scope: Scope) -> str:
    if call.name not in SUBSTITUTIONS:
        known = ", ".join(sorted(SUBSTITUTIONS))
        raise SubstitutionError(f"unknown substitution $({call.name}), expected one of: {known}")
    function, least, most = SUBSTITUTIONS[call.name]
    if not least <= len(call.arguments) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise SubstitutionError(
            f"$({call.name}) takes {count} arguments, got {len(call.arguments)}"
        )
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
        raise SubstitutionError(
            f"package '{name}' is not found; is it built and sourced?"
        ) from error


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
            f"executable '{executable}' is not in package '{package}', "
            f"which has: {', '.join(have) or 'none'}"
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
            "after an <include>, launch takes the included file for this one; "
            "put it in a <let> before the include"
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
