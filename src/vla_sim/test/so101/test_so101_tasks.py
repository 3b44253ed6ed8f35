"""Names, wordings and places of the SO-101's tasks."""

import itertools
import math

import pytest

from vla_sim.so101 import so101_tasks
from vla_sim.tasks import episode_commands, task_list


def test_every_verb_has_a_task_of_each_colour():
    assert len(so101_tasks.TASKS) == 15
    assert "put-red-in-tray" in so101_tasks.TASKS
    assert so101_tasks.tasks(so101_tasks.Verb.STACK) == (
        "stack-red-on-green",
        "stack-green-on-blue",
        "stack-blue-on-red",
    )


def test_no_two_tasks_share_a_sentence():
    said = [w for task in so101_tasks.TASKS for w in so101_tasks.wordings(task)]
    assert len(said) == len(set(said)) == 75


def test_an_episode_depends_on_task_and_seed_alone():
    task = "pick-blue"
    assert so101_tasks.layout(task, 4) == so101_tasks.layout(task, 4)
    assert so101_tasks.layout(task, 4) != so101_tasks.layout(task, 5)
    assert so101_tasks.layout(task, 4) != so101_tasks.layout("pick-red", 4)


@pytest.mark.parametrize("seed", range(50))
def test_the_cubes_lie_apart_within_reach_and_beside_the_tray(seed):
    places = so101_tasks.layout("touch-red", seed)
    for place in places.values():
        distance = math.dist((place.x, place.y), so101_tasks.PAN_AXIS)
        assert so101_tasks.NEAREST <= distance <= so101_tasks.FARTHEST
        edge = so101_tasks.TRAY_HALF + 2 * so101_tasks.HALF_SIZE
        x, y = so101_tasks.TRAY
        assert abs(place.x - x) > edge or abs(place.y - y) > edge
    for a, b in itertools.combinations(places.values(), 2):
        assert math.dist((a.x, a.y), (b.x, b.y)) > 4 * so101_tasks.HALF_SIZE


def test_a_task_belongs_to_one_robot():
    assert task_list.robot_of("push-red") == "so101"
    assert task_list.robot_of("push") == "metaworld"
    with pytest.raises(task_list.TaskError, match="does not have"):
        task_list.check_task("push-red", robot="metaworld")
    assert task_list.instruction("push-red", 1) == "push the red block away"


def test_commands_are_shuffled_among_the_tasks_of_a_robot():
    own = [(task, 1) for task in so101_tasks.TASKS]
    for said in episode_commands.choose([*own, ("reach", 1), ("push", 1)], shuffle=0)[:15]:
        assert said.said_task in so101_tasks.TASKS
