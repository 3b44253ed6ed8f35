"""Recording with a stand-in for the simulator, and once with the simulator itself."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from vla_learning.collect import demonstration_collection
from vla_learning.collect.demonstration_collection import (
    CollectError,
    Job,
    collect_all,
)
from vla_learning.collect.episode_recording import Course, is_noisy, noise_bursts, record, run
from vla_learning.data.dataset_writer import DatasetWriter
from vla_learning.data.lerobot_reader import LeRobotDataset
from vla_learning.workers import ONE_PROCESS
from vla_safety.limits.limiter import MotionLimiter
from vla_sim.robot.simulated_robot import RobotState


@dataclass
class Result:
    success: bool


class Robot:
    """A hand that moves along x; succeeds after 0.2 m unless its seed is in `hopeless`."""

    hopeless: tuple[int, ...] = ()
    step_limit = 120

    def __init__(self, task="", cameras=()):
        self.resets = 0

    def reset(self, task, seed):
        self.resets += 1
        self.seed, self.x, self.done = seed, 0.0, False

    def apply(self, action):
        self.x += action[0] * 0.0125
        self.done = self.done or (self.x > 0.2 and self.seed not in self.hopeless)
        return Result(self.done)

    def expert_action(self):
        return np.array([0.8, 0.0, 0.0, 1.0])

    def state(self):
        hand = np.array([self.x, 0.0, 0.0])
        return RobotState(hand, np.zeros(4), (), np.zeros(0), np.zeros(0), 1.0)

    def render(self):
        picture = np.full((64, 64, 3), int(self.x * 100) % 256, np.uint8)
        return {"corner2": picture, "gripper_pov": picture}

    def landmarks(self):
        return np.full(9, 0.2)

    def close(self):
        pass


@pytest.fixture(autouse=True)
def robot(monkeypatch):
    monkeypatch.setattr(demonstration_collection, "robot_with", Robot)
    monkeypatch.setattr(Robot, "hopeless", ())


def test_what_is_executed_keeps_the_limits_and_the_label_does_not_know_of_noise(settings, space):
    episode = record(Robot(), "one", 1, settings, space)
    assert episode.noisy
    assert np.allclose(episode.requested, [0.8, 0.0, 0.0, 1.0])
    limit = space.dimensions[0].normal.acceleration
    velocity = np.vstack([np.zeros(3), episode.executed[:, :3]])
    assert np.abs(np.diff(velocity, axis=0)).max() <= limit / 80.0 * (1 + 1e-5)
    assert np.abs(episode.executed[:, 1]).max() > 0.01  # the noise is in what was done


def test_images_states_and_success_belong_to_their_ticks(settings, space):
    episode = record(Robot(), "one", 0, settings, space)
    assert not episode.noisy
    assert episode.image_ticks[0] == 0
    assert set(np.diff(episode.image_ticks)) == {settings.collect.image_period}
    assert episode.images.shape[1:] == (2, 32, 32, 3)
    for image, state in zip(episode.images, episode.state, strict=True):
        assert image[0, 0, 0, 0] == int(state[0] * 100)
    moved = np.cumsum(episode.executed[:, 0]) * 0.0125
    assert moved[episode.success_tick - 1] > 0.2 >= moved[episode.success_tick - 2]
    assert np.allclose(episode.state[1:, 0], moved[episode.image_ticks[1:] - 1], atol=1e-5)
    assert episode.length == episode.success_tick + settings.collect.ticks_after_success


def test_the_same_seed_gives_the_same_episode(settings, space):
    a, b = (record(Robot(), "one", 3, settings, space) for _ in range(2))
    assert np.array_equal(a.executed, b.executed) and np.array_equal(a.images, b.images)


def only(settings, *tasks):
    return replace(settings, commands={task: settings.commands[task] for task in tasks})


def collected(job):
    """Task and seed of what is recorded, in the order in which it comes; it stays staged."""
    staged = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetWriter, "finish", lambda *_: 0)
        keep = DatasetWriter.stage_files
        patch.setattr(
            DatasetWriter,
            "stage_files",
            lambda writer, task, seed, files: (
                staged.append((task, seed)) or keep(writer, task, seed, files)
            ),
        )
        collect_all(job, ONE_PROCESS, lambda count: None)
    return staged


@pytest.mark.usefixtures("dataset_libraries")
def test_what_is_there_is_not_recorded_again_and_failures_are_replaced(
    settings, space, tmp_path, monkeypatch
):
    one = Job(tmp_path / "data", only(settings, "one"), space)
    assert collected(one) == [("one", 0), ("one", 1)]
    with monkeypatch.context() as patch:
        patch.setattr(demonstration_collection, "record", None)
        assert collected(one) == []
    monkeypatch.setattr(Robot, "hopeless", (0,))
    two = Job(tmp_path / "data", only(settings, "two"), space)
    assert collected(two) == [("two", 1), ("two", 2)]
    assert collected(two) == []


@pytest.mark.usefixtures("dataset_libraries")
def test_a_dataset_grows_and_its_seeds_give_the_same_bytes(settings, space, tmp_path):
    counts = []
    assert collect_all(Job(tmp_path / "a", settings, space), ONE_PROCESS, counts.append) == 4
    assert counts == [1, 2, 3, 4]
    collected(Job(tmp_path / "b", only(settings, "two"), space))  # stopped, then given again
    assert collect_all(Job(tmp_path / "b", settings, space), ONE_PROCESS, counts.append) == 4
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    more = replace(settings, collect=replace(settings.collect, episodes=3))
    assert collect_all(Job(tmp_path / "a", more, space), ONE_PROCESS, counts.append) == 6
    assert counts[-2:] == [5, 6]
    commands = [episode.tasks[0] for episode in LeRobotDataset(tmp_path / "a").episodes]
    assert commands == ["open the door", "shut it"] * 3


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_an_expert_that_fails_too_often_is_named(settings, space, tmp_path, monkeypatch):
    monkeypatch.setattr(Robot, "hopeless", tuple(range(100)))
    with pytest.raises(CollectError, match="the expert of one failed 9 times"):
        collect_all(Job(tmp_path / "data", settings, space), ONE_PROCESS, lambda count: None)


class Stubborn:
    """A pilot that goes backwards."""

    def __init__(self):
        self.seen, self.moved = [], 0

    def see(self, tick, pictures, state):
        self.seen.append(tick)

    def request(self, tick):
        return np.array([-0.4, 0.0, 0.0, -1.0]) if self.seen else None

    def observe_command(self):
        self.moved += 1


def test_the_expert_labels_what_a_pilot_does_and_takes_over(settings, space):
    pilot = Stubborn()
    course = Course("pull", np.zeros((120, 4)), False, pilot, 30)
    episode = run(Robot(), "one", 0, settings, MotionLimiter(space), course)
    assert pilot.seen == list(range(0, 30, settings.collect.image_period))
    assert pilot.moved == 30
    assert np.allclose(episode.requested, [0.8, 0.0, 0.0, 1.0])
    assert episode.executed[10:30, 0].max() < 0.0 < episode.executed[45, 0]
    assert episode.success_tick > 45 and episode.command == "pull"


@pytest.mark.usefixtures("dataset_libraries")
def test_episodes_of_a_policy_have_seeds_of_their_own(settings, space, tmp_path, monkeypatch):
    collect = replace(settings.collect, relabelled_episodes=2, relabelled_first_seed=50)
    settings = replace(settings, collect=collect)
    settings = only(settings, "one")
    collected(Job(tmp_path / "data", settings, space))
    own = Job(tmp_path / "data", settings, space, tmp_path / "checkpoint")
    monkeypatch.setattr(Job, "recorder", lambda job: record)
    assert collected(own) == [("one", 50), ("one", 51)]
    assert own.present(own.writer(), "one") == {50, 51}
    assert Job(tmp_path / "data", settings, space).present(own.writer(), "one") == {0, 1}


def test_half_of_the_episodes_are_noisy():
    assert sum(is_noisy(seed, 0.5) for seed in range(100)) == 50
    assert not any(is_noisy(seed, 0.0) for seed in range(100))


def test_bursts_leave_time_to_recover():
    offsets = noise_bursts(np.random.default_rng(0), 500, 4, 0.35)
    assert offsets.shape == (500, 4) and (offsets[:, 3] == 0).all()
    quiet = (offsets == 0).all(1).mean()
    assert 0.5 < quiet < 0.9
