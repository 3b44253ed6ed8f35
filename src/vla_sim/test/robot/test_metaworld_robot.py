"""The Meta-World environment: the same seed gives the same episode, whatever ran before."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("metaworld")

from vla_sim.robot.metaworld_robot import (
    JOINT_NAMES,
    MAX_SPEED,
    STEP_PERIOD,
    MetaworldEnvironment,
)
from vla_sim.robot.rendering import CameraError
from vla_sim.robot.simulated_robot import GRIPPER_OPENING
from vla_sim.tasks.task_list import TaskError


@pytest.fixture(scope="module")
def environment():
    environment = MetaworldEnvironment(width=64, height=48)
    yield environment
    environment.close()


def play(environment, task, seed, steps=40):
    """One digest per step of the whole physical state, the observation and some pictures."""
    environment.reset(task, seed)
    digests = []
    for step in range(steps):
        action = environment.expert_action()
        result = environment.step(action[:3], action[3])
        digest = hashlib.sha256()
        data = environment.scene().data
        for array in (data.qpos, data.qvel, data.mocap_pos, environment._observation):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr(result).encode())
        if step % 13 == 0:
            for picture in environment.render().values():
                digest.update(picture.tobytes())
        digests.append(digest.hexdigest())
    return digests


@pytest.mark.parametrize("task", ["drawer-open", "hammer", "shelf-place", "ground-push-red-left"])
def test_an_episode_depends_on_task_and_seed_alone(environment, task):
    first = play(environment, task, 11)
    other = play(environment, "window-open" if task != "window-open" else "reach", 3)
    assert play(environment, task, 11) == first
    assert play(environment, task, 11) == first, "also right after itself"
    fresh = MetaworldEnvironment(width=64, height=48)
    assert play(fresh, task, 11) == first
    fresh.close()
    assert play(environment, task, 12) != first
    assert other != first


def test_the_state_is_complete_and_of_the_new_scene_after_reset(environment):
    environment.reset("drawer-open", 5)
    state = environment.state()
    assert environment._observation.shape == (39,)
    assert environment._observation[-3:].any(), "the goal that the experts need"
    # The drawer stands where this seed puts it, not where it stood before.
    handle = environment._env._get_pos_objects()
    np.testing.assert_array_equal(environment._observation[4:7], handle)
    np.testing.assert_array_equal(environment._observation[18:36], environment._observation[:18])
    assert state.joint_positions.shape == state.joint_velocities.shape == (len(JOINT_NAMES),)
    assert 0.9 < state.gripper_opening <= 1.0
    assert np.linalg.norm(state.end_effector_quaternion) == pytest.approx(1.0)


def test_velocities_are_metres_per_second(environment):
    environment.reset("reach", 0)
    positions = []
    for _ in range(40):
        environment.step((0.2, 0.0, 0.0), 0.0)
        positions.append(environment.state().end_effector[0])
    # The hand follows its commanded position with some lag, and then as fast.
    assert positions[-1] - positions[-21] == pytest.approx(0.2 * 20 * STEP_PERIOD, rel=0.05)


def test_commands_are_clipped_to_what_the_robot_can(environment):
    environment.reset("reach", 0)
    environment.step((100.0, 0.0, 0.0), 5.0)
    clipped = environment.scene().data.mocap_pos.copy()
    environment.reset("reach", 0)
    environment.step((MAX_SPEED, 0.0, 0.0), 1.0)
    np.testing.assert_array_equal(environment.scene().data.mocap_pos, clipped)


@pytest.mark.parametrize(
    ("twist", "effort"),
    [((np.nan, 0, 0), 0.0), ((0, 0, np.inf), 0.0), ((0, 0, 0), np.nan), ((0, 0), 0.0)],
)
def test_what_is_not_four_finite_numbers_is_refused(environment, twist, effort):
    environment.reset("reach", 0)
    with pytest.raises(ValueError, match="accepted: three finite velocities"):
        environment.step(twist, effort)
    assert environment.result.step == 0


def test_the_expert_succeeds_and_success_is_latched(environment):
    environment.reset("window-open", 1)
    while not environment.result.success:
        assert not environment.result.truncated
        action = environment.expert_action()
        assert np.abs(action[:3]).max() <= MAX_SPEED and abs(action[3]) <= 1.0
        environment.step(action[:3], action[3])
    for _ in range(30):
        result = environment.step((-0.8, 0.0, 0.0), 0.0)
    assert result.success


def test_at_the_step_limit_the_arm_holds():
    environment = MetaworldEnvironment(cameras=(), step_limit=5)
    environment.reset("reach", 0)
    for step in range(1, 6):
        result = environment.step((0.8, 0.0, 0.0), 1.0)
        assert result.truncated == (step == 5)
    held = environment.scene().data.mocap_pos.copy()
    for _ in range(3):
        result = environment.step((-0.8, 0.0, 0.0), -1.0)
    np.testing.assert_array_equal(environment.scene().data.mocap_pos, held)
    assert result.truncated and result.step == 8


def test_pictures(environment):
    environment.reset("drawer-open", 0)
    pictures = environment.render()
    assert list(pictures) == ["corner2", "gripper_pov"]
    for picture in pictures.values():
        assert picture.dtype == np.uint8 and picture.shape == (48, 64, 3)
        assert picture.flags.c_contiguous and picture.std() > 10
    # Upright: the red arm hangs from above, the table is below.
    red = pictures["corner2"].astype(int)
    reddish = red[..., 0] > red[..., 1] + 80
    rows = np.nonzero(reddish)[0]
    assert rows.min() < 12


def test_a_scene_keeps_its_moment(environment):
    environment.reset("drawer-open", 0)
    scene = environment.scene()
    before = environment.render()["corner2"]
    for _ in range(10):
        environment.step((0.5, 0.3, 0.0), 1.0)
    assert not np.array_equal(environment.render()["corner2"], before)
    np.testing.assert_array_equal(environment.render(scene)["corner2"], before)


def test_wrong_use():
    with pytest.raises(CameraError, match="accepted: behind_gripper"):
        MetaworldEnvironment(cameras=("corner9",))
    with pytest.raises(CameraError, match="each camera once"):
        MetaworldEnvironment(cameras=("corner2", "corner2"))
    with pytest.raises(CameraError, match="1 to 4096"):
        MetaworldEnvironment(width=0)
    with pytest.raises(ValueError, match="step_limit"):
        MetaworldEnvironment(step_limit=0)
    environment = MetaworldEnvironment(cameras=())
    with pytest.raises(RuntimeError, match="reset"):
        environment.step((0, 0, 0), 0)
    with pytest.raises(TaskError):
        environment.reset("drawer-opn", 0)
    with pytest.raises(TaskError):
        environment.reset("drawer-open", -1)


def test_the_policy_is_told_what_the_state_holds():
    file = Path(__file__).parents[4] / "config" / "policy" / "metaworld.yaml"
    (section,) = yaml.safe_load(file.read_text()).values()
    place = [f"end_effector.{axis}" for axis in "xyz"]
    expected = [*place, *JOINT_NAMES, GRIPPER_OPENING]
    assert section["ros__parameters"] == {"state_names": expected}
