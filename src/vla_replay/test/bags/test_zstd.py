"""Zstandard by whichever library rosbags has brought."""

import io

import pytest

from vla_replay.bags import zstd


def frame(content):
    """A frame with one block that is stored as it is. content: at most 255 bytes."""
    block = (len(content) << 3 | 1).to_bytes(3, "little") + content
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + block


def copied(data):
    unpacked = io.BytesIO()
    zstd.copy(io.BytesIO(data), unpacked)
    return unpacked.getvalue()


def test_a_message_and_a_file_of_frames():
    assert zstd.decompress(frame(b"arm")) == b"arm"
    assert copied(frame(b"arm") + frame(b" and hand")) == b"arm and hand"
    assert copied(b"") == b""


def test_what_is_cut_short_goes_as_far_as_it_goes():
    assert copied(frame(b"arm") + frame(b" and hand")[:-3]).startswith(b"arm")


@pytest.mark.parametrize("read", [zstd.decompress, copied])
def test_what_is_damaged_is_an_error(read):
    with pytest.raises(zstd.ZstdError):
        read(b"\x28\xb5\x2f\xfd" + b"\xff" * 20)
