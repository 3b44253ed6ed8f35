"""LeRobot's messages as bytes: pickles in protobuf messages of gRPC, written and read without it.

What is written is what `pickle` writes of LeRobot's classes. What is read is the list of
TimedAction that a server answers with, of LeRobot 0.4 to 0.6, and nothing else: the operations of
the pickle are looked at first, and it may name the three classes of `_reader` alone (TimedAction,
a tensor with the storage that it is of, and the OrderedDict of a tensor's hooks), for which
functions of our own stand, made for this one reading. A tensor's storage is a pickle of
`torch.save` inside, read in the same way. No torch is needed.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_policy.remote.openpi_wire import MAX_BYTES, WireError

_HELPERS = "lerobot.async_inference.helpers"
PIECE = 2 * 1024 * 1024  # bytes of an observation's messages: a server takes up to 4 MiB in one
_BEGIN, _MIDDLE, _END = 1, 2, 3  # TransferState
# numbers, text, containers and what calls one of the allowed names; no operation that allocates by
# a number of its own (LONG_BINPUT), and none of those that look classes up elsewhere
_OPERATION_NAMES = """
    PROTO FRAME STOP MARK MEMOIZE BINPUT BINGET LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1
    BININT2 LONG1 BINFLOAT SHORT_BINUNICODE BINUNICODE SHORT_BINBYTES BINBYTES EMPTY_TUPLE TUPLE
    TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS GLOBAL STACK_GLOBAL
    NEWOBJ REDUCE BUILD BINPERSID
    """
_OPERATIONS = frozenset(_OPERATION_NAMES.split())
_STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
             "BFloat16Storage": "<u2"}  # fmt: skip
_TORCH_SAVE = (0x1950A86A20F9469CFC6C, 1001)  # of its legacy form: magic number and version
_Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class TimedAction:
    """One row of an answer: action (D,); timestep: that of the observation, and on by one."""

    timestamp: float
    timestep: int
    action: _Numbers


def timed_observation(timestamp: float, timestep: int, observation: Mapping[str, Any]) -> bytes:
    """A TimedObservation that the server must answer; observation: text, numbers, arrays."""
    return _instance("TimedObservation", {"timestamp": timestamp, "timestep": timestep,
                     "observation": dict(observation), "must_go": True})  # fmt: skip


def policy_instructions(fields: Mapping[str, Any]) -> bytes:
    """A RemotePolicyConfig."""
    return _instance("RemotePolicyConfig", fields)


def actions(data: bytes) -> list[TimedAction]:
    """The rows of an answer.

    Raises:
        WireError: too long, no pickle, or one that names anything but the classes needed.
    """
    if len(data) > MAX_BYTES:
        raise WireError(f"it has {len(data)} bytes; accepted: up to {MAX_BYTES}")
    found = _loaded(io.BytesIO(data), _reader())
    rows = found if isinstance(found, list) else [found]
    made = [_row(row) for row in rows]
    if len({row.action.shape for row in made}) > 1:
        raise WireError("its actions differ in size; accepted: the same numbers in each row")
    return made


# protobuf: a message is fields, each a key (number * 8 + wire type) and its content.


def bytes_message(data: bytes) -> bytes:
    """PolicySetup or Actions, whose only field is `data`."""
    return b"\x0a" + _varint(len(data)) + data if data else b""


def observation_messages(data: bytes) -> Iterator[bytes]:
    """Observation's messages, each with its transfer_state and a piece of `data`."""
    for start in range(0, len(data), PIECE):
        last = start + PIECE >= len(data)
        state = _END if last else _MIDDLE if start else _BEGIN
        piece = data[start : start + PIECE]
        yield bytes((0x08, state, 0x12)) + _varint(len(piece)) + piece


def message_bytes(message: bytes) -> bytes:
    """`data` of Actions."""
    size, start = 0, 1
    for shift in range(0, 35, 7):
        if start >= len(message):
            break
        size |= (message[start] & 0x7F) << shift
        start += 1
        if message[start - 1] < 0x80:
            break
    if message[0] != 0x0A or len(message) - start != size:
        raise WireError("it is no message of LeRobot's Actions")
    return message[start:]


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*made, number))


# Writing.


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Arrays by their bytes alone, which every version of NumPy reads."""
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biuf":
                raise WireError(f"dtype {value.dtype} cannot be sent; accepted: numbers")
            return np.ndarray, (value.shape, value.dtype.str, bytearray(value.tobytes()))
        if type(value).__module__ != "builtins":
            raise WireError(f"{type(value).__name__} cannot be sent")
        return NotImplemented


def _instance(name: str, fields: Mapping[str, Any]) -> bytes:
    """Pickle of an instance of a class that is not installed here."""
    body = io.BytesIO()
    # Protocol 3 knows no frames, so that what is around the fields can be put around them.
    _Pickler(body, protocol=3).dump(dict(fields))
    made = f"c{_HELPERS}\n{name}\n".encode() + b")\x81"  # the class, no arguments, a new instance
    inner = body.getvalue()[2:-1]  # without its protocol and its end
    return b"\x80\x03" + made + inner + b"b."  # the fields are its state


# Reading.


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: io.BytesIO, allowed: Mapping[str, Any], persistent: Any) -> None:
        super().__init__(data)
        self._allowed, self._persistent = allowed, persistent

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._allowed:
            raise WireError(f"it names {module}.{name}"[:120] + "; accepted: a tensor's numbers")
        return self._allowed[f"{module}.{name}"]

    def persistent_load(self, given: Any) -> Any:
        if self._persistent is None:
            raise WireError("it refers to something outside")
        return self._persistent(given)


def _loaded(
    data: io.BytesIO, allowed: Mapping[str, Any], persistent: Callable[[Any], Any] | None = None
) -> Any:
    """What one pickle of `data` holds, read to its end."""
    start = data.tell()
    try:
        for operation, _, _ in pickletools.genops(data):
            if operation.name not in _OPERATIONS:
                raise WireError(f"its pickle has the operation {operation.name}; accepted: those "
                                "of numbers and containers")  # fmt: skip
        data.seek(start)
        return _Unpickler(data, allowed, persistent).load()
    except WireError:
        raise
    except Exception as error:  # pickle's documentation names some, "but not necessarily limited"
        text = " ".join(str(error).split())[:120] or type(error).__name__
        raise WireError(f"it is no pickle of actions: {text}") from error


def _reader() -> Mapping[str, Any]:
    """What stands for the names that a pickle of actions may have.

    They are made anew for each reading, since a pickle can set attributes of what it names.
    """
    known: dict[bytes, _Numbers] = {}  # each row brings the storage of all of them

    def storage(data: Any) -> _Numbers:
        if not isinstance(data, bytes):
            raise WireError("a tensor's storage is no bytes")
        if data not in known:
            known[data] = _storage(data)
        return known[data]

    def tensor(*arguments: Any) -> _Numbers:
        return _tensor(*arguments[:4])

    return {
        f"{_HELPERS}.TimedAction": type("TimedAction", (), {}),
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch.storage._load_from_bytes": storage,
        "collections.OrderedDict": dict,
    }


def _storage(data: bytes) -> _Numbers:
    """The numbers of a storage that torch.save has written in its legacy form."""
    stream = io.BytesIO(data)
    magic, version, system = (_loaded(stream, {}) for _ in range(3))
    little = isinstance(system, dict) and system.get("little_endian") is True
    if (magic, version) != _TORCH_SAVE or not little:
        raise WireError("a tensor's storage is not of torch.save's legacy form, little-endian")
    names = {f"torch.{name}": name for name in _STORAGES}
    found = _loaded(stream, names, lambda given: given)
    _loaded(stream, {})  # the keys of the storages: there is one
    if not isinstance(found, tuple) or len(found) != 6 or found[1] not in _STORAGES:
        raise WireError(f"a tensor's storage is no {', '.join(_STORAGES)}")
    rest = stream.read()
    dtype = np.dtype(_STORAGES[found[1]])
    count = found[4]
    if rest[:8] != np.int64(count).tobytes() or len(rest) != 8 + count * dtype.itemsize:
        raise WireError("a tensor's storage has not the numbers that it tells of")
    numbers = np.frombuffer(rest[8:], dtype)
    if found[1] == "BFloat16Storage":  # the upper half of a float32
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> _Numbers:
    """A tensor of one dimension."""
    vector = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) == 1
    if not isinstance(storage, np.ndarray) or not vector:
        raise WireError(f"an action is a tensor of the size {size!r:.40}; accepted: one dimension")
    numbers = (offset, size[0], stride[0])
    if not all(type(number) is int and 0 <= number <= MAX_BYTES for number in numbers):
        raise WireError("a tensor's offset, size or stride is no number from 0")
    if size[0] and offset + (size[0] - 1) * stride[0] >= len(storage):
        raise WireError("a tensor is longer than its storage")
    return storage[offset + np.arange(size[0]) * stride[0]]


def _row(given: Any) -> TimedAction:
    fields = getattr(given, "__dict__", {})
    stamp, step, action = (fields.get(key) for key in ("timestamp", "timestep", "action"))
    if not isinstance(stamp, float) or type(step) is not int or not isinstance(action, np.ndarray):
        raise WireError("it is no list of TimedAction with numbers")
    return TimedAction(stamp, step, action)
