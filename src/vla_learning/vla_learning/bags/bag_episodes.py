"""Demonstrations from what was seen and done: an even rate, and no waiting before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_learning.bags.bag_actions import BagActions
from vla_learning.data.demonstrations import Demonstration
from vla_learning.learning_settings import Settings

NANOSECONDS = 1_000_000_000
_STILL = 0.01  # share of a dimension's range below which it does not move
_SHORTEST = 5  # frames of an episode at least


@dataclass(frozen=True)
class Sight:
    """What a policy would have been shown. stamp: ns, of the oldest image.

    images: (N, h, w, 3) uint8 rgb. state: (S,) SI.
    """

    stamp: int
    images: npt.NDArray[np.uint8]
    state: npt.NDArray[np.float32]


def episodes(
    sights: Sequence[Sight],
    actions: BagActions,
    end: int,
    task: str,
    words: str,
    settings: Settings,
    space: ActionSpace,
) -> Iterator[Demonstration]:
    """Demonstrations of one command, from its sights to `end`, ns; cut where sights are missing."""
    period = settings.collect.image_period * space.chunk_period * NANOSECONDS
    for part in _even(sights, period):
        rows = max(1, round((min(end, part[-1].stamp + period) - part[0].stamp) / NANOSECONDS
                            / space.chunk_period))  # fmt: skip
        requested, executed = actions.rows(part[0].stamp, rows)
        moving = np.flatnonzero(_moves(requested, space) | actions.moving(part[0].stamp, rows))
        if not len(moving):
            continue
        step = settings.collect.image_period
        first = max(0, int(moving[0]) // step - 1)
        done = int(moving[-1]) + 1 - first * step
        last = min(rows, int(moving[-1]) + 1 + settings.collect.ticks_after_success)
        kept = part[first : -(-last // step)]
        if len(kept) < _SHORTEST:
            continue
        yield Demonstration(
            images=np.stack([sight.images for sight in kept]),
            image_ticks=np.arange(len(kept)) * step,
            state=np.stack([sight.state for sight in kept]),
            requested=requested[first * step : last].astype(np.float32),
            executed=executed[first * step : last].astype(np.float32),
            success_tick=done,
            noisy=False,
            seed=kept[0].stamp // 1_000_000,
            task=task,
            command=words,
        )


def _even(sights: Sequence[Sight], period: float) -> Iterator[list[Sight]]:
    """Parts in which frame k was seen at k periods, ns, to half a period."""
    part: list[Sight] = []
    index = 0
    while index < len(sights):
        if not part:
            part.append(sights[index])
            index += 1
            continue
        wanted = part[0].stamp + len(part) * period
        while index + 1 < len(sights) and _nearer(sights[index + 1], sights[index], wanted):
            index += 1
        if abs(sights[index].stamp - wanted) <= period / 2:
            part.append(sights[index])
            index += 1
        elif sights[index].stamp > wanted:
            yield part
            part = []
        else:
            index += 1
    if part:
        yield part


def _nearer(a: Sight, b: Sight, time: float) -> bool:
    return abs(a.stamp - time) <= abs(b.stamp - time)


def _moves(actions: npt.NDArray[np.float64], space: ActionSpace) -> npt.NDArray[np.bool_]:
    """(L,) whether a row asks for motion: a velocity, or another position than the row before."""
    span = np.array([d.model_high - d.model_low for d in space.dimensions])
    velocity = np.array([d.kind.is_velocity for d in space.dimensions])
    changes = np.abs(np.diff(actions, axis=0, prepend=actions[:1])) / span
    shares = np.where(velocity, np.abs(actions) / span, changes)
    return np.asarray((shares > _STILL).any(axis=1))
