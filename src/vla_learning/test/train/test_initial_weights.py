"""Beginning with a checkpoint's weights: what fits is taken, words by their spelling."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from vla_learning.data.dataset import load_frames
from vla_learning.export import exporting
from vla_learning.train.initial_weights import begin_from
from vla_learning.train.tokenizer_fit import build_tokenizer
from vla_learning.train.training import Trainer
from vla_learning.train.training_runs import TrainingError, build_model, load_averaged
from vla_policy.checkpoint.checkpoint import LANGUAGE_ONNX, POLICY_ONNX, CheckpointError


@pytest.fixture
def checkpoint(settings, space, tmp_path, monkeypatch):
    def export(model, folder):
        for name in (LANGUAGE_ONNX, POLICY_ONNX):  # training does not look at them
            (folder / name).write_bytes(b"graph")

    monkeypatch.setattr(exporting, "export_graphs", export)
    exporting.export_run(settings, space, Path("none"), tmp_path / "checkpoint", "random")
    return tmp_path / "checkpoint"


def new(settings, space):
    torch.manual_seed(1)
    tokenizer = build_tokenizer(settings.commands, settings.max_words)
    return build_model(settings, space, tokenizer), tokenizer


def exported(settings, space):
    torch.manual_seed(0)  # as `export_run` initialises
    model = build_model(settings, space, build_tokenizer(settings.commands, settings.max_words))
    exporting.round_to_half(model)
    return model


def test_everything_is_taken_where_everything_fits(settings, space, checkpoint):
    model, tokenizer = new(settings, space)
    told = begin_from(model, tokenizer, checkpoint)
    assert told.startswith(f"{settings.name} (") and "anew" not in told
    theirs = exported(settings, space).state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())


def test_words_move_with_their_spelling_and_new_ones_are_new(settings, space, checkpoint):
    task, wordings = next(iter(settings.commands.items()))
    more = replace(settings, commands={**settings.commands, task: (*wordings, "aardvark")})
    model, tokenizer = new(more, space)
    before = model.language.embedding.weight.detach().clone()
    begin_from(model, tokenizer, checkpoint)
    theirs, rows = exported(settings, space), new(settings, space)[1].words
    for row, word in enumerate(tokenizer.words):
        expected = (
            theirs.language.embedding.weight[rows.index(word)] if word in rows else before[row]
        )
        assert torch.equal(model.language.embedding.weight[row], expected), word


def test_another_number_of_cameras_keeps_the_rest(settings, space, checkpoint):
    one = replace(settings, cameras=settings.cameras[:1])
    model, tokenizer = new(one, space)
    told = begin_from(model, tokenizer, checkpoint)
    assert "initialised anew: fusion.mlp.0.weight, vision.camera" in told
    theirs = exported(settings, space)
    assert torch.equal(model.vision.project.weight, theirs.vision.project.weight)


def test_another_architecture_and_no_checkpoint(settings, space, checkpoint, tmp_path):
    other = replace(settings, architecture={**settings.architecture, "backbone": "resnet18"})
    model, tokenizer = new(other, space)
    with pytest.raises(TrainingError, match="another architecture; accepted: a checkpoint with"):
        begin_from(model, tokenizer, checkpoint)
    with pytest.raises(CheckpointError, match="no such folder"):
        begin_from(model, tokenizer, tmp_path / "none")


def test_a_run_tells_what_it_began_from(settings, space, data, checkpoint, tmp_path):
    trainer = Trainer(settings, space, load_frames(data, settings, space), tmp_path / "run")
    trainer.begin(checkpoint)
    trainer.save()
    _, about = load_averaged(settings, space, tmp_path / "run")
    assert about["began_from"] == trainer.began_from
    again = Trainer(settings, space, load_frames(data, settings, space), tmp_path / "run")
    assert again.resume() and again.began_from == trainer.began_from
