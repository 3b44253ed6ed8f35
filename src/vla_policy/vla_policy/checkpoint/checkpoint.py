"""A checkpoint: the folder with everything a policy needs, checked before anything is loaded.

    config.yaml        what the rest of this module reads (`Checkpoint`)
    language.onnx      tokens → language features; runs once per command
    policy.onnx        images, state, language features → actions
    weights.safetensors, tokenizer.json, normalisation.json, action_space.yaml, README.md

Only ONNX and safetensors hold weights: formats that hold code (pickle) are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from vla_contract.action_space import ActionSpace, ActionSpaceError
from vla_policy.checkpoint.tokenizer import Tokenizer, TokenizerError

FORMAT = 1
CONFIG = "config.yaml"
LANGUAGE_ONNX = "language.onnx"
POLICY_ONNX = "policy.onnx"
WEIGHTS = "weights.safetensors"
NORMALISATION = "normalisation.json"
END_EFFECTOR_STATES = ("end_effector.x", "end_effector.y", "end_effector.z")
# Its orientation as a rotation vector, rad: for policy servers, no checkpoint of ours takes it.
END_EFFECTOR_ROTATION = tuple(f"end_effector.rotation_{axis}" for axis in "xyz")

_DATA_SUFFIXES = (".onnx", ".safetensors", ".json", ".yaml")
_CODE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy", ".npz")
_KEYS = {
    "format": int,
    "name": str,
    "cameras": list,
    "image": dict,
    "state_names": list,
    "max_words": int,
    "action_space": str,
    "tokenizer": str,
    "architecture": dict,
    "training": dict,
    "commands": dict,
    "files": dict,
}


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; one line: which file, and what is accepted."""


@dataclass(frozen=True)
class Checkpoint:
    """What a model takes and gives, and where its files are.

    cameras: names, in the order of the model's image input; empty: any.
    image_height, image_width: size of the model's images, px.
    state_names: joint names or `END_EFFECTOR_STATES`, in the order of the model's state input.
    commands: the wordings it was trained with, per task.
    folder: None for a model without weights (`without_weights`).
    """

    name: str
    cameras: tuple[str, ...]
    image_height: int
    image_width: int
    state_names: tuple[str, ...]
    tokenizer: Tokenizer
    action_space: ActionSpace
    architecture: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @staticmethod
    def load(folder: str | Path) -> Checkpoint:
        """Read and check a checkpoint folder, the hash of every file included.

        Raises:
            CheckpointError: which file is wrong, and what is accepted.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise CheckpointError(
                f"checkpoint {folder}: no such folder; accepted: a folder with {CONFIG}"
            )
        try:
            return _load(folder)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {folder}: {error}") from error

    @staticmethod
    def without_weights(action_space: ActionSpace, max_words: int = 16) -> Checkpoint:
        """A stand-in for models that need no files: any cameras, no state, any word."""
        tokenizer = Tokenizer(("<pad>", "<unknown>"), max_words, open=True)
        return Checkpoint(action_space.name, (), 96, 96, (), tokenizer, action_space)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the names and hashes of its files; empty without files."""
        text = "\n".join(f"{name} {value}" for name, value in sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest() if self.files else ""

    @property
    def identity(self) -> str:
        """Its name, and what tells it from another one of that name."""
        return f"{self.name} ({self.fingerprint[:8]})" if self.files else self.name

    def read(self, name: str) -> bytes:
        """Content of one of `files`, its hash checked.

        Raises:
            CheckpointError: the file is not part of the checkpoint, missing or altered.
        """
        if self.folder is None or name not in self.files:
            raise CheckpointError(
                f"checkpoint {self.folder or self.name}: {name} is not among its files; "
                f"it has: {', '.join(self.files) or 'none'}"
            )
        return _read(self.folder, name, self.files[name])

    def require_action_space(self, other: ActionSpace, path: str) -> None:
        """Raise CheckpointError unless `other`, loaded from `path`, is the trained one."""
        if other == self.action_space:
            return
        mine, theirs = self.action_space, other
        names = ("name", "control_rate", "chunk_length", "chunk_period", "braking_time", "norms")
        parts = [
            f"{name} is {getattr(theirs, name)!r}, trained with {getattr(mine, name)!r}"
            for name in names
            if getattr(mine, name) != getattr(theirs, name)
        ]
        if mine.dimension_names != theirs.dimension_names:
            parts.append(
                f"dimensions are {', '.join(theirs.dimension_names)}, trained with "
                f"{', '.join(mine.dimension_names)}"
            )
        else:
            parts += [
                f"dimension {theirs_d.name} differs"
                for mine_d, theirs_d in zip(mine.dimensions, theirs.dimensions, strict=True)
                if mine_d != theirs_d
            ]
        raise CheckpointError(
            f"action space {path} is not that of checkpoint {self.folder or self.name}: "
            f"{'; '.join(parts)}; accepted: the same content as its action_space.yaml"
        )

    def require_cameras(self, names: Sequence[str]) -> None:
        """Raise CheckpointError where the robot's cameras are not those it was trained with."""
        if self.cameras and set(names) != set(self.cameras):
            raise CheckpointError(
                f"the robot has the cameras {', '.join(names)}; accepted by checkpoint "
                f"{self.folder or self.name}: {', '.join(self.cameras)}"
            )

    def require_state(self, names: Sequence[str]) -> None:
        """Raise CheckpointError where the robot lacks something of the state that it needs."""
        missing = [name for name in self.state_names if name not in names]
        if missing:
            raise CheckpointError(
                f"the robot's state_names lack {', '.join(missing)}; accepted by checkpoint "
                f"{self.folder or self.name}: {', '.join(self.state_names)} at least"
            )


def _load(folder: Path) -> Checkpoint:
    config = _config(folder)
    files = _files(folder, config["files"])
    action_space_name = _listed(config, "action_space", files)
    tokenizer_name = _listed(config, "tokenizer", files)
    for name in (LANGUAGE_ONNX, POLICY_ONNX):
        if name not in files:
            raise CheckpointError(f"{CONFIG}: files lacks {name}; accepted: every file's sha256")
    for name, digest in files.items():
        content = _read(folder, name, digest)
        if name.endswith(".safetensors") and not _is_safetensors(content):
            raise CheckpointError(
                f"{name} holds no safetensors; accepted: that format, which cannot hold code"
            )
    text = _read(folder, tokenizer_name, files[tokenizer_name]).decode("utf-8", "replace")
    try:
        tokenizer = Tokenizer.from_json(text, config["max_words"])
    except TokenizerError as error:
        raise CheckpointError(f"{tokenizer_name}: {error}") from error
    try:
        action_space = ActionSpace.load(folder / action_space_name)
    except ActionSpaceError as error:
        raise CheckpointError(str(error)) from error
    height, width = _image_size(config["image"])
    state_names = _state_names(config)
    if NORMALISATION in files:
        _require_normalised(_read(folder, NORMALISATION, files[NORMALISATION]), state_names)
    return Checkpoint(
        name=config["name"],
        cameras=_names(config, "cameras"),
        image_height=height,
        image_width=width,
        state_names=state_names,
        tokenizer=tokenizer,
        action_space=action_space,
        architecture=MappingProxyType(config["architecture"]),
        commands=_commands(config["commands"]),
        files=MappingProxyType(files),
        folder=folder,
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{CONFIG} is missing; accepted: a checkpoint's config") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{CONFIG}: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{CONFIG} is not a mapping; accepted: {', '.join(_KEYS)}")
    missing = [key for key in _KEYS if key not in data]
    unknown = [str(key) for key in data if key not in _KEYS]
    if missing or unknown:
        what = [f"lacks {', '.join(missing)}"] * bool(missing)
        what += [f"has unknown {', '.join(unknown)}"] * bool(unknown)
        raise CheckpointError(f"{CONFIG} {' and '.join(what)}; accepted: {', '.join(_KEYS)}")
    for key, kind in _KEYS.items():
        if not isinstance(data[key], kind) or isinstance(data[key], bool):
            raise CheckpointError(f"{CONFIG}: {key} is {data[key]!r}; accepted: {kind.__name__}")
    if data["format"] != FORMAT:
        raise CheckpointError(f"{CONFIG}: format is {data['format']}; accepted: {FORMAT}")
    if data["max_words"] < 1:
        raise CheckpointError(f"{CONFIG}: max_words is {data['max_words']}; accepted: at least 1")
    return data


def _files(folder: Path, listed: dict[Any, Any]) -> dict[str, str]:
    """Names and hashes, refusing names outside the folder and formats that can hold code."""
    for name, digest in listed.items():
        if not isinstance(name, str) or Path(name).name != name:
            raise CheckpointError(
                f"{CONFIG}: files has {name!r}; accepted: names of files in the folder"
            )
        if Path(name).suffix not in _DATA_SUFFIXES:
            raise CheckpointError(
                f"{name}: files of this kind are not loaded; accepted: {', '.join(_DATA_SUFFIXES)}"
            )
        if not isinstance(digest, str) or len(digest) != 64:
            raise CheckpointError(
                f"{CONFIG}: files gives {name} the hash {digest!r}; accepted: a sha256 in hex"
            )
    for path in sorted(folder.iterdir()):
        if path.suffix in _CODE_SUFFIXES:
            raise CheckpointError(
                f"{path.name}: weights that can hold code are not loaded; accepted: "
                f"{WEIGHTS}, {LANGUAGE_ONNX}, {POLICY_ONNX}"
            )
    return dict(listed)


def _read(folder: Path, name: str, digest: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{name} is missing; {CONFIG} lists it among its files") from error
    except OSError as error:
        raise CheckpointError(f"{name}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest.lower():
        raise CheckpointError(
            f"{name} is altered: its sha256 is {found[:12]}…; accepted: {digest[:12]}… ({CONFIG})"
        )
    return content


def _is_safetensors(content: bytes) -> bool:
    """Whether a file begins as the format does: the length of a JSON object, and that object."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= len(content) - 8:
        return False
    try:
        return isinstance(json.loads(content[8 : 8 + length]), dict)
    except (ValueError, RecursionError):
        return False


def _listed(config: dict[str, Any], key: str, files: Mapping[str, str]) -> str:
    name: str = config[key]
    if name not in files:
        raise CheckpointError(
            f"{CONFIG}: {key} is {name!r}, which files lacks; accepted: one of {', '.join(files)}"
        )
    return name


def _image_size(image: dict[str, Any]) -> tuple[int, int]:
    if set(image) != {"height", "width"} or not all(
        type(side) is int and side > 0 for side in image.values()
    ):
        raise CheckpointError(
            f"{CONFIG}: image is {image!r}; accepted: {{height: pixels, width: pixels}}"
        )
    return image["height"], image["width"]


def _names(config: dict[str, Any], key: str) -> tuple[str, ...]:
    names = config[key]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise CheckpointError(f"{CONFIG}: {key} is {names!r}; accepted: different names")
    if key == "cameras" and not names:
        raise CheckpointError(f"{CONFIG}: cameras is empty; accepted: at least one name")
    return tuple(names)


def _state_names(config: dict[str, Any]) -> tuple[str, ...]:
    names = _names(config, "state_names")
    for name in names:
        if name.startswith("end_effector.") and name not in END_EFFECTOR_STATES:
            raise CheckpointError(
                f"{CONFIG}: state_names has {name!r}; accepted: joint names and "
                + ", ".join(END_EFFECTOR_STATES)
            )
    return names


def _require_normalised(content: bytes, state_names: tuple[str, ...]) -> None:
    """Raise CheckpointError unless the state was normalised as these names, in this order.

    config.yaml has no hash: an altered order there would feed the model mixed-up numbers.
    """
    try:
        names = json.loads(content)["state"]["names"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise CheckpointError(f"{NORMALISATION}: accepted: JSON with state.names") from error
    if names != list(state_names):
        raise CheckpointError(
            f"{CONFIG}: state_names is {list(state_names)!r}; accepted: {names!r}, as in "
            f"{NORMALISATION}"
        )


def _commands(commands: dict[Any, Any]) -> Mapping[str, tuple[str, ...]]:
    for task, wordings in commands.items():
        if not isinstance(wordings, list) or not all(isinstance(word, str) for word in wordings):
            raise CheckpointError(
                f"{CONFIG}: commands of {task!r} is {wordings!r}; accepted: a list of wordings"
            )
    return MappingProxyType({str(task): tuple(words) for task, words in commands.items()})
