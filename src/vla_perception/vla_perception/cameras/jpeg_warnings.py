"""What libjpeg thinks of a JPEG, which OpenCV does not tell.

libjpeg decodes a damaged JPEG as well as it can and warns on the process's standard error; no
interface of OpenCV gives that back. So the descriptor is turned aside while a picture is decoded,
and whatever else was written meanwhile is passed on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_STANDARD_ERROR = 2
_MOST = 4096  # bytes
_SIGNS = (
    b"Corrupt JPEG",
    b"Premature end of JPEG",
    b"Invalid JPEG",
    b"Invalid SOS",
    b"Unsupported marker",
    b"Unknown Adobe color transform",
    b"Warning: unknown JFIF",
    b"Inconsistent progression sequence",
)


class Listener:
    """Runs a decoder and gives back what libjpeg said meanwhile. For one thread."""

    def __init__(self) -> None:
        self._file = os.memfd_create("jpeg_warnings", os.MFD_CLOEXEC)

    def __del__(self) -> None:
        os.close(self._file)

    def run(self, decode: Callable[[], Result]) -> tuple[Result, str]:
        """The decoder's result, and libjpeg's first warning; "" where there is none."""
        kept = os.dup(_STANDARD_ERROR)
        try:
            os.dup2(self._file, _STANDARD_ERROR)
            try:
                result = decode()
            finally:
                os.dup2(kept, _STANDARD_ERROR)
        finally:
            os.close(kept)
            said = self._take()
        warnings = [line for line in said.splitlines() if line.startswith(_SIGNS)]
        others = [line for line in said.splitlines() if not line.startswith(_SIGNS)]
        if others:
            os.write(_STANDARD_ERROR, b"\n".join(others) + b"\n")
        return result, warnings[0].decode("ascii", "replace") if warnings else ""

    def _take(self) -> bytes:
        length = os.lseek(self._file, 0, os.SEEK_CUR)
        if not length:
            return b""
        said = os.pread(self._file, min(length, _MOST), 0)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        return said
