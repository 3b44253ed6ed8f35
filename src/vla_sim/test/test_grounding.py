"""Tasks, wordings and layouts of the grounding scene, and what its episodes are told."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim import commands, grounding, tasks
from vla_sim.commands import CommandsError, Wordings
from vla_sim.grounding import COLOURS, HALF_SIZE, PLACE_HIGH, PLACE_LOW, SIDES

seeds = st.integers(0, 2**63 - 1)
names = st.sampled_from(grounding.tasks())


def test_the_tasks_stand_beside_metaworlds():
    assert len(grounding.tasks()) == len(COLOURS) * (1 + len(SIDES)) == 9
    assert tasks.GROUPS["ground"] == grounding.tasks()
    assert tasks.GROUPS["mt50"] == tasks.tasks()
    assert set(tasks.GROUPS["ground-touch"]) | set(tasks.GROUPS["ground-push"]) == set(
        grounding.tasks()
    )
    assert len(tasks.tasks()) == 50 and not set(tasks.tasks()) & set(grounding.tasks())
    for task in (*tasks.MT10, *grounding.tasks()):
        tasks.check_task(task)
    with pytest.raises(tasks.TaskError, match="did you mean .*ground-touch-red"):
        tasks.check_task("ground-touch-rd")


@pytest.mark.parametrize("task", grounding.tasks())
def test_every_wording_names_what_is_asked_and_nothing_else(task):
    asked = grounding.TASKS[task]
    for sentence in grounding.wordings(task) + grounding.wordings(task, held_out=True):
        words = re.findall("[a-z]+", sentence)
        assert [w for w in words if w in COLOURS] == [asked.colour]
        assert [w for w in words if w in SIDES] == ([asked.side] if asked.side else [])
        assert len(words) <= 12 and words != ["stop"]


def test_held_out_wordings_are_no_training_wordings_and_mostly_of_known_words():
    training = {w for task in grounding.tasks() for w in grounding.wordings(task)}
    held_out = {w for task in grounding.tasks() for w in grounding.wordings(task, held_out=True)}
    assert not training & held_out
    assert len(training) == 9 * 8 and len(held_out) == 9 * 5
    known = {word for sentence in training for word in sentence.split()}
    for sentence in held_out:
        unknown = [word for word in sentence.split() if word not in known]
        assert len(unknown) <= 2, sentence


def test_the_seeds_go_through_all_wordings():
    for held_out in (False, True):
        said = {grounding.command("ground-push-red-left", s, held_out=held_out) for s in range(10)}
        assert said == set(grounding.wordings("ground-push-red-left", held_out=held_out))
    assert tasks.instruction("ground-touch-red") == "touch the red block"
    assert tasks.instruction("drawer-open", 7) == tasks.instruction("drawer-open")


@given(task=names, seed=seeds)
def test_blocks_are_within_reach_and_apart(task, seed):
    layout = grounding.layout(task, seed)
    assert list(layout) == list(COLOURS)
    places = np.array(list(layout.values()))
    assert (places >= PLACE_LOW).all() and (places <= PLACE_HIGH).all()
    for a in range(3):
        for b in range(a):
            gap = np.abs(places[a] - places[b]).max()
            assert gap - 2 * HALF_SIZE >= 0.059, "room for the closed gripper between them"
    again = grounding.layout(task, seed)
    assert all((again[colour] == layout[colour]).all() for colour in COLOURS)


def test_a_layout_depends_on_task_and_seed_and_tells_neither_colour_nor_side():
    first = grounding.layout("ground-touch-red", 0)["red"]
    assert (first != grounding.layout("ground-touch-red", 1)["red"]).all()
    assert (first != grounding.layout("ground-touch-blue", 0)["red"]).all()
    centre = np.add(PLACE_LOW, PLACE_HIGH) / 2
    for task in grounding.tasks():
        places = [list(grounding.layout(task, seed).values()) for seed in range(600)]
        # The mean of 600 places in 0.4 m by 0.3 m: 5 sigma is 0.03 m.
        np.testing.assert_allclose(np.mean(places, axis=0), np.tile(centre, (3, 1)), atol=0.03)


EPISODES = [(task, seed) for task in grounding.tasks() for seed in range(100, 110)]


def test_shuffled_commands_are_a_permutation():
    own, swapped = commands.choose(EPISODES), commands.choose(EPISODES, shuffle=0)
    assert swapped == commands.choose(EPISODES, shuffle=0) != commands.choose(EPISODES, shuffle=1)
    assert sorted(s.command for s in swapped) == sorted(s.command for s in own)
    assert [(s.task, s.seed) for s in swapped] == EPISODES
    assert all(s.said_task == s.task for s in own)
    same = np.mean([s.said_task == s.task for s in swapped])
    assert 0.02 < same < 0.25  # a ninth by chance
    for said in swapped:
        assert said.command in grounding.wordings(said.said_task)


def test_metaworlds_commands_are_shuffled_among_themselves():
    mixed = [*EPISODES, *((task, 5) for task in tasks.MT10)]
    for said in commands.choose(mixed, shuffle=3):
        assert (said.task in grounding.TASKS) == (said.said_task in grounding.TASKS)


def test_held_out_commands_also_shuffled():
    for said in commands.choose(EPISODES, Wordings.HELD_OUT, shuffle=2):
        assert said.command in grounding.wordings(said.said_task, held_out=True)


def test_commands_that_cannot_be_chosen():
    with pytest.raises(CommandsError, match="drawer-open has no held-out wordings; accepted: gro"):
        commands.choose([("drawer-open", 1)], Wordings.HELD_OUT)
    with pytest.raises(CommandsError, match="all episodes are ground-touch-red, .*accepted"):
        commands.choose([("ground-touch-red", 1), ("ground-touch-red", 2)], shuffle=0)
    with pytest.raises(tasks.TaskError):
        commands.choose([("ground-touch-pink", 1)])
