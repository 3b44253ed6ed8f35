"""The evaluation loop with a stand-in for the simulator and a tiny checkpoint."""

from types import SimpleNamespace

import numpy as np
import pytest

from vla_learning.evaluate import closed_loop
from vla_learning.evaluate.closed_loop import Driver, EvaluationSettings, Evaluator
from vla_learning.evaluate.success_report import problems
from vla_proof.test_support.tiny_checkpoints import write_checkpoint
from vla_safety.limits.limiter import MotionLimiter
from vla_sim.robot.simulated_robot import RobotState


class Robot:
    """Succeeds after `steps` steps; keeps what it was told and how often it was looked at."""

    steps = 40
    wrong_step = 1000
    step_limit = 500
    image_period_ticks = 4

    def __init__(self, task, cameras):
        self.cameras = cameras

    def reset(self, task, seed):
        self.result = SimpleNamespace(step=0, success=False, failure="")
        self.twists, self.looks = [], []
        self.rng = np.random.default_rng(seed)

    def apply(self, action):
        self.twists.append(np.array(action))
        count = len(self.twists)
        wrong = "touched the blue block" if count >= self.wrong_step else ""
        self.result = SimpleNamespace(step=count, success=count >= self.steps, failure=wrong)
        return self.result

    def state(self):
        return RobotState(np.array([0.0, 0.6, 0.2]), np.zeros(4), (), np.zeros(0), np.zeros(0), 1.0)

    def render(self):
        self.looks.append(len(self.twists))
        shape = (240, 240, 3)
        return {name: self.rng.integers(0, 256, shape, dtype=np.uint8) for name in self.cameras}

    def close(self):
        pass


@pytest.fixture
def make(monkeypatch, tmp_path, root):
    pytest.importorskip("onnx")

    def make_(steps_left=None, **settings):
        monkeypatch.setattr(closed_loop, "robot_with", Robot)
        space = root / "config/action_spaces/metaworld.yaml"
        folder = write_checkpoint(tmp_path / "tiny", space, steps_left=steps_left)
        return Evaluator.load(folder, EvaluationSettings(threads=1, **settings))

    return make_


def test_an_episode_ends_with_success_and_is_the_same_twice(make):
    evaluator = make()
    first = evaluator.episode("drawer-open", 3, "open the drawer")
    moves = np.array(evaluator._environment.twists)
    assert (first.success, first.ticks, first.done_tick) == (True, 40, None)
    assert evaluator.episode("drawer-open", 3, "open the drawer") == first
    assert np.array_equal(moves, np.array(evaluator._environment.twists))
    assert np.abs(moves).max() > 0.01


def test_the_policy_sees_the_ticks_with_images_and_the_limits_hold(make):
    evaluator = make()
    evaluator.episode("drawer-open", 0, "open the drawer")
    assert evaluator._environment.looks == list(range(0, 40, 4))
    moves = np.vstack([np.zeros(4), evaluator._environment.twists])
    limit = evaluator.checkpoint.action_space.dimensions[0].normal.acceleration
    assert np.abs(np.diff(moves[:, :3], axis=0)).max() <= limit / 80 * (1 + 1e-9)


def test_a_policy_that_says_done_stands_still_unless_that_is_ignored(make, monkeypatch):
    monkeypatch.setattr(Robot, "step_limit", 60)
    monkeypatch.setattr(Robot, "steps", 1000)
    evaluator = make(steps_left=0, done_count=3)
    episode = evaluator.episode("drawer-open", 0, "open the drawer")
    assert not episode.success and episode.done_tick == 8
    assert (np.array(evaluator._environment.twists)[-20:, :3] == 0).all()
    evaluator = make(steps_left=0, done_count=0)
    evaluator.episode("drawer-open", 0, "open the drawer")
    assert (np.array(evaluator._environment.twists)[-8:, :3] != 0).any()


def test_an_episode_that_can_no_longer_succeed_ends(make, monkeypatch):
    monkeypatch.setattr(Robot, "wrong_step", 20)
    episode = make().episode("ground-touch-red", 0, "touch the red block")
    assert (episode.success, episode.ticks) == (False, 20)


def test_why_the_policy_did_not_act_is_kept(make):
    evaluator = make()
    refused = evaluator.episode("drawer-open", 0, "zzz qqq")
    acted = evaluator.episode("drawer-open", 0, "open the drawer")
    assert acted.problem == "" and "zzz" in refused.problem
    (line,) = problems([refused, acted])
    assert line == f"the policy did not act in 1 of 2 episodes: {refused.problem}"


def test_masked_cameras(make):
    evaluator = make(mask=("gripper_pov",))
    limiter = MotionLimiter(evaluator.checkpoint.action_space)
    settings, command = evaluator.settings, "open the window"
    driver = Driver(evaluator.checkpoint, evaluator.backend, settings, command, limiter)
    robot = evaluator.robot("window-open")
    robot.reset("window-open", 1)
    observed = driver._observation(0, robot.render(), robot.state())
    assert [image is None for image in observed.images] == [False, True]
