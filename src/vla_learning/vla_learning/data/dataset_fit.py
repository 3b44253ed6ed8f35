"""Whether a dataset fits the config: cameras, names, units and rates; each misfit in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset_mapping import Entry
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.lerobot_reader import LeRobotDataset

# Rows of a chunk between two frames, and the other way round, between which is interpolated.
_MAX_RATIO = 10.0
# Share of an action's values beyond its range above which the unit is taken to be another one,
# and how far beyond, as a share of the range: people ask for more than a robot may do.
_OUTSIDE, _SLACK = 0.5, 0.5


@dataclass(frozen=True)
class Column:
    """One number of a dataset: `values[:, index] * scale + offset`; unit: SI, empty: as stored."""

    feature: str
    index: int
    unit: str
    scale: float
    offset: float


def camera_feature(dataset: LeRobotDataset, camera: str, mapping: Mapping[str, str]) -> str:
    """Feature of a camera of the config.

    Raises:
        DemonstrationError: there is none.
    """
    feature = mapping.get(camera, form.IMAGES + camera)
    kinds = ("video", "image")
    there = [name for name, f in dataset.features.items() if f.get("dtype") in kinds]
    if feature not in there:
        raise DemonstrationError(
            f"{dataset.folder}: camera {camera} would be {feature}; it has "
            f"{', '.join(there) or 'none'}; say which with dataset.cameras in the config"
        )
    return feature


def entries(
    dataset: LeRobotDataset,
    feature: str,
    wanted: Sequence[str],
    mapping: Mapping[str, Entry],
    units_known: bool,
) -> list[Column]:
    """Where in the dataset each name of the config is.

    Raises:
        DemonstrationError: a name is not there, or its unit is not known.
    """
    part = "state" if feature == form.STATE else "action"
    found = []
    for name in wanted:
        entry = mapping.get(name)
        if entry is None and not units_known:
            raise DemonstrationError(
                f"{dataset.folder} does not say in which units it is; which number of it is {part} "
                f"{name}, and in which unit? Put dataset.{part}.{name}: {{name: …, unit: …}} into "
                "the config"
            )
        entry = entry or Entry(feature, name, None, "", 1.0, 0.0)
        found.append(_with_index(dataset, entry, f"{part} {name}"))
    return found


def _with_index(dataset: LeRobotDataset, entry: Entry, what: str) -> Column:
    if not dataset.has(entry.feature):
        raise DemonstrationError(
            f"{dataset.folder}: {what} would be in {entry.feature}; it has "
            f"{', '.join(dataset.features)}"
        )
    names = dataset.names(entry.feature)
    width = int(np.prod(dataset.features[entry.feature]["shape"]))
    index = names.index(entry.name) if entry.name in names else entry.index
    if index is None or not 0 <= index < width:
        raise DemonstrationError(
            f"{dataset.folder}: {what} would be {entry.name or entry.index} of {entry.feature}, "
            f"which has {width} entries: {', '.join(names) or 'without names'}"
        )
    return Column(entry.feature, index, entry.unit, entry.scale, entry.offset)


def check_units(
    dataset: LeRobotDataset,
    found: Sequence[Column],
    space: ActionSpace,
    stored: ActionSpace | None,
) -> None:
    """Refuse actions of another unit than the action space's.

    stored: the action space that the dataset was recorded with, whose units it has.
    """
    own = {d.name: d.unit for d in stored.dimensions} if stored is not None else {}
    for dimension, column in zip(space.dimensions, found, strict=True):
        unit = column.unit or own[dimension.name]
        if unit != dimension.unit:
            raise DemonstrationError(
                f"{dataset.folder}: action {dimension.name} is in {unit}; the action space "
                f"{space.name} has {dimension.unit}"
            )


def check_values(
    dataset: LeRobotDataset, actions: npt.NDArray[np.float64], space: ActionSpace
) -> None:
    """Refuse actions (L, D) of which most are far beyond the action space: a wrong unit."""
    for dimension, values in zip(space.dimensions, actions.T, strict=True):
        slack = _SLACK * (dimension.high - dimension.low)
        outside = (values < dimension.low - slack) | (values > dimension.high + slack)
        if outside.mean() > _OUTSIDE:
            raise DemonstrationError(
                f"{dataset.folder}: action {dimension.name} goes from {values.min():.3g} to "
                f"{values.max():.3g} {dimension.unit}, the action space from {dimension.low:g} to "
                f"{dimension.high:g}; is its unit another one?"
            )


def rows_a_step(dataset: LeRobotDataset, space: ActionSpace, step: float) -> float:
    """Rows of a chunk in `step`, s, the time between two actions of the dataset.

    Raises:
        DemonstrationError: they are too far from each other.
    """
    ratio = step / space.chunk_period
    if not 1.0 / _MAX_RATIO <= ratio <= _MAX_RATIO:
        raise DemonstrationError(
            f"{dataset.folder} has an action every {step:.4g} s, a chunk a row every "
            f"{space.chunk_period:.4g} s; accepted: one up to {_MAX_RATIO:g} times as often as the "
            "other (between them is interpolated)"
        )
    nearest = round(ratio) if ratio >= 1 else 1.0 / round(1.0 / ratio)
    return float(nearest if abs(ratio - nearest) < 1e-6 * ratio else ratio)
