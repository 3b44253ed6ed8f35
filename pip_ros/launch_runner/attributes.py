"""The attributes of an element with their substitutions performed.

All of these raise SubstitutionError where a substitution is malformed or has no value.
"""

from __future__ import annotations

from .document import Element
from .substitutions import Scope, boolean, perform, truth
from .template import SubstitutionError, parse


def needed(element: Element, name: str, scope: Scope) -> str:
    """Return the text of an attribute that the element is known to have."""
    return perform(parse(element.attributes[name]), scope)


def text(element: Element, name: str, scope: Scope) -> str | None:
    """Return the text of an attribute, or None."""
    return None if element.get(name) is None else needed(element, name, scope)


def flag(element: Element, name: str, scope: Scope, default: bool) -> bool:
    """Return a boolean attribute, spelt as in YAML, or the default."""
    value = text(element, name, scope)
    return default if value is None else boolean(value)


def fixed_flag(element: Element, name: str, default: bool) -> bool:
    """Return a boolean attribute in which launch performs no substitution, or the default."""
    value = element.get(name)
    if value is not None and "$(" in value:
        raise SubstitutionError(f"'{name}' takes true or false, no substitution: '{value}'")
    return default if value is None else boolean(value)


def applies(element: Element, scope: Scope) -> bool:
    """Return whether the conditions of an element hold."""
    wanted, unwanted = text(element, "if", scope), text(element, "unless", scope)
    return (wanted is None or truth(wanted)) and (unwanted is None or not truth(unwanted))
