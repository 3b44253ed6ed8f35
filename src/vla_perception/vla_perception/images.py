"""Images as they arrive: checked before anything is made of them.

Nothing here trusts a header: size, step and data length must agree, and a compressed image must
be complete, because decoders fill what is missing with grey and call it a success.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np

from vla_contract.images import BYTES_PER_PIXEL, Image
from vla_perception.jpeg_warnings import Listener
from vla_perception.streams import Drop, Refused

MAX_PIXELS = 8192 * 8192

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_LISTENER = Listener()

_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
}  # an eighth is the mean of each block alone, and colours lose by it
_SPARE = 2  # times the size wanted, so that the last step is the averaging of pixels


def check_raw(encoding: str, height: int, width: int, step: int, length: int) -> None:
    """Check a raw image's description against the number of its bytes.

    Raises:
        Refused: the first thing that is wrong, with what is accepted.
    """
    if encoding not in BYTES_PER_PIXEL:
        accepted = ", ".join(BYTES_PER_PIXEL)
        raise Refused(Drop.ENCODING, f"encoding is {encoding[:40]!r}; accepted: {accepted}")
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise Refused(Drop.SIZE, f"size is {width}x{height}; accepted: 1 to {MAX_PIXELS} pixels")
    row = width * BYTES_PER_PIXEL[encoding]
    if step < row:
        raise Refused(
            Drop.STEP, f"step is {step}; accepted for {width} px of {encoding}: at least {row}"
        )
    if length != step * height:
        raise Refused(
            Drop.LENGTH, f"data has {length} bytes; accepted: step * height = {step * height}"
        )


def decode(data: Any, height: int = 0, width: int = 0) -> tuple[Image, int]:
    """Decode a complete JPEG or PNG, a JPEG no finer than what comes of it needs.

    libjpeg gives a half or a quarter of the size from as many coefficients of each block, in half
    the time. That is used where twice the size wanted remains in both directions: resized from
    there, the result is as near to the picture that was compressed as from the whole.

    Args:
        height, width: what it is resized to afterwards, px; 0: not known, decoded whole.

    Returns:
        bgr, uint8, shape (H / n, W / n, 3); and n, which divides both sides.

    Raises:
        Refused: empty, neither JPEG nor PNG, truncated, corrupt, or damaged as libjpeg finds.
    """
    reduction = _reduction(_check_complete(data), height, width)
    content = np.frombuffer(data, dtype=np.uint8)
    # Never as the file says (16 bit, alpha): always three channels of 8 bit.
    try:
        pixels, warning = _LISTENER.run(lambda: cv2.imdecode(content, _FLAGS[reduction]))
    except cv2.error as error:
        raise Refused(Drop.CORRUPT, f"cannot be decoded: {error.err}") from error
    if warning:
        raise Refused(Drop.CORRUPT, f"damaged: {warning[:100]}")
    if pixels is None or pixels.size == 0:
        raise Refused(Drop.CORRUPT, f"{len(data)} bytes cannot be decoded")
    return np.asarray(pixels, dtype=np.uint8), reduction


def _reduction(size: tuple[int, int] | None, height: int, width: int) -> int:
    """The greatest one that leaves twice the size wanted. size: of a JPEG, (width, height), px."""
    if size is None or not height or not width:
        return 1
    return next(
        n
        for n in sorted(_FLAGS, reverse=True)
        if n == 1
        or (
            size[0] % n == size[1] % n == 0
            and size[0] >= _SPARE * width * n
            and size[1] >= _SPARE * height * n
        )
    )


def _check_complete(data: Any) -> tuple[int, int] | None:
    """The size of a JPEG, (width, height), px; None for a PNG, which is decoded whole."""
    if len(data) == 0:
        raise Refused(Drop.SIZE, "compressed data is empty")
    content = memoryview(data).cast("B")
    end = bytes(content[-64:]).rstrip(b"\0")  # some drivers pad with zeros
    jpeg = content[:2] == _JPEG_START
    if jpeg:
        complete, size = end.endswith(_JPEG_END), _jpeg_size(content)
    elif content[:8] == _PNG_START:
        complete, size = end.endswith(_PNG_END) and _png_is_whole(content), _png_size(content)
    else:
        raise Refused(
            Drop.ENCODING, f"data starts with {content[:4].hex()}; accepted: JPEG (ffd8) and PNG"
        )
    if not complete or size is None:
        raise Refused(Drop.CORRUPT, f"{len(data)} bytes are truncated or corrupt")
    # Before the decoder allocates what the header claims.
    if not 1 <= size[0] * size[1] <= MAX_PIXELS:
        raise Refused(Drop.SIZE, f"size is {size[0]}x{size[1]}; accepted: 1 to {MAX_PIXELS} pixels")
    return size if jpeg else None


def _jpeg_size(content: memoryview) -> tuple[int, int] | None:
    """(width, height) from the start-of-frame segment; None where there is none."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width, height
        position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    return None


def _png_size(content: memoryview) -> tuple[int, int] | None:
    return struct.unpack_from(">II", content, 16) if len(content) >= 24 else None


def _png_is_whole(content: memoryview) -> bool:
    """Every chunk up to IEND is there and has its checksum."""
    position = 8
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            return False
        (checksum,) = struct.unpack_from(">I", content, end)
        if zlib.crc32(content[position + 4 : end]) != checksum:
            return False
        if content[position + 4 : position + 8] == b"IEND":
            return True
        position = end + 4
    return False
