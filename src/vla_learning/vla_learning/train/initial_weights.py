"""Beginning a training with the weights of another checkpoint. Needs torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from vla_learning.train.training_runs import TrainingError
from vla_policy.checkpoint.checkpoint import WEIGHTS, Checkpoint
from vla_policy.checkpoint.tokenizer import Tokenizer
from vla_policy.model import VLAModel

_EMBEDDING = "language.embedding.weight"


def begin_from(model: VLAModel, tokenizer: Tokenizer, folder: Path) -> str:
    """Fill a new model with a checkpoint's weights, as far as they fit.

    Words keep what the checkpoint knows of them, wherever the new vocabulary has them; new words
    and tensors of another shape (an action space of other width, another number of cameras) stay
    as they were initialised. The state's normalisation is the checkpoint's.

    Returns:
        One line: from what, and what could not be taken.

    Raises:
        CheckpointError: no checkpoint in the folder.
        TrainingError: it is of another architecture: not one tensor of the vision encoder fits.
    """
    checkpoint = Checkpoint.load(folder)
    content = checkpoint.read(WEIGHTS)
    theirs = load(content)
    mine = model.state_dict()
    fitting = {
        name: value
        for name, value in theirs.items()
        if name in mine and name != _EMBEDDING and mine[name].shape == value.shape
    }
    if not any(name.startswith("vision.") and value.ndim == 4 for name, value in fitting.items()):
        raise TrainingError(
            f"{folder} is of another architecture; accepted: a checkpoint with the config's "
            "architecture.backbone and stage_widths"
        )
    words = _known_words(mine[_EMBEDDING], tokenizer, theirs.get(_EMBEDDING), checkpoint.tokenizer)
    model.load_state_dict(fitting, strict=False)
    left = sorted(set(mine) - set(fitting) - {_EMBEDDING})
    told = f"{checkpoint.name} ({hashlib.sha256(content).hexdigest()[:12]})"
    told += f", {words} of {len(tokenizer.words)} words"
    return told + (f"; initialised anew: {', '.join(left)}" if left else "")


def _known_words(
    mine: Tensor, tokenizer: Tokenizer, theirs: Tensor | None, their_tokenizer: Tokenizer
) -> int:
    """Copy the rows of words that both know into `mine`; returns how many."""
    if theirs is None or theirs.shape[1] != mine.shape[1]:
        return 0
    rows = {word: row for row, word in enumerate(their_tokenizer.words)}
    found = [(i, rows[word]) for i, word in enumerate(tokenizer.words) if word in rows]
    with torch.no_grad():
        for own, other in found:
            mine[own] = theirs[other]
    return len(found)
