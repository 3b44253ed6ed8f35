"""The part of Python that ``$(eval …)`` may use here.

launch evaluates any Python expression. What launch files need is far less (values, arithmetic,
comparisons, a few functions), and a file should not be able to do more than start what it says.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any


class ExpressionError(ValueError):
    """The expression cannot be evaluated."""


NAMES: dict[str, Any] = {
    name: value for name, value in vars(math).items() if not name.startswith("_")
}
NAMES |= {f.__name__: f for f in (abs, bool, float, int, len, max, min, round, str, sum)}
METHODS = frozenset(
    {
        "endswith",
        "format",
        "join",
        "lower",
        "lstrip",
        "replace",
        "rstrip",
        "split",
        "startswith",
        "strip",
        "upper",
    }
)
BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
UNARY: dict[type, Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def evaluate(text: str) -> Any:
    """Return the value of an expression.

    Raises:
        ExpressionError: it is no expression, uses what is not allowed here, or fails.
    """
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except ExpressionError:
        raise
    except Exception as error:  # whatever an expression can raise
        raise ExpressionError(f"cannot evaluate '{text}': {error}") from error


def _value(node: ast.AST) -> Any:  # one return for each kind of node
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in NAMES:
            return NAMES[node.id]
        case ast.List() | ast.Tuple():
            return [_value(item) for item in node.elts]
        case ast.BinOp() if type(node.op) in BINARY:
            return BINARY[type(node.op)](_value(node.left), _value(node.right))
        case ast.UnaryOp() if type(node.op) in UNARY:
            return UNARY[type(node.op)](_value(node.operand))
        case ast.BoolOp():
            return _boolean(node)
        case ast.Compare():
            return _compare(node)
        case ast.IfExp():
            return _value(node.body) if _value(node.test) else _value(node.orelse)
        case ast.Subscript():
            return _value(node.value)[_value(node.slice)]
        case ast.Call() if not node.keywords:
            return _function(node.func)(*(_value(argument) for argument in node.args))
    raise ExpressionError(f"'{ast.unparse(node)}' is not supported in $(eval …) here")


def _boolean(node: ast.BoolOp) -> Any:
    result: Any = None
    for operand in node.values:
        result = _value(operand)
        if bool(result) is isinstance(node.op, ast.Or):
            break
    return result


def _compare(node: ast.Compare) -> bool:
    left = _value(node.left)
    for op, right_node in zip(node.ops, node.comparators):  # noqa: B905 - as long as each other
        right = _value(right_node)
        if not BINARY[type(op)](left, right):
            return False
        left = right
    return True


def _function(node: ast.AST) -> Callable[..., Any]:
    match node:
        case ast.Name():
            return _value(node)
        case ast.Attribute() if node.attr in METHODS:
            owner = _value(node.value)
            if isinstance(owner, str):
                return getattr(owner, node.attr)
    raise ExpressionError(f"'{ast.unparse(node)}' cannot be called in $(eval …) here")
