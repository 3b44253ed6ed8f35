"""The figures of `vla bench pipeline`: statistics, table, JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vla_contract.percentiles import percentiles

TARGET_P50, TARGET_P99 = 8.0, 25.0  # ms, camera stamp → chunk at safety, less the forward time
TARGET_MEMORY = 600.0  # MB resident, of the three nodes together


@dataclass(frozen=True)
class Sample:
    """One camera image on its way to the robot; stamps in s of the machine's clock.

    image: its stamp. observation, chunk: when these were published. received: when a subscriber
    beside safety had the chunk. forward: s of the model alone. command: stamp of the first robot
    command that acts on it; NaN where a newer image came first.
    """

    image: float
    observation: float
    chunk: float
    received: float
    forward: float
    command: float = math.nan


@dataclass(frozen=True)
class Hop:
    """Percentiles of one part of the way, ms."""

    name: str
    p50: float
    p99: float
    count: int


# Name → value in s; in the order of the table.
PARTS: dict[str, Any] = {
    "camera → observation published": lambda s: s.observation - s.image,
    "observation → chunk published, less the forward pass": lambda s: (
        s.chunk - s.observation - s.forward
    ),
    "forward pass": lambda s: s.forward,
    "chunk published → received": lambda s: s.received - s.chunk,
    "camera → chunk received, less the forward pass": lambda s: s.received - s.image - s.forward,
    "wait for the next control period": lambda s: s.command - s.received,
    "camera → robot command": lambda s: s.command - s.image,
}
TOTAL = "camera → chunk received, less the forward pass"


def hop(name: str, values: Sequence[float]) -> Hop:
    """Percentiles of times in s; NaNs do not count."""
    known = [v * 1e3 for v in values if math.isfinite(v)]
    p50, p99 = percentiles(known, 50, 99)
    return Hop(name, p50, p99, len(known))


def hops(samples: Sequence[Sample]) -> list[Hop]:
    """Every part of the way."""
    found = (hop(name, [part(s) for s in samples]) for name, part in PARTS.items())
    return [each for each in found if each.count]


def memory(rollup: str) -> dict[str, float]:
    """RSS and PSS in MB from the text of /proc/PID/smaps_rollup."""
    found = {}
    for line in rollup.splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name.lower()] = int(rest.split()[0]) / 1024.0
    return found


def lines(
    measured: Sequence[Hop],
    raw: Hop,
    one_way: Hop,
    memories: dict[str, dict[str, float]],
    processing: str,
) -> list[str]:
    """The report as text."""

    def row(h: Hop) -> str:
        return f"{h.name:<54}{h.p50:>6.2f} ms{h.p99:>6.2f} ms{h.count:>7}"

    text = [f"{'':<54}{'p50':>9}{'p99':>9}{'n':>7}", *map(row, measured)]
    if processing:
        text.append(f"  of the first, perception's own work: {processing}")
    text += ["", row(one_way), row(raw)]
    total = next(h for h in measured if h.name == TOTAL)
    text.append(f"ratio of the two p50s: {total.p50 / raw.p50:.2f}")
    text += ["", f"{'memory':<16}{'RSS':>10}{'PSS':>10}"]
    text += [f"{n:<16}{m['rss']:>7.0f} MB{m['pss']:>7.0f} MB" for n, m in memories.items()]
    rss, pss = (sum(m[key] for m in memories.values()) for key in ("rss", "pss"))
    text += [f"{'together':<16}{rss:>7.0f} MB{pss:>7.0f} MB", ""]
    return text + [target(*check) for check in targets(total, rss)]


def targets(total: Hop, rss: float) -> list[tuple[str, float, float, str]]:
    """(what, value, greatest accepted, unit) of every target."""
    return [
        (f"{TOTAL}, p50", total.p50, TARGET_P50, "ms"),
        (f"{TOTAL}, p99", total.p99, TARGET_P99, "ms"),
        ("memory of the three nodes, RSS", rss, TARGET_MEMORY, "MB"),
    ]


def target(what: str, value: float, most: float, unit: str) -> str:
    """One target in words."""
    return f"{'met' if value <= most else 'MISSED':<8}{what}: {value:.1f} {unit}, target {most:g}"


def as_dict(
    measured: Sequence[Hop], raw: Hop, one_way: Hop, memories: dict[str, Any], about: dict[str, Any]
) -> dict[str, Any]:
    """The report for JSON."""

    def plain(h: Hop) -> dict[str, Any]:
        return {"name": h.name, "p50_ms": h.p50, "p99_ms": h.p99, "count": h.count}

    total = next(h for h in measured if h.name == TOTAL)
    return {
        **about,
        "hops": [plain(h) for h in measured],
        "raw_round_trip": plain(raw),
        "raw_one_way": plain(one_way),
        "ratio_p50": total.p50 / raw.p50,
        "memory_mb": memories,
    }
