"""Whether what libjpeg remarks on a JPEG means that pixels are missing or wrong.

Most of its remarks do. Some do not: comments of applications that are odd, parameters of a scan
that mean nothing in a sequential one, and bytes between a scan and the next marker where an encoder
flushed or a driver filled up. Such bytes are also the rest of a scan in which something is wrong:
then they are many, and of many values.
"""

from __future__ import annotations

import re

from vla_perception.cameras.jpeg_structure import JpegStructure

_HARMLESS = (
    "Invalid SOS parameters",
    "Unknown Adobe color transform",
    "Warning: unknown JFIF revision",
    "Corrupt JPEG data: bad ICC marker",
)
_STRAY = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(\w\w)")


def stray_bytes(remark: str) -> tuple[int, bool] | None:
    """How many bytes lie before a marker, and whether it is the end's; None: another remark."""
    match = _STRAY.match(remark)
    return (int(match[1]), match[2] == "d9") if match else None


def harmless(remark: str, content: memoryview, structure: JpegStructure, most_stray: int) -> bool:
    """A remark tells of nothing that is missing or wrong.

    most_stray: bytes of any values before a marker that are no rest of a scan.
    """
    if remark.startswith(_HARMLESS):
        return True
    stray = stray_bytes(remark)
    if stray is None:
        return False
    count, at_end = stray
    if count <= most_stray:
        return at_end or not structure.lacks_restarts
    filling = bytes(content[structure.end - 2 - count : structure.end - 2])
    return at_end and len(set(filling)) == 1
