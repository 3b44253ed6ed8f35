"""Episodes of a policy as lessons for its confidence: what it decided from, and how it ended.

Needs torch and the simulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vla_learning.collect.episode_recording import noise_bursts
from vla_learning.evaluate.closed_loop import EvaluationSettings, Evaluator
from vla_policy.backends.backend import Inputs, LanguageFeatures, Prediction, word_mask
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens
from vla_policy.model import VLAModel

DISTURBED = 0.4  # share of the episodes with bursts of noise on what is executed
BLIND = 0.3  # share of the episodes in which one camera is missing
NOISE = 0.35  # m/s
HORIZON = 300  # ticks that are judged; who has not succeeded within twice the usual time is stuck

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """One episode: fused (n, F) and steps_logits (n, T + 1) of its inferences, and its end."""

    task: str
    seed: int
    success: bool
    fused: Float
    steps_logits: Float

    def save(self, path: Path) -> None:
        """Write an .npz file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        np.savez(partial, **arrays)
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> Outcome:
        """Read what `save` has written."""
        with np.load(path, allow_pickle=False) as data:
            return Outcome(
                str(data["task"]),
                int(data["seed"]),
                bool(data["success"]),
                data["fused"],
                data["steps_logits"],
            )


class WatchedModel:
    """A backend in PyTorch, of a model in memory, that remembers what it decided from."""

    name = "watched"

    def __init__(self, model: VLAModel) -> None:
        self._model = model.eval()
        self.fused: list[Float] = []
        self.steps_logits: list[Float] = []

    def load(self, checkpoint: Checkpoint) -> None:
        """Nothing: the model is there."""

    @torch.inference_mode()
    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Run the language branch."""
        ids, count = torch.from_numpy(tokens.ids)[None], torch.tensor([tokens.count])
        word_states, sentence = self._model.language(ids, count)
        return LanguageFeatures(word_states.numpy(), word_mask(tokens), sentence.numpy())

    @torch.inference_mode()
    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Run the rest."""
        seen = (inputs.images, inputs.camera_mask, inputs.state)
        words = (language.word_states, language.word_mask, language.sentence)
        fused, attention = self._model.fuse(*(torch.from_numpy(a) for a in (*seen, *words)))
        output = self._model.decide(fused, attention)
        self.fused.append(fused[0].numpy())
        self.steps_logits.append(output.steps_logits[0].numpy())
        return Prediction(output.actions[0].numpy(), self.steps_logits[-1])


def outcomes(
    model: VLAModel,
    checkpoint: Checkpoint,
    tasks: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
) -> Iterator[Outcome]:
    """Run every task and seed, or read what `folder` has of them; seeds outermost."""
    backend = WatchedModel(model)
    evaluator = Evaluator(checkpoint, backend, EvaluationSettings(done_count=0))
    try:
        for seed in seeds:
            for task in tasks:
                path = folder / task / f"{seed:06d}.npz"
                if not path.exists():
                    _run(evaluator, backend, task, seed).save(path)
                yield Outcome.load(path)
    finally:
        evaluator.close()


def _run(evaluator: Evaluator, backend: WatchedModel, task: str, seed: int) -> Outcome:
    """One episode, the same for the same model, task and seed."""
    rng = np.random.default_rng([seed, 9])
    checkpoint, cameras = evaluator.checkpoint, evaluator.checkpoint.cameras
    limit = evaluator.robot(task).step_limit
    noise = NOISE if rng.random() < DISTURBED else 0.0
    offsets = noise_bursts(rng, limit, checkpoint.action_space.width, noise)[:HORIZON]
    mask = (cameras[int(rng.integers(len(cameras)))],) if rng.random() < BLIND else ()
    evaluator.settings = replace(evaluator.settings, mask=mask if len(cameras) > 1 else ())
    wordings = checkpoint.commands[task]
    backend.fused.clear()
    backend.steps_logits.clear()
    episode = evaluator.episode(task, seed, wordings[seed % len(wordings)], offsets)
    fused, logits = np.stack(backend.fused), np.stack(backend.steps_logits)
    return Outcome(task, seed, episode.success, fused, logits)
