"""ROS parameters from frozen dataclasses.

A node's core config is a frozen dataclass whose fields are made by `parameter`: the default, the
unit, the range and the description stand there once. `declare` declares them on a node, `read`
gives a validated instance, `check_set` judges a change at run time, `descriptor` tells ROS what is
accepted, `table` writes the README's table. Dotted names of dynamic parameters (one set per
camera) are declared with `declare_prefixed`.

Example:
    @dataclass(frozen=True)
    class PerceptionConfig(Config):
        slop: float = parameter(0.1, "Greatest difference of stamps in a set.", "s", minimum=0.0)
"""

from __future__ import annotations

import dataclasses
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor

    from vla_contract.node.graph_node import GraphNode

_METADATA = "vla_parameter"
_SCALARS = (bool, int, float, str)
# What stands for an open side of a range, as in generate_parameter_library.
_GREATEST: dict[type, tuple[Any, Any]] = {
    int: (-(2**63), 2**63 - 1),
    float: (-sys.float_info.max, sys.float_info.max),
}


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
        runtime: may be changed while the node is configured; else it is read in `configure` alone.
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


def declare(node: GraphNode[Any], config_class: type[Config]) -> None:
    """Declare every parameter of `config_class` on `node`."""
    for name, default, specification in fields(config_class):
        _declare_one(node, name, default, specification)


def declare_prefixed(
    node: GraphNode[Any], prefix: str, config_class: type[Config], defaults: Config | None = None
) -> None:
    """Declare them as `prefix.name`, e.g. one set for each camera; twice does no harm.

    defaults: an instance whose values are the defaults; by default those of the class.
    """
    for name, default, specification in fields(config_class):
        full_name = f"{prefix}.{name}"
        if not node.has_parameter(full_name):
            default = default if defaults is None else getattr(defaults, name)
            _declare_one(node, full_name, default, specification)


def read(node: GraphNode[Any], config_class: type[ConfigType], prefix: str = "") -> ConfigType:
    """Config with the parameters' present values.

    Raises:
        ParameterError: a value is refused; the message starts with the parameter's full name.
    """
    values = {}
    for name, default, _ in fields(config_class):
        full_name = f"{prefix}.{name}" if prefix else name
        value = node.get_parameter(full_name).value
        values[name] = default if value is None else value
    return _build(config_class, values, prefix)


def check_set(
    name: str, value: Any, default: Any, specification: Specification, *, configured: bool
) -> None:
    """Accept a value that somebody sets, or refuse it.

    Raises:
        ParameterError: its type or range is wrong, or it would not be in force.
    """
    if configured and not specification.runtime:
        raise ParameterError(
            f"parameter {name} is fixed while the node is configured; deactivate and clean up first"
        )
    _check(name, value, default, specification)


def descriptor(
    name: str, default: Any, specification: Specification, *, configured: bool
) -> ParameterDescriptor:
    """What is accepted of a parameter now, as `ros2 param describe` and rqt show it.

    The bounds of an array are those of each of its elements.
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
    from rclpy.parameter import Parameter

    unit = f" [{specification.unit}]" if specification.unit else ""
    fixed = "" if specification.runtime else "; fixed while the node is configured"
    # An empty array has no type of its own: its elements are strings.
    value = list(default or ("",)) if isinstance(default, tuple) else default
    described = ParameterDescriptor(
        name=name,
        type=Parameter.Type.from_parameter_value(value).value,
        description=specification.description + unit,
        additional_constraints=specification.accepted(default) + fixed,
        read_only=configured and not specification.runtime,
    )
    bounds, element = (specification.minimum, specification.maximum), _element_type(default)
    if bounds == (None, None):
        return described
    ends = zip(bounds, _GREATEST[element], strict=True)
    low, high = (element(end if bound is None else bound) for bound, end in ends)
    if element is int:
        described.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    else:
        described.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return described


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


def _declare_one(
    node: GraphNode[Any], name: str, default: Any, specification: Specification
) -> None:
    from rcl_interfaces.msg import ParameterDescriptor

    # Dynamic typing and no range: rclpy refuses in its own words, a parameters file's value by an
    # exception in __init__. So a whole number is accepted where a float is wanted, an empty array
    # stays an array, and what is refused gives this module's one line.
    value = list(default) if isinstance(default, tuple) else default
    node.declare_parameter(name, value, ParameterDescriptor(dynamic_typing=True))
    node.declared[name] = (default, specification)


def _element_type(default: Any) -> type:
    """Type of the value, of an array's elements; those of an empty array are strings."""
    if isinstance(default, tuple):
        return type(default[0]) if default else str
    return type(default)


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
    # An empty list has no type in a parameters file; [""] stands for it.
    elements = [] if list(value) == [""] else value
    return [(element, _element_type(default)) for element in elements]


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
