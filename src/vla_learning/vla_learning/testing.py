"""A tiny configuration and random demonstrations, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_learning.demonstrations import Demonstration

SHIPPED = Path("config/learning/metaworld.yaml")


def tiny_config(root: Path) -> dict[str, Any]:
    """The shipped config of the repository at `root`, with everything small."""
    data = yaml.safe_load((root / SHIPPED).read_text(encoding="utf-8"))
    data["action_space"] = str(root / "config/action_spaces/metaworld.yaml")
    data["image"] = {"height": 32, "width": 32}
    data["commands"] = {"one": ["open the door", "pull"], "two": ["shut it"]}
    data["collect"]["episodes"] = 2
    data["train"] |= {"steps": 6, "batch_size": 4, "checkpoint_steps": 3, "processes": 1}
    data["train"] |= {"warmup_steps": 2}
    data["architecture"] |= {
        "stage_widths": [4, 4, 8, 8],
        "embedding": 8,
        "language_hidden": 8,
        "hidden": 16,
        "heads": 2,
        "keypoints": 4,
        "fusion_hidden": 16,
        "planner_hidden": 16,
    }
    return data


def demonstration(
    task: str = "one", seed: int = 0, length: int = 50, success: int = 38, **changes: Any
) -> Demonstration:
    """Random images and actions; `changes`: other values for its fields."""
    rng = np.random.default_rng(seed)
    ticks = np.arange(0, length, 4)
    values: dict[str, Any] = {
        "images": rng.integers(0, 256, (len(ticks), 2, 32, 32, 3), dtype=np.uint8),
        "image_ticks": ticks,
        "state": rng.normal(size=(length + 1, 4)).astype(np.float32),
        "requested": rng.uniform(-0.8, 0.8, (length, 4)).astype(np.float32),
        "executed": np.zeros((length, 4), np.float32),
        "success_tick": success,
        "noisy": False,
        "seed": seed,
        "task": task,
    }
    return Demonstration(**{**values, **changes})
