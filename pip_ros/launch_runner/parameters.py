"""The parameters of a node: their types by launch's rules, and the files that carry them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from .document import Element
from .substitutions import Scope, perform
from .template import parse

SCALARS = (bool, int, float, str)
TYPES: dict[str, tuple[type | None, bool]] = {
    "str": (str, False),
    "bool": (bool, False),
    "float": (float, False),
    "int": (int, False),
    "list_of_str": (str, True),
    "list_of_bool": (bool, True),
    "list_of_float": (float, True),
    "list_of_int": (int, True),
    "yaml": (None, False),
}


def parameter_file(element: Element, node_name: str | None, scope: Scope) -> Path:
    """Return the file of a <param> of a <node>: the one it names, or a new temporary one.

    Raises:
        LaunchError: the element is malformed or names no file.
        SubstitutionError: a substitution is malformed or has no value.
        ValueError: a value has a type that no parameter can have.
    """
    if (element.get("from") is None) == (element.get("name") is None):
        raise element.error("needs either 'name' or 'from'")
    if element.get("from") is not None:
        return _given_file(element, scope)
    if element.get("allow_substs") is not None:
        raise element.error("'allow_substs' needs 'from'")
    content = {node_name or "/**": {"ros__parameters": flatten(element, scope)}}
    return _write(yaml.dump(content, default_flow_style=False))


def flatten(element: Element, scope: Scope, prefix: str = "") -> dict[str, Any]:
    """Return a <param>'s values by their dotted names.

    Raises:
        LaunchError: the element has neither a value nor nested parameters, or both.
        SubstitutionError, ValueError: as parameter_file().
    """
    name = prefix + perform(parse(element.attributes["name"]), scope)
    if element.children:
        if element.get("value") is not None or element.get("type") is not None:
            raise element.error("nested parameters exclude 'value' and 'type'")
        values: dict[str, Any] = {}
        for child in element.children:
            values |= flatten(child, scope, name + ".")
        return values
    text = element.get("value")
    if text is None:
        raise element.error("needs a 'value' or nested parameters")
    kind = element.get("type") or "yaml"
    if kind not in TYPES:
        raise element.error(f"unknown type '{kind}', expected one of: {', '.join(TYPES)}")
    separator = element.get("value-sep")
    return {name: typed_value(text.split(separator) if separator else text, kind, scope)}


def typed_value(text: str | list[str], kind: str, scope: Scope) -> Any:
    """Return the value that a text, or a list of texts, stands for.

    As launch does it, the text is typed before its substitutions are performed, and what they give
    is typed again: so "1" is an integer, and so is $(var x) when x is 1, but "[$(var x)]" is a list
    of one text.

    Raises:
        SubstitutionError: a substitution is malformed or has no value.
        ValueError: the value has another type, or one that no parameter can have.
    """
    scalar, is_list = TYPES[kind]
    if isinstance(text, list):
        if scalar is not None and not is_list:
            raise ValueError(f"'value-sep' makes a list, which is no {kind}")
        value: Any = [_coerce(item, scalar, False, lenient=True) for item in text]
    else:
        value = _coerce(text, scalar, is_list, lenient=True)
    if isinstance(value, list):
        return _uniform([_substitute(item, scalar, False, scope) for item in value])
    return _substitute(value, scalar, is_list, scope)


def _substitute(value: Any, scalar: type | None, is_list: bool, scope: Scope) -> Any:
    if not isinstance(value, str):
        return value
    parts = parse(value)
    if all(isinstance(part, str) for part in parts):
        value = perform(parts, scope)
        if scalar not in (None, str) or is_list:
            raise ValueError(f"'{value}' is no {scalar.__name__ if scalar else 'value'}")
        return value
    return _coerce(perform(parts, scope), scalar, is_list, lenient=False)


def _coerce(text: str, scalar: type | None, is_list: bool, *, lenient: bool) -> Any:
    """Type a text; `lenient` keeps it as it is where it does not have the type (yet)."""
    if scalar is str and not is_list:
        return text
    if scalar in (int, float) and not is_list:
        try:
            return scalar(text)
        except ValueError:
            if lenient:
                return text
            raise
    value = _from_yaml(text, lenient)
    wanted = tuple(kind for kind in (scalar, str if lenient else None) if kind is not None)
    if is_list and not (
        isinstance(value, list) and all(isinstance(item, wanted) for item in value)
    ):
        raise ValueError(f"'{text}' is no list of {scalar.__name__ if scalar else 'values'}")
    if not is_list and scalar is bool and not isinstance(value, wanted):
        raise ValueError(f"'{text}' is no bool")
    return value


def _from_yaml(text: str, lenient: bool) -> Any:
    if not text:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if lenient:
            return text
        raise ValueError(f"'{text}' is no YAML") from error
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, SCALARS) for item in items):
        raise ValueError(f"'{text}' is a {type(value).__name__}, which no parameter can be")
    return value if lenient or not isinstance(value, list) else _uniform(value)


def _uniform(values: list[Any]) -> list[Any]:
    if len({type(value) for value in values}) > 1:
        raise ValueError(f"the list {values} has items of several types")
    return values


def _given_file(element: Element, scope: Scope) -> Path:
    path = Path(perform(parse(element.attributes["from"]), scope))
    if not path.is_file():
        raise element.error(f"the parameter file '{path}' does not exist")
    allow = perform(parse(element.get("allow_substs") or "false"), scope)
    if yaml.safe_load(allow) is not True:
        return path
    return _write(perform(parse(path.read_text(encoding="utf-8")), scope))


def _write(text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix="launch_params_")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)
