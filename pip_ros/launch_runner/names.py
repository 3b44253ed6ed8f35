"""Names of nodes and namespaces."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(name: str) -> None:
    """Require a node's name to be one.

    Raises:
        ValueError: it is not.
    """
    if NAME.fullmatch(name) is None:
        raise ValueError(
            f"'{name}' is no node name: letters, digits and '_', not beginning with a digit"
        )


def check_namespace(namespace: str) -> None:
    """Require an absolute namespace to be one.

    Raises:
        ValueError: it is not.
    """
    if namespace != "/" and not all(NAME.fullmatch(part) for part in namespace[1:].split("/")):
        raise ValueError(f"'{namespace}' is no namespace: names joined by '/'")


def join_namespace(base: str | None, namespace: str | None) -> str | None:
    """Return a namespace below another one, absolute; None stands for none given.

    An absolute namespace replaces the other one.
    """
    if namespace is None:
        joined = base
    elif not base or namespace.startswith("/"):
        joined = namespace
    else:
        joined = f"{base.rstrip('/')}/{namespace}"
    if joined is None:
        return None
    return "/" + joined.strip("/")
