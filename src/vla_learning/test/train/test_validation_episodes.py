"""A run tries its tasks in the simulator as often as configured, and draws the success."""

import json
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from vla_learning.data.dataset import load_frames
from vla_learning.evaluate import closed_loop
from vla_learning.learning_settings import Settings
from vla_learning.train.distributed import train_in_processes
from vla_learning.train.loss_plots import plot_history
from vla_learning.train.tokenizer_fit import build_tokenizer
from vla_learning.train.training import Trainer
from vla_learning.train.training_runs import TrainingError, build_model
from vla_learning.train.validation_episodes import check_tasks, success_rate
from vla_sim.robot.simulated_robot import RobotState


class Robot:
    """Succeeds in every fourth episode, at once; in the others it soon fails for good."""

    step_limit = 500
    image_period_ticks = 4

    def __init__(self, cameras):
        self.cameras = cameras
        self.episodes = []

    def reset(self, task, seed):
        self.episodes.append((task, seed))
        self.result = SimpleNamespace(step=0, success=False, failure="")

    def apply(self, action):
        success = len(self.episodes) % 4 == 1
        failure = "" if success else "touched another"
        self.result = SimpleNamespace(step=1, success=success, failure=failure)
        return self.result

    def state(self):
        return RobotState(np.zeros(3), np.zeros(4), (), np.zeros(0), np.zeros(0), 1.0)

    def render(self):
        return {name: np.zeros((32, 32, 3), np.uint8) for name in self.cameras}

    def close(self):
        pass


def trying(settings, **changes):
    return replace(settings, train=replace(settings.train, **changes))


def test_the_rate_is_over_every_task_and_seed(settings, space, monkeypatch):
    made = []
    monkeypatch.setattr(
        closed_loop, "robot_with", lambda task, cameras: made.append(Robot(cameras)) or made[-1]
    )
    model = build_model(settings, space, build_tokenizer(settings.commands, settings.max_words))
    chosen = trying(settings, evaluate_episodes=4, evaluate_first_seed=7)
    assert success_rate(model, chosen, space) == 0.25
    assert made[0].episodes == [(task, 7 + i) for i in range(4) for task in ("one", "two")]


def test_it_is_tried_as_often_as_configured_and_at_the_end(settings, space, data, tmp_path):
    chosen = trying(settings, evaluate_steps=4)
    trainer = Trainer(chosen, space, load_frames(data, settings, space), tmp_path)
    seen = []
    trainer.run(lambda step, told: seen.append((step, told)), lambda model: 0.5)
    tries = [(row["step"], row["success"]) for row in trainer.history if "success" in row]
    assert tries == [(4, 0.5), (6, 0.5)]
    assert (4, {"success": 0.5}) in seen
    assert json.loads((tmp_path / "history.json").read_text()) == trainer.history


def test_the_weights_do_not_depend_on_the_tries(settings, space, data, tmp_path):
    states = []
    for name, period in (("none", 0), ("often", 1)):
        chosen = trying(settings, evaluate_steps=period)
        trainer = Trainer(chosen, space, load_frames(data, settings, space), tmp_path / name)
        trainer.run(evaluate=lambda model: float(np.random.default_rng().random()))
        states.append(trainer.model.state_dict())
    assert all((states[0][name] == states[1][name]).all() for name in states[0])


def test_tasks_that_the_simulator_lacks_are_named(settings, space, data, tmp_path):
    with pytest.raises(TrainingError, match=r"evaluate_steps is 4; accepted: 0.* one, two"):
        train_in_processes(trying(settings, evaluate_steps=4), space, data, tmp_path, print)


@pytest.mark.parametrize("name", ["metaworld", "mt50"])
def test_the_simulator_has_every_task_of_the_shipped_configs(root, name):
    shipped = Settings.load(root / f"config/learning/{name}.yaml")
    assert shipped.train.evaluate_steps
    check_tasks(shipped)


def test_the_picture_has_a_graph_for_the_success(tmp_path):
    rows = [{"step": 50, "loss": 1.0}, {"step": 100, "loss": 0.5}]
    plot_history(rows, tmp_path / "losses.png")
    plot_history([*rows, {"step": 100, "success": 0.4}], tmp_path / "both.png")
    widths = [cv2.imread(str(tmp_path / name)).shape[1] for name in ("losses.png", "both.png")]
    assert widths[1] == 2 * widths[0]
