"""Why surviving mutants change nothing that counts, from a package's mutation_survivors.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from vla_cli.client.command_errors import CommandError

_ACCEPTED = "accepted: why, and before or before_matches, and after or after_matches"


@dataclass(frozen=True)
class Reason:
    """Holds for each mutant whose changed lines match both expressions entirely."""

    before: re.Pattern[str]
    after: re.Pattern[str]
    why: str

    def holds(self, before: str, after: str) -> bool:
        """The reason is of this change."""
        return bool(self.before.fullmatch(before) and self.after.fullmatch(after))


def load_reasons(file: Path) -> list[Reason]:
    """The reasons of a file; none where it is not there.

    An entry has `why`, and for the lines before and after the change their text (`before`, `after`)
    or a regular expression of the whole of them (`before_matches`, `after_matches`).

    Raises:
        CommandError: it is no YAML, an entry has another form, or an expression cannot be read.
    """
    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else []
    except yaml.YAMLError as error:
        raise CommandError(f"{file}: {' '.join(str(error).split())}") from error
    return [_reason(file, number, entry) for number, entry in enumerate(entries or [], 1)]


def _reason(file: Path, number: int, entry: dict[str, str]) -> Reason:
    where = f"{file}, entry {number}"
    sides = sorted(key.removesuffix("_matches") for key in entry)
    if sides != ["after", "before", "why"]:
        raise CommandError(f"{where} has {', '.join(entry)}; {_ACCEPTED}")
    return Reason(_pattern(where, entry, "before"), _pattern(where, entry, "after"), entry["why"])


def _pattern(where: str, entry: dict[str, str], side: str) -> re.Pattern[str]:
    if side in entry:
        return re.compile(re.escape(entry[side]))
    expression = entry[f"{side}_matches"]
    try:
        return re.compile(expression)
    except re.error as error:
        raise CommandError(f"{where}: {side}_matches is {expression!r}: {error}") from error


def find_reason(reasons: Iterable[Reason], before: str, after: str) -> str | None:
    """The first reason that holds for a change; None where none does."""
    return next((each.why for each in reasons if each.holds(before, after)), None)
