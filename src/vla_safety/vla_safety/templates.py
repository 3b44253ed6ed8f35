"""Messages of one form as bytes: only numbers at known places change from period to period.

Building and serialising a message in Python touches so much code that it takes a tenth of a
millisecond when the caches are cold, as they are after a control period of sleep. A template is
serialised once, by the middleware itself; the places of its numbers are found by marks.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class TemplateError(ValueError):
    """A mark is not found just once."""


@dataclass(frozen=True)
class Mark:
    """Values that the message to be made a template of holds in one place, side by side.

    format: of struct, native and without alignment, e.g. "=d". optional: the message may lack it.
    """

    format: str
    values: tuple[float, ...]
    optional: bool = False


def number_marks(count: int) -> list[float]:
    """So many numbers whose bytes are found nowhere by chance."""
    return [1.2718281828e-203 * (1.0 + index / 1024.0) for index in range(count)]


class Template:
    """See the module."""

    def __init__(self, message: Any, marks: Sequence[Mark], cut: bool = False) -> None:
        """message: holds every mark. cut: the bytes end with the last mark's.

        Raises:
            TemplateError: a mark is there twice, or is missing and not optional.
        """
        from rclpy.serialization import serialize_message  # what imports this need not have it

        data = serialize_message(message)
        self._places = [_place(data, mark) for mark in marks]
        ends = [offset + layout.size for layout, offset in filter(None, self._places)]
        self._data = bytearray(data[: max(ends)] if cut else data)

    def fill(self, values: Sequence[Sequence[float]]) -> bytes:
        """The serialised message with these values in the place of each mark's."""
        data = self._data
        for place, numbers in zip(self._places, values, strict=True):
            if place is not None:
                place[0].pack_into(data, place[1], *numbers)
        return bytes(data)


def _place(data: bytes, mark: Mark) -> tuple[struct.Struct, int] | None:
    layout = struct.Struct(mark.format)
    sought = layout.pack(*mark.values)
    if data.count(sought) == 1:
        return layout, data.index(sought)
    if mark.optional and sought not in data:
        return None
    raise TemplateError(f"the mark {mark.values} is there {data.count(sought)} times; accepted: 1")
