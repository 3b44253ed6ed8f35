"""Images as they arrive: checked before anything is made of them.

Nothing here trusts a header: size, step and data length must agree, and a compressed image must
be complete, because decoders fill what is missing with grey and call it a success. Bytes behind the
end of a JPEG or PNG are the rest of a driver's buffer, and mean nothing.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vla_contract.image_pixels import BYTES_PER_PIXEL, Image, refusal_of_encoding
from vla_perception.cameras.jpeg_damage import harmless, stray_bytes
from vla_perception.cameras.jpeg_structure import read_structure, without_remarks
from vla_perception.cameras.jpeg_warnings import Listener
from vla_perception.observe.stamped_streams import Drop, Refused

MAX_PIXELS = 8192 * 8192

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_DEPTH_FORMAT = re.compile(r"\s*(16UC1|32FC1|.*compressedDepth)")
_LISTENER = Listener()

_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
}  # an eighth is the mean of each block alone, and colours lose by it
_SPARE = 2  # times the size wanted, so that the last step is the averaging of pixels


@dataclass(frozen=True)
class DamageLimits:
    """What is damage in a compressed image.

    looked_for: False: whatever the decoder makes of it is taken. stray_bytes: so many bytes of any
    values between a JPEG's scan and its next marker are none.
    """

    looked_for: bool = True
    stray_bytes: int = 32


def check_raw(encoding: str, height: int, width: int, step: int, length: int) -> None:
    """Check a raw image's description against the number of its bytes.

    Raises:
        Refused: the first thing that is wrong, with what is accepted.
    """
    problem = refusal_of_encoding(encoding)
    if problem:
        raise Refused(Drop.ENCODING, problem)
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise Refused(Drop.SIZE, f"size is {width}x{height}; accepted: 1 to {MAX_PIXELS} pixels")
    if width % 2 and BYTES_PER_PIXEL[encoding] == 2:
        raise Refused(
            Drop.SIZE, f"width is {width}; accepted of {encoding}: even, pairs share a colour"
        )
    row = width * BYTES_PER_PIXEL[encoding]
    if step < row:
        raise Refused(
            Drop.STEP, f"step is {step}; accepted for {width} px of {encoding}: at least {row}"
        )
    if length != step * height:
        raise Refused(
            Drop.LENGTH, f"data has {length} bytes; accepted: step * height = {step * height}"
        )


def check_format(text: str) -> None:
    """Check the format of a CompressedImage, which may be empty: the data tells what they are.

    Raises:
        Refused: it is depth.
    """
    if _DEPTH_FORMAT.match(text):
        raise Refused(
            Drop.ENCODING,
            f"format is {text[:40]!r}, which is depth or another measurement and no picture; "
            "accepted: JPEG and PNG of colours or grey",
        )


def decode(
    data: Any, height: int = 0, width: int = 0, limits: DamageLimits | None = None
) -> tuple[Image, int]:
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
    limits = limits or DamageLimits()
    if len(data) == 0:
        raise Refused(Drop.SIZE, "compressed data is empty")
    content = memoryview(data).cast("B")
    if content[:2] == _JPEG_START:
        return _decode_jpeg(content, height, width, limits)
    if content[:8] == _PNG_START:
        _check_png(content, limits)
        return _pixels(content, 1)[0], 1
    raise Refused(
        Drop.ENCODING, f"data starts with {content[:4].hex()}; accepted: JPEG (ffd8) and PNG"
    )


def _decode_jpeg(
    content: memoryview, height: int, width: int, limits: DamageLimits
) -> tuple[Image, int]:
    structure = read_structure(content)
    whole = structure.end > 0 or not limits.looked_for
    if not whole or not structure.width:
        raise Refused(Drop.CORRUPT, f"{len(content)} bytes are truncated or corrupt")
    _check_size(structure.width, structure.height)
    reduction = _reduction((structure.width, structure.height), height, width)
    # OpenCV makes nothing of a JPEG without an end.
    picture = content[: structure.end] if structure.end else bytes(content) + _JPEG_END
    pixels, remark = _pixels(picture, reduction)
    if remark and limits.looked_for:
        _check_remark(remark, content, limits)
    return pixels, reduction


def _check_remark(remark: str, content: memoryview, limits: DamageLimits) -> None:
    """Refuse what the decoder remarked on, or on what comes behind a harmless remark."""
    most, structure = limits.stray_bytes, read_structure(content, exact=True)
    if structure.end and harmless(remark, content, structure, most):
        stray, at_end = stray_bytes(remark) or (0, False)
        clean = memoryview(without_remarks(content, structure, stray if at_end else 0))
        remark = _pixels(clean, max(_FLAGS))[1]
        if not remark or harmless(remark, clean, read_structure(clean, exact=True), most):
            return
    raise Refused(Drop.CORRUPT, f"damaged: {remark[:100]}")


def _pixels(content: memoryview | bytes, reduction: int) -> tuple[Image, str]:
    """bgr, and what libjpeg remarked."""
    values = np.frombuffer(content, dtype=np.uint8)
    # Never as the file says (16 bit, alpha): always three channels of 8 bit.
    try:
        pixels, remark = _LISTENER.run(lambda: cv2.imdecode(values, _FLAGS[reduction]))
    except cv2.error as error:
        raise Refused(Drop.CORRUPT, f"cannot be decoded: {error.err}") from error
    if pixels is None or pixels.size == 0:
        raise Refused(Drop.CORRUPT, remark or f"{len(content)} bytes cannot be decoded")
    return np.asarray(pixels, dtype=np.uint8), remark


def _reduction(size: tuple[int, int], height: int, width: int) -> int:
    """The greatest one that leaves twice the size wanted. size: of a JPEG, (width, height), px."""
    if not height or not width:
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


def _check_size(width: int, height: int) -> None:
    """Refuse before the decoder allocates what a header claims."""
    if not 1 <= width * height <= MAX_PIXELS:
        raise Refused(Drop.SIZE, f"size is {width}x{height}; accepted: 1 to {MAX_PIXELS} pixels")


def _check_png(content: memoryview, limits: DamageLimits) -> None:
    size = _png_size(content)
    if size is None or (limits.looked_for and not _png_is_whole(content)):
        raise Refused(Drop.CORRUPT, f"{len(content)} bytes are truncated or corrupt")
    _check_size(*size)


def _png_size(content: memoryview) -> tuple[int, int] | None:
    return struct.unpack_from(">II", content, 16) if len(content) >= 24 else None


def _png_is_whole(content: memoryview) -> bool:
    """Every chunk up to IEND is there, and those that hold pixels have their checksums."""
    position = 8
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            return False
        (checksum,) = struct.unpack_from(">I", content, end)
        comment = content[position + 4] & 0x20  # a chunk that decoders may leave out
        if not comment and zlib.crc32(content[position + 4 : end]) != checksum:
            return False
        if content[position + 4 : position + 8] == b"IEND":
            return True
        position = end + 4
    return False
