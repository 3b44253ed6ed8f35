"""Teaches a trained policy how likely it is to succeed, and measures whether that is true.

Episodes are parted by seed: some teach the head, some calibrate it, and the rest, which neither
has seen, measure it. Every episode counts the same, however long it is. Needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vla_learning.confidence.confidence_metrics import Trust, measure, platt
from vla_learning.confidence.episode_outcomes import Outcome
from vla_policy.model import Confidence

EARLY = 10  # inferences from the start that "early" means: half a second at 20 Hz
STEPS = 1500
BATCH = 256
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1


class ConfidenceError(RuntimeError):
    """Outcomes that a confidence cannot be learned from; one line."""


@dataclass(frozen=True)
class Report:
    """How good the head is on episodes that it has not seen.

    inferences: every inference by itself. episodes: the mean over each episode. early: the mean
    over the first `EARLY` inferences of each.
    """

    inferences: Trust
    episodes: Trust
    early: Trust

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def part(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome], list[Outcome]]:
    """To teach (half of the seeds), to calibrate (a quarter), to measure (a quarter)."""
    shares: tuple[list[Outcome], ...] = ([], [], [])
    for outcome in outcomes:
        shares[(0, 1, 0, 2)[outcome.seed % 4]].append(outcome)
    return shares[0], shares[1], shares[2]


def learn(head: Confidence, outcomes: Sequence[Outcome], seed: int = 0) -> Report:
    """Train and calibrate the head in place; returns what it is worth.

    Raises:
        ConfidenceError: the episodes to learn or to calibrate from all end alike.
    """
    teach, calibrate, test = part(outcomes)
    for name, share in (("learn", teach), ("calibrate", calibrate)):
        if len({o.success for o in share}) < 2:
            raise ConfidenceError(
                f"{len(share)} episodes to {name} from, all with the same end; accepted: successes "
                "and failures: more episodes, or a policy that is not always right"
            )
    _train(head, teach, seed)
    _calibrate(head, calibrate)
    base = float(np.mean([o.success for o in teach]))
    return _measure(head, test, base)


def _train(head: Confidence, outcomes: Sequence[Outcome], seed: int) -> None:
    fused, steps, success, weight = _tensors(outcomes)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        index = torch.multinomial(weight, BATCH, replacement=True, generator=generator)
        logit = head.logit(fused[index], steps[index])
        loss = F.binary_cross_entropy_with_logits(logit, success[index])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


@torch.no_grad()
def _calibrate(head: Confidence, outcomes: Sequence[Outcome]) -> None:
    fused, steps, success, weight = _tensors(outcomes)
    logit = head.logit(fused, steps).double().numpy()
    scale, offset = platt(logit, success.numpy() > 0.5, weight.double().numpy())
    head.scale.fill_(scale)
    head.offset.fill_(offset)


@torch.no_grad()
def _measure(head: Confidence, outcomes: Sequence[Outcome], base: float) -> Report:
    said = [head(*_inputs(o)).double().numpy() for o in outcomes]
    success = np.array([o.success for o in outcomes])
    each = np.repeat(success, [len(s) for s in said])
    return Report(
        inferences=measure(np.concatenate(said), each, base),
        episodes=measure(np.array([s.mean() for s in said]), success, base),
        early=measure(np.array([s[:EARLY].mean() for s in said]), success, base),
    )


def _inputs(outcome: Outcome) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(outcome.fused), torch.from_numpy(outcome.steps_logits)


def _tensors(outcomes: Sequence[Outcome]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """fused, steps_logits, success and weight of every inference; each episode weighs 1."""
    parts = [_inputs(o) for o in outcomes]
    counts = torch.tensor([len(o.fused) for o in outcomes])
    success = torch.tensor([float(o.success) for o in outcomes])
    return (
        torch.cat([p[0] for p in parts]),
        torch.cat([p[1] for p in parts]),
        success.repeat_interleave(counts),
        (1.0 / counts).repeat_interleave(counts),
    )
