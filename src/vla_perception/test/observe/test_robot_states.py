"""The state nearest to an image."""

from hypothesis import given
from hypothesis import strategies as st

from vla_contract.stamps import NANOSECONDS
from vla_perception.observe.robot_states import StateBuffer, StateHistory


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(0, 5000), st.integers(0, 60)
)
def test_nearest_is_the_nearest_within_the_slop(gaps, wanted, slop):
    span, stamp, stamps = 1000, 0, []
    buffer: StateBuffer[int] = StateBuffer(span)
    for gap in gaps:
        stamp += gap
        stamps.append(stamp)
        buffer.add(stamp, stamp)
    found = buffer.nearest(wanted, slop)
    kept = [s for s in stamps if s >= stamp - span]
    best = min(abs(s - wanted) for s in kept)
    if wanted >= stamp - span:  # before that, what is left depends on the block size
        assert (found is not None) == (best <= slop)
        assert found is None or abs(found - wanted) == best


def test_old_messages_go():
    buffer: StateBuffer[int] = StateBuffer(100)
    for stamp in range(1, 100_000, 10):
        buffer.add(stamp, stamp)
    assert len(buffer) < 100


def test_a_clock_that_falls_starts_anew():
    buffer: StateBuffer[str] = StateBuffer(100)
    buffer.add(1000, "old")
    buffer.add(10, "new")
    assert buffer.nearest(1000, 50) is None
    assert buffer.nearest(10, 0) == "new"
    assert buffer.offset(13) == -3
    buffer.clear()
    assert buffer.offset(13) is None


def test_a_second_message_of_one_stamp_takes_the_place_of_the_first():
    buffer: StateBuffer[str] = StateBuffer(100)
    for stamp, message in ((10, "a"), (20, "arm"), (20, "arm and gripper")):
        buffer.add(stamp, message)
    assert len(buffer) == 2
    assert buffer.nearest(10, 0) == "a" and buffer.newest() == "arm and gripper"


def test_a_history_keeps_two_seconds_and_tells_which_state_is_too_far():
    history = StateHistory(("arm", "pose"), 100)
    assert history.too_far == {} and history.newest() == {"arm": None, "pose": None}
    for number in range(200):
        history.add("arm", number * NANOSECONDS // 50, number)
    second = NANOSECONDS
    assert history.nearest(2 * second + 90) == {"arm": 100, "pose": None}
    assert history.too_far == {}
    assert history.nearest(2 * second + 101) == {"arm": None, "pose": None}
    assert history.too_far == {"arm": -101 / second}
    assert history.newest() == {"arm": 199, "pose": None}
    history.clear()
    assert history.newest() == {"arm": None, "pose": None}


def test_of_two_states_the_nearer_one_is_given():
    buffer: StateBuffer[str] = StateBuffer(1000)
    for stamp, message in ((10, "a"), (20, "b"), (40, "c")):
        buffer.add(stamp, message)
    for wanted, found in ((1, "a"), (14, "a"), (16, "b"), (29, "b"), (31, "c"), (90, "c")):
        assert buffer.nearest(wanted, 100) == found
    assert [buffer.offset(stamp) for stamp in (16, 31, 45)] == [4, 9, -5]


def test_a_stamp_that_falls_forgets_every_state_and_old_ones_stay_within_the_span():
    buffer: StateBuffer[int] = StateBuffer(1000)
    for stamp in range(1, 200):
        buffer.add(stamp, stamp)
    assert len(buffer) == 199, "all are within the span"
    buffer.add(150, 150)
    assert len(buffer) == 1
