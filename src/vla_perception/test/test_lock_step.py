"""One set for each tick with images, whatever the order of arrival."""

import random

from hypothesis import given
from hypothesis import strategies as st

from vla_perception.lock_step import TickAssembler

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
