"""The grounding scene in the simulator: physics, pictures, the expert, chance."""

import numpy as np
import pytest

pytest.importorskip("metaworld")

from vla_sim.robot.metaworld_robot import STEP_LIMIT, MetaworldEnvironment
from vla_sim.tasks import grounding_tasks

TOUCH, PUSH = "ground-touch-red", "ground-push-green-left"


@pytest.fixture(scope="module")
def environment():
    environment = MetaworldEnvironment(width=96, height=96)
    yield environment
    environment.close()


def listen_to(environment, task):
    """Let the expert follow the command of another task."""
    environment._policy = environment._env.expert_of(grounding_tasks.TASKS[task])


def play(environment, noise=0.0, seed=0):
    """Run the expert to the episode's verdict."""
    rng = np.random.default_rng(seed)
    offset = np.zeros(3)
    for step in range(STEP_LIMIT):
        if step % 20 == 0:
            offset = rng.normal(0.0, noise, 3) if step % 40 == 0 else np.zeros(3)
        action = environment.expert_action()
        result = environment.step(action[:3] + offset, action[3])
        if result.success or result.failure:
            break
    return result


def test_blocks_lie_still_where_the_layout_says(environment):
    environment.reset(TOUCH, 4)
    layout = grounding_tasks.layout(TOUCH, 4)
    for _ in range(80):
        result = environment.step((0.0, 0.0, 0.0), 0.0)
    for colour, place in environment._env.places().items():
        np.testing.assert_allclose(place, [*layout[colour], grounding_tasks.HALF_SIZE], atol=2e-4)
        assert np.abs(environment.scene().data.body(colour).cvel).max() < 1e-3
    assert not environment._env.touched()
    assert not (result.success or result.failure or result.unstable)


@pytest.mark.parametrize("seed", range(6))
def test_every_block_is_seen(environment, seed):
    environment.reset(PUSH, seed)
    for _ in range(2):  # the camera at the hand has everything in view from above
        environment.step((0.0, 0.0, 0.0), 0.0)
    pictures = environment.render()
    for index, rgb in enumerate(grounding_tasks.COLOURS.values()):
        others = [i for i in range(3) if i != index]
        picture = pictures["corner2"].astype(int)
        pure = picture[..., index] - picture[..., others].max(axis=-1)
        # The arm is dark red, so that a red block's own pixels are those brighter than any of it.
        count = int(((pure > 90) & (picture[..., index] > 150 * max(rgb))).sum())
        assert count >= 12, f"{count} px of block {index}"


def test_contact_counts_the_arm_alone(environment):
    environment.reset(TOUCH, 1)
    assert environment._env.touched() == frozenset()
    assert play(environment).success and environment._env.touched() == {"red"}
    for _ in range(STEP_LIMIT // 4):
        result = environment.step((0.3, 0.0, 0.0), 0.0)
    assert result.success and not result.failure


@pytest.mark.parametrize("task", grounding_tasks.tasks())
def test_the_expert_succeeds_also_when_disturbed(environment, task):
    environment.reset(task, 21)
    assert play(environment).success
    environment.reset(task, 22)
    assert play(environment, noise=0.2).success


def test_the_expert_works_from_where_a_policy_left_the_hand(environment):
    environment.reset(PUSH, 3)
    place = environment._env.places()["green"]
    # Beside the block, low, on the side to which it shall go.
    for target in ([place[0] - 0.09, place[1], 0.2], [place[0] - 0.09, place[1], 0.07]):
        for _ in range(60):
            hand = environment.state().end_effector
            environment.step(6.0 * (np.array(target) - hand), 1.0)
    assert not environment.result.failure
    assert play(environment).success


@pytest.mark.parametrize("said", ["ground-touch-blue", "ground-push-blue-right"])
def test_the_wrong_block_ends_the_hope_of_success(environment, said):
    environment.reset(TOUCH, 8)
    listen_to(environment, said)
    result = play(environment)
    assert not result.success and result.failure == "touched the blue block"
    # Doing the right thing afterwards does not help.
    listen_to(environment, TOUCH)
    touched = set()
    for _ in range(120):
        action = environment.expert_action()
        result = environment.step(action[:3], action[3])
        touched |= environment._env.touched()
    assert "red" in touched and not result.success


def test_pushing_to_the_other_side_is_a_failure(environment):
    environment.reset(PUSH, 8)
    listen_to(environment, "ground-push-green-right")
    assert play(environment).failure == "pushed the green block the wrong way"
