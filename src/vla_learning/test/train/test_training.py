"""Training steps: they lower the loss, continue where they were, and give the same twice."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file

from vla_learning.collect.landmarks import from_hand
from vla_learning.data.dataset import load_frames
from vla_learning.train.objective import compute_losses, landmark_loss, learning_rate
from vla_learning.train.training import Trainer, to_tensors
from vla_learning.train.training_runs import CONFIDENCE_FILE, TrainingError, load_averaged
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
            "vla_learning.train.training.learning_rate",
            lambda step, _: learning_rate(step, settings.train),
        )
        first.run()
    second = trainer(settings, space, data, tmp_path / "parts")
    assert second.resume() and second.step == 3
    second.run()
    assert same(whole.model.state_dict(), second.model.state_dict())
    assert same(whole.average, second.average)
    assert [row["step"] for row in second.history] == [3, 6]


@pytest.mark.parametrize("cut", ["write_text", "replace"])
def test_a_save_that_is_cut_short_leaves_the_one_before(settings, space, data, tmp_path, cut):
    one = trainer(settings, space, data, tmp_path, steps=3)
    one.run()
    one.step = 6
    one.history.append({"step": 6, "loss": 0.0})
    whole = getattr(Path, cut)

    def cut_short(path, value, **options):
        if cut == "write_text":
            whole(path, value[:5], **options)
        elif value.suffix == ".json":
            return whole(path, value)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, cut, cut_short)
        one.save()
    again = trainer(settings, space, data, tmp_path)
    assert again.resume() and again.step == 3
    assert [row["step"] for row in again.history] == [3]


def test_nothing_to_resume_and_another_config(settings, space, data, tmp_path):
    one = trainer(settings, space, data, tmp_path / "run")
    assert not one.resume()
    one.save()
    other = replace(settings, source={**settings.source, "name": "other"})
    with pytest.raises(TrainingError, match=r"another config \(name differ\); accepted"):
        Trainer(other, space, load_frames(data, settings, space), tmp_path / "run").resume()
    fewer = replace(settings, source={**settings.source, "commands": {}})
    told = "--tasks " + ",".join(settings.source["commands"])
    with pytest.raises(TrainingError, match=told):
        Trainer(fewer, space, load_frames(data, settings, space), tmp_path / "run").resume()


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


def test_only_matrices_of_weights_decay(settings, space, data, tmp_path):
    one = trainer(settings, space, data, tmp_path, weight_decay=0.1)
    decay = {id(p): g["weight_decay"] for g in one.optimiser.param_groups for p in g["params"]}
    modules = dict(one.model.named_modules())
    seen = set()
    for name, parameter in one.model.named_parameters():
        owner, _, own = name.rpartition(".")
        norm = "Norm" in type(modules[owner]).__name__
        free = norm or own.startswith("bias") or own == "log_temperature"
        assert decay[id(parameter)] == (0.0 if free else 0.1), name
        seen |= {"norm" if norm else own.partition("_")[0]}
    assert {"norm", "bias", "weight"} <= seen
    assert len(decay) == len(list(one.model.parameters()))


def test_a_huge_gradient_is_clipped_before_the_step(settings, space, data, tmp_path):
    one = trainer(settings, space, data, tmp_path, gradient_norm=0.5)
    for parameter in one._parameters():
        parameter.register_hook(lambda gradient: gradient * 1e6)
    one._train_step()
    gradients = [p.grad.flatten() for p in one._parameters() if p.grad is not None]
    assert torch.cat(gradients).norm() == pytest.approx(0.5, rel=1e-3)
    # The optimiser's own memory of it: an unclipped step would have left 1e5 there.
    memory = [one.optimiser.state[p]["exp_avg"].flatten() for p in one.optimiser.state]
    assert torch.cat(memory).norm() == pytest.approx(0.05, rel=1e-3)


def test_losses_ignore_rows_that_were_not_recorded(settings):
    batch = {
        "actions": torch.zeros(2, 4, 3),
        "row_mask": torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]),
        "steps_left": torch.tensor([0, 4]),
    }
    actions = torch.zeros(2, 4, 3)
    actions[0, 2:] = 1.0
    output = PolicyOutput(actions, torch.zeros(2, 5), torch.zeros(0), torch.zeros(2))
    losses = compute_losses(output, batch, torch.ones(3), settings.train)
    assert losses.action == 0.0
    assert losses.steps == pytest.approx(np.log(5), abs=1e-5)
    assert losses.total == pytest.approx(settings.train.steps_weight * np.log(5), abs=1e-5)


def test_landmarks_are_a_lesson_that_is_resumed_and_not_exported(settings, space, data, tmp_path):
    settings = replace(settings, train=replace(settings.train, landmark_weight=0.1))
    frames = load_frames(data, settings, space)
    with pytest.raises(TrainingError, match="landmark_weight is 0.1; .* no landmarks"):
        Trainer(settings, space, frames, tmp_path)
    places = np.random.default_rng(0).normal(size=(frames.count, 9)).astype(np.float32)
    frames = replace(frames, landmarks=places)
    one = Trainer(settings, space, frames, tmp_path)
    one.run()
    assert one.history[-1]["landmarks"] > 0.0
    again = Trainer(settings, space, frames, tmp_path)
    assert again.resume()
    assert same(one.landmarks.state_dict(), again.landmarks.state_dict())
    assert not [name for name in one.averaged_model().state_dict() if "landmark" in name]


def test_a_confidence_that_was_not_taught_to_these_weights_is_not_given(
    settings, space, data, tmp_path
):
    one = trainer(settings, space, data, tmp_path)
    one.run()
    model, about = load_averaged(settings, space, tmp_path)
    assert model.confidence.offset.isnan() and "confidence" not in about
    head = {name: torch.zeros_like(v) for name, v in model.confidence.state_dict().items()}
    save_file(head, tmp_path / CONFIDENCE_FILE, {"step": "6", "report": '{"auroc": 0.9}'})
    model, about = load_averaged(settings, space, tmp_path)
    assert model.confidence.offset == 0.0 and about["confidence"] == {"auroc": 0.9}
    save_file(head, tmp_path / CONFIDENCE_FILE, {"step": "5", "report": "{}"})
    assert load_averaged(settings, space, tmp_path)[0].confidence.offset.isnan()


def test_landmarks_are_seen_from_the_hand(settings, space, data):
    frames = load_frames(data, settings, space)
    hand = frames.state[:, :3]
    seen = from_hand(replace(frames, landmarks=np.tile(hand, 3) + 0.1), settings.state_names)
    assert np.allclose(seen.landmarks, 0.1, atol=1e-6)
    assert landmark_loss(torch.ones(1, 9), torch.full((1, 9), 0.1)) == pytest.approx(0.0, abs=1e-6)


def test_a_run_may_train_longer_than_it_was_meant_to(settings, space, data, tmp_path):
    trainer(settings, space, data, tmp_path).run()
    source = {**settings.source, "train": {**settings.source["train"], "steps": 9}}
    longer = trainer(replace(settings, source=source), space, data, tmp_path, steps=9)
    assert longer.resume() and longer.step == 6
    longer.run()
    assert longer.step == 9


def test_a_learning_rate_that_stays_falls_at_the_end(settings):
    s = replace(settings.train, steps=100, warmup_steps=10, learning_rate=1.0, decay_steps=20)
    assert [learning_rate(step, s) for step in (4, 50, 80)] == pytest.approx([0.5, 1.0, 1.0])
    assert learning_rate(90, s) == pytest.approx(0.5)
    assert learning_rate(100, s) == pytest.approx(0.01)


def test_learning_rate_rises_then_falls(settings):
    s = replace(settings.train, steps=100, warmup_steps=10, learning_rate=1.0)
    assert learning_rate(0, s) == pytest.approx(0.1)
    assert learning_rate(9, s) == pytest.approx(1.0)
    assert learning_rate(55, s) == pytest.approx(0.505)
    assert learning_rate(100, s) == pytest.approx(0.01)
