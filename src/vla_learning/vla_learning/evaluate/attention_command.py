"""`./vla learn attention`: where each word of a command looks, in a frame of an episode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vla_learning.export.example_inputs import Recorder
from vla_policy.attention.attention_maps import Attention, Image, overlay
from vla_policy.backends import Backend, Inputs
from vla_policy.backends.backend import BackendError, ShowsAttention
from vla_policy.checkpoint.checkpoint import Checkpoint


def attention_of(
    checkpoint: Checkpoint, backend: Backend, frame: Inputs, command: str
) -> Attention:
    """Where the words of a command look in a frame; raises BackendError, ValueError."""
    if not isinstance(backend, ShowsAttention):
        raise BackendError(f"backend {backend.name} does not tell where the words look")
    tokens = checkpoint.tokenizer.encode(command)
    weights = backend.attention(frame, backend.encode_language(tokens))
    return Attention(
        frame.images[0],
        checkpoint.cameras,
        tuple(checkpoint.tokenizer.words[i] for i in tokens.ids[: tokens.count]),
        weights[: tokens.count],
    )


def pictures(folder: Path, task: str, seed: int, commands: Sequence[str], moment: float) -> Image:
    """One picture per command below each other, all of one frame of the task's episode.

    commands: what the words are; none: the checkpoint's first wording. moment: of the episode,
    from 0 to 1.
    """
    from vla_learning.evaluate.closed_loop import EvaluationSettings, Evaluator

    evaluator = Evaluator.load(folder, EvaluationSettings())
    recorder = Recorder(evaluator.backend)
    backend, evaluator.backend = evaluator.backend, recorder
    wording = evaluator.checkpoint.commands[task][0]
    evaluator.episode(task, seed, wording)
    evaluator.close()
    frame = recorder.frames[round(moment * (len(recorder.frames) - 1))]
    made = [
        overlay(attention_of(evaluator.checkpoint, backend, frame, command))
        for command in commands or (wording,)
    ]
    width = max(picture.shape[1] for picture in made)
    rows = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0))) for p in made]
    return np.concatenate(rows)


def write(picture: Image, path: Path) -> None:
    """Write a PNG; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, content = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    path.write_bytes(content.tobytes())
