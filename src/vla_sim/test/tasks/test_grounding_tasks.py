"""Tasks, wordings and layouts of the grounding scene, and what its episodes are told."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.tasks import episode_commands, grounding_tasks, task_list
from vla_sim.tasks.episode_commands import CommandsError, Wordings
from vla_sim.tasks.grounding_tasks import COLOURS, HALF_SIZE, PLACE_HIGH, PLACE_LOW, SIDES

seeds = st.integers(0, 2**63 - 1)
names = st.sampled_from(grounding_tasks.tasks())


def test_the_tasks_stand_beside_metaworlds():
    assert len(grounding_tasks.tasks()) == len(COLOURS) * (1 + len(SIDES)) == 9
    assert task_list.GROUPS["ground"] == grounding_tasks.tasks()
    assert task_list.GROUPS["mt50"] == task_list.tasks()
    assert set(task_list.GROUPS["ground-touch"]) | set(task_list.GROUPS["ground-push"]) == set(
        grounding_tasks.tasks()
    )
    assert len(task_list.tasks()) == 50 and not set(task_list.tasks()) & set(
        grounding_tasks.tasks()
    )
    for task in (*task_list.MT10, *grounding_tasks.tasks()):
        task_list.check_task(task)
    with pytest.raises(task_list.TaskError, match="did you mean .*ground-touch-red"):
        task_list.check_task("ground-touch-rd")


@pytest.mark.parametrize("task", grounding_tasks.tasks())
def test_every_wording_names_what_is_asked_and_nothing_else(task):
    asked = grounding_tasks.TASKS[task]
    for sentence in grounding_tasks.wordings(task) + grounding_tasks.wordings(task, held_out=True):
        words = re.findall("[a-z]+", sentence)
        assert [w for w in words if w in COLOURS] == [asked.colour]
        assert [w for w in words if w in SIDES] == ([asked.side] if asked.side else [])
        assert len(words) <= 12 and words != ["stop"]


def test_held_out_wordings_are_no_training_wordings_and_mostly_of_known_words():
    training = {w for task in grounding_tasks.tasks() for w in grounding_tasks.wordings(task)}
    held_out = {
        w for task in grounding_tasks.tasks() for w in grounding_tasks.wordings(task, held_out=True)
    }
    assert not training & held_out
    assert len(training) == 9 * 8 and len(held_out) == 9 * 5
    known = {word for sentence in training for word in sentence.split()}
    for sentence in held_out:
        unknown = [word for word in sentence.split() if word not in known]
        assert len(unknown) <= 2, sentence


def test_the_seeds_go_through_all_wordings():
    for held_out in (False, True):
        said = {
            grounding_tasks.command("ground-push-red-left", s, held_out=held_out) for s in range(10)
        }
        assert said == set(grounding_tasks.wordings("ground-push-red-left", held_out=held_out))
    assert task_list.instruction("ground-touch-red") == "touch the red block"
    assert task_list.instruction("drawer-open", 7) == task_list.instruction("drawer-open")


@given(task=names, seed=seeds)
def test_blocks_are_within_reach_and_apart(task, seed):
    layout = grounding_tasks.layout(task, seed)
    assert list(layout) == list(COLOURS)
    places = np.array(list(layout.values()))
    assert (places >= PLACE_LOW).all() and (places <= PLACE_HIGH).all()
    for a in range(3):
        for b in range(a):
            gap = np.abs(places[a] - places[b]).max()
            assert gap - 2 * HALF_SIZE >= 0.059, "room for the closed gripper between them"
    again = grounding_tasks.layout(task, seed)
    assert all((again[colour] == layout[colour]).all() for colour in COLOURS)


def test_a_layout_depends_on_task_and_seed_and_tells_neither_colour_nor_side():
    first = grounding_tasks.layout("ground-touch-red", 0)["red"]
    assert (first != grounding_tasks.layout("ground-touch-red", 1)["red"]).all()
    assert (first != grounding_tasks.layout("ground-touch-blue", 0)["red"]).all()
    centre = np.add(PLACE_LOW, PLACE_HIGH) / 2
    for task in grounding_tasks.tasks():
        places = [list(grounding_tasks.layout(task, seed).values()) for seed in range(600)]
        # The mean of 600 places in 0.4 m by 0.3 m: 5 sigma is 0.03 m.
        np.testing.assert_allclose(np.mean(places, axis=0), np.tile(centre, (3, 1)), atol=0.03)


EPISODES = [(task, seed) for task in grounding_tasks.tasks() for seed in range(100, 110)]


def test_shuffled_commands_are_a_permutation():
    own, swapped = episode_commands.choose(EPISODES), episode_commands.choose(EPISODES, shuffle=0)
    assert (
        swapped
        == episode_commands.choose(EPISODES, shuffle=0)
        != episode_commands.choose(EPISODES, shuffle=1)
    )
    assert sorted(s.command for s in swapped) == sorted(s.command for s in own)
    assert [(s.task, s.seed) for s in swapped] == EPISODES
    assert all(s.said_task == s.task for s in own)
    same = np.mean([s.said_task == s.task for s in swapped])
    assert 0.02 < same < 0.25  # a ninth by chance
    for said in swapped:
        assert said.command in grounding_tasks.wordings(said.said_task)


def test_metaworlds_commands_are_shuffled_among_themselves():
    mixed = [*EPISODES, *((task, 5) for task in task_list.MT10)]
    for said in episode_commands.choose(mixed, shuffle=3):
        assert (said.task in grounding_tasks.TASKS) == (said.said_task in grounding_tasks.TASKS)


def test_held_out_commands_also_shuffled():
    for said in episode_commands.choose(EPISODES, Wordings.HELD_OUT, shuffle=2):
        assert said.command in grounding_tasks.wordings(said.said_task, held_out=True)


def test_commands_that_cannot_be_chosen():
    with pytest.raises(CommandsError, match="drawer-open has no held-out wordings; accepted: gro"):
        episode_commands.choose([("drawer-open", 1)], Wordings.HELD_OUT)
    with pytest.raises(CommandsError, match="all episodes are ground-touch-red, .*accepted"):
        episode_commands.choose([("ground-touch-red", 1), ("ground-touch-red", 2)], shuffle=0)
    with pytest.raises(task_list.TaskError):
        episode_commands.choose([("ground-touch-pink", 1)])
