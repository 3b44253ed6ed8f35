"""The one YAML file that configures collecting, training, export and evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import yaml

from vla_learning.data.dataset_mapping import DatasetMapping, MappingError
from vla_policy.checkpoint.checkpoint import END_EFFECTOR_STATES

T = TypeVar("T")


class SettingsError(ValueError):
    """A configuration that cannot be used; the message names the entry and what is accepted."""


@dataclass(frozen=True)
class Accepted:
    """What a field may be, as a test and in words."""

    holds: Callable[[Any], bool]
    words: str


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


Count = Annotated[int, Accepted(lambda v: _is_whole(v, 1), "a whole number from 1 on")]
Whole = Annotated[int, Accepted(lambda v: _is_whole(v, 0), "a whole number from 0 on")]
Flag = Annotated[bool, Accepted(lambda v: type(v) is bool, "true or false")]
Positive = Annotated[float, Accepted(lambda v: _is_number(v) and v > 0, "a number above 0")]
NotNegative = Annotated[float, Accepted(lambda v: _is_number(v) and v >= 0, "a number from 0 on")]
Fraction = Annotated[float, Accepted(lambda v: _is_number(v) and 0 <= v <= 1, "from 0 to 1")]


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

    episodes: Count
    first_seed: Whole
    image_period: Count
    ticks_after_success: Count
    noisy_fraction: Fraction
    noise: NotNegative
    relabelled_episodes: Whole = 0
    relabelled_first_seed: Whole = 20000

    def __post_init__(self) -> None:
        _check_fields(self)


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

    seed: Whole
    steps: Count
    batch_size: Count
    learning_rate: Positive
    warmup_steps: Whole
    weight_decay: NotNegative
    gradient_norm: NotNegative
    ema_decay: Fraction
    bfloat16: Flag
    processes: Count
    threads: Count
    checkpoint_steps: Count
    shift_pixels: Whole
    brightness: NotNegative
    contrast: NotNegative
    camera_dropout: Fraction
    state_dropout: Fraction
    word_dropout: Fraction
    state_noise: tuple[float, ...]
    done_delay: Whole
    late_row_weight: NotNegative
    late_row: Whole
    gripper_weight: NotNegative
    steps_weight: NotNegative
    decay_steps: Whole = 0
    landmark_weight: NotNegative = 0.0
    pretrained: Flag = False
    evaluate_steps: Whole = 0
    evaluate_episodes: Count = 1
    evaluate_first_seed: Whole = 40000

    def __post_init__(self) -> None:
        object.__setattr__(self, "state_noise", _numbers(self.state_noise, "state_noise"))
        _check_fields(self)
        if self.batch_size % self.processes:
            raise SettingsError(
                f"batch_size is {self.batch_size}; accepted: a multiple of processes "
                f"({self.processes})"
            )


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
    def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Settings:
        """Read a file; paths in it are relative to its folder.

        Args:
            overrides: entries in place of the file's; of the parts `collect`, `train` and
                `architecture` those named.

        Raises:
            SettingsError: with the file, the entry and what is accepted.
        """
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
            return Settings._from_dict(_overridden(data, overrides or {}), path.resolve().parent)
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
            action_space=_path(str(data["action_space"]), root),
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


def _path(text: str, folder: Path) -> Path:
    """A path of the config's folder, or for one release of the folder above, as it was before."""
    path, before = folder / text, folder.parent / text
    return before if before.is_file() and not path.is_file() else path


def _overridden(data: Any, overrides: Mapping[str, Any]) -> Any:
    if not isinstance(data, dict):
        return data  # which is refused
    parts = ("collect", "train", "architecture")
    changed = {
        key: {**data[key], **value} if key in parts else value
        for key, value in overrides.items()
        if isinstance(data.get(key), dict) or key not in parts
    }
    return {**data, **changed}


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


def _number(value: Any, where: str) -> int:
    if not _is_whole(value, 1):
        raise SettingsError(f"{where} is {value!r}; accepted: a whole number from 1 on")
    return int(value)


def _check_fields(settings: Any) -> None:
    """Raise SettingsError for the first field whose value its type does not accept."""
    for name, kind in get_type_hints(type(settings), include_extras=True).items():
        for accepted in getattr(kind, "__metadata__", ()):
            value = getattr(settings, name)
            if not accepted.holds(value):
                raise SettingsError(f"{name} is {value!r}; accepted: {accepted.words}")
