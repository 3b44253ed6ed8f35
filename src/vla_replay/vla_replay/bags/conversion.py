"""Messages as a bag has them → as the ROS that runs here has them, by the names of the fields.

Distributions differ: sensor_msgs/Range has one field more since Iron, and ROS 1 has other bytes
altogether. DDS throws away what does not fit, and tells nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from vla_contract.recording import RecordingError, definition
from vla_replay.bags.bag_storage import Topic
from vla_replay.bags.cdr_fields import CdrError
from vla_replay.bags.definitions import (
    CDR,
    ROS1,
    DefinitionError,
    fields,
    layout,
    of_distribution,
    parsed,
    plain,
)
from vla_replay.bags.message_codec import Codec, decoded

_DTYPES = {"byte": "int8", "char": "uint8", "octet": "uint8"}
_HEADER = "std_msgs/msg/Header"


class Conversion:
    """Of the messages of one topic.

    Attributes:
        problem: why they cannot be read; empty where they can.
        note: what of them is lost, or is not in the bag; empty where nothing is.
    """

    def __init__(self, topic: Topic, distribution: str, codec: Codec) -> None:
        """distribution: that recorded the bag, where it is known. codec: of the installed types."""
        self.problem = self.note = ""
        self._kind, self._encoding = topic.type, topic.encoding
        self._codec = codec
        self._own: Any = None  # the bag's types, where they are not installed
        self._rebuilt: Callable[[Any], Any] | None = None
        if topic.encoding not in (CDR, ROS1):
            self.problem = (
                f"its messages are {topic.encoding.upper() or 'unnamed'}, which no ROS node takes; "
                "accepted: CDR (`ros2 bag record` of the topic) and ROS 1"
            )
            return
        try:
            if topic.encoding == CDR and topic.definition == definition(topic.type).text:
                return
            codec.learn(topic.type)
        except RecordingError:
            self._without_installed(topic, distribution)
            return
        self._compare(topic, distribution)

    def _without_installed(self, topic: Topic, distribution: str) -> None:
        """The bag's own definition is all there is: enough to read what is CDR already."""
        self._own, self.note = _source(topic, distribution)
        if self._own is None:
            self.problem = f"of a type that is not known: {topic.type}"
        elif topic.encoding == ROS1:
            self.problem = f"its type {topic.type} is not installed"

    def _compare(self, topic: Topic, distribution: str) -> None:
        self._source, self.note = _source(topic, distribution)
        if self._source is None:
            if topic.encoding == ROS1:
                self.problem = f"of a type that is not known: {topic.type}"
            return  # without anything to compare with it is taken as it is installed
        same = layout(self._source, topic.type) == layout(self._codec.store, topic.type)
        if topic.encoding == CDR and same:
            return
        plan = _Plan(self._source, self._codec.store)
        try:
            self._rebuilt = plan.message(topic.type, topic.type, "")
        except DefinitionError as error:
            self.problem = f"{topic.type} was recorded with another definition: {error}"
        self.note = "; ".join(filter(None, (self.note, plan.difference_text(topic.type))))

    def cdr(self, data: bytes) -> bytes:
        """A message of the bag as nodes take it.

        Raises:
            CdrError: it is not what its type says.
        """
        if self._rebuilt is None:
            return data
        message = decoded(self._source, self._kind, data, self._encoding)
        try:
            return self._codec.write(self._kind, self._rebuilt(message))
        except Exception as error:  # a value that the other type has no room for
            raise CdrError("it does not fit the type that is installed") from error

    def read(self, data: bytes) -> Any:
        """What `cdr` gave as an object; its arrays are NumPy's.

        Raises:
            CdrError: it is not what its type says.
        """
        if self._own is not None:
            return decoded(self._own, self._kind, data)
        return self._codec.read(self._kind, data)


def _source(topic: Topic, distribution: str) -> tuple[Any, str]:
    """Types as the bag was recorded with, None where nothing tells; and a note on them."""
    note = ""
    if topic.definition:
        try:
            return parsed(topic.definition, topic.type), ""
        except DefinitionError as error:
            note = f"{error}; taken as its distribution has it"
    store = of_distribution(distribution, topic.encoding)
    return (store, note) if topic.type in store.fielddefs else (None, "")


class _Plan:
    """How messages of one store become those of another; made once for each topic."""

    def __init__(self, source: Any, target: Any) -> None:
        self._source, self._target = source, target
        self._missing: list[str] = []
        self._left: list[str] = []

    def difference_text(self, kind: str) -> str:
        """What differs in one line; empty where nothing is lost or made up."""
        parts = []
        if self._missing:
            parts.append(f"the bag has no {', '.join(self._missing)}, which stays 0 or empty")
        if self._left:
            parts.append(f"there is no {', '.join(self._left)} here, which is left out")
        return f"{kind} was recorded with another definition: {'; '.join(parts)}" if parts else ""

    def message(self, source: str, target: str, path: str) -> Callable[[Any], Any]:
        """Of one type into another.

        Raises:
            DefinitionError: a field cannot be converted, or none is in both.
        """
        have = {plain(name): (name, each) for name, each in fields(self._source, source)}
        wanted = fields(self._target, target)
        conversions: dict[str, Callable[[Any], Any]] = {}
        for name, kind in wanted:
            known = have.pop(plain(name), None)
            if known is None:
                self._missing.append(path + name)
                conversions[name] = self._default(kind)
            else:
                conversions[name] = self._from(known[0], self._field(known[1], kind, path + name))
        if wanted and len(have) == len(fields(self._source, source)):
            raise DefinitionError(f"{path or 'it '}has no field of {target}")
        if source != _HEADER:  # ROS 1's seq is of no use
            self._left += [path + name for name, _ in have.values()]
        make = self._target.get_msgdef(target).cls
        return lambda message: make(
            **{name: convert(message) for name, convert in conversions.items()}
        )

    @staticmethod
    def _from(name: str, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda message: convert(getattr(message, name))

    def _field(self, source: Any, target: Any, path: str) -> Callable[[Any], Any]:
        single = (Nodetype.BASE, Nodetype.NAME)
        if source[0] in single and target[0] in single:
            return self._single(source, target, path)
        if source[0] in single or target[0] in single:
            raise DefinitionError(f"{path} is a list in only one of them")
        if source[0] == target[0] == Nodetype.ARRAY and source[1][1] != target[1][1]:
            raise DefinitionError(f"{path} has {source[1][1]} values there, {target[1][1]} here")
        inner = self._single(source[1][0], target[1][0], path + "[].")
        if target[1][0][0] == Nodetype.NAME:
            return lambda values: [inner(value) for value in values]
        return inner

    def _single(self, source: Any, target: Any, path: str) -> Callable[[Any], Any]:
        if source[0] != target[0]:
            raise DefinitionError(f"{path} is a message in only one of them")
        if source[0] == Nodetype.NAME:
            return self.message(source[1], target[1], path.rstrip(".") + ".")
        have, want = source[1][0], target[1][0]
        if have == want:
            return lambda value: value
        if "string" in (have, want) or not np.can_cast(_dtype(have), _dtype(want), "same_kind"):
            if np.dtype(_dtype(have)).itemsize + np.dtype(_dtype(want)).itemsize != 2:
                raise DefinitionError(f"{path} is {have} there, {want} here")
        return _cast(np.dtype(_dtype(want)))

    def _default(self, kind: Any) -> Callable[[Any], Any]:
        """0, empty, or a message of such."""
        node, inner = kind
        if node == Nodetype.NAME:
            each = {name: self._default(field) for name, field in fields(self._target, inner)}
            make = self._target.get_msgdef(inner).cls
            return lambda message: make(
                **{name: convert(message) for name, convert in each.items()}
            )
        if node == Nodetype.BASE:
            value = "" if inner[0] == "string" else np.zeros((), _dtype(inner[0])).item()
            return lambda message: value
        (what, of), count = inner[0], inner[1] if node == Nodetype.ARRAY else 0
        if what == Nodetype.BASE and of[0] != "string":
            return lambda message: np.zeros(count, _dtype(of[0]))
        one = self._default((what, of))
        return lambda message: [one(message) for _ in range(count)]


def _dtype(base: str) -> str:
    """NumPy's name of a number's type."""
    return _DTYPES.get(base, "S" if base == "string" else base)


def _cast(dtype: Any) -> Callable[[Any], Any]:
    def cast(value: Any) -> Any:
        array = np.asarray(value).astype(dtype)
        return array if array.ndim else array.item()

    return cast
