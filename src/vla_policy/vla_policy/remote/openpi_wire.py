"""openpi's messages as bytes: msgpack with NumPy arrays, as `openpi_client.msgpack_numpy`.

What is written is byte for byte the same. What is read is checked first: `openpi_client` makes an
array of whatever dtype it is told, also of objects, whose bytes are then taken for pointers, and
scalars of a gigabyte. Here an array is of numbers, its size must be that of its data, and nothing
is unpickled, evaluated or looked up by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

MAX_BYTES = 64 * 1024 * 1024  # of one message
_KINDS = "biuf"  # bool, integers, floats
_DEPTH = 32  # arrays and maps in one another; msgpack's own limit is far higher


class WireError(ValueError):
    """Bytes that are no message of this protocol; one line."""


def pack(message: Any) -> bytes:
    """Bytes of a message of maps, lists, text, numbers and arrays; raises WireError."""
    return pack_with(message, _marked)


def pack_with(message: Any, mark: Callable[[Any], Any]) -> bytes:
    """As `pack`, with another marking of arrays: `mark` gives the map of an array or scalar."""
    try:
        packed: bytes = msgpack.packb(message, default=lambda value: mark(_sendable(value)))
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"cannot be sent: {error}") from error
    return packed


def unpack(data: bytes) -> Any:
    """Message of bytes; its arrays are views of them, and read-only.

    Raises:
        WireError: too long, not msgpack, or with anything but numbers in its arrays.
    """
    return unpack_with(data, _unpacked)


def unpack_with(data: bytes, hook: Callable[[dict[Any, Any]], Any]) -> Any:
    """As `unpack`, with another reading of maps, for the protocols that mark arrays otherwise."""
    if len(data) > MAX_BYTES:
        raise WireError(f"it has {len(data)} bytes; accepted: up to {MAX_BYTES}")
    try:
        return msgpack.unpackb(data, object_hook=hook, strict_map_key=False, ext_hook=_no_extension)
    except WireError:
        raise
    except (ValueError, TypeError, RecursionError, MemoryError, msgpack.UnpackException) as error:
        text = " ".join(str(error).split())[:120] or type(error).__name__
        raise WireError(f"it is not msgpack: {text}") from error


def _sendable(value: Any) -> Any:
    if not isinstance(value, (np.ndarray, np.generic)):
        raise WireError(f"{type(value).__name__} cannot be sent")
    if value.dtype.kind not in _KINDS:
        raise WireError(f"dtype {value.dtype} cannot be sent; accepted: numbers")
    return value


def _marked(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}


def _unpacked(value: dict[Any, Any]) -> Any:
    if b"__ndarray__" in value:
        return _array(value)
    if b"__npgeneric__" in value:
        return _scalar(_dtype(value.get(b"dtype")), value.get(b"data"))
    return value


def _scalar(dtype: np.dtype[Any], number: Any) -> Any:
    """A NumPy scalar. Its range is checked here: NumPy before 2 wraps what does not fit."""
    if not isinstance(number, (bool, int, float)):
        raise WireError(f"a scalar is {type(number).__name__}; accepted: a number")
    if dtype.kind == "f":
        # Infinity and NaN are numbers of every float; all others must not become infinite.
        fits = not float(np.finfo(dtype).max) < abs(number) < math.inf
    else:
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        fits = isinstance(number, int) and low <= number <= high
    if not fits:
        raise WireError(f"a scalar does not fit its dtype {dtype.name}: {str(number)[:20]}")
    return dtype.type(number)


def _array(value: dict[Any, Any]) -> Any:
    return array_of(value.get(b"dtype"), value.get(b"shape"), value.get(b"data"))


def array_of(dtype_text: Any, shape: Any, data: Any) -> npt.NDArray[Any]:
    """An array of numbers of what a message says of it, read-only; raises WireError."""
    dtype = _dtype(dtype_text)
    whole = isinstance(shape, list) and len(shape) <= _DEPTH
    if not whole or not all(type(side) is int and side >= 0 for side in shape or ()):
        raise WireError("an array has no shape; accepted: a list of sizes, from 0")
    expected = math.prod(shape or ()) * dtype.itemsize
    if not isinstance(data, bytes) or len(data) != expected:
        raise WireError(f"an array's data are not the {expected} bytes of its shape and dtype")
    return np.frombuffer(data, dtype=dtype).reshape(shape or ())


def _dtype(text: Any) -> np.dtype[Any]:
    # Only such as "<f4": anything longer can describe structures and objects.
    if isinstance(text, str) and len(text) == 3 and text[0] in "<>|=" and text[1] in _KINDS:
        try:
            return np.dtype(text)
        except TypeError:
            pass
    raise WireError(f"dtype is {str(text)[:20]!r}; accepted: numbers, as '<f4'")


def _no_extension(code: int, data: bytes) -> Any:
    raise WireError(f"it has an extension of type {code}; accepted: none")
