"""The one error of this package, and the checks that raise it."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
LARGEST = 1e150  # of a value; sums of squares of larger ones are beyond every float


class EvaluationError(ValueError):
    """Inputs that no metric can be computed from; one line that says which and what is accepted."""


def same_length(**named: Sized) -> int:
    """Common length of the named inputs.

    Raises:
        EvaluationError: they differ in length, or are empty.
    """
    lengths = {name: len(values) for name, values in named.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise EvaluationError(f"lengths differ: {found}; accepted: equal lengths")
    length = next(iter(lengths.values()))
    if length == 0:
        raise EvaluationError(f"{', '.join(lengths)}: empty; accepted: at least one entry")
    return length


def finite(name: str, values: Any, dimensions: int | None = None) -> Array:
    """Values as float64.

    Args:
        dimensions: how many axes the array must have; None: any.

    Raises:
        EvaluationError: not numbers, another number of axes, empty, NaN, infinite or beyond
            `LARGEST`.
    """
    try:
        # OverflowError: an integer that is too large for a float, which JSON may hold.
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EvaluationError(
            f"{name} is no array of numbers ({error}); accepted: rows of equal length"
        ) from error
    if dimensions is not None and array.ndim != dimensions:
        raise EvaluationError(
            f"{name} has shape {array.shape}; accepted: an array of {dimensions} axes"
        )
    if array.size == 0:
        raise EvaluationError(f"{name} is empty; accepted: at least one entry")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise EvaluationError(f"{name} is not finite at {where}; accepted: finite numbers")
    if np.abs(array).max() > LARGEST:
        raise EvaluationError(
            f"{name} holds {array.flat[np.abs(array).argmax()]:g}; accepted: at most {LARGEST:g} "
            "either way"
        )
    return array


def pair(first: tuple[str, Any], second: tuple[str, Any], dimensions: int) -> tuple[Array, Array]:
    """Two named arrays of one shape; see `finite`.

    Raises:
        EvaluationError: also where the shapes differ.
    """
    a, b = finite(*first, dimensions), finite(*second, dimensions)
    if a.shape != b.shape:
        raise EvaluationError(
            f"{first[0]} has shape {a.shape} and {second[0]} {b.shape}; accepted: equal shapes"
        )
    return a, b


def above_zero(name: str, value: float, unit: str) -> float:
    """A finite number above 0.

    Raises:
        EvaluationError: it is none.
    """
    if not (np.isfinite(value) and value > 0.0):
        raise EvaluationError(f"{name} is {value!r} {unit}; accepted: a finite number above 0")
    return float(value)
