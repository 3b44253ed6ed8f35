from types import SimpleNamespace

import cv2
import pytest

from vla_learning.evaluate import attention_command, closed_loop
from vla_learning.export.example_inputs import random_frames
from vla_policy.attention.attention_maps import LABEL, TILE
from vla_policy.backends import BackendError, BackendOptions, create
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.test_support.tiny_checkpoints import write_checkpoint


@pytest.fixture
def loaded(tmp_path, root):
    pytest.importorskip("onnx")
    folder = write_checkpoint(
        tmp_path / "tiny", root / "config" / "action_spaces" / "metaworld.yaml", size=16
    )
    checkpoint = Checkpoint.load(folder)
    backend = create("onnxruntime", BackendOptions(threads=1))
    backend.load(checkpoint)
    return checkpoint, backend


def test_a_frame_and_a_command(loaded):
    checkpoint, backend = loaded
    (frame,) = random_frames(checkpoint, 1)
    found = attention_command.attention_of(checkpoint, backend, frame, "open the window")
    assert found.words == ("open", "the", "window") and found.weights[1, 1] == 1.0
    silent = SimpleNamespace(name="tensorrt")
    with pytest.raises(BackendError, match="tensorrt does not tell"):
        attention_command.attention_of(checkpoint, silent, frame, "open")


def test_one_picture_per_command(loaded, monkeypatch, tmp_path):
    checkpoint, backend = loaded
    frames = random_frames(checkpoint, 11)

    class Evaluator:
        """An episode of eleven looks."""

        def __init__(self):
            self.checkpoint, self.backend = checkpoint, backend

        @classmethod
        def load(cls, folder, settings):
            return cls()

        def episode(self, task, seed, command):
            language = self.backend.encode_language(checkpoint.tokenizer.encode(command))
            for frame in frames:
                self.backend.forward(frame, language)

        def close(self):
            pass

    monkeypatch.setattr(closed_loop, "Evaluator", Evaluator)
    arguments = (tmp_path, "drawer-open", 0)
    one = attention_command.pictures(*arguments, (), 0.0)
    assert one.shape == (LABEL + 2 * TILE, 4 * TILE, 3)
    two = attention_command.pictures(*arguments, ("open the drawer", "window"), 1.0)
    assert two.shape == (2 * one.shape[0], one.shape[1], 3)
    assert not two[one.shape[0] :, 2 * TILE :].any()  # the shorter command leaves room
    attention_command.write(two, tmp_path / "new" / "x.png")
    assert cv2.imread(str(tmp_path / "new" / "x.png")).shape == two.shape
