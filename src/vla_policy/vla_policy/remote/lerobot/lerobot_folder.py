"""What a folder of LeRobot's says of its policy, compared with a mapping; nothing is loaded.

`config.json` has the features and their shapes; `policy_preprocessor.json` and its safetensors the
statistics of the dataset.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_policy.remote.remote_mapping import MappingError, RemoteMapping

_STATE, _ACTION, _IMAGES = "observation.state", "action", "observation.images."
_LONGEST_HEADER = 16 * 1024 * 1024  # bytes
_DEGREES = 2 * 3.15  # rad: a state that moves further than a turn is no rad


@dataclass(frozen=True)
class Comparison:
    """One line: what was compared, "fits", "missing" or "suspicious", and both sides."""

    what: str
    verdict: str
    text: str


@dataclass(frozen=True)
class LerobotFolder:
    """features: key → shape, of what goes in and out; statistics: key → mean, std, min, max."""

    path: Path
    policy: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    chunk: int
    statistics: Mapping[str, Mapping[str, npt.NDArray[np.float64]]]

    @staticmethod
    def load(path: str | Path) -> LerobotFolder:
        """Read a folder; raises MappingError naming the file and what is wrong with it."""
        folder = Path(path)
        file = folder / "config.json"
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            inputs, outputs = (
                {str(key): tuple(map(int, entry["shape"])) for key, entry in data[name].items()}
                for name in ("input_features", "output_features")
            )
            chunk = int(data.get("n_action_steps") or data.get("chunk_size") or 1)
            policy, statistics = str(data["type"]), _statistics(folder)
            return LerobotFolder(folder, policy, inputs, outputs, chunk, statistics)
        except OSError as error:
            raise MappingError(f"{file}: {error.strerror}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            told = " ".join(str(error).split())[:120]
            raise MappingError(f"{file} is no config.json of LeRobot's policies: {told}") from error

    def compare(self, mapping: RemoteMapping) -> list[Comparison]:
        """Line by line: cameras, state, actions, and what the statistics say of units."""
        return [*self._images(mapping), *self._state(mapping), *self._actions(mapping)]

    def _images(self, mapping: RemoteMapping) -> Iterator[Comparison]:
        wanted = {key: shape for key, shape in self.inputs.items() if key.startswith(_IMAGES)}
        given = {entry.key[-1]: entry for entry in mapping.images}
        for key, shape in wanted.items():
            if key not in given:
                has = ", ".join(given) or "no image"
                yield Comparison(key, "missing", f"the policy wants it, the mapping has {has}")
                continue
            entry = given[key]
            size = f"the policy wants {shape[2]}x{shape[1]}, the mapping sends " + (
                f"{entry.width}x{entry.height}" if entry.height else "the camera's own size"
            )
            another = entry.height and (entry.height, entry.width) != shape[1:]
            yield Comparison(key, "suspicious" if another else "fits", f"{entry.camera}: {size}")
        for key in given.keys() - wanted.keys():
            yield Comparison(key, "missing", f"the mapping sends it, the policy wants "
                             f"{', '.join(wanted) or 'no image'}")  # fmt: skip

    def _state(self, mapping: RemoteMapping) -> Iterator[Comparison]:
        names, shape = mapping.state_names, self.inputs.get(_STATE, (0,))
        width = mapping.state_width
        counts = f"the policy takes {shape[0]} numbers, the mapping sends {width}"
        yield Comparison(_STATE, "fits" if shape[0] == width else "missing", counts)
        yield from self._units(_STATE, names, mapping)

    def _actions(self, mapping: RemoteMapping) -> Iterator[Comparison]:
        shape, width = self.outputs.get(_ACTION, (0,)), max(mapping.columns) + 1
        counts = f"the policy gives {shape[0]} numbers, the mapping's columns need {width}"
        verdict = "missing" if shape[0] < width else "fits" if shape[0] == width else "suspicious"
        yield Comparison(_ACTION, verdict, counts)
        rows = f"{self.chunk} rows in a chunk"
        instructed = mapping.constants.get("actions_per_chunk", self.chunk)
        more = isinstance(instructed, int) and instructed > self.chunk
        told = f"{rows}, the mapping asks for {instructed}" if more else rows
        yield Comparison(_ACTION, "suspicious" if more else "fits", told)

    def _units(
        self, key: str, names: Sequence[str], mapping: RemoteMapping
    ) -> Iterator[Comparison]:
        """Whether rad are sent where the dataset's numbers are degrees or percent, and back."""
        known = self.statistics.get(key, {})
        if not {"min", "max"} <= known.keys() or len(known["min"]) != len(names):
            yield Comparison(key, "suspicious", "the folder has no min and max: units unchecked")
            return
        for name, low, high in zip(names, known["min"], known["max"], strict=True):
            unit = mapping.joints[name].unit if name in mapping.joints else "si"
            spans = f"the dataset's are {low:.3g} to {high:.3g}, the mapping sends {unit}"
            large, small = high - low > _DEGREES, max(abs(low), abs(high)) < _DEGREES
            wrong = (unit == "si" and large) or (unit in ("deg", "percent") and small)
            yield Comparison(f"{key} {name}", "suspicious" if wrong else "fits", spans)


def _statistics(folder: Path) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Those of the normaliser's safetensors, whose keys are observation.state.mean and such."""
    found: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
    for file in sorted(folder.glob("policy_preprocessor_step_*_normalizer_processor.safetensors")):
        data = file.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        if size > _LONGEST_HEADER:
            raise ValueError(f"{file.name} has a header of {size} bytes")
        header = json.loads(data[8 : 8 + size])
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] != "F32":
                continue
            start, end = (8 + size + offset for offset in entry["data_offsets"])
            key, _, statistic = name.rpartition(".")
            numbers = np.frombuffer(data[start:end], "<f4").astype(np.float64)
            found.setdefault(key, {})[statistic] = numbers
    return found
