"""Training steps: they lower the loss, continue where they were, and give the same twice."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from vla_learning.dataset import load_frames
from vla_learning.objective import compute_losses, learning_rate
from vla_learning.runs import TrainingError
from vla_learning.training import Trainer, to_tensors
from vla_policy.model.network import PolicyOutput


def trainer(settings, space, data, folder, **changes):
    settings = replace(settings, train=replace(settings.train, **changes))
    return Trainer(settings, space, load_frames(data, settings, space), folder)


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_resumed_run_equals_an_uninterrupted_one(settings, space, data, tmp_path):
    whole = trainer(settings, space, data, tmp_path / "whole")
    whole.run()
    first = trainer(settings, space, data, tmp_path / "parts")
    first.settings = replace(settings, train=replace(settings.train, steps=3))
    # The rate follows the number of steps: keep that of the whole run.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "vla_learning.training.learning_rate",
            lambda step, _: learning_rate(step, settings.train),
        )
        first.run()
    second = trainer(settings, space, data, tmp_path / "parts")
    assert second.resume() and second.step == 3
    second.run()
    assert same(whole.model.state_dict(), second.model.state_dict())
    assert same(whole.average, second.average)
    assert [row["step"] for row in second.history] == [3, 6]


def test_nothing_to_resume_and_another_config(settings, space, data, tmp_path):
    one = trainer(settings, space, data, tmp_path / "run")
    assert not one.resume()
    one.save()
    other = replace(settings, source={**settings.source, "name": "other"})
    with pytest.raises(TrainingError, match="another config"):
        Trainer(other, space, load_frames(data, settings, space), tmp_path / "run").resume()


def test_only_safetensors_and_json_are_written(settings, space, data, tmp_path):
    one = trainer(settings, space, data, tmp_path / "run", steps=3)
    one.run()
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "history.json",
        "training.safetensors",
    ]
    assert json.loads((tmp_path / "run/history.json").read_text())[0]["step"] == 3


def test_the_loss_falls_where_the_answer_is_simple(settings, space, data, tmp_path):
    changes = {"steps": 40, "bfloat16": False, "learning_rate": 3e-3, "warmup_steps": 1}
    settings = replace(
        settings, train=replace(settings.train, **changes, batch_size=8, checkpoint_steps=1000)
    )
    frames = load_frames(data, settings, space)
    frames = replace(frames, actions=np.full_like(frames.actions, 0.7))
    one = Trainer(settings, space, frames, tmp_path)
    one.run()
    model = one.model.eval()
    batch = to_tensors(one.sampler.batch(0))
    names = ("images", "camera_mask", "state", "tokens", "word_count")
    with torch.no_grad():
        output = model(*(batch[name] for name in names))
    losses = compute_losses(output, batch, torch.ones(4), settings.train)
    assert losses.action < 0.35  # at first 0.7


def test_average_follows_the_weights(settings, space, data, tmp_path):
    one = trainer(settings, space, data, tmp_path, ema_decay=0.0)
    one.run()
    assert same(one.average, one.model.state_dict())
    assert not one.averaged_model().training


def test_losses_ignore_rows_that_were_not_recorded(settings):
    batch = {
        "actions": torch.zeros(2, 4, 3),
        "row_mask": torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]),
        "steps_left": torch.tensor([0, 4]),
    }
    actions = torch.zeros(2, 4, 3)
    actions[0, 2:] = 1.0
    output = PolicyOutput(actions, torch.zeros(2, 5), torch.zeros(0))
    losses = compute_losses(output, batch, torch.ones(3), settings.train)
    assert losses.action == 0.0
    assert losses.steps == pytest.approx(np.log(5), abs=1e-5)
    assert losses.total == pytest.approx(settings.train.steps_weight * np.log(5), abs=1e-5)


def test_learning_rate_rises_then_falls(settings):
    s = replace(settings.train, steps=100, warmup_steps=10, learning_rate=1.0)
    assert learning_rate(0, s) == pytest.approx(0.1)
    assert learning_rate(9, s) == pytest.approx(1.0)
    assert learning_rate(55, s) == pytest.approx(0.505)
    assert learning_rate(100, s) == pytest.approx(0.01)
