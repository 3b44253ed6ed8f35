"""Zstandard, by what rosbags brings: `zstandard` before its 0.11, then `backports.zstd`."""

from __future__ import annotations

from typing import Any, BinaryIO

try:
    from backports.zstd import ZstdDecompressor, ZstdError
except ImportError:
    import zstandard
    from zstandard import ZstdError

    def ZstdDecompressor() -> Any:
        """One frame's decompressor, as that of `backports.zstd`."""
        return zstandard.ZstdDecompressor().decompressobj()


__all__ = ["ZstdError", "copy", "decompress"]

_BLOCK = 1 << 20


def decompress(data: bytes) -> bytes:
    """What a frame holds; of one that is cut short, what is there. Raises ZstdError."""
    return bytes(ZstdDecompressor().decompress(data))


def copy(packed: BinaryIO, unpacked: BinaryIO) -> None:
    """Decompress a file of frames, as far as it goes. Raises ZstdError where it is damaged."""
    frame = ZstdDecompressor()
    while block := packed.read(_BLOCK):
        while block:
            unpacked.write(frame.decompress(block))
            if not frame.eof:
                break
            block, frame = frame.unused_data, ZstdDecompressor()
