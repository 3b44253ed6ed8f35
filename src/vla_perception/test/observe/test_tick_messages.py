"""One set for each tick with images, whatever the order of arrival."""

import random

from hypothesis import given
from hypothesis import strategies as st

from vla_contract.topics import LOCK_STEP_AHEAD as AHEAD
from vla_perception.observe.tick_messages import TickAssembler

INPUTS = ("front", "side", "joint_states")


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_exactly_one_set_for_each_tick_in_any_order(rng: random.Random, ticks):
    assembler, taken = TickAssembler(INPUTS), []
    for tick in range(1, ticks + 1):
        has_images = tick % 4 == 1
        names = [name for name in INPUTS if has_images or name == "joint_states"]
        messages = [(name, tick * 10) for name in names] + [("tick", tick * 10)]
        rng.shuffle(messages)
        for name, stamp in messages:
            if name == "tick":
                assembler.tick(tick, stamp, 1, has_images)
            else:
                assembler.add(name, stamp, f"{name} {stamp}")
            while (complete := assembler.take()) is not None:
                taken.append(complete)
    assert [t.tick for t in taken] == [t for t in range(1, ticks + 1) if t % 4 == 1]
    for complete in taken:
        assert complete.inputs == {n: f"{n} {complete.stamp}" for n in INPUTS}
    assert assembler.stale == 0


@given(st.data(), st.integers(1, 8), st.integers(0, AHEAD))
def test_ticks_that_come_ahead_are_complete_in_order(data, ticks, ahead):
    """Each input in order of time, mixed in any way; a tick at most `ahead` before its turn."""
    assembler, taken = TickAssembler(INPUTS), []
    left = {name: list(range(1, ticks + 1)) for name in (*INPUTS, "tick")}
    while any(left.values()):
        names = [n for n, rest in left.items() if rest]
        if left["tick"] and left["tick"][0] > len(taken) + 1 + ahead:
            names.remove("tick")
        name = data.draw(st.sampled_from(names))
        number = left[name].pop(0)
        if name == "tick":
            assembler.tick(number, number * 10, 1, True)
        else:
            assembler.add(name, number * 10, f"{name} {number}")
        while (complete := assembler.take()) is not None:
            taken.append(complete.tick)
            assert complete.inputs == {n: f"{n} {complete.tick}" for n in INPUTS}
        assert assembler.present() in (None, (len(taken) + 1) * 10)
    assert taken == list(range(1, ticks + 1)) and assembler.stale == 0


def test_what_a_tick_says_is_missing_is_not_waited_for():
    assembler = TickAssembler(INPUTS)
    assembler.add("front", 10, "front 10")
    assembler.tick(1, 10, 1, True, ["side", "joint_states"])
    assert assembler.take().inputs == {"front": "front 10", "side": None, "joint_states": None}
    assembler.tick(2, 20, 1, True, ["side"])
    assert assembler.missing() == ("front", "joint_states")


def test_ticks_that_never_become_complete_do_not_pile_up():
    assembler = TickAssembler(("front",))
    for tick in range(1, 20):
        assembler.tick(tick, tick * 10, 1, True)
    assert assembler.stale == 19 - AHEAD - 1
    assembler.add("front", 10, "of a tick that was overtaken")
    assert assembler.take() is None
    assembler.tick(20, 200, 1, False)
    assert assembler.stale == 19 and assembler.present() is None and assembler.missing() == ()


def test_a_refused_message_completes_the_set_too():
    assembler = TickAssembler(INPUTS)
    assembler.tick(1, 10, 1, True)
    assembler.add("front", 10, None)
    assembler.add("joint_states", 10, "j")
    assert assembler.take() is None
    assert assembler.missing() == ("side",)
    assembler.add("side", 10, "s")
    complete = assembler.take()
    assert complete is not None and complete.inputs["front"] is None
    assert assembler.take() is None


def test_messages_of_another_tick_are_not_mixed_in():
    assembler = TickAssembler(("front",))
    assembler.add("front", 9, "early")
    assembler.tick(1, 10, 1, True)
    assembler.add("front", 11, "late")
    assert assembler.take() is None
    assembler.tick(2, 11, 1, True)
    complete = assembler.take()
    assert complete is not None and complete.inputs == {"front": "late"}
    assert assembler.stale == 1
    assembler.add("front", 11, "again")
    assert assembler.take() is None


def test_a_set_has_its_tick_and_episode_and_the_first_stamp_may_be_zero():
    assembler = TickAssembler(("front",))
    assembler.tick(1, 0, 7, True)
    assert assembler.present() == 0
    assembler.add("front", 0, "f")
    complete = assembler.take()
    assert (complete.tick, complete.stamp, complete.episode) == (1, 0, 7)
    assembler.tick(1, 0, 7, True)
    assert assembler.present() is None, "it is over"
    assembler.add("front", 0, "again")
    assembler.tick(2, 5, 8, True)
    assembler.add("front", 5, "g")
    assert assembler.take().episode == 8
