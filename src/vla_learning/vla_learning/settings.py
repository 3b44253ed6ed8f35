"""The one YAML file that configures collecting, training, export and evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from vla_learning.dataset_mapping import DatasetMapping, MappingError
from vla_policy.checkpoint import END_EFFECTOR_STATES

T = TypeVar("T")


class SettingsError(ValueError):
    """A configuration that cannot be used; the message names the entry and what is accepted."""


@dataclass(frozen=True)
class CollectSettings:
    """How demonstrations are recorded; ticks are control periods.

    episodes: per task, with seeds from `first_seed` on (more where the expert fails).
    image_period: ticks between two images. ticks_after_success: recorded beyond the success.
    noisy_fraction: of the episodes, with bursts of velocity noise of standard deviation `noise`,
    m/s, on what is executed; the label stays the expert's own request.
    relabelled_episodes: per task, with seeds from `relabelled_first_seed` on, that a trained policy
    begins and the expert finishes; the expert labels all of it.
    """

    episodes: int
    first_seed: int
    image_period: int
    ticks_after_success: int
    noisy_fraction: float
    noise: float
    relabelled_episodes: int = 0
    relabelled_first_seed: int = 20000

    def __post_init__(self) -> None:
        _whole(self, 1, ("episodes", "image_period", "ticks_after_success"))
        _whole(self, 0, ("first_seed", "relabelled_episodes", "relabelled_first_seed"))
        _not_negative(self, ("noise",))
        _fraction(self, ("noisy_fraction",))


@dataclass(frozen=True)
class TrainSettings:
    """Optimisation, augmentation and the weights of the losses.

    processes: that share each batch; threads: of each. done_delay: ticks from the success to the
    end of the task. Rows from late_row on count late_row_weight in the loss.
    decay_steps: the learning rate stays and falls over these last steps; 0: a cosine over all.
    landmark_weight: of telling where the simulator's objects and goal are, from what the policy
    decides from; needs a dataset with landmarks. pretrained: begin with torchvision's weights of
    the backbone where they can be had.
    evaluate_steps: between two evaluations of the averaged weights in the simulator, the last one
    at the end of the run; 0: none. evaluate_episodes: of each task, with seeds from
    evaluate_first_seed on.
    """

    seed: int
    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_norm: float
    ema_decay: float
    bfloat16: bool
    processes: int
    threads: int
    checkpoint_steps: int
    shift_pixels: int
    brightness: float
    contrast: float
    camera_dropout: float
    state_dropout: float
    word_dropout: float
    state_noise: tuple[float, ...]
    done_delay: int
    late_row_weight: float
    late_row: int
    gripper_weight: float
    steps_weight: float
    decay_steps: int = 0
    landmark_weight: float = 0.0
    pretrained: bool = False
    evaluate_steps: int = 0
    evaluate_episodes: int = 1
    evaluate_first_seed: int = 40000

    def __post_init__(self) -> None:
        object.__setattr__(self, "state_noise", _numbers(self.state_noise, "state_noise"))
        _positive(self, ("learning_rate",))
        _whole(
            self,
            1,
            (
                *("steps", "batch_size", "processes", "threads", "checkpoint_steps"),
                *("evaluate_episodes",),
            ),
        )
        _whole(
            self,
            0,
            (
                *("seed", "warmup_steps", "shift_pixels", "done_delay", "late_row", "decay_steps"),
                *("evaluate_steps", "evaluate_first_seed"),
            ),
        )
        _not_negative(
            self,
            (
                *("weight_decay", "gradient_norm", "brightness", "contrast", "late_row_weight"),
                *("gripper_weight", "steps_weight", "landmark_weight"),
            ),
        )
        _true_or_false(self, ("bfloat16", "pretrained"))
        if self.batch_size % self.processes:
            raise SettingsError(
                f"batch_size is {self.batch_size}; accepted: a multiple of processes "
                f"({self.processes})"
            )
        _fraction(self, ("camera_dropout", "state_dropout", "word_dropout", "ema_decay"))


@dataclass(frozen=True)
class Settings:
    """A whole learning run; `source` is the file's content, stored with the checkpoint.

    dataset: what of somebody's LeRobot dataset is what; the optional entry of the file.
    """

    name: str
    action_space: Path
    cameras: tuple[str, ...]
    height: int
    width: int
    state_names: tuple[str, ...]
    max_words: int
    commands: Mapping[str, tuple[str, ...]]
    collect: CollectSettings
    train: TrainSettings
    architecture: Mapping[str, Any]
    source: Mapping[str, Any]
    dataset: DatasetMapping = DatasetMapping()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in the file's order."""
        return tuple(self.commands)

    @staticmethod
    def load(path: str | Path) -> Settings:
        """Read a file; raises SettingsError with the file, the entry and what is accepted."""
        path = Path(path)
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"learning config {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"learning config {path}: not YAML: {' '.join(str(error).split())}"
            ) from error
        try:
            return Settings._from_dict(data, path.resolve().parent.parent)
        except SettingsError as error:
            raise SettingsError(f"learning config {path}: {error}") from error

    @staticmethod
    def _from_dict(data: Any, root: Path) -> Settings:
        names = (
            *("name", "action_space", "cameras", "image", "state_names", "max_words"),
            *("commands", "collect", "train", "architecture"),
        )
        _check_keys(data, "the file", names, ("dataset",))
        _check_keys(data["image"], "image", ("height", "width"))
        for part in ("commands", "architecture"):
            if not isinstance(data[part], dict) or not data[part]:
                raise SettingsError(f"{part} is not a mapping with entries")
        state_names = _names(data, "state_names")
        _check_state(state_names)
        train = _build(TrainSettings, data["train"], "train")
        if len(train.state_noise) != len(state_names):
            raise SettingsError(
                f"train: state_noise has {len(train.state_noise)} numbers; accepted: "
                f"{len(state_names)}, one per name of state_names"
            )
        return Settings(
            name=str(data["name"]),
            action_space=root / str(data["action_space"]),
            cameras=_names(data, "cameras"),
            height=_number(data["image"]["height"], "image.height"),
            width=_number(data["image"]["width"], "image.width"),
            state_names=state_names,
            max_words=_number(data["max_words"], "max_words"),
            commands={
                str(task): _texts(words, f"commands.{task}")
                for task, words in data["commands"].items()
            },
            collect=_build(CollectSettings, data["collect"], "collect"),
            train=train,
            architecture=dict(data["architecture"]),
            source=data,
            dataset=_mapping(data),
        )


def _mapping(data: dict[str, Any]) -> DatasetMapping:
    try:
        return DatasetMapping.from_dict(data.get("dataset"))
    except MappingError as error:
        raise SettingsError(f"dataset {error}") from error


def _build(kind: type[T], data: Any, where: str) -> T:
    required = tuple(f.name for f in fields(kind) if f.default is MISSING)  # type: ignore[arg-type]
    optional = tuple(f.name for f in fields(kind) if f.default is not MISSING)  # type: ignore[arg-type]
    _check_keys(data, where, required, optional)
    try:
        return kind(**data)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


def _check_keys(
    data: Any, where: str, accepted: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    if not isinstance(data, dict):
        raise SettingsError(f"{where} is not a mapping; accepted: {', '.join(accepted)}")
    missing = [key for key in accepted if key not in data]
    accepted += optional
    unknown = [str(key) for key in data if key not in accepted]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown {', '.join(unknown)}"] if unknown else []
        raise SettingsError(f"{where} {' and '.join(parts)}; accepted: {', '.join(accepted)}")


def _texts(value: Any, where: str) -> tuple[str, ...]:
    """A list of texts, which a text alone is not: it would be taken for its letters."""
    if not isinstance(value, list) or not value or not all(v and type(v) is str for v in value):
        raise SettingsError(f"{where} is {value!r:.80}; accepted: a list of texts, at least one")
    return tuple(value)


def _names(data: Any, where: str) -> tuple[str, ...]:
    names = _texts(data[where], where)
    if len(set(names)) < len(names):
        raise SettingsError(f"{where} is {list(names)!r:.80}; accepted: each name once")
    return names


def _check_state(names: tuple[str, ...]) -> None:
    for name in names:
        if name.startswith("end_effector.") and name not in END_EFFECTOR_STATES:
            raise SettingsError(
                f"state_names has {name!r}; accepted: {', '.join(END_EFFECTOR_STATES)}, "
                "gripper_opening and names of joints"
            )


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or not all(_is_number(v) and v >= 0 for v in value):
        raise SettingsError(f"{where} is {value!r:.80}; accepted: a list of numbers from 0 on")
    return tuple(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _number(value: Any, where: str, least: int = 1) -> int:
    if type(value) is not int or value < least:
        raise SettingsError(f"{where} is {value!r}; accepted: a whole number from {least} on")
    return value


def _whole(settings: Any, least: int, names: tuple[str, ...]) -> None:
    for name in names:
        _number(getattr(settings, name), name, least)


def _true_or_false(settings: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if type(getattr(settings, name)) is not bool:
            raise SettingsError(f"{name} is {getattr(settings, name)!r}; accepted: true or false")


def _not_negative(settings: Any, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(settings, name)
        if not _is_number(value) or value < 0:
            raise SettingsError(f"{name} is {value!r}; accepted: a number from 0 on")


def _positive(settings: Any, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(settings, name)
        if not _is_number(value) or value <= 0:
            raise SettingsError(f"{name} is {value!r}; accepted: a number above 0")


def _fraction(settings: Any, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(settings, name)
        if not _is_number(value) or not 0 <= value <= 1:
            raise SettingsError(f"{name} is {value!r}; accepted: from 0 to 1")
