"""What to start for a <node> or an <executable>."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from .attributes import fixed_flag, flag, needed, text
from .command_line import split
from .document import Element
from .names import check_name, check_namespace, join_namespace
from .parameters import parameter_file
from .substitutions import Scope, find_executable

NAMESPACE = "ros_namespace"  # the variable in which launch keeps the pushed namespace
OUTPUTS = ("screen", "log", "both", "own_log", "full")


@dataclass(frozen=True)
class ProcessSpec:
    """One process to start."""

    label: str  # "perception-1": what its output is prefixed with
    command: tuple[str, ...]
    environment: Mapping[str, str]
    node: str | None = None  # the node's name with its namespace, where the file tells it
    cwd: str | None = None
    shell: bool = False
    respawn: bool = False
    respawn_delay: float = 0.0  # seconds
    output: str = "log"


def executable_spec(element: Element, scope: Scope, number: int) -> ProcessSpec:
    """Return the process of an <executable>, the number-th process of all.

    Raises:
        LaunchError: an attribute's value is wrong.
        ValueError: a substitution is malformed or has no value.
    """
    command = split(element.attributes["cmd"], scope)
    if not command[0]:
        raise element.error("'cmd' begins with an empty word: it is empty, or blank before a $(")
    return _spec(element, scope, command, number, text(element, "name", scope), None)


def node_spec(element: Element, scope: Scope, number: int) -> ProcessSpec:
    """Return the process of a <node>, the number-th process of all.

    Raises:
        LaunchError: an attribute's value is wrong.
        ValueError: a substitution is malformed or has no value, or a name is none.
    """
    package, executable = text(element, "pkg", scope), needed(element, "exec", scope)
    command = [executable if package is None else find_executable(executable, package)]
    if element.get("args") is not None:
        command += split(element.attributes["args"], scope)
    if element.get("ros_args") is not None:
        command += ["--ros-args", *split(element.attributes["ros_args"], scope)]
    command.append("--ros-args")
    name, namespace = _names(element, scope)
    command += [] if name is None else ["-r", f"__node:={name}"]
    command += [] if namespace is None else ["-r", f"__ns:={namespace}"]
    full_name = f"{(namespace or '').rstrip('/')}/{name}" if name else None
    command += _parameters(element, full_name if namespace else None, scope)
    for remap in element.all("remap"):
        command += ["-r", f"{needed(remap, 'from', scope)}:={needed(remap, 'to', scope)}"]
    return _spec(element, scope, command, number, text(element, "exec_name", scope), full_name)


def _names(element: Element, scope: Scope) -> tuple[str | None, str | None]:
    name = text(element, "name", scope)
    if name is not None:
        check_name(name)
    namespace = join_namespace(scope.variables.get(NAMESPACE), text(element, "namespace", scope))
    if namespace is not None:
        check_namespace(namespace)
    return name, namespace


def _parameters(element: Element, node: str | None, scope: Scope) -> list[str]:
    words = []
    for parameter in element.all("param"):
        try:
            words += ["--params-file", str(parameter_file(parameter, node, scope))]
        except ValueError as error:
            raise parameter.error(str(error)) from error
    return words


def _prefix(element: Element, scope: Scope, program: str) -> list[str]:
    prefix = text(element, "launch-prefix", scope)
    if prefix is None:
        wanted = re.match(
            scope.variables.get("launch-prefix-filter", ""), os.path.basename(program)
        )
        prefix = scope.variables.get("launch-prefix", "") if wanted else ""
    return shlex.split(prefix)


def _spec(
    element: Element,
    scope: Scope,
    command: list[str],
    number: int,
    name: str | None,
    node: str | None,
) -> ProcessSpec:
    command = [*_prefix(element, scope, command[0]), *command]
    delay = float(element.get("respawn_delay") or 0.0)
    if delay < 0.0:
        raise element.error(f"'respawn_delay' is {delay}, expected 0 or more seconds")
    output = text(element, "output", scope) or "log"
    if output not in OUTPUTS:
        raise element.error(f"output '{output}' is unknown, expected one of: {', '.join(OUTPUTS)}")
    extra = {needed(env, "name", scope): needed(env, "value", scope) for env in element.all("env")}
    return ProcessSpec(
        label=f"{name or os.path.basename(command[0])}-{number}",
        command=tuple(command),
        environment=scope.environment | extra,
        node=node,
        cwd=text(element, "cwd", scope),
        shell=fixed_flag(element, "shell", False),
        respawn=flag(element, "respawn", scope, False),
        respawn_delay=delay,
        output=output,
    )
