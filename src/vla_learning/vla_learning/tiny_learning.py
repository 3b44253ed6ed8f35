"""A tiny configuration and random demonstrations, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_contract.action_space import ActionSpace
from vla_learning.data.dataset_writer import open_writer
from vla_learning.data.demonstrations import Demonstration
from vla_learning.learning_settings import Settings

SHIPPED = Path("config/learning/metaworld.yaml")


def tiny_config(root: Path) -> dict[str, Any]:
    """The shipped config of the repository at `root`, with everything small."""
    data = yaml.safe_load((root / SHIPPED).read_text(encoding="utf-8"))
    data["action_space"] = str(root / "config/action_spaces/metaworld.yaml")
    data["image"] = {"height": 32, "width": 32}
    data["commands"] = {"one": ["open the door", "pull"], "two": ["shut it"]}
    data["collect"]["episodes"] = 2
    data["train"] |= {"steps": 6, "batch_size": 4, "checkpoint_steps": 3, "processes": 1}
    data["train"] |= {"warmup_steps": 2, "decay_steps": 0}
    data["train"] |= {"evaluate_steps": 0, "landmark_weight": 0.0}
    data["architecture"] |= {
        "stage_widths": [4, 4, 8, 8],
        "embedding": 8,
        "language_hidden": 8,
        "hidden": 16,
        "heads": 2,
        "keypoints": 4,
        "fusion_hidden": 16,
        "planner_hidden": 16,
        "confidence_hidden": 8,
    }
    return data


def tiny_settings(root: Path, folder: Path) -> Settings:
    """The same as settings, from a file in a folder `learning` that is made."""
    path = folder / "learning" / "tiny.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(tiny_config(root)), encoding="utf-8")
    return Settings.load(path)


def pictures(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 2, 32, 32, 3) uint8: soft colours, as cameras see them and videos can keep."""
    corners = rng.integers(0, 256, (count, 2, 2, 2, 3)).astype(np.float64)
    ramp = np.linspace(0.0, 1.0, 32)
    weights = np.stack([1.0 - ramp, ramp])
    soft = np.einsum("fnabc,ay,bx->fnyxc", corners, weights, weights)
    return np.asarray(np.rint(soft), np.uint8)


def write_dataset(folder: Path, settings: Settings, demonstrations: list[Demonstration]) -> None:
    """A LeRobot dataset of these episodes."""
    writer = open_writer(folder, settings, ActionSpace.load(settings.action_space))
    for each in demonstrations:
        writer.stage(each)
    writer.finish(settings.tasks)


def demonstration(
    task: str = "one", seed: int = 0, length: int = 50, success: int = 38, **changes: Any
) -> Demonstration:
    """Random colours and actions; `changes`: other values for its fields."""
    rng = np.random.default_rng(seed)
    ticks = np.arange(0, length, 4)
    values: dict[str, Any] = {
        "images": pictures(rng, len(ticks)),
        "image_ticks": ticks,
        "state": rng.normal(size=(len(ticks), 4)).astype(np.float32),
        "requested": rng.uniform(-0.8, 0.8, (length, 4)).astype(np.float32),
        "executed": np.zeros((length, 4), np.float32),
        "success_tick": success,
        "noisy": False,
        "seed": seed,
        "task": task,
        "command": {"one": "open the door", "two": "shut it"}.get(task, task),
    }
    return Demonstration(**{**values, **changes})
