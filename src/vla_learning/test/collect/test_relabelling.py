"""A checkpoint begins an episode in the simulator, and the expert finishes it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vla_contract.action_space import ActionSpace
from vla_learning.collect.relabelling import Relabeller
from vla_learning.learning_settings import Settings
from vla_policy.backends import BackendError
from vla_sim.robot.metaworld_robot import MetaworldEnvironment


@pytest.fixture(scope="module")
def shipped():
    root = Path(__file__).resolve().parents[4]
    settings = Settings.load(root / "config/learning/metaworld.yaml")
    return root / "models/metaworld", settings, ActionSpace.load(settings.action_space)


@pytest.mark.slow  # the simulator
def test_an_episode_ends_in_success_and_repeats(shipped):
    folder, settings, space = shipped
    environment = MetaworldEnvironment(cameras=settings.cameras)
    recorder = Relabeller(folder)
    task = "drawer-close"
    a, b = (recorder(environment, task, 20001, settings, space) for _ in range(2))
    environment.close()
    assert a.success_tick > 0 and a.command == settings.commands[task][20001 % 6]
    assert a.landmarks.shape == (len(a.image_ticks), 9)
    assert np.array_equal(a.executed, b.executed) and np.array_equal(a.images, b.images)


@pytest.mark.slow  # loads a checkpoint
def test_a_checkpoint_for_other_cameras_is_refused(shipped):
    folder, settings, space = shipped
    other = replace(settings, cameras=("corner",))
    with pytest.raises(BackendError, match="is for the cameras corner2, gripper_pov .*: corner "):
        Relabeller(folder)(None, "drawer-close", 0, other, space)
