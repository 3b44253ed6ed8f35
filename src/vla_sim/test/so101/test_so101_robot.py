"""The SO-101 in its physics: the expert succeeds in every task, doing nothing in none."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from vla_sim.robot.robots import ROBOTS
from vla_sim.robot.so101_robot import HOME, SO101Environment
from vla_sim.so101 import so101_tasks
from vla_sim.so101.so101_scene import JOINTS

STEP = 1.2 * 0.02  # rad a step: the action space's velocity
VERBS = [so101_tasks.tasks(verb)[0] for verb in so101_tasks.Verb]


@pytest.fixture(scope="module")
def robot():
    return SO101Environment(cameras=())


def limited(asked, last):
    return np.clip(asked, last - STEP, last + STEP)


def play(robot, task, seed, pilot):
    robot.reset(task, seed)
    command = np.array(HOME)
    while not (robot.result.success or robot.result.failure or robot.result.truncated):
        command = limited(pilot(robot), command)
        robot.apply(command)
    return robot.result


@pytest.mark.parametrize("task", VERBS)
def test_the_expert_succeeds(robot, task):
    result = play(robot, task, 0, lambda robot: robot.expert_action())
    assert result.success is True, result
    assert not result.unstable


@pytest.mark.parametrize("task", VERBS)
def test_doing_nothing_does_not(robot, task):
    result = play(robot, task, 0, lambda robot: np.array(HOME))
    assert not result.success and not result.failure and result.truncated


def test_the_same_episode_twice_is_the_same(robot):
    states = []
    for _ in range(2):
        robot.reset("pick-red", 3)
        command = np.array(HOME)
        for _ in range(60):
            command = limited(robot.expert_action(), command)
            robot.apply(command)
        states.append(robot.state().joint_positions.tobytes() + robot.landmarks().tobytes())
    assert states[0] == states[1]


def test_what_it_measures(robot):
    robot.reset("touch-red", 0)
    state = robot.state()
    assert state.joint_names == JOINTS and state.gripper_opening is None
    np.testing.assert_allclose(state.joint_positions, HOME, atol=1e-9)
    assert set(JOINTS) < set(state.values())
    assert robot.step_period == ROBOTS["so101"].step_period == 0.02


def test_at_the_step_limit_the_arm_holds():
    robot = SO101Environment(cameras=(), step_limit=3)
    robot.reset("touch-red", 0)
    for _ in range(3):
        robot.apply(HOME)
    assert robot.result.truncated
    held = robot.state().joint_positions
    for _ in range(50):
        robot.apply(np.array(HOME) + 0.5)
    assert np.abs(robot.state().joint_positions - held).max() < 0.05


@pytest.mark.parametrize("action", [(0.0,) * 5, (np.nan,) * 6])
def test_a_wrong_action_is_refused(robot, action):
    robot.reset("touch-red", 0)
    with pytest.raises(ValueError, match="six finite positions"):
        robot.apply(action)


def test_pictures_show_the_cubes():
    robot = SO101Environment(width=96, height=96)
    robot.reset("touch-red", 0)
    pictures = robot.render()
    robot.close()
    assert set(pictures) == set(ROBOTS["so101"].cameras)
    front = pictures["front"].astype(int)
    assert front.shape == (96, 96, 3)
    for channel in range(3):
        others = [c for c in range(3) if c != channel]
        strong = (front[..., channel] - front[..., others].max(-1)) > 60
        assert 5 < strong.sum() < 200, channel
