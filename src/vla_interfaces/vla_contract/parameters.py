"""ROS parameters from frozen dataclasses.

A node's core config is a frozen dataclass whose fields are made by `parameter`: the default, the
unit, the range and the description stand there once. `declare` declares them on a node, `read`
gives a validated instance, `updated` applies a change at run time, `table` writes the README's
table. Dotted names of dynamic parameters (one set per camera) are declared with `declare_prefixed`.

Example:
    @dataclass(frozen=True)
    class PerceptionConfig(Config):
        slop: float = parameter(0.1, "Greatest difference of stamps in a set.", "s", minimum=0.0)
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rclpy.node import Node

_METADATA = "vla_parameter"
_SCALARS = (bool, int, float, str)


class ParameterError(ValueError):
    """A parameter value that is refused; the message names it and what is accepted."""


@dataclass(frozen=True)
class Specification:
    """What is known of a parameter beside its name and default."""

    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    runtime: bool = False

    def accepted(self, default: Any) -> str:
        """Accepted values in words, e.g. "float, 0.0 to 1.0"."""
        kind = _kind(default)
        if self.choices:
            return kind + ", one of " + ", ".join(str(choice) for choice in self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"{kind}, {self.minimum} to {self.maximum}"
        if self.minimum is not None:
            return f"{kind}, at least {self.minimum}"
        if self.maximum is not None:
            return f"{kind}, at most {self.maximum}"
        return kind


def parameter(
    default: Any,
    description: str,
    unit: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[Any, ...] = (),
    runtime: bool = False,
) -> Any:
    """A dataclass field that is a ROS parameter.

    Args:
        default: bool, int, float, str, or a tuple of one of them (an array parameter).
        description: one sentence. unit: SI, or "" where there is none.
        minimum, maximum: inclusive bounds, of every element for arrays.
        choices: the only accepted values.
        runtime: may be changed while the node is active.
    """
    specification = Specification(description, unit, minimum, maximum, choices, runtime)
    return dataclasses.field(default=default, metadata={_METADATA: specification})


@dataclass(frozen=True)
class Config:
    """Base of the nodes' configs: checks every field's type and range when it is made.

    Raises:
        ParameterError: a value is refused.
    """

    def __post_init__(self) -> None:
        for name, default, specification in fields(type(self)):
            checked = _check(name, getattr(self, name), default, specification)
            object.__setattr__(self, name, checked)
        self.check()

    def check(self) -> None:
        """Hook for rules between several fields; raises ParameterError."""


ConfigType = TypeVar("ConfigType", bound=Config)


def fields(config_class: type[Config]) -> list[tuple[str, Any, Specification]]:
    """(name, default, specification) of every parameter of a config class, in order."""
    return [
        (field.name, field.default, field.metadata[_METADATA])
        for field in dataclasses.fields(config_class)
        if _METADATA in field.metadata
    ]


def declare(node: Node, config_class: type[Config]) -> None:
    """Declare every parameter of `config_class` on `node`, with description and bounds."""
    for name, default, specification in fields(config_class):
        _declare_one(node, name, default, specification)


def declare_prefixed(
    node: Node, prefix: str, config_class: type[Config], defaults: Config | None = None
) -> None:
    """Declare them as `prefix.name`, e.g. one set for each camera; twice does no harm.

    defaults: an instance whose values are the defaults; by default those of the class.
    """
    for name, default, specification in fields(config_class):
        full_name = f"{prefix}.{name}"
        if not node.has_parameter(full_name):
            default = default if defaults is None else getattr(defaults, name)
            _declare_one(node, full_name, default, specification)


def read(node: Node, config_class: type[ConfigType], prefix: str = "") -> ConfigType:
    """Config with the parameters' present values.

    Raises:
        ParameterError: a value is refused; the message starts with the parameter's full name.
    """
    values = {}
    for name, default, _ in fields(config_class):
        full_name = f"{prefix}.{name}" if prefix else name
        value = node.get_parameter(full_name).value
        # An empty list has no type in a parameters file; [""] stands for it.
        values[name] = default if value is None else [] if value == [""] else value
    return _build(config_class, values, prefix)


def updated(config: ConfigType, changes: dict[str, Any], *, active: bool) -> ConfigType:
    """Config with `changes` (name → value) applied.

    Raises:
        ParameterError: a value is refused, or is fixed while the node is active.
    """
    known = {name: specification for name, _, specification in fields(type(config))}
    for name in changes:
        if active and not known[name].runtime:
            raise ParameterError(
                f"parameter {name} is fixed while the node is active; deactivate and clean up first"
            )
    values = {name: getattr(config, name) for name in known}
    return _build(type(config), {**values, **changes}, "")


def table(config_class: type[Config]) -> str:
    """The parameters as a Markdown table."""
    lines = ["| parameter | default | unit | accepted | run time | what it is |", "|" + "---|" * 6]
    for name, default, specification in fields(config_class):
        unit = specification.unit or "–"
        runtime = "yes" if specification.runtime else "no"
        lines.append(
            f"| `{name}` | `{as_yaml(default)}` | {unit} | {specification.accepted(default)} "
            f"| {runtime} | {specification.description} |"
        )
    return "\n".join(lines)


def as_yaml(value: Any) -> str:
    """A parameter's value as it is written in a parameters file."""
    if isinstance(value, tuple):
        return "[" + ", ".join(as_yaml(element) for element in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


def _build(config_class: type[ConfigType], values: dict[str, Any], prefix: str) -> ConfigType:
    try:
        return config_class(**values)
    except ParameterError as error:
        if not prefix:
            raise
        raise ParameterError(f"{prefix}: {error}") from error


def _declare_one(node: Node, name: str, default: Any, specification: Specification) -> None:
    from rcl_interfaces.msg import ParameterDescriptor

    # Dynamic typing: a whole number is accepted where a float is wanted, an empty array stays an
    # array, and a wrong type gives this module's one line instead of an exception in __init__.
    descriptor = ParameterDescriptor(
        name=name,
        description=specification.description
        + (f" [{specification.unit}]" if specification.unit else ""),
        additional_constraints=specification.accepted(default),
        dynamic_typing=True,
    )
    value = list(default) if isinstance(default, tuple) else default
    node.declare_parameter(name, value, descriptor)


def _kind(default: Any) -> str:
    if isinstance(default, tuple):
        return "array" + (f" of {type(default[0]).__name__}" if default else "")
    return type(default).__name__


def _check(name: str, value: Any, default: Any, specification: Specification) -> Any:
    if isinstance(default, tuple):
        elements = _elements(name, value, default, specification)
        return tuple(_check_scalar(name, e, k, specification, default) for e, k in elements)
    return _check_scalar(name, value, type(default), specification, default)


def _elements(
    name: str, value: Any, default: tuple[Any, ...], specification: Specification
) -> list[tuple[Any, type]]:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise _refused(name, value, specification, default)
    # An array whose default is empty says nothing of its elements: they are strings.
    kind = type(default[0]) if default else str
    return [(element, kind) for element in value]


def _check_scalar(
    name: str, value: Any, kind: type, specification: Specification, default: Any
) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    wrong_type = kind not in _SCALARS or type(value) is not kind
    if wrong_type or (specification.choices and value not in specification.choices):
        raise _refused(name, value, specification, default)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = -math.inf if specification.minimum is None else specification.minimum
        high = math.inf if specification.maximum is None else specification.maximum
        if not (math.isfinite(value) and low <= value <= high):
            raise _refused(name, value, specification, default)
    return value


def _refused(name: str, value: Any, specification: Specification, default: Any) -> ParameterError:
    return ParameterError(
        f"parameter {name} is {value!r}; accepted: {specification.accepted(default)}"
        + (f" [{specification.unit}]" if specification.unit else "")
    )
