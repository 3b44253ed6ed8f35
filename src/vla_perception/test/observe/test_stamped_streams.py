"""Stamps, counts and joint states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_perception.observe.stamped_streams import (
    RESTART_COUNT,
    ClockEvent,
    ClockWatch,
    Drop,
    DropCounter,
    PendingFrames,
    Refused,
    StampGate,
)

NOW = 1_000_000_000


def verdict(gate: StampGate, stamp: int, now: int = NOW) -> Drop | None:
    try:
        gate.check(stamp, now)
    except Refused as refused:
        return refused.reason
    return None


def test_stamps_must_rise_and_not_lie_in_the_future():
    gate = StampGate(100)
    assert verdict(gate, NOW - 10) is None
    assert verdict(gate, NOW - 10) == Drop.DUPLICATE
    assert verdict(gate, NOW - 20) == Drop.OUT_OF_ORDER
    assert verdict(gate, NOW + 101) == Drop.FUTURE
    assert verdict(gate, NOW + 100) is None
    assert verdict(gate, NOW + 101 + NOW, now=0) is None, "a clock that has not started"


def test_a_source_that_starts_anew_is_taken_after_a_few_messages():
    gate = StampGate(100)
    assert verdict(gate, NOW) is None
    seen = [verdict(gate, i) for i in range(1, RESTART_COUNT + 2)]
    assert seen == [Drop.OUT_OF_ORDER] * (RESTART_COUNT - 1) + [None, None]


def test_in_lock_step_the_clock_is_not_asked_and_nothing_goes_back():
    gate = StampGate(None)
    assert verdict(gate, 10 * NOW, now=1) is None
    assert {verdict(gate, i) for i in range(1, 20)} == {Drop.OUT_OF_ORDER}
    gate.reset()
    assert verdict(gate, 1) is None


@given(st.lists(st.integers(0, 2 * NOW), max_size=40))
def test_accepted_stamps_rise_but_for_restarts(stamps):
    gate = StampGate(0)
    accepted = [stamp for stamp in stamps if verdict(gate, stamp) is None]
    assert all(stamp <= NOW for stamp in accepted)
    falls = sum(b <= a for a, b in zip(accepted, accepted[1:]))  # noqa: B905
    assert falls <= len(stamps) // RESTART_COUNT


def test_drops_are_counted_and_only_the_first_is_told():
    drops = DropCounter()
    assert drops.count("front", Drop.FUTURE)
    assert not drops.count("front", Drop.FUTURE)
    assert drops.count("side", Drop.FUTURE)
    assert not drops.count("side", Drop.CORRUPT, 0)
    assert drops.values() == {"dropped.front.future_stamp": 2, "dropped.side.future_stamp": 1}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=60), st.integers(1, 5))
def test_every_frame_is_used_dropped_or_pending_and_counted_once(events, size):
    drops, used, added = DropCounter(), 0, {"a": [], "b": []}
    pending = PendingFrames("ab", size, drops)
    for stamp, (camera, match) in enumerate(events, start=1):
        pending.add(camera, stamp)
        added[camera].append(stamp)
        if match and all(added.values()):
            used += pending.match({name: stamps[-1] for name, stamps in added.items()}) * 2
    pending.clear()
    assert used + sum(drops.values().values()) == len(events)


def test_a_clock_that_jumps_back_or_has_not_started_is_seen():
    watch = ClockWatch()
    expected = [
        (0, ClockEvent.NOT_STARTED), (5, ClockEvent.RUNS), (5, ClockEvent.RUNS),
        (4, ClockEvent.JUMPED_BACK), (6, ClockEvent.RUNS), (0, ClockEvent.JUMPED_BACK),
        (0, ClockEvent.NOT_STARTED),
    ]  # fmt: skip
    assert [watch.update(now) for now, _ in expected] == [event for _, event in expected]


SECOND = 10**9


@pytest.mark.parametrize(
    ("stamp", "reason", "words"),
    [
        (-2 * SECOND, Drop.INVALID, "stamp is -2.000 s; accepted: above 0"),
        (12 * SECOND, Drop.FUTURE, "stamp is 2.000 s ahead of the node's clock"),
        (9 * SECOND, Drop.DUPLICATE, "stamp 9.000000 s came twice"),
        (8 * SECOND, Drop.OUT_OF_ORDER, "stamp is 1.000 s older than the newest one"),
    ],
)
def test_a_refused_stamp_is_told_in_seconds(stamp, reason, words):
    gate = StampGate(SECOND)
    gate.check(9 * SECOND, 10 * SECOND)
    with pytest.raises(Refused) as refused:
        gate.check(stamp, 10 * SECOND)
    assert (refused.value.reason, str(refused.value)) == (reason, words)


def test_a_gate_begins_with_any_stamp():
    for gate in (StampGate(0), StampGate(None)):
        gate.check(0, NOW)
        gate.reset()
        gate.check(0, NOW)


def test_messages_that_repeat_one_old_stamp_are_no_source_that_starts_anew():
    gate = StampGate(100)
    gate.check(NOW, NOW)
    for _ in range(2 * RESTART_COUNT):
        assert verdict(gate, 5) == Drop.OUT_OF_ORDER
