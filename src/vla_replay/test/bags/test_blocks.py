"""Messages of several blocks in one order, with only the blocks in memory that overlap."""

from vla_replay.bags.blocks import JUMP, Block, Key, Segments, Stored, merged


def test_a_fall_by_a_second_begins_a_segment_and_a_smaller_one_is_disorder():
    found = Segments()
    times = [5 * JUMP, 5 * JUMP, 4 * JUMP + 1, 4 * JUMP, 9 * JUMP, 9 * JUMP - 1, 0, 1]
    keys = [found.key("/a", time) for time in times]
    assert [key.segment for key in keys] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert [key.time for key in keys] == times
    assert (found.jumps, found.disorder) == (2, 2)
    assert found.key("/b", 0) == Key(0, 0)  # each topic has its own


def test_what_is_out_of_order_does_not_move_the_latest_time():
    found = Segments()
    for time in (2 * JUMP, 2 * JUMP - 1, 2 * JUMP - 2):
        found.key("/a", time)
    assert found.key("/a", JUMP).segment == 1  # a second before the latest, not before the last


def test_a_copy_goes_on_by_itself():
    found = Segments()
    for time in (9 * JUMP, 9 * JUMP - 1, 0):
        found.key("/a", time)
    copy = found.copy()
    assert (copy.jumps, copy.disorder) == (1, 1)
    assert copy.key("/a", 2 * JUMP) == Key(1, 2 * JUMP)
    assert found.key("/a", JUMP) == Key(1, JUMP) and found.disorder == 1


def blocks(*contents):
    """Of times; what is loaded when goes into the list beside them."""
    loaded = []

    def make(index, times):
        def load():
            loaded.append(index)
            return [Stored(Key(0, t), f"/{index}", "", bytes([n])) for n, t in enumerate(times)]

        return Block(Key(0, min(times)), len(times), load)

    return [make(index, times) for index, times in enumerate(contents)], loaded


def test_blocks_are_merged_and_loaded_only_where_they_overlap():
    made, loaded = blocks([10, 20, 30], [40, 50], [15, 25], [5])
    order = []
    for message in merged(made):
        order.append((message.key.time, message.topic, tuple(loaded)))
    assert [time for time, _, _ in order] == [5, 10, 15, 20, 25, 30, 40, 50]
    assert [names for _, _, names in order] == [
        (3,), (3, 0), (3, 0, 2), (3, 0, 2), (3, 0, 2), (3, 0, 2), (3, 0, 2, 1), (3, 0, 2, 1),
    ]  # fmt: skip


def test_of_equal_keys_the_one_stored_first_comes_first():
    made, _ = blocks([7, 7], [7])
    found = [(message.topic, message.data[0]) for message in merged(made)]
    assert found == [("/0", 0), ("/0", 1), ("/1", 0)]
    assert list(merged([])) == []
