"""Our names and units ↔ those of a policy server, from a YAML file (`config/remote/*.yaml`).

images:                        # one entry for each picture that the server wants
  - camera: corner2            # of the observation
    key: observation/image     # of the server's input
    height: 224                # px; 0 with width 0: as it comes
    width: 224
    fit: pad                   # pad (keeps the aspect, black bars, as openpi does) or stretch
    layout: hwc                # hwc (rows of pixels), or chw (a plane for each colour)
    mask: ""                   # key of its validity (bool); empty: it must be valid
    crop: []                   # top, left, height, width, px of the camera's image; empty: whole
    flip: none                 # none, horizontal, vertical, or both: a camera hung upside down
    colour: rgb                # rgb or bgr
    frames: 0                  # 0: one image (height, width, 3); n: the last n, oldest first, as
    stride: 1                  # (n, height, width, 3), so many steps of actions.period apart
state: {key: observation/state, names: [joint_1, joint_2]}   # or null, or a list of such; with
                               # frames and stride as those of images: (n, width)
prompt: prompt                 # key of the command's text; may lead into a map as well
prompt_prefix: ""              # put before the command; prompt_suffix: after it
joints:                        # where the policy's numbers are not SI, by the name of a state or a
                               # dimension, for both: policy = sign * (ours in unit) + offset
  joint_1: {unit: deg, sign: -1, offset: 90}
  gripper: {unit: percent, range: [-0.12, 1.7]}  # 0 to 100 over a range, SI; or fraction: 0 to 1,
                                                 # normalised: -1 to 1
rotations:                     # what the policy writes in another form (see rotation_forms): states
                               # or dimensions that are one rotation, one after the other
  - names: [rotation_x, rotation_y, rotation_z]
    ours: rotation_vector      # the form of these numbers; it may be left out
    policy: euler_xyz          # the policy's form, which stands in their place in state and columns
    unit: rad                  # of the policy's angles: rad or deg
constants: {}                  # further keys and what they are set to, such as an embodiment's id
actions:
  key: actions                 # of the server's answer: numbers (rows, columns); a list of keys:
                               # their columns side by side, in the list's order
  columns: [0, 1, 2, 6]        # which of them are our dimensions, in our order; of a rotation as
                               # many as the policy's form has
  units: si                    # si, or normalised to [-1, 1] as a checkpoint's
  period: 0.02                 # s between two rows; 0: the action space's
  confidence: ""               # key of a number from 0 to 1; empty: it gives none
  relative: none               # none; chunk: rows are added to the state at the observation's time;
                               # step: each row is added to the one before it. A rotation is turned
                               # about the base's axes
  relative_to: {x: end_effector.x}  # states of relative dimensions that are called otherwise
  absolute: [gripper]          # dimensions that are not relative all the same
  binarise: {gripper: [0.4, 0.6]}  # the policy's numbers: up to the first the lowest, from the
                               # second the highest of the dimension (with sign -1 the other way
                               # round), between them as before

The keys of images, masks, states and the prompt may lead into maps: [images, cam_high] is images'
cam_high. So openpi's policies of DROID take
  state: [{key: observation/joint_position, names: […]}, {key: observation/gripper_position, …}]
and those of ALOHA take images at [images, cam_high] in the layout chw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import yaml

from vla_contract.action_space import ActionSpace
from vla_policy.remote.mapping.image_entry import Image, ImageEntry, fitted, image_entry
from vla_policy.remote.mapping.joint_units import JointUnit, joint_units
from vla_policy.remote.mapping.mapping_checks import (
    KEY,
    MappingError,
    checked_entries,
    key_of,
    past_of,
    put,
)
from vla_policy.remote.mapping.observation_history import Key, Past, repeated
from vla_policy.remote.mapping.rotation_forms import (
    MappedRotation,
    accumulated,
    interpolated,
    mapped_rotations,
)

__all__ = ["ImageEntry", "Key", "MappingError", "RemoteMapping", "StateEntry"]

Rows = npt.NDArray[np.float64]
T = TypeVar("T")

_ACTION_KEYS = {"key": (str, list), "columns": list, "units": str, "period": (int, float)}
_OPTIONAL_KEYS = ("state", "prompt_prefix", "prompt_suffix", "joints", "rotations", "constants")
_KEYS = ("images", "prompt", "actions", *_OPTIONAL_KEYS)
_OURS = ("rotation_vector", "rotation_6d_columns")  # of an action space
_RELATIVE, _UNITS = ("none", "chunk", "step"), ("si", "normalised")


@dataclass(frozen=True)
class StateEntry:
    """One vector of the server's input: its key, and what it holds in which order."""

    key: Key
    names: tuple[str, ...]
    past: Past | None = None


@dataclass(frozen=True)
class RemoteMapping:
    """What is sent, and what is read of the answer; see the module."""

    images: tuple[ImageEntry, ...]
    states: tuple[StateEntry, ...]
    prompt: str | Key
    action_key: str | Key
    columns: tuple[int, ...]
    normalised: bool
    period: float
    confidence: str = ""
    constants: Mapping[str, Any] = field(default_factory=dict)
    joints: Mapping[str, JointUnit] = field(default_factory=dict)
    prompt_affixes: tuple[str, str] = ("", "")
    relative: str = "none"
    absolute: tuple[str, ...] = ()
    binarise: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rotations: tuple[MappedRotation, ...] = ()
    relative_to: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def load(path: str | Path) -> RemoteMapping:
        """Read a mapping; raises MappingError naming the file, the key and what is accepted."""
        try:
            data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return RemoteMapping.from_dict(data)
        except OSError as error:
            raise MappingError(f"remote mapping {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError, MappingError) as error:
            raise MappingError(f"remote mapping {path}: {' '.join(str(error).split())}") from error

    @staticmethod
    def from_dict(data: Any) -> RemoteMapping:
        """The mapping of a file's content; raises MappingError."""
        return _mapping(data)

    @property
    def state_names(self) -> tuple[str, ...]:
        """What it wants of the robot's state."""
        return tuple(name for entry in self.states for name in entry.names)

    @property
    def state_width(self) -> int:
        """How many numbers of it are sent."""
        return sum(_width(part) for entry in self.states for part in self._parts(entry.names))

    @property
    def past(self) -> dict[Key, Past]:
        """Which arrays of the request have frames, and how many."""
        entries: tuple[ImageEntry | StateEntry, ...] = (*self.images, *self.states)
        return {entry.key: entry.past for entry in entries if entry.past is not None}

    @property
    def prompt_key(self) -> Key:
        """Where the command's text goes."""
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt

    @property
    def action_keys(self) -> Key:
        """What is read of the answer."""
        return (self.action_key,) if isinstance(self.action_key, str) else self.action_key

    def require_width(self, space: ActionSpace) -> None:
        """Raise MappingError unless there is a column for each dimension, and they are known."""
        width = sum(_width(part) for part in self._parts(space.dimension_names))
        if len(self.columns) != width:
            raise MappingError(
                f"actions.columns has {len(self.columns)} entries; accepted: {width}, for "
                f"{', '.join(space.dimension_names)}"
            )
        known = {*space.dimension_names, *self.state_names}
        turned = [name for rotation in self.rotations for name in rotation.names]
        for where, names in (("joints", self.joints), ("actions.absolute", self.absolute),
                             ("actions.binarise", self.binarise), ("rotations", turned),
                             ("actions.relative_to", self.relative_to)):  # fmt: skip
            unknown = [name for name in names if name not in known]
            if unknown:
                raise MappingError(f"{where} names {', '.join(unknown)}; accepted: "
                                   f"{', '.join(sorted(known))}")  # fmt: skip
        for rotation in self.rotations:
            if set(rotation.names) & {*space.dimension_names} and rotation.ours.name not in _OURS:
                raise MappingError(f"rotations has {rotation.ours.name} for {rotation.names[0]}; "
                                   f"accepted for dimensions: {', '.join(_OURS)}")  # fmt: skip
        states = [self._state_of(name) for name in self._relative_names(space)]
        lacking = [name for name in states if name not in self.state_names]
        if lacking:
            raise MappingError(f"actions.relative is {self.relative}, and the state has no "
                               f"{', '.join(lacking)}; accepted: a state of each relative "
                               "dimension, another one in actions.relative_to, or its name in "
                               "actions.absolute")  # fmt: skip

    def require_whole_rotations(self) -> None:
        """Raise MappingError where a rotation's names are apart, or have units or another use."""
        for entry in self.states:
            self._parts(entry.names)
        for rotation in self.rotations:
            for where, names in (("joints", self.joints), ("actions.binarise", self.binarise)):
                both = [name for name in rotation.names if name in names]
                if both:
                    raise MappingError(f"{where} names {', '.join(both)}; accepted: names that "
                                       "rotations has not")  # fmt: skip
            if len({name in self.absolute for name in rotation.names}) > 1:
                raise MappingError(f"actions.absolute is {list(self.absolute)}; accepted: all of "
                                   f"{', '.join(rotation.names)}, or none")  # fmt: skip

    def _relative_names(self, space: ActionSpace) -> list[str]:
        relative = () if self.relative == "none" else space.dimension_names
        return [name for name in relative if name not in self.absolute]

    def _state_of(self, name: str) -> str:
        return self.relative_to.get(name, name)

    def _parts(self, names: tuple[str, ...]) -> list[str | MappedRotation]:
        """Names in their order, with a rotation in the place of all of its own."""
        first = {rotation.names[0]: rotation for rotation in self.rotations}
        later = {name for rotation in self.rotations for name in rotation.names[1:]}
        for rotation in self.rotations:
            own = [name for name in names if name in rotation.names]
            start = names.index(own[0]) if own else 0
            if own and names[start : start + len(rotation.names)] != rotation.names:
                raise MappingError(f"rotations names {', '.join(rotation.names)}, which are not "
                                   f"one after the other in {', '.join(names)}; accepted: names "
                                   "that are")  # fmt: skip
        return [first.get(name, name) for name in names if name not in later]

    def request(
        self, images: Mapping[str, Image | None], state: Mapping[str, float], prompt: str
    ) -> dict[str, Any]:
        """The server's input.

        Args:
            images: by camera, rgb uint8 (H, W, 3), None where not valid. state: by name, SI.

        Raises:
            MappingError: an image or a state is missing.
        """
        message: dict[str, Any] = dict(self.constants)
        put(message, self.prompt_key, prompt.join(self.prompt_affixes))
        for entry in self.images:
            image = images.get(entry.camera)
            if image is None and not entry.mask:
                raise MappingError(
                    f"the image of {entry.camera} is not valid, and the server knows no mask for it"
                )
            if entry.mask:
                put(message, entry.mask, np.bool_(image is not None))
            put(message, entry.key, repeated(fitted(image, entry), entry.past))
        missing = [name for name in self.state_names if name not in state]
        if missing:
            raise MappingError(
                f"the state lacks {', '.join(missing)}; it has: {', '.join(state) or 'nothing'}"
            )
        for vector in self.states:
            values = [self._sent(part, state) for part in self._parts(vector.names)]
            numbers = np.concatenate([np.empty(0), *values]).astype(np.float32)
            put(message, vector.key, repeated(numbers, vector.past))
        return message

    def _sent(self, part: str | MappedRotation, state: Mapping[str, float]) -> Rows:
        """The policy's numbers (count,) for a state or a rotation."""
        if isinstance(part, str):
            return np.array([self._to_policy(part, state[part])])
        try:
            return part.to_policy(state)
        except ValueError as error:
            raise MappingError(f"the state's {', '.join(part.names)}: {error}") from error

    def _to_policy(self, name: str, si: float) -> float:
        return float(self.joints[name].to_policy(si)) if name in self.joints else si

    def trial_request(self) -> dict[str, Any]:
        """A request that no observation is needed for: grey images, a state of zeros, no turn."""
        images = {}
        for entry in self.images:
            top, left, height, width = entry.crop or (0, 0, 96, 96)
            images[entry.camera] = np.full((top + height, left + width, 3), 128, dtype=np.uint8)
        return self.request(images, self._at_rest(), "wait")

    def _at_rest(self) -> dict[str, float]:
        state = dict.fromkeys(self.state_names, 0.0)
        for rotation in self.rotations:
            state.update(rotation.at_rest())
        return state

    def answer(
        self, reply: Any, space: ActionSpace, state: Mapping[str, float] | None = None
    ) -> tuple[Rows, float]:
        """Actions and confidence of a server's answer.

        Args:
            state: by name, SI, at the observation's time; None for a trial, of a state of zeros.

        Returns:
            float64 (T, D), SI, one chunk period apart, at most chunk_length rows; and the
            confidence, NaN where there is none.

        Raises:
            MappingError: a key is missing, or its content is not what the mapping says.
        """
        rows = self.rows_of(reply)
        columns = rows[:, list(self.columns)].astype(np.float64)
        if not len(columns) or not np.isfinite(columns).all():
            bad = [key for key in self.action_keys if not np.isfinite(reply[key]).all()]
            raise MappingError(
                f"{' and '.join(bad or self.action_keys)} is not finite; accepted: finite numbers"
            )
        places = _places(len(columns), self.period or space.chunk_period, space)
        known = self._at_rest() if state is None else state
        given = np.empty((len(places), space.width))
        first = 0
        for part in self._parts(space.dimension_names):
            own = columns[:, first : first + _width(part)]
            first += _width(part)
            if isinstance(part, str):
                moved = self._made_absolute(part, own[:, 0], space, known)
                place = space.dimension_names.index(part)
                given[:, place] = np.interp(places, np.arange(len(moved)), moved)
            else:
                indices = [space.dimension_names.index(name) for name in part.names]
                given[:, indices] = self._turned(part, own, places, space, known)
        actions = space.to_si(given) if self.normalised else given.copy()
        for column, dimension in enumerate(space.dimensions):
            name = dimension.name
            if name in self.binarise:
                opened = self._opened(name, given[:, column], state or {})
                actions[:, column] = np.where(opened, dimension.high, dimension.low)
            elif name in self.joints:
                actions[:, column] = self.joints[name].to_si(given[:, column])
        return actions, self._confidence(reply)

    def _made_absolute(
        self, name: str, column: Rows, space: ActionSpace, state: Mapping[str, float]
    ) -> Rows:
        """A column (T,) and what it is relative to, in the policy's units."""
        if name not in self._relative_names(space):
            return column
        gone = np.cumsum(column) if self.relative == "step" else column
        return gone + self._to_policy(name, state[self._state_of(name)])

    def _turned(
        self, rotation: MappedRotation, columns: Rows, places: Rows, space: ActionSpace,
        state: Mapping[str, float],
    ) -> Rows:  # fmt: skip
        """Our numbers (T, count) of a rotation's columns, at these places between its rows."""
        try:
            turns = rotation.read_policy(columns)
            if rotation.names[0] in self._relative_names(space):
                start = {name: state[self._state_of(name)] for name in rotation.names}
                turns = accumulated(turns, rotation.read_ours(start), step=self.relative == "step")
        except ValueError as error:
            raise MappingError(f"{', '.join(rotation.names)}: {error}") from error
        return rotation.ours.write(interpolated(turns, places))

    def _opened(self, name: str, column: Rows, state: Mapping[str, float]) -> list[bool]:
        """Whether each row is the dimension's highest; between the thresholds as the one before."""
        low, high = self.binarise[name]
        before = self._to_policy(name, state[name]) if name in state else column[0]
        is_high = before >= (low + high) / 2
        inverted = name in self.joints and self.joints[name].sign < 0
        made = []
        for value in column:
            is_high = bool(value >= high or (value > low and is_high))
            made.append(is_high != inverted)
        return made

    def rows_of(self, reply: Any) -> npt.NDArray[Any]:
        """All columns of the answer's actions, side by side; raises MappingError."""
        named = ", ".join(self.action_keys)
        if not isinstance(reply, dict) or any(key not in reply for key in self.action_keys):
            keys = ", ".join(map(str, reply))[:100] if isinstance(reply, dict) else "no map"
            raise MappingError(f"the answer has {keys}; accepted: {named}")
        parts = [reply[key] for key in self.action_keys]
        columns = max(self.columns) + 1
        shapes = [p.shape if isinstance(p, np.ndarray) else type(p).__name__ for p in parts]
        if (
            not all(isinstance(shape, tuple) and len(shape) == 2 for shape in shapes)
            or len({len(part) for part in parts}) != 1
            or sum(part.shape[1] for part in parts) < columns
        ):
            found = zip(self.action_keys, shapes, strict=True)
            told = ", ".join(f"{key} is {shape}" for key, shape in found)
            raise MappingError(f"{told}; accepted: rows of at least {columns} numbers")
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _confidence(self, reply: dict[Any, Any]) -> float:
        if not self.confidence:
            return math.nan
        value = np.asarray(reply.get(self.confidence))
        if value.size != 1 or value.dtype.kind not in "iuf" or not 0.0 <= value.item() <= 1.0:
            raise MappingError(f"{self.confidence} is {value!s:.40}; accepted: 0 to 1")
        return float(value.item())


def _places(count: int, period: float, space: ActionSpace) -> Rows:
    """Where between `count` rows those one chunk period apart are; no more than a chunk has."""
    share = space.chunk_period / period
    share = 1.0 if math.isclose(share, 1.0, rel_tol=1e-6) else share
    length = int((count - 1) / share + 1e-9) + 1
    return np.minimum(np.arange(min(length, space.chunk_length)) * share, count - 1.0)


def _width(part: str | MappedRotation) -> int:
    """How many of the policy's numbers it is."""
    return 1 if isinstance(part, str) else part.policy.count


def _mapping(data: Any) -> RemoteMapping:
    data = checked_entries(data, "the file", dict.fromkeys(_KEYS, object), _OPTIONAL_KEYS)
    further = {"confidence": str, "relative": str, "absolute": list, "binarise": dict,
               "relative_to": dict}  # fmt: skip
    actions = checked_entries(
        data["actions"], "actions", {**_ACTION_KEYS, **further}, tuple(further)
    )
    if not isinstance(data["images"], list) or not isinstance(data["prompt"], KEY):
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
    mapped = RemoteMapping(
        images=tuple(image_entry(entry, i) for i, entry in enumerate(data["images"])),
        states=_states(data.get("state") or []),
        prompt=key_of(data["prompt"], "prompt"),
        action_key=key_of(actions["key"], "actions"),
        columns=tuple(columns),
        normalised=actions["units"] == "normalised",
        period=period,
        confidence=actions.get("confidence", ""),
        constants=constants,
        joints=_told(joint_units, data.get("joints") or {}),
        rotations=_told(mapped_rotations, data.get("rotations") or []),
        prompt_affixes=(str(data.get("prompt_prefix", "")), str(data.get("prompt_suffix", ""))),
        relative=actions.get("relative", "none"),
        absolute=tuple(map(str, actions.get("absolute", ()))),
        binarise=_thresholds(actions.get("binarise", {})),
        relative_to={str(k): str(v) for k, v in actions.get("relative_to", {}).items()},
    )
    if mapped.relative not in _RELATIVE:
        raise MappingError(
            f"actions.relative is {mapped.relative!r}; accepted: {', '.join(_RELATIVE)}"
        )
    if mapped.normalised and (mapped.joints or mapped.rotations or mapped.relative != "none"):
        raise MappingError("actions.units is 'normalised'; accepted with joints, rotations or "
                           "relative actions: si, and the units of joints")  # fmt: skip
    mapped.require_whole_rotations()
    message = dict(constants)
    put(message, mapped.prompt_key, "")
    for key in [k for image in mapped.images for k in (image.key, image.mask) if k] + [
        entry.key for entry in mapped.states
    ]:
        put(message, key, None)  # or the first request would tell that two keys exclude each other
    return mapped


def _told(read: Callable[[Any], T], given: Any) -> T:
    try:
        return read(given)
    except ValueError as error:
        raise MappingError(str(error)) from error


def _thresholds(given: Mapping[Any, Any]) -> dict[str, tuple[float, float]]:
    for name, pair in given.items():
        numbers = isinstance(pair, list) and len(pair) == 2
        numbers = numbers and all(type(n) in (int, float) and math.isfinite(n) for n in pair)
        if not numbers or pair[0] > pair[1]:
            raise MappingError(f"actions.binarise.{name} is {pair!r}; accepted: [closed, open], "
                               "the lower first")  # fmt: skip
    return {str(name): (float(pair[0]), float(pair[1])) for name, pair in given.items()}


def _states(given: Any) -> tuple[StateEntry, ...]:
    entries = (
        [(f"state[{i}]", entry) for i, entry in enumerate(given)]
        if isinstance(given, list)
        else [("state", given)]
    )
    made = []
    for where, entry in entries:
        kinds = {"key": KEY, "names": list, "frames": int, "stride": int}
        found = checked_entries(entry, where, kinds, ("frames", "stride"))
        if found["key"] == "":  # nothing is sent
            continue
        key, names = key_of(found["key"], where), tuple(map(str, found["names"]))
        made.append(StateEntry(key, names, past_of(found, where)))
    return tuple(made)
