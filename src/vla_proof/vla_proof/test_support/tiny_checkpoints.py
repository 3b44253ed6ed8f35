"""Tiny checkpoints for tests: right inputs and outputs, nothing learned.

Writing one needs the Python package `onnx`, which running does not, and no torch.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vla_contract.action_space import ActionSpace
from vla_policy.checkpoint.checkpoint import CONFIG, FORMAT, LANGUAGE_ONNX, POLICY_ONNX

CAMERAS = ("corner2", "gripper_pov")
STATE_NAMES = ("end_effector.x", "end_effector.y", "end_effector.z", "gripper_opening")
COMMANDS = {"drawer-open": ["open the drawer"], "window-open": ["open the window"]}

# With `faulty`, this first state value makes the model fail in the middle of its run, or NaN.
STATE_THAT_RAISES = 9.0
STATE_THAT_GIVES_NAN = -4.0


def write_checkpoint(
    folder: Path,
    action_space: Path,
    *,
    cameras: Sequence[str] = CAMERAS,
    state_names: Sequence[str] = STATE_NAMES,
    size: int = 96,
    max_words: int = 16,
    seed: int = 0,
    steps_left: int | None = None,
    confidence: float | None = None,
    faulty: bool = False,
    batch: int | str = 1,
) -> Path:
    """Write a checkpoint with random weights; returns its folder.

    steps_left: what the model says of the steps to the end; None: as many as the chunk has.
    confidence: what the model gives with each answer; None: it has no such output.
    faulty: make `STATE_THAT_RAISES` and `STATE_THAT_GIVES_NAN` do so.
    batch: observations that policy.onnx takes at a time; a name: as many as are given.
    """
    from vla_proof.test_support import tiny_graphs

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(action_space, folder / "action_space.yaml")
    space = ActionSpace.load(action_space)
    words = sorted({word for texts in COMMANDS.values() for text in texts for word in text.split()})
    vocabulary = ["<pad>", "<unknown>", *words]
    (folder / "tokenizer.json").write_text(json.dumps({"words": vocabulary}))
    weights = tiny_graphs.Weights(seed)
    language = tiny_graphs.language(weights, len(vocabulary), max_words)
    policy = tiny_graphs.policy(
        weights,
        (len(cameras), size, len(state_names), max_words),
        (space.chunk_length, space.width),
        space.chunk_length if steps_left is None else steps_left,
        STATE_THAT_RAISES if faulty else None,
        confidence,
        batch,
    )
    (folder / LANGUAGE_ONNX).write_bytes(language.SerializeToString())
    (folder / POLICY_ONNX).write_bytes(policy.SerializeToString())
    config = {
        "format": FORMAT,
        "name": "tiny",
        "cameras": list(cameras),
        "image": {"height": size, "width": size},
        "state_names": list(state_names),
        "max_words": max_words,
        "action_space": "action_space.yaml",
        "tokenizer": "tokenizer.json",
        "architecture": {},
        "training": {},
        "commands": COMMANDS,
        "files": {},
    }
    write_config(folder, config)
    return folder


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write config.yaml with the hashes of the files that are there."""
    names = sorted(p.name for p in folder.iterdir() if p.name not in (CONFIG, "README.md"))
    files = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}
    (folder / CONFIG).write_text(yaml.safe_dump({**config, "files": files}))
