"""An intent model: from sentences of many languages to a checkpoint's tasks, or to a refusal.

A small network on frozen features tells the kind of task and, each by itself, the values of its
slots, so that "push the blue one left" needs no sentence of just that. Kinds that the checkpoint
has no task for are refused, as negations, contradictions and requests that no task fulfils are. The
threshold below which a person is asked is chosen on sentences used for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vla_contract.language import sentence_features
from vla_contract.language.intent_model import (
    FORMAT,
    HEADS,
    REFUSED,
    TENSORS,
    IntentModel,
    task_names,
)
from vla_learning.language.wordings import VALUES, Sentence

HIDDEN, DROPOUT = 256, 0.3
BATCH, RATE, DECAY = 256, 1e-3, 0.05
REFUSED_SHARE, OTHERS_SHARE = 0.2, 0.05  # of a batch: what is to be refused, other policies' tasks
MOST_WRONG = 0.01  # of the validation sentences: they may be acted on and be something else
LEAST_REFUSED = 0.9  # of those that are to be refused


@dataclass(frozen=True)
class Score:
    """Shares of the sentences that are to be understood, and of those that are to be refused.

    understood: acted on, and right. wrong: acted on, and wrong. asked: not acted on. refused: of
    negations, contradictions and requests that no task fulfils, those that are not acted on.
    """

    sentences: int
    understood: float
    wrong: float
    asked: float
    refused: float


def kinds_of(tasks: Mapping[str, Sequence[str]], known: Collection[str]) -> dict[str, str]:
    """Kind → its task's name with slots, of which `known` has at least one filled in."""
    found = {}
    for kind, names in tasks.items():
        for name in names:
            if any(filled in known for filled in task_names(name, VALUES)):
                found[kind] = name
    return found


def train(
    sentences: Sequence[Sentence], kinds: Mapping[str, str], steps: int, seed: int = 0
) -> IntentModel:
    """Train on the sentences of the split train; the threshold is of the split validation."""
    torch.manual_seed(seed)
    names = sorted(kinds)
    given = [s for s in sentences if s.split == "train"]
    x = torch.from_numpy(sentence_features.features([s.text for s in given]))
    y = torch.from_numpy(_targets(given, names))
    network = nn.Sequential(
        nn.Dropout(DROPOUT / 3), nn.Linear(x.shape[1], HIDDEN), nn.GELU(approximate="tanh"),
        nn.Dropout(DROPOUT), nn.Linear(HIDDEN, len(names) + 1 + sum(HEADS.values())),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    weights = _balanced(given, y[:, 0].numpy(), len(names))
    rng = np.random.default_rng(seed)
    for step in range(steps):
        rows = torch.from_numpy(rng.choice(len(given), BATCH, p=weights))
        loss = _loss(network(x[rows]), y[rows], len(names) + 1)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - (step + 1) / steps)
    parts = [part.detach().numpy().astype(np.float16) for part in network.parameters()]
    model = IntentModel(
        {name: kinds[name] for name in names},
        tuple(parts),  # of both layers, weights and biases in turn
        threshold=0.0,
        encoder=sentence_features.encoder_version(),
    )
    return model.with_threshold(
        _threshold(model, [s for s in sentences if s.split == "validation"])
    )


def score(model: IntentModel, sentences: Sequence[Sentence]) -> Score:
    """How sentences are understood."""
    readings = model.read([s.text for s in sentences])
    valid = [(r, _task(s, model.kinds)) for r, s in zip(readings, sentences, strict=True)]
    asked_for = [(r, task) for r, task in valid if task]
    others = [r for r, s in zip(readings, sentences, strict=True) if s.why]
    count = max(1, len(asked_for))
    acted = [(r.task == task) for r, task in asked_for if r.is_sure]
    return Score(
        len(sentences),
        sum(acted) / count,
        (len(acted) - sum(acted)) / count,
        (len(asked_for) - len(acted)) / count,
        sum(not r.is_sure for r in others) / max(1, len(others)),
    )


def save(model: IntentModel, path: Path) -> None:
    """Write the file that `IntentModel.load` reads."""
    about = {"format": FORMAT, "kinds": dict(model.kinds), "threshold": model.threshold,
             "encoder": model.encoder}  # fmt: skip
    tensors = dict(zip(TENSORS, model.weights, strict=True))
    save_file(tensors, path, metadata={"about": json.dumps(about)})


def _task(sentence: Sentence, kinds: Mapping[str, str]) -> str:
    """The task that a sentence asks for; empty where it is to be refused."""
    return kinds[sentence.kind].format(**dict(sentence.values)) if sentence.kind in kinds else ""


def _targets(sentences: Sequence[Sentence], names: Sequence[str]) -> npt.NDArray[np.int64]:
    made = np.full((len(sentences), 1 + len(HEADS)), -1)
    for row, sentence in zip(made, sentences, strict=True):
        row[0] = names.index(sentence.kind) if sentence.kind in names else len(names)
        if sentence.kind in names:
            for slot, value in sentence.values:
                row[1 + list(HEADS).index(slot)] = VALUES[slot].index(value)
    return made


def _balanced(
    sentences: Sequence[Sentence], kinds: npt.NDArray[np.int64], refused: int
) -> npt.NDArray[np.float64]:
    """Probability of each sentence: all kinds alike, and all reasons to refuse."""
    weights = np.zeros(len(kinds))
    whys = np.array([s.why for s in sentences])
    known = kinds != refused
    reasons = sorted(set(whys) - {""})
    groups = [(kinds == kind, 1.0) for kind in np.unique(kinds[known])]
    scale = len(groups) * REFUSED_SHARE / (1.0 - REFUSED_SHARE - OTHERS_SHARE)
    groups += [(whys == why, scale / len(reasons)) for why in reasons]
    groups += [(~known & (whys == ""), scale * OTHERS_SHARE / REFUSED_SHARE)]
    for members, share in groups:
        if members.any():
            weights[members] = share / members.sum()
    return np.asarray(weights / weights.sum())


def _loss(output: Tensor, y: Tensor, kinds: int) -> Tensor:
    parts = output.split([kinds, *HEADS.values()], dim=1)
    loss = F.cross_entropy(parts[0], y[:, 0])
    for i, part in enumerate(parts[1:], 1):
        if (y[:, i] >= 0).any():
            loss = loss + F.cross_entropy(part, y[:, i], ignore_index=-1)
    return loss


def _threshold(model: IntentModel, sentences: Sequence[Sentence]) -> float:
    """The least confidence above which at most MOST_WRONG are acted on wrongly.

    And above which LEAST_REFUSED of what is to be refused is not acted on.
    """
    readings = model.read([s.text for s in sentences])
    found = list(zip(readings, sentences, strict=True))
    wrong = [r.confidence for r, s in found if r.task not in (REFUSED, _task(s, model.kinds))]
    refused = [r.confidence if r.task else 0.0 for r, s in found if s.why]
    return max(
        0.5,
        _exceeded_by(wrong, int(MOST_WRONG * len(sentences))),
        _exceeded_by(refused, int((1.0 - LEAST_REFUSED) * len(refused))),
    )


def _exceeded_by(values: Sequence[float], count: int) -> float:
    """The least value that no more than `count` of them exceed; 0 where all may."""
    return sorted(values, reverse=True)[count] if len(values) > count else 0.0


def report(model: IntentModel, sentences: Sequence[Sentence]) -> str:
    """The scores of every language, on templates that were trained and on those of the test."""
    lines = [
        "| language | split | sentences | understood | wrong | asked | others refused |",
        "|---|---|---|---|---|---|---|",
    ]
    for language in (*sorted({s.language for s in sentences}), "all"):
        for split in ("train", "test"):
            some = [s for s in sentences if s.split == split and language in (s.language, "all")]
            found = score(model, some)
            shares = (found.understood, found.wrong, found.asked, found.refused)
            cells = [language, split, str(found.sentences), *(f"{x:.1%}" for x in shares)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
