"""Where engines are kept: one folder per model, GPU architecture and TensorRT release."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_policy.backends.backend import BackendError
from vla_policy.checkpoint.checkpoint import WEIGHTS, Checkpoint

FORMAT = 1
MANIFEST = "manifest.json"
VARIABLE = "VLA_ENGINE_FOLDER"
NAMES = ("language", "policy")


@dataclass(frozen=True)
class EngineKey:
    """What an engine fits. architecture: e.g. "sm87". tensorrt: its version."""

    model: str
    architecture: str
    tensorrt: str

    def __str__(self) -> str:
        return f"{self.model[:16]}-{self.architecture}-trt{self.tensorrt}"


@dataclass(frozen=True)
class StoredEngine:
    """A serialized engine; names of its tensors in the graph's order, and as TensorRT has them."""

    content: bytes
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def model_hash(checkpoint: Checkpoint) -> str:
    """sha256 of what an engine is made of: weights, architecture and this format.

    Raises:
        BackendError: the checkpoint has no weights.
    """
    digest = checkpoint.files.get(WEIGHTS)
    if digest is None:
        where = checkpoint.folder or checkpoint.name
        raise BackendError(f"checkpoint {where}: {WEIGHTS} is missing; an engine is built from it")
    content = json.dumps([FORMAT, digest, dict(checkpoint.architecture)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def root_folder(given: str = "") -> Path:
    """Folder of all engines: as given, $VLA_ENGINE_FOLDER, or the user's cache; never /tmp.

    Raises:
        BackendError: the one that counts is no place that lasts.
    """
    chosen = given or os.environ.get(VARIABLE, "")
    if chosen:
        folder = Path(chosen).expanduser().absolute()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = Path(base).expanduser() / "vla" / "engines"
    if _is_temporary(folder) or not folder.is_absolute():
        raise BackendError(
            f"{folder} is no place to keep engines, which take minutes to build; accepted: "
            f"a lasting folder in the parameter engine_folder or {VARIABLE}"
        )
    return folder


def _is_temporary(folder: Path) -> bool:
    resolved = folder.resolve()  # with neither links nor ..
    return Path(tempfile.gettempdir()).resolve() in (resolved, *resolved.parents)


def onnxruntime_folder(given: str, release: str, digest: str) -> Path:
    """Where ONNX Runtime's TensorRT provider keeps the engines of a model; raises BackendError.

    It names its files itself, by graph, GPU architecture and TensorRT release.
    """
    return root_folder(given) / f"onnxruntime{release}-{digest[:16]}"


def save(
    root: Path, key: EngineKey, engines: Mapping[str, StoredEngine], about: Mapping[str, Any]
) -> Path:
    """Write the engines of a key, whole or not at all; returns their folder."""
    folder = root / str(key)
    partial = root / f"{key}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    entries = {}
    for name, engine in engines.items():
        (partial / f"{name}.engine").write_bytes(engine.content)
        entries[name] = {
            "sha256": hashlib.sha256(engine.content).hexdigest(),
            "inputs": dict(engine.inputs),
            "outputs": dict(engine.outputs),
        }
    manifest = {"format": FORMAT, "key": vars(key), **about, "engines": entries}
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def load(root: Path, key: EngineKey, command: str) -> dict[str, StoredEngine]:
    """The engines of a key.

    Raises:
        BackendError: there are none, or they are damaged; the line ends with `command`.
    """
    folder = root / str(key)
    if not (folder / MANIFEST).is_file():
        raise BackendError(
            f"no TensorRT engine of this checkpoint for {key.architecture} and TensorRT "
            f"{key.tensorrt} in {root}{_others(root, key)}; build it with: {command}"
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {name: _engine(folder, name, manifest["engines"][name]) for name in NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(
            f"engine {folder} is damaged: {' '.join(str(error).split())}; build it again with: "
            f"{command}"
        ) from error


def _engine(folder: Path, name: str, entry: Mapping[str, Any]) -> StoredEngine:
    content = (folder / f"{name}.engine").read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{name}.engine is not what {MANIFEST} says")
    return StoredEngine(content, dict(entry["inputs"]), dict(entry["outputs"]))


def _others(root: Path, key: EngineKey) -> str:
    found = sorted(path.name for path in root.glob(f"{key.model[:16]}-*") if path.is_dir())
    return f" (there: {', '.join(found)})" if found else ""
