"""Sentences for understanding, from a folder of YAML files: one of each language, and tasks.yaml.

A file has `slots` (name → value → forms, as a language inflects them), `tasks` and `refused`, whose
lists of templates are split into train, validation and test, so that no template of a test was
trained. A slot whose name begins with block, below or side has that slot's values.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SPLITS = ("train", "validation", "test")
VALUES = {
    "block": ("red", "green", "blue"),
    "side": ("left", "right"),
    "below": ("red", "green", "blue"),
}
TASKS_FILE = "tasks.yaml"
_SLOT = re.compile(r"\{(\w+)\}")


class WordingsError(ValueError):
    """A file of wordings that cannot be used; one line with what is accepted."""


@dataclass(frozen=True)
class Sentence:
    """text; the kind of task that it asks for, or "" where it is to be refused.

    values: of the slots block, side and below that it has. why: of a refusal.
    """

    text: str
    language: str
    split: str
    kind: str = ""
    values: tuple[tuple[str, str], ...] = ()
    why: str = ""


def read_tasks(folder: Path) -> dict[str, tuple[str, ...]]:
    """Kind → names of the tasks that it may be, with slots."""
    data = _read(folder / TASKS_FILE)
    return {str(kind): tuple(map(str, names)) for kind, names in data.items()}


def read_sentences(folder: Path, most: int, seed: int = 0) -> list[Sentence]:
    """All sentences of all languages. most: of one task with its values, in a split of a language.

    Raises:
        WordingsError: no file, or one that is not as above.
    """
    files = sorted(file for file in folder.glob("*.yaml") if file.name != TASKS_FILE)
    if not files:
        raise WordingsError(f"{folder} has no wordings; accepted: a YAML file of each language")
    rng = random.Random(seed)
    made: list[Sentence] = []
    for file in files:
        groups: dict[tuple[Any, ...], list[Sentence]] = {}
        for sentence in _of_language(file):
            key = (sentence.split, sentence.kind, sentence.values)
            groups.setdefault(key, []).append(sentence)
        for (_, kind, _), group in groups.items():
            rng.shuffle(group)
            made += group[:most] if kind else group
    return made


def _of_language(file: Path) -> Iterator[Sentence]:
    data = _read(file)
    missing = [name for name in ("language", "slots", "tasks", "refused") if name not in data]
    if missing:
        raise WordingsError(f"{file}: no {', '.join(missing)}")
    language, slots = str(data["language"]), data["slots"]
    for split in SPLITS:
        for kind, lists in data["tasks"].items():
            for template in lists[split]:
                for text, values in _filled(file, template, slots):
                    yield Sentence(text, language, split, kind, values)
        for why, lists in data["refused"].items():
            for text in lists[split]:
                yield Sentence(text, language, split, why=why)


def _filled(
    file: Path, template: str, slots: Mapping[str, Mapping[str, list[str]]]
) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    names = _SLOT.findall(template)
    for name in names:
        if name not in slots or _base(name) not in VALUES:
            raise WordingsError(f"{file}: {template!r} has a slot {name!r}; accepted: "
                                f"{', '.join(slots)}")  # fmt: skip
    options = [[(v, form) for v, forms in slots[name].items() for form in forms] for name in names]
    for chosen in itertools.product(*options):
        values: dict[str, str] = {}
        text = template
        for name, (value, form) in zip(names, chosen, strict=True):
            values[_base(name)] = value
            text = text.replace("{" + name + "}", form)
        if values.get("below") != values.get("block") or "below" not in values:
            yield text, tuple(sorted(values.items()))


def _base(slot: str) -> str:
    return next((base for base in VALUES if slot.startswith(base)), slot)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WordingsError(f"{file}: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise WordingsError(f"{file} is no map; accepted: {', '.join(SPLITS)} of each task")
    return data
