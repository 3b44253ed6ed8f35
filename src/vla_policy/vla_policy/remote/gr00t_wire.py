"""GR00T's messages as bytes: msgpack with NumPy arrays, in the two forms of its servers.

N1.6 packs an array as the bytes of `np.save`, N1.7 as msgpack-numpy does; both are read here, and
neither is ever unpickled: an array is of numbers, and its size must be that of its data.
"""

from __future__ import annotations

import io
import json
import re
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_policy.remote import openpi_wire
from vla_policy.remote.openpi_wire import WireError

_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|=][biuf]\d)', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]*)\), \}\s*"
)


def pack(message: Any, *, as_npy: bool) -> bytes:
    """Bytes of a message; as_npy: arrays in the form of N1.6. Raises WireError."""
    return openpi_wire.pack_with(message, _npy_marked if as_npy else _nd_marked)


def unpack(data: bytes) -> tuple[Any, bool]:
    """Message of bytes, and whether its modality configurations are marked as N1.6 does.

    Raises:
        WireError: as `openpi_wire.unpack`.
    """
    as_npy = []

    def read(value: dict[Any, Any]) -> Any:
        if "__ndarray_class__" in value:
            return _npy_array(value.get("as_npy"))
        if value.get(b"nd", value.get("nd")):
            return _nd_array(value)
        if "__ModalityConfig_class__" in value or "__ModalityConfig__" in value:
            as_npy.append("__ModalityConfig_class__" in value)
            return _configuration(value.get("as_json"))
        return value

    return openpi_wire.unpack_with(data, read), any(as_npy)


def _npy_marked(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    output = io.BytesIO()
    np.save(output, value, allow_pickle=False)
    return {"__ndarray_class__": True, "as_npy": output.getvalue()}


def _nd_marked(value: Any) -> Any:
    if isinstance(value, np.generic):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.data}
    return {b"nd": True, b"type": value.dtype.str, b"kind": b"", b"shape": value.shape,
            b"data": value.tobytes()}  # fmt: skip


def _nd_array(value: dict[Any, Any]) -> npt.NDArray[Any]:
    dtype, shape, data = (value.get(key.encode(), value.get(key)) for key in
                          ("type", "shape", "data"))  # fmt: skip
    return openpi_wire.array_of(dtype, shape, data)


def _npy_array(data: Any) -> npt.NDArray[Any]:
    """An array of a .npy file's bytes, as np.save writes them."""
    if not isinstance(data, bytes) or data[:8] != b"\x93NUMPY\x01\x00" or len(data) < 10:
        raise WireError("an array is no .npy file of version 1")
    end = 10 + struct.unpack("<H", data[8:10])[0]
    found = _NPY_HEADER.fullmatch(data[10:end])
    if found is None:
        raise WireError(f"an array is {data[10:60]!r}; accepted: numbers, as '<f4'")
    shape = [int(side) for side in found[3].replace(b" ", b"").split(b",") if side]
    if found[2] == b"True":  # the first index changes fastest
        return openpi_wire.array_of(found[1].decode(), shape[::-1], data[end:]).transpose()
    return openpi_wire.array_of(found[1].decode(), shape, data[end:])


def _configuration(given: Any) -> Any:
    if isinstance(given, (str, bytes)):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise WireError(f"a modality configuration is no JSON: {error}") from error
    return given
