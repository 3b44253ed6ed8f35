"""Our names and units ↔ those of a policy server, from a YAML file (`config/remote/*.yaml`).

images:                        # one entry for each picture that the server wants
  - camera: corner2            # of the observation
    key: observation/image     # of the server's input
    height: 224                # px; 0 with width 0: as it comes
    width: 224
    fit: pad                   # pad (keeps the aspect, black bars, as openpi does) or stretch
    mask: ""                   # key of its validity (bool); empty: it must be valid
state: {key: observation/state, names: [joint_1, joint_2]}   # or null
prompt: prompt                 # key of the command's text
constants: {}                  # further keys and what they are set to
actions:
  key: actions                 # of the server's answer: numbers (rows, columns)
  columns: [0, 1, 2, 6]        # which of them are our dimensions, in our order
  units: si                    # si, or normalised to [-1, 1] as a checkpoint's
  period: 0.02                 # s between two rows; 0: the action space's
  confidence: ""               # key of a number from 0 to 1; empty: it gives none
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from vla_contract.action_space import ActionSpace
from vla_contract.images import resize_area

Image = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float64]

_ACTION_KEYS = {"key": str, "columns": list, "units": str, "period": (int, float)}
_IMAGE_KEYS = {"camera": str, "key": str, "height": int, "width": int, "fit": str, "mask": str}
_KEYS = ("images", "state", "prompt", "constants", "actions")
_UNITS, _FITS = ("si", "normalised"), ("pad", "stretch")


class MappingError(ValueError):
    """A mapping, or what a server answers, that cannot be used; one line."""


@dataclass(frozen=True)
class ImageEntry:
    """One picture of the server's input; see the module."""

    camera: str
    key: str
    height: int = 0
    width: int = 0
    fit: str = "pad"
    mask: str = ""


@dataclass(frozen=True)
class RemoteMapping:
    """What is sent, and what is read of the answer; see the module."""

    images: tuple[ImageEntry, ...]
    state_key: str
    state_names: tuple[str, ...]
    prompt: str
    action_key: str
    columns: tuple[int, ...]
    normalised: bool
    period: float
    confidence: str = ""
    constants: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def load(path: str | Path) -> RemoteMapping:
        """Read a mapping; raises MappingError naming the file, the key and what is accepted."""
        try:
            data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return _mapping(data)
        except OSError as error:
            raise MappingError(f"remote mapping {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError, MappingError) as error:
            raise MappingError(f"remote mapping {path}: {' '.join(str(error).split())}") from error

    def require_width(self, space: ActionSpace) -> None:
        """Raise MappingError unless there is a column for each dimension."""
        if len(self.columns) != space.width:
            raise MappingError(
                f"actions.columns has {len(self.columns)} entries; accepted: {space.width}, for "
                f"{', '.join(space.dimension_names)}"
            )

    def request(
        self, images: Mapping[str, Image | None], state: Mapping[str, float], prompt: str
    ) -> dict[str, Any]:
        """The server's input.

        Args:
            images: by camera, rgb uint8 (H, W, 3), None where not valid. state: by name, SI.

        Raises:
            MappingError: an image or a state is missing.
        """
        message: dict[str, Any] = {**self.constants, self.prompt: prompt}
        for entry in self.images:
            image = images.get(entry.camera)
            if image is None and not entry.mask:
                raise MappingError(
                    f"the image of {entry.camera} is not valid, and the server knows no mask for it"
                )
            if entry.mask:
                message[entry.mask] = np.bool_(image is not None)
            message[entry.key] = _fitted(image, entry)
        missing = [name for name in self.state_names if name not in state]
        if missing:
            raise MappingError(
                f"the state lacks {', '.join(missing)}; it has: {', '.join(state) or 'nothing'}"
            )
        if self.state_key:
            values = [state[name] for name in self.state_names]
            message[self.state_key] = np.array(values, dtype=np.float32)
        return message

    def answer(self, reply: Any, space: ActionSpace) -> tuple[Rows, float]:
        """Actions and confidence of a server's answer.

        Returns:
            float64 (T, D), SI, one chunk period apart, at most chunk_length rows; and the
            confidence, NaN where there is none.

        Raises:
            MappingError: a key is missing, or its content is not what the mapping says.
        """
        if not isinstance(reply, dict) or self.action_key not in reply:
            keys = ", ".join(map(str, reply))[:100] if isinstance(reply, dict) else "no map"
            raise MappingError(f"the answer has {keys}; accepted: {self.action_key}")
        rows = reply[self.action_key]
        columns = max(self.columns) + 1
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] < columns:
            shape = rows.shape if isinstance(rows, np.ndarray) else type(rows).__name__
            raise MappingError(
                f"{self.action_key} is {shape}; accepted: rows of at least {columns} numbers"
            )
        actions = rows[:, list(self.columns)].astype(np.float64)
        if not len(actions) or not np.isfinite(actions).all():
            raise MappingError(f"{self.action_key} is not finite; accepted: finite numbers")
        actions = _resampled(actions, self.period or space.chunk_period, space)
        return (space.to_si(actions) if self.normalised else actions), self._confidence(reply)

    def _confidence(self, reply: dict[Any, Any]) -> float:
        if not self.confidence:
            return math.nan
        value = np.asarray(reply.get(self.confidence))
        if value.size != 1 or value.dtype.kind not in "iuf" or not 0.0 <= value.item() <= 1.0:
            raise MappingError(f"{self.confidence} is {value!s:.40}; accepted: 0 to 1")
        return float(value.item())


def _resampled(rows: Rows, period: float, space: ActionSpace) -> Rows:
    """Rows one chunk period apart, linear between the server's; no longer than those or a chunk."""
    if math.isclose(period, space.chunk_period, rel_tol=1e-6):
        return rows[: space.chunk_length]
    length = int((len(rows) - 1) * period / space.chunk_period + 1e-9) + 1
    times = np.arange(min(length, space.chunk_length)) * space.chunk_period
    given = np.arange(len(rows)) * period
    return np.stack([np.interp(times, given, rows[:, i]) for i in range(rows.shape[1])], axis=1)


def _fitted(image: Image | None, entry: ImageEntry) -> Image:
    height, width = entry.height, entry.width
    if image is None:
        return np.zeros((height or 1, width or 1, 3), dtype=np.uint8)
    if not height or entry.fit == "stretch":
        return resize_area(image, height, width)
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = [max(1, round(side * scale)) for side in image.shape[:2]]
    small = resize_area(image, *inner)
    fitted = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    fitted[top : top + inner[0], left : left + inner[1]] = small
    return fitted


def _mapping(data: Any) -> RemoteMapping:
    data = _entries(data, "the file", dict.fromkeys(_KEYS, object), ("state", "constants"))
    state = _entries(data.get("state") or {"key": "", "names": []}, "state",
                     {"key": str, "names": list})  # fmt: skip
    actions = _entries(data["actions"], "actions", {**_ACTION_KEYS, "confidence": str},
                       ("confidence",))  # fmt: skip
    if not isinstance(data["images"], list) or not isinstance(data["prompt"], str):
        raise MappingError("images or prompt; accepted: a list, and the key of the command's text")
    constants = data.get("constants") or {}
    if not isinstance(constants, dict):
        raise MappingError(f"constants is {constants!r}; accepted: keys and values")
    columns, period = actions["columns"], float(actions["period"])
    if not columns or not all(type(c) is int and 0 <= c < 10_000 for c in columns):
        raise MappingError(f"actions.columns is {columns!r}; accepted: numbers from 0")
    if actions["units"] not in _UNITS:
        raise MappingError(f"actions.units is {actions['units']!r}; accepted: {', '.join(_UNITS)}")
    if not (math.isfinite(period) and period >= 0.0):
        raise MappingError(f"actions.period is {period}; accepted: from 0 [s]")
    return RemoteMapping(
        images=tuple(_image(entry, i) for i, entry in enumerate(data["images"])),
        state_key=state["key"],
        state_names=tuple(map(str, state["names"])),
        prompt=data["prompt"],
        action_key=actions["key"],
        columns=tuple(columns),
        normalised=actions["units"] == "normalised",
        period=period,
        confidence=actions.get("confidence", ""),
        constants=constants,
    )


def _image(entry: Any, index: int) -> ImageEntry:
    where = f"images[{index}]"
    made = ImageEntry(**_entries(entry, where, _IMAGE_KEYS, ("height", "width", "fit", "mask")))
    if made.fit not in _FITS:
        raise MappingError(f"{where}.fit is {made.fit!r}; accepted: {', '.join(_FITS)}")
    if (made.height == 0) != (made.width == 0) or not 0 <= made.height <= 8192 >= made.width >= 0:
        raise MappingError(
            f"{where} is {made.width}x{made.height}; accepted: both 0, or both 1 to 8192 [px]"
        )
    return made


def _entries(
    data: Any, where: str, kinds: Mapping[str, Any], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Checked entries of a map: their names, and the type of each."""
    if not isinstance(data, dict):
        raise MappingError(f"{where} is no map; accepted: {', '.join(kinds)}")
    wrong = [str(key) for key in data if key not in kinds]
    wrong += [key for key in kinds if key not in data and key not in optional]
    if wrong:
        raise MappingError(f"{where}: unknown or missing {', '.join(wrong)}; "
                           f"accepted: {', '.join(kinds)}")  # fmt: skip
    for key, value in data.items():
        if not isinstance(value, kinds[key]) or isinstance(value, bool):
            raise MappingError(f"{where}.{key} is {value!r}; accepted: another type of value")
    return dict(data)
