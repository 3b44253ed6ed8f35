"""Where a JPEG ends and how large it is, from its segments, before anything is decoded.

Cameras that send what their sensor's chip compressed send whole buffers: what lies behind the end
marker is of no meaning. A thumbnail within a segment has an end marker of its own, so segments are
walked and scans are searched.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

_START, _END = 0xD8, 0xD9
_END_MARKER = b"\xff\xd9"
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)
_INTERVAL = 0xDD
_APPLICATION = range(0xE0, 0xF0)
# In a scan FF 00 is a value, FF D0 to FF D7 are restarts, and FF may be repeated before a marker.
_RESTART = 0xD0


@dataclass
class JpegStructure:
    """Of one JPEG. end: offset behind its end marker, 0 where there is none: it is cut off.

    segments: (marker, offset, end) of each segment outside of the scans. blocks: groups of pixels
    that are coded together, of which `interval` lie between two restarts (0: none).
    """

    width: int = 0
    height: int = 0
    end: int = 0
    sequential: bool = False
    blocks: int = 0
    interval: int = 0
    restarts: int = 0
    segments: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def lacks_restarts(self) -> bool:
        """Parts of the picture between two restarts never came."""
        wanted = -(-self.blocks // self.interval) - 1 if self.interval else 0
        return self.sequential and self.restarts < wanted


def read_structure(content: memoryview, *, exact: bool = False) -> JpegStructure:
    """The structure of bytes that begin as a JPEG.

    exact: search the scans; else, where the last two bytes are an end marker, they are taken for
    its end, which is much faster, and right where the decoder has nothing to remark.
    """
    found = JpegStructure()
    position = 2
    while position + 2 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        if marker == _END:
            found.end = position + 2
        if marker in (_START, _END) or position + 4 > len(content):
            return found
        end = position + 2 + struct.unpack_from(">H", content, position + 2)[0]
        if end > len(content) or end < position + 4:
            return found
        _read_segment(found, content, marker, position, end)
        if marker != _SCAN:
            position = end
        elif content[-2:] == _END_MARKER and not exact:
            position = len(content) - 2
        else:
            position = _behind_scan(found, content, end)
    return found


def _read_segment(
    found: JpegStructure, content: memoryview, marker: int, position: int, end: int
) -> None:
    found.segments.append((marker, position, end))
    if marker in _FRAMES and end >= position + 10 and not found.width:
        _read_frame(found, content, position, end)
    elif marker == _INTERVAL and end >= position + 6:
        (found.interval,) = struct.unpack_from(">H", content, position + 4)


def _read_frame(found: JpegStructure, content: memoryview, position: int, end: int) -> None:
    found.height, found.width = struct.unpack_from(">HH", content, position + 5)
    found.sequential = content[position + 1] in _SEQUENTIAL
    sampling = bytes(content[position + 11 : end : 3])
    across = max((each >> 4 for each in sampling), default=1) if len(sampling) > 1 else 1
    down = max((each & 15 for each in sampling), default=1) if len(sampling) > 1 else 1
    if across and down:
        found.blocks = -(-found.width // (8 * across)) * -(-found.height // (8 * down))


def _behind_scan(found: JpegStructure, content: memoryview, position: int) -> int:
    """Where the first marker behind a scan is, or the content ends."""
    values = np.frombuffer(content, dtype=np.uint8)[position:]
    marks = np.flatnonzero(values[:-1] == 0xFF)
    kinds = values[marks + 1]
    restarts = kinds & 0xF8 == _RESTART
    markers = marks[~restarts & (kinds != 0) & (kinds != 0xFF)]
    length = int(markers[0]) if markers.size else len(values)
    found.restarts += int(np.count_nonzero(restarts & (marks < length)))
    return position + length


def without_remarks(content: memoryview, structure: JpegStructure, stray: int) -> bytes:
    """The same picture without what a decoder remarks on although it changes no pixel.

    Comments of applications go, the parameters of sequential scans are what they must be, and the
    last `stray` bytes before the end marker go. libjpeg tells its first remark alone, so what comes
    behind a harmless one shows only here.
    """
    parts, position = [], 0
    for marker, begin, end in structure.segments:
        if marker in _APPLICATION:
            parts.append(content[position:begin])
            position = end
        elif marker == _SCAN and structure.sequential:
            parts.append(content[position : end - 3])
            parts.append(memoryview(b"\x00\x3f\x00"))
            position = end
    parts.append(content[position : structure.end - 2 - stray])
    return b"".join((*parts, b"\xff\xd9"))
