"""Whether a new checkpoint is better than an old one, by the same episodes of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from vla_learning.evaluate.paired_evaluation import Pairing, pair
from vla_learning.evaluate.success_report import Episode

WORSE = "worse"


def verdict(pairing: Pairing) -> str:
    """Worse or better where the 95 % interval of the loss is without 0; first: the old one."""
    low, high = pairing.interval()
    if pairing.count and low > 0.0:
        return WORSE
    return "better" if pairing.count and high < 0.0 else "no difference shown"


def lines(pairing: Pairing) -> list[str]:
    """Successes, discordant pairs, the difference in points with its interval, the verdict."""
    low, high = pairing.interval()
    return [
        f"old: {pairing.both + pairing.first_only}/{pairing.count} succeeded",
        f"new: {pairing.both + pairing.second_only}/{pairing.count} succeeded",
        f"discordant: {pairing.first_only} only old, {pairing.second_only} only new",
        f"new less old: {-pairing.loss * 100:+.1f} points, 95 % interval {-high * 100:+.1f} to "
        f"{-low * 100:+.1f}",
        f"verdict: {verdict(pairing)}",
    ]


def save(path: Path, results: Mapping[str, Sequence[Episode]], folders: Mapping[str, Path]) -> None:
    """Write counts, difference (a share), verdict and every episode of `old` and `new` as JSON."""
    pairing = pair(results["old"], results["new"])
    low, high = pairing.interval()
    content = {
        "checkpoints": {name: str(folder) for name, folder in folders.items()},
        "pairs": asdict(pairing),
        "difference": {"value": -pairing.loss, "low": -high, "high": -low},
        "verdict": verdict(pairing),
        "episodes": {name: [asdict(e) for e in each] for name, each in results.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
