"""What the graph answered, written while it comes, and what the report needs of it, kept small."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vla_contract.percentiles import percentiles
from vla_contract.recording import BagWriter

FOLDER, FILE = "actions.partial", "actions.mcap"
SAMPLES = 20_000  # of each latency; beyond it every second one is kept, and so on


@dataclass
class Samples:
    """Values of a stream of any length in bounded memory: evenly thinned, the greatest exactly."""

    values: list[float] = field(default_factory=list)
    count: int = 0
    greatest: float = -math.inf
    _stride: int = 1

    def add(self, value: float) -> None:
        """Count a value, and keep it unless the thinning leaves it out."""
        self.greatest = max(self.greatest, value)
        if self.count % self._stride == 0:
            self.values.append(value)
            if len(self.values) >= SAMPLES:
                self.values = self.values[::2]
                self._stride *= 2
        self.count += 1

    def summary(self) -> dict[str, float]:
        """Return count, p50, p95, p99 and max; empty where there is no value."""
        if not self.values:
            return {}
        p50, p95, p99 = percentiles(self.values, 50, 95, 99)
        return {"count": self.count, "p50": p50, "p95": p95, "p99": p99, "max": self.greatest}


class ActionsFile:
    """`actions.mcap` in a folder: one MCAP file with every definition inside."""

    def __init__(self, out: Path) -> None:
        """Begin it; one that is there is replaced when this one is closed."""
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out / FOLDER, ignore_errors=True)
        self._bag = BagWriter(out / FOLDER)
        self.counts: Counter[str] = Counter()

    def write(self, topic: str, kind: str, data: bytes, stamp: int) -> None:
        """A message of a full topic as `Codec` serialises it, at a time of the bag, ns."""
        if not self._bag.has(topic):
            self._bag.add_topic(topic, kind)
        self._bag.write(topic, data, stamp, is_exact=True)
        self.counts[topic] += 1

    def close(self) -> Path:
        """Finish the file and put it into its place."""
        self._bag.close()
        target = self._out / FILE
        (self._out / FOLDER / f"{FOLDER}.mcap").replace(target)
        shutil.rmtree(self._out / FOLDER, ignore_errors=True)
        return target


@dataclass(frozen=True)
class Moment:
    """A control period worth looking at. score: how bad; pictures: JPEG by camera."""

    score: float
    tick: int
    stamp: int
    why: str
    pictures: dict[str, bytes]


class EvenMoments:
    """Some moments of a stream of any length, evenly spaced."""

    COUNT = 12

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._every = 1
        self._seen = 0

    def wants(self) -> bool:
        """The present image is one of them; call it once per image."""
        wanted = self._seen % self._every == 0
        self._seen += 1
        return wanted

    def add(self, moment: Moment) -> None:
        """Keep it; where there are too many, every second one goes."""
        self._kept.append(moment)
        if len(self._kept) >= 2 * self.COUNT:
            self._kept = self._kept[::2]
            self._every *= 2

    @property
    def chosen(self) -> list[Moment]:
        """In order of time."""
        kept = self._kept
        count = min(len(kept), self.COUNT)
        return [kept[round(index)] for index in np.linspace(0, len(kept) - 1, count)]


class Moments:
    """The worst ones, apart from each other where there are enough, and some evenly spaced ones.

    stretch: ticks that two of the worst are apart, if ten such moments can be found.

    Attributes: moving, resting: evenly spaced ones while the robot moved, and while it did not.
    """

    WORST = 10
    CANDIDATES = 60  # kept, at most one in each twentieth of a stretch

    def __init__(self, stretch: int) -> None:
        self._stretch = max(1, stretch)
        self._bucket = max(1, stretch // 20)
        self._worst: dict[int, Moment] = {}
        self.moving = EvenMoments()
        self.resting = EvenMoments()

    def wants_worst(self, tick: int, score: float) -> bool:
        """Such a moment would be kept."""
        if score <= 0.0:
            return False
        same = self._worst.get(tick // self._bucket)
        if same is not None:
            return score > same.score
        return len(self._worst) < self.CANDIDATES or score > min(
            m.score for m in self._worst.values()
        )

    def add_worst(self, moment: Moment) -> None:
        """Keep it, and let the least one go where there are too many."""
        self._worst[moment.tick // self._bucket] = moment
        if len(self._worst) > self.CANDIDATES:
            least = min(self._worst, key=lambda key: self._worst[key].score)
            del self._worst[least]

    @property
    def worst(self) -> list[Moment]:
        """Worst first, ten at most."""
        ranked = sorted(self._worst.values(), key=lambda moment: (-moment.score, moment.tick))
        chosen: list[Moment] = []
        for apart in (self._stretch, 1):  # near ones only where there are too few
            for moment in ranked:
                far = all(abs(moment.tick - other.tick) >= apart for other in chosen)
                if far and len(chosen) < self.WORST:
                    chosen.append(moment)
        return sorted(chosen, key=lambda moment: (-moment.score, moment.tick))

    @property
    def even(self) -> list[Moment]:
        """In order of time, from where it moved; of a robot that never did, from the whole."""
        return self.moving.chosen or self.resting.chosen


def deviation(requested: Sequence[float], safe: Sequence[float], spans: Sequence[float]) -> float:
    """Greatest difference of requested and safe action, as a share of the range; 0 where held."""
    if not all(map(math.isfinite, requested)):
        return 0.0
    shares = (
        abs(asked - given) / span for asked, given, span in zip(requested, safe, spans, strict=True)
    )
    return max(shares, default=0.0)
