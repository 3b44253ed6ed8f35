from vla_safety.loop.tick_queue import Tick, TickQueue
from vla_safety.plan.sequencing import Chunk


def tick(number, episode=1, has_images=False):
    return Tick(number, number * 10, episode, has_images)


def chunk(stamp):
    return Chunk(stamp, 1, [], "s", ("x",))


def test_a_tick_without_images_is_ready_at_once_and_answered_once():
    steps = TickQueue()
    assert not steps.ready
    assert steps.accept_tick(tick(1)) and steps.ready
    assert steps.begin_period() == (tick(1), [], True)
    assert not steps.ready
    assert not steps.accept_tick(tick(1))
    assert steps.accept_tick(tick(2)) and steps.begin_period()[2] is False


def test_a_tick_with_images_waits_for_its_chunk_in_either_order():
    steps = TickQueue()
    steps.accept_tick(tick(1, has_images=True))
    steps.accept_chunk(chunk(9))
    assert not steps.ready
    steps.accept_chunk(chunk(10))
    assert steps.begin_period()[1] == [chunk(9), chunk(10)]
    steps.accept_chunk(chunk(20))
    assert not steps.ready
    steps.accept_tick(tick(2, episode=2, has_images=True))
    assert steps.ready
    assert steps.begin_period() == (tick(2, 2, True), [chunk(20)], True)


def test_a_chunk_of_a_later_tick_waits_for_it():
    steps = TickQueue()
    steps.accept_chunk(chunk(20))
    steps.accept_tick(tick(1))
    assert steps.begin_period()[1] == []
    steps.accept_tick(tick(2, has_images=True))
    assert steps.begin_period()[1] == [chunk(20)]


def test_a_flood_of_chunks_is_bounded():
    steps = TickQueue()
    for stamp in range(1000, 2000):
        steps.accept_chunk(chunk(stamp))
    assert steps.dropped == 1000 - 64
