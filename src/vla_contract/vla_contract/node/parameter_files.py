"""What of a node's parameters files reaches no parameter: rcl leaves it out without a word.

A file is keyed by the node's full name. `safety:` is a node in the root namespace, so such a file
is nothing to `/vla/safety`, which then runs with its defaults. A name that is misspelt is nothing
to any node.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vla_contract.language.near_names import near_names
from vla_contract.node.parameter_names import ELEMENTS, NODES

_WORD = "ros__parameters"
_SHOWN = 8
_LAUNCH = "launch_params_"  # how the name of a file begins in which a launch writes its arguments
_RCLPYS_OWN = ("use_sim_time", "start_type_description_service")  # not every distribution has both
_QOS = "qos_overrides."


@dataclass(frozen=True)
class Section:
    """Of a parameters file: the key of the nodes that it is for, and its values by dotted name."""

    file: str
    key: str
    values: Mapping[str, Any]

    @property
    def of_launch(self) -> bool:
        """It has the arguments of a launch, which come after every file."""
        return Path(self.file).name.startswith(_LAUNCH)

    @property
    def shared(self) -> bool:
        """It is for several nodes, whatever their own names are."""
        return self.key.endswith("*")


def sections_of(arguments: Sequence[str]) -> list[Section]:
    """Every section of the parameters files of a command line; of those that can be read.

    The others are rcl's to refuse.
    """
    sections = []
    for before, file in zip(arguments, arguments[1:], strict=False):
        if before == "--params-file":
            try:
                content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError):
                continue
            sections += [Section(file, key, values) for key, values in _sections(content)]
    return sections


def files_of_others(sections: Sequence[Section], *nodes: str) -> list[str]:
    """One line for each parameters file that has nothing for any of some nodes.

    nodes: their full names.
    """
    lines = []
    for file in dict.fromkeys(section.file for section in sections):
        keys = [section.key for section in sections if section.file == file]
        if not any(_matches(key, node) for key in keys for node in nodes):
            accepted = " or ".join(f"{node} or /**/{node.rpartition('/')[2]}" for node in nodes)
            lines.append(
                f"parameters file {file} has nothing for {' and '.join(nodes)}, only for "
                f"{', '.join(keys[:_SHOWN])}; accepted: {accepted}"
            )
    return lines


def unknown(
    given: Mapping[str, Any], declared: Collection[str], sections: Sequence[Section], node: str
) -> str:
    """The given parameters that a node does not have, in one line; empty where it has all.

    What a section of several nodes gives may be another node's of the graph. In any section the
    settings of what a list of names lists, such as a camera's, may be: several nodes are given the
    file of the cameras, and an override of the list leaves settings that nobody needs.

    Args:
        given: name → value, of the files and the command line together.
        declared: the names that the node has.
        sections: of its parameters files. node: its full name.
    """
    own = [section for section in sections if _matches(section.key, node)]
    settings = set(_settings([given, *(section.values for section in own)]))
    words = []
    for name in sorted(set(given) - set(declared) - settings - set(_RCLPYS_OWN)):
        found = [section for section in own if name in section.values]
        owners = [other for other, names in NODES.items() if name in names]
        if name.startswith(_QOS) or (owners and found and all(each.shared for each in found)):
            continue
        near = near_names(name, {*declared, *settings})
        hint = (
            f" (a parameter of {' and '.join(owners)})"
            if owners
            else f" (did you mean {near[0]}?)"
            if near
            else ""
        )
        files = ", ".join(dict.fromkeys(each.file for each in found))
        words.append(f"{name}{' in ' + files if files else ''}{hint}")
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"{', '.join(words[:_SHOWN])}{more}" if words else ""


def overruled(defaults: Mapping[str, Any], sections: Sequence[Section], node: str) -> str:
    """What files give in vain, because an argument of the launch says otherwise, in one line.

    A launch gives its arguments whether a person did or not, and after the files. What a file has
    as the default, as a copy of the shipped file does, nobody asked for.

    Args:
        defaults: of the node's parameters. sections: as of `unknown`. node: its full name.
    """
    own = [section for section in sections if _matches(section.key, node)]
    words = []
    for name, default in defaults.items():
        given = [each for each in own if name in each.values]
        files = [each for each in given if not each.of_launch]
        if not files or not given[-1].of_launch:
            continue
        asked, last = files[-1].values[name], given[-1].values[name]
        usual = list(default) if isinstance(default, tuple) else default
        if asked not in (last, usual):
            words.append(f"{name} is {asked!r} in {files[-1].file} and {last!r} by the launch")
    return ", ".join(words)


def _settings(given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The parameters of what the lists of names list, such as `front.topic` of a camera `front`."""
    for values in given:
        for key, names in ELEMENTS.items():
            for element in values.get(key) or ():
                yield from (f"{element}.{name}" for name in names)


def _sections(content: Any, above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Key, with its namespace and wildcards, and values of every section of a file's content."""
    for key, value in content.items() if isinstance(content, dict) else ():
        if key == _WORD:
            yield above, dict(_flat(value))
        else:
            yield from _sections(value, f"{above}/{str(key).strip('/')}")


def _flat(values: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _matches(name: str, node: str) -> bool:
    """Whether a name of a file stands for a node: * is one part of its name, ** any number."""
    pattern = "".join(
        r"(/[^/]+)*" if part == "**" else "/" + (r"[^/]+" if part == "*" else re.escape(part))
        for part in name.strip("/").split("/")
    )
    return re.fullmatch(pattern, node) is not None
