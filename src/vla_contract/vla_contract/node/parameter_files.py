"""What of a node's parameters files reaches no parameter: rcl leaves it out without a word.

A file is keyed by the node's full name. `safety:` is a node in the root namespace, so such a file
is nothing to `/vla/safety`, which then runs with its defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

_WORD = "ros__parameters"
_SHOWN = 8


def files_of_others(arguments: Sequence[str], *nodes: str) -> list[str]:
    """One line for each parameters file of a command line that has nothing for any of its nodes.

    nodes: their full names. Files that cannot be read are rcl's to refuse.
    """
    lines = []
    for before, file in zip(arguments, arguments[1:], strict=False):
        if before != "--params-file":
            continue
        try:
            names = list(_names(yaml.safe_load(Path(file).read_text(encoding="utf-8"))))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if names and not any(_matches(name, node) for name in names for node in nodes):
            others = ", ".join(names[:_SHOWN])
            accepted = " or ".join(f"{node} or /**/{node.rpartition('/')[2]}" for node in nodes)
            lines.append(
                f"parameters file {file} has nothing for {' and '.join(nodes)}, only for "
                f"{others}; accepted: {accepted}"
            )
    return lines


def unread(given: Iterable[str], declared: Iterable[str]) -> str:
    """The given parameters that a node does not have, in one line; empty where it has all."""
    known = set(declared)
    unknown = [name for name in sorted(given) if name not in known and "qos_overrides" not in name]
    if not unknown:
        return ""
    words = []
    for name in unknown[:_SHOWN]:
        near = get_close_matches(name, known, 1)
        words.append(f"{name} (is {near[0]} meant?)" if near else name)
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    return f"given, but no parameters of this node: {', '.join(words)}{more}"


def _names(content: Any, above: str = "") -> Iterator[str]:
    """Every node that a file has parameters for, with its namespace and wildcards."""
    for key, value in content.items() if isinstance(content, dict) else ():
        if key == _WORD:
            yield above
        else:
            yield from _names(value, f"{above}/{str(key).strip('/')}")


def _matches(name: str, node: str) -> bool:
    """Whether a name of a file stands for a node: * is one part of its name, ** any number."""
    pattern = "".join(
        r"(/[^/]+)*" if part == "**" else "/" + (r"[^/]+" if part == "*" else re.escape(part))
        for part in name.strip("/").split("/")
    )
    return re.fullmatch(pattern, node) is not None
