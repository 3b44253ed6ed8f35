"""Where a JPEG ends, how large it is, and whether parts of it never came."""

import struct

import pytest

from vla_perception.cameras.jpeg_structure import JpegStructure, read_structure

START, END = b"\xff\xd8", b"\xff\xd9"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(content)) + content


def frame(width=40, height=24, sampling=(0x11,), marker=0xC0) -> bytes:
    parts = b"".join(bytes([i, each, 0]) for i, each in enumerate(sampling))
    return segment(marker, struct.pack(">BHHB", 8, height, width, len(sampling)) + parts)


def structure(*parts: bytes, exact=False) -> JpegStructure:
    return read_structure(memoryview(b"".join(parts)), exact=exact)


SCAN = segment(0xDA, b"\1\0\0\0\x3f\0")


def test_size_end_and_segments_are_read():
    found = structure(START, frame(), SCAN, b"\1\2\xff\0\3", END, b"behind", exact=True)
    assert (found.width, found.height, found.sequential) == (40, 24, True)
    assert found.end == len(START + frame() + SCAN) + 5 + 2
    assert [marker for marker, _, _ in found.segments] == [0xC0, 0xDA]


@pytest.mark.parametrize("filling", [0, 1, 2, 3])
def test_ff_may_be_repeated_before_a_marker(filling):
    more = b"\xff" * filling
    found = structure(START, more, frame(), more, SCAN, b"\1\2", more, END, b"x", exact=True)
    assert found.width == 40 and found.end > 0


@pytest.mark.parametrize(
    ("width", "height", "sampling", "blocks"),
    [
        (40, 24, (0x11,), 15),
        (41, 25, (0x11,), 24),
        (40, 24, (0x22,), 15),  # of one component a block is 8 x 8
        (40, 24, (0x22, 0x11, 0x11), 6),
        (40, 24, (0x11, 0x22), 6),
        (40, 24, (0x21, 0x11, 0x11), 9),
        (40, 24, (0x12, 0x11, 0x11), 10),
        (72, 72, (0x11, 0x11), 81),
        (40, 24, (), 15),
        (40, 24, (0x20, 0x10), 0),
        (40, 24, (0x02, 0x01), 0),
    ],
)
def test_blocks_are_counted_by_the_sampling(width, height, sampling, blocks):
    assert structure(START, frame(width, height, sampling), SCAN, END).blocks == blocks


def test_a_progressive_frame_is_not_sequential_and_a_short_one_is_none():
    assert not structure(START, frame(marker=0xC2), SCAN, END).sequential
    assert structure(START, segment(0xC0, b"\0" * 5), SCAN, END).width == 0
    assert structure(START, frame(), frame(8, 8), SCAN, END).width == 40, "the first one counts"


def test_the_shortest_frame_and_interval_are_read():
    sized = segment(0xC0, struct.pack(">BHHB", 8, 24, 40, 0))
    assert structure(START, sized, SCAN, END).width == 40
    assert structure(START, segment(0xDD, b"\0\7"), frame(), SCAN, END).interval == 7
    assert structure(START, segment(0xDD, b"\0"), frame(), SCAN, END).interval == 0


def test_restarts_are_counted_over_all_scans_and_missed():
    interval = segment(0xDD, struct.pack(">H", 5))  # 15 blocks: two restarts
    one = b"\1\xff\xd0\2"
    assert structure(START, interval, frame(), SCAN, one, END, exact=True).lacks_restarts
    both = structure(START, interval, frame(), SCAN, one, SCAN, one, END, exact=True)
    assert both.restarts == 2 and not both.lacks_restarts
    assert not structure(START, frame(), SCAN, one, END, exact=True).lacks_restarts
    progressive = structure(START, interval, frame(marker=0xC2), SCAN, one, END, exact=True)
    assert not progressive.lacks_restarts


def test_the_scan_is_searched_only_where_that_is_wanted():
    parts = START, frame(), SCAN, b"\1\xff\xd0\2", END
    assert structure(*parts).restarts == 0 and structure(*parts, exact=True).restarts == 1
    assert structure(*parts).end == structure(*parts, exact=True).end == len(b"".join(parts))


@pytest.mark.parametrize("last", [b"", b"\xff", b"\xff\xe0\0", b"\xff\xe0\0\1", b"\xff\xe0\0\\9"])
def test_a_cut_off_segment_has_no_end(last):
    assert structure(START, frame(), last).end == 0


def test_an_empty_segment_is_one():
    assert structure(START, segment(0xE0, b""), END).end == 8
    assert structure(START, segment(0xE0, b"")).segments == [(0xE0, 2, 6)]
