"""What is read of a mapping file: its checked entries, keys and frames; and the error of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vla_policy.remote.mapping.observation_history import Key, Past

KEY = (str, list)  # types of a key as it is written
_MOST_FRAMES = 64
_TYPES = {str: "text", list: "a list", dict: "a map", int: "a whole number", float: "a number",
          object: "text, a list or a map"}  # fmt: skip


class MappingError(ValueError):
    """A mapping, or what a server answers, that cannot be used; one line."""


def checked_entries(
    data: Any, where: str, kinds: Mapping[str, Any], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Checked entries of a map: their names, and the type of each."""
    if not isinstance(data, dict):
        raise MappingError(f"{where} is no map; accepted: {', '.join(kinds)}")
    wrong = [str(key) for key in data if key not in kinds]
    wrong += [key for key in kinds if key not in data and key not in optional]
    if wrong:
        raise MappingError(f"{where}: unknown or missing {', '.join(wrong)}; "
                           f"accepted: {', '.join(kinds)}")  # fmt: skip
    for key, value in data.items():
        if not isinstance(value, kinds[key]) or isinstance(value, bool):
            types = kinds[key] if isinstance(kinds[key], tuple) else (kinds[key],)
            accepted = " or ".join(_TYPES[kind] for kind in types)
            raise MappingError(f"{where}.{key} is {value!r}; accepted: {accepted}")
    return dict(data)


def past_of(found: dict[str, Any], where: str) -> Past | None:
    """Take frames and stride out of an entry; raises MappingError."""
    frames, stride = found.pop("frames", 0), found.pop("stride", 1)
    for name, value, least in (("frames", frames, 0), ("stride", stride, 1)):
        if not least <= value <= _MOST_FRAMES:
            raise MappingError(
                f"{where}.{name} is {value}; accepted: whole numbers from {least} to {_MOST_FRAMES}"
            )
    return Past(frames, stride) if frames else None


def key_of(given: Any, where: str) -> Key:
    """A key as it is written, text or a list, as one; raises MappingError."""
    key = (given,) if isinstance(given, str) else tuple(given)
    if not key or not all(isinstance(name, str) for name in key):
        raise MappingError(f"{where}: key is {given!r}; accepted: text, or a list of the texts of "
                           "maps in one another")  # fmt: skip
    return key


def put(message: dict[str, Any], key: Key, value: Any) -> None:
    """Set what a key leads to; raises MappingError where another one is in its way."""
    *outer, last = key
    for name in outer:
        inside = message.get(name, {})
        if not isinstance(inside, dict):
            raise MappingError(f"the key {list(key)} leads into {name}, which is no map; accepted: "
                               "keys that do not exclude each other")  # fmt: skip
        message[name] = dict(inside)  # the constants' own map stays as it is
        message = message[name]
    if isinstance(message.get(last), dict):
        raise MappingError(f"the key {list(key)} is a map of other keys; accepted: keys that do "
                           "not exclude each other")  # fmt: skip
    message[last] = value
