"""From a launch file and its arguments to the processes to start."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .attributes import applies, fixed_flag, flag, needed, text
from .document import Element, load
from .errors import LaunchError
from .names import check_namespace, join_namespace
from .specs import NAMESPACE, ProcessSpec, executable_spec, node_spec
from .substitutions import Scope
from .template import unescape


@dataclass
class _State:
    """Where the interpretation stands."""

    scope: Scope
    processes: list[ProcessSpec] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    files: tuple[Path, ...] = ()  # the one being read and those that include it
    passed: set[str] = field(default_factory=set)  # arguments, by the command line or an <include>


def interpret(
    file: Path, arguments: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> list[ProcessSpec]:
    """Return the processes that a launch file starts, in its order.

    Raises:
        LaunchError: the file, an included one or an argument is wrong.
    """
    scope = Scope(dict(arguments), dict(os.environ if environment is None else environment))
    state = _State(scope, passed=set(arguments))
    _run_file(file.absolute(), state)
    unknown = sorted(set(arguments) - state.declared)
    if unknown:
        known = ", ".join(sorted(state.declared)) or "none at all"
        near = difflib.get_close_matches(unknown[0], state.declared, 1)
        hint = (
            f"did you mean {near[0]}? --show-args lists all"
            if near
            else f"expected one of: {known}"
        )
        raise LaunchError(f"unknown argument '{unknown[0]}', {hint}", file)
    return state.processes


def _run_file(file: Path, state: _State) -> None:
    root = load(file)
    state.scope.place.file = file
    state.files += (file,)
    _run_all(root.children, state)
    state.files = state.files[:-1]
    state.scope.place.file = None


def _run_all(elements: list[Element], state: _State) -> None:
    for element in elements:
        try:
            if applies(element, state.scope):
                HANDLERS[element.tag](element, state)
        except ValueError as error:  # of a substitution or a value
            raise element.error(str(error)) from error


def _arg(element: Element, state: _State) -> None:
    name, variables = unescape(element.attributes["name"]), state.scope.variables
    state.declared.add(name)
    if element.get("default") is None and name not in state.passed:
        described = f" ({element.get('description')})" if element.get("description") else ""
        raise element.error(f"the argument '{name}'{described} has no default; pass {name}:=…")
    if name not in variables:
        variables[name] = needed(element, "default", state.scope)
    choices = [unescape(choice.attributes["value"]) for choice in element.children]
    if choices and variables[name] not in choices:
        raise element.error(
            f"argument '{name}' is '{variables[name]}', expected one of: {', '.join(choices)}"
        )


def _let(element: Element, state: _State) -> None:
    name, value = (needed(element, key, state.scope) for key in ("name", "value"))
    state.scope.variables[name] = value


def _include(element: Element, state: _State) -> None:
    file = Path(needed(element, "file", state.scope)).absolute()
    if not file.is_file():
        raise element.error(f"the included file '{file}' does not exist")
    if file in state.files:
        raise element.error(f"the file '{file}' includes itself")
    outer = state.passed
    state.passed = outer | {needed(child, "name", state.scope) for child in element.children}
    for argument in element.children:  # as in launch, what an include sets stays set after it
        _let(argument, state)
    _run_file(file, state)
    state.passed = outer


def _group(element: Element, state: _State) -> None:
    outer = state.scope
    if fixed_flag(element, "scoped", True):
        state.scope = outer.copy()
    _run_all(element.children, state)
    state.scope = outer


def _push_namespace(element: Element, state: _State) -> None:
    variables = state.scope.variables
    namespace = join_namespace(variables.get(NAMESPACE), needed(element, "namespace", state.scope))
    check_namespace(namespace or "")
    variables[NAMESPACE] = namespace or ""


def _set_env(element: Element, state: _State) -> None:
    name, value = (needed(element, key, state.scope) for key in ("name", "value"))
    state.scope.environment[name] = value


def _unset_env(element: Element, state: _State) -> None:
    state.scope.environment.pop(needed(element, "name", state.scope), None)


def _append_env(element: Element, state: _State) -> None:
    name, value = (needed(element, key, state.scope) for key in ("name", "value"))
    separator = text(element, "separator", state.scope)
    old = state.scope.environment.get(name)
    items = [value] if old is None else [old, value]
    if flag(element, "prepend", state.scope, False):
        items.reverse()
    state.scope.environment[name] = (os.pathsep if separator is None else separator).join(items)


def _log(element: Element, state: _State) -> None:
    print(f"[INFO] [launch.user]: {needed(element, 'message', state.scope)}", flush=True)


def _executable(element: Element, state: _State) -> None:
    state.processes.append(executable_spec(element, state.scope, len(state.processes) + 1))


def _node(element: Element, state: _State) -> None:
    state.processes.append(node_spec(element, state.scope, len(state.processes) + 1))


HANDLERS: dict[str, Callable[[Element, _State], None]] = {
    "append_env": _append_env,
    "arg": _arg,
    "executable": _executable,
    "group": _group,
    "include": _include,
    "let": _let,
    "log": _log,
    "node": _node,
    "push-ros-namespace": _push_namespace,
    "push_ros_namespace": _push_namespace,
    "set_env": _set_env,
    "unset_env": _unset_env,
}
