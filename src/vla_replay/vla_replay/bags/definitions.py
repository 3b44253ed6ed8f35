"""Message definitions: those in a bag, those of its distribution, and what of two is the same."""

from __future__ import annotations

import keyword
import re
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

CDR, ROS1 = "cdr", "ros1"  # encodings of messages that can be read
_IDL = re.compile(r"^\s*module\s+\w+\s*\{", re.MULTILINE)
_SEPARATOR = "=" * 80 + "\n"
_BYTES = ("byte", "char", "octet", "uint8")  # one byte each, whatever a distribution calls it
_DUMMY = "structure_needs_at_least_one_member"  # of a message without fields
# What a bag without definitions and without the name of its distribution was recorded with:
# Humble is the last one that stores neither.
_UNNAMED = Stores.ROS2_HUMBLE


class DefinitionError(ValueError):
    """A definition that cannot be read, or lacks a type that it uses."""


def parsed(text: str, kind: str) -> Any:
    """A store with a type as a bag stores its definition, in .msg or IDL form.

    Raises:
        DefinitionError: it cannot be read, or is not whole.
    """
    store = get_typestore(Stores.EMPTY)
    try:
        types: Any = {}
        if _IDL.search(text):
            for part in filter(str.strip, text.split(_SEPARATOR)):
                types.update(get_types_from_idl(re.sub(r"\AIDL: .*\n", "", part)))
        else:
            types = get_types_from_msg(text, kind)
        store.register(types)
        layout(store, kind)
    except Exception as error:  # whatever a damaged definition makes of the parser
        raise DefinitionError(f"the definition of {kind} cannot be read") from error
    return store


def of_distribution(name: str, encoding: str) -> Any:
    """The types of a distribution, e.g. "humble"; unknown names are taken as newer than known."""
    if encoding == ROS1:
        return get_typestore(Stores.ROS1_NOETIC)
    known = Stores.__members__.get(f"ROS2_{name.upper()}", Stores.LATEST)
    return get_typestore(known if name else _UNNAMED)


def fields(store: Any, kind: str) -> list[tuple[str, Any]]:
    """(attribute, description) of each field."""
    found = store.fielddefs[kind][1]
    return [(_attribute(name), description) for name, description in found if name != _DUMMY]


def plain(name: str) -> str:
    """A field's name as it is compared: CameraInfo's matrices are in capitals in ROS 1."""
    return name.rstrip("_").lower()


def layout(store: Any, kind: str) -> tuple[Any, ...]:
    """Names and types of all fields with those within them: what the bytes of a message mean."""
    return tuple((plain(name), _shape(store, each)) for name, each in fields(store, kind))


def _shape(store: Any, description: Any) -> Any:
    node, inner = description
    if node == Nodetype.BASE:
        return "uint8" if inner[0] in _BYTES else inner[0]
    if node == Nodetype.NAME:
        return layout(store, inner)
    count = inner[1] if node == Nodetype.ARRAY else 0  # a bound is not in the bytes
    return node, _shape(store, inner[0]), count


def _attribute(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
