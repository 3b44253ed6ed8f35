"""A saved training run: whose it is, and the model in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from vla_contract.action_space import ActionSpace
from vla_learning.learning_settings import Settings
from vla_learning.train.tokenizer_fit import build_tokenizer
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokenizer
from vla_policy.model import ModelConfig, ModelConfigError, VLAModel

RUN_FILE = "training.safetensors"
CONFIDENCE_FILE = "confidence.safetensors"
# Entries of the config's `train` that may differ between what saves a run and what goes on with it.
NOT_IDENTITY = (
    *("steps", "decay_steps"),
    *("evaluate_steps", "evaluate_episodes", "evaluate_first_seed"),
)


class TrainingError(RuntimeError):
    """A run that cannot be started or resumed; the message says why."""


def build_model(settings: Settings, space: ActionSpace, tokenizer: Tokenizer) -> VLAModel:
    """A new model with the sizes that config, action space and vocabulary ask for.

    Raises:
        TrainingError: the config's architecture cannot be built.
    """
    return VLAModel(model_config(settings, space, tokenizer))


def model_config(settings: Settings, space: ActionSpace, tokenizer: Tokenizer) -> ModelConfig:
    """Sizes of `build_model`; raises TrainingError."""
    try:
        return ModelConfig.from_dict(
            {
                "cameras": len(settings.cameras),
                "vocabulary": len(tokenizer.words),
                "state": len(settings.state_names),
                "actions": space.width,
                "steps": space.chunk_length,
                "height": settings.height,
                "width": settings.width,
                "max_words": settings.max_words,
                "action_low": [d.model_low for d in space.dimensions],
                "action_high": [d.model_high for d in space.dimensions],
                **settings.architecture,
            }
        )
    except (ModelConfigError, TypeError) as error:  # TypeError: e.g. a number for a list
        raise TrainingError(f"architecture of the learning config: {error}") from error


def unsaved_checkpoint(settings: Settings, space: ActionSpace) -> Checkpoint:
    """What a run's model takes and gives, for episodes with a model that is only in memory."""
    return Checkpoint(
        settings.name,
        settings.cameras,
        settings.height,
        settings.width,
        settings.state_names,
        build_tokenizer(settings.commands, settings.max_words),
        space,
        commands=settings.commands,
    )


def load_averaged(
    settings: Settings, space: ActionSpace, folder: Path
) -> tuple[VLAModel, dict[str, Any]]:
    """The averaged weights of a run in a model in eval mode, and what is to be told of the run.

    Raises:
        TrainingError: no run in the folder, or one of another config.
    """
    path = folder / RUN_FILE
    metadata = read_run(folder, settings)
    if metadata is None:
        raise TrainingError(f"{path}: no such file; accepted: a folder that ./vla learn train made")
    model = build_model(settings, space, build_tokenizer(settings.commands, settings.max_words))
    model.load_state_dict(with_prefix(load_file(path), "average."))
    about: dict[str, Any] = {n: int(metadata[n]) for n in ("step", "frames", "seconds")}
    if metadata.get("began_from"):
        about["began_from"] = metadata["began_from"]
    about |= _load_confidence(model, folder / CONFIDENCE_FILE, about["step"])
    return model.eval(), about


def _load_confidence(model: VLAModel, path: Path, step: int) -> dict[str, Any]:
    """Fill the head with what `./vla learn confidence` taught it; returns what that was worth.

    A head that was not taught, or with weights that have changed since, says NaN: not given.
    """
    if model.confidence is None:
        return {}
    if path.exists():
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
        if metadata.get("step") == str(step):
            model.confidence.load_state_dict(load_file(path))
            return {"confidence": json.loads(metadata["report"])}
    model.confidence.offset.fill_(float("nan"))
    return {}


def identity(settings: Settings) -> str:
    """What tells one run from another: its config, but for NOT_IDENTITY."""
    train = {k: v for k, v in settings.source["train"].items() if k not in NOT_IDENTITY}
    return json.dumps({**settings.source, "train": train}, sort_keys=True)


def _other_entries(theirs: str, ours: str) -> str:
    """In what two identities differ, and the tasks of the run where it is those."""
    try:
        run, asked = json.loads(theirs), json.loads(ours)
    except ValueError:
        return ""
    names = sorted(k for k in {*run, *asked} if run.get(k) != asked.get(k))
    if not names:
        return ""
    tasks = run.get("commands")
    other = isinstance(tasks, dict) and tasks.keys() != asked["commands"].keys()
    hint = f": begun with --tasks {','.join(tasks)}" if other else ""
    return f" ({', '.join(names)} differ{hint})"


def read_run(folder: Path, settings: Settings) -> dict[str, str] | None:
    """What a saved run says of itself; None where there is none.

    Raises:
        TrainingError: it is a run of another config, or no run at all.
    """
    path = folder / RUN_FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except SafetensorError as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    if metadata.get("run") != identity(settings):
        other = _other_entries(metadata.get("run", ""), identity(settings))
        raise TrainingError(
            f"{path} is a run of another config{other}; accepted: the options that it was begun "
            "with, another folder, or none there"
        )
    return metadata


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
