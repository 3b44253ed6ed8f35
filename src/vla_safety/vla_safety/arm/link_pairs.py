"""Which pairs of bodies count: all that can collide. Free of ROS.

Left out are pairs that no joint moves against each other, links that a joint connects, and what an
SRDF disables or, without one, what touches in every sampled configuration. Nothing else is: a pair
that never came near in the samples is kept.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml

from vla_safety.arm.arm_geometry import ArmError, ArmGeometry
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.levers import Array, Body, Pair

SAMPLES = 1000
_HEADER = """\
# Shapes of {name} that overlap in each of {samples} random configurations: they are not kept apart.
# Made from the URDF because no SRDF was named; delete it to have it made anew.
"""


@dataclass(frozen=True)
class Margins:
    """The pairs that count, and the least distance of each, m: the margin, or less.

    Less for what would never be free to move: a pair that did not touch in the samples may come
    half as near as it came there; of one that was always nearer only contact is prevented.
    """

    pairs: tuple[Pair, ...]
    least: Array


def choose(
    model: ArmModel,
    geometry: ArmGeometry,
    margin: float,
    points: Mapping[str, float] | None = None,
) -> Margins:
    """The pairs of a model. points: least distance from those of each source, m.

    Raises:
        ArmError: a file cannot be read or is of another URDF, or none is named.
    """
    pairs = _movable(model)
    if geometry.srdf is not None:
        disabled = _read_srdf(geometry.srdf)
        pairs = tuple(pair for pair in pairs if pair.links not in disabled)
    elif geometry.pairs is None:
        raise ArmError("arm_geometry names neither srdf nor pairs; accepted: one of them")
    least, most = _sampled(model, pairs)
    if geometry.srdf is None:
        assert geometry.pairs is not None
        touching = _touching(model, geometry.pairs, pairs, most)
        kept = [i for i, pair in enumerate(pairs) if pair.shapes not in touching]
        pairs, least, most = tuple(pairs[i] for i in kept), least[kept], most[kept]
    apart = np.where(least > 0.0, np.minimum(margin, 0.5 * least), margin)
    apart = np.where((most < margin) & (least <= 0.0), 0.0, apart)
    seen = _from_points(model, geometry.touch_links)
    kept_from = [(points or {})[pair.second.name] for pair in seen]
    return Margins((*pairs, *seen), np.append(apart, kept_from))


def _from_points(model: ArmModel, touching: Sequence[str]) -> tuple[Pair, ...]:
    """Every link that moves, but those that may touch, with every source of points."""
    links = {body.link for body in model.bodies}
    for name in touching:
        if name not in links:
            raise ArmError(f"touch_links has {name!r}; accepted: links of arm_urdf with a shape")
    moving = [body for body in model.bodies if body.joint and body.link not in touching]
    sources = [body for body in model.bodies if body.source]
    return tuple(Pair(body, source) for source in sources for body in moving)


def _movable(model: ArmModel) -> tuple[Pair, ...]:
    connected = {frozenset((joint.parent, joint.child)) for joint in model.urdf.joints}
    found = []
    solid = [body for body in model.bodies if not body.source]
    for first, second in itertools.combinations(solid, 2):
        pair = Pair(first, second)
        if not model.moves(pair) or frozenset(pair.links) in connected:
            continue
        if first.payload or second.payload:
            carried, other = (first, second) if first.payload else (second, first)
            if _holds(model, carried, other):
                continue
        found.append(pair)
    return tuple(found)


def _holds(model: ArmModel, carried: Body, other: Body) -> bool:
    """Whether a body is a part of the gripper: it moves with the payload's link, or beside it."""
    joint = other.joint
    while joint and not other.surrounding:
        if joint == carried.joint:
            return True
        joint = model.parent(joint)
    return False


def _read_srdf(path: Path) -> set[tuple[str, str]]:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ArmError(f"srdf {path}: {error}") from error
    return {
        _sorted(e.get("link1", ""), e.get("link2", "")) for e in root.iter("disable_collisions")
    }


def _sorted(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _sampled(model: ArmModel, pairs: Sequence[Pair]) -> tuple[Array, Array]:
    """Least and greatest distance of each pair in random configurations."""
    model.watch(pairs)
    random = np.random.default_rng(0)
    low = np.where(np.isfinite(model.low), model.low, -math.pi)
    high = np.where(np.isfinite(model.high), model.high, math.pi)
    least, most = np.full(len(pairs), np.inf), np.full(len(pairs), -np.inf)
    for _ in range(SAMPLES):
        model.move_to(random.uniform(low, high))
        found = model.distances(range(len(pairs)))
        np.minimum(least, found, out=least)
        np.maximum(most, found, out=most)
    return least, most


def _touching(
    model: ArmModel, path: Path, pairs: Sequence[Pair], most: Array
) -> set[tuple[str, str]]:
    """Shapes that touch in every configuration, from the file or into it."""
    fingerprint = hashlib.sha256(model.urdf.text.encode()).hexdigest()
    if path.is_file():
        return _read_pairs(path, fingerprint)
    always = {pair.shapes for pair, value in zip(pairs, most.tolist(), strict=True) if value <= 0.0}
    content = {"urdf_sha256": fingerprint, "always_touching": [list(p) for p in sorted(always)]}
    text = _HEADER.format(name=model.urdf.name, samples=SAMPLES)
    try:
        path.write_text(text + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise ArmError(f"pairs {path} cannot be written: {error.strerror}") from error
    return always


def _read_pairs(path: Path, fingerprint: str) -> set[tuple[str, str]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found, of = content["always_touching"], content["urdf_sha256"]
        pairs = {_sorted(*map(str, pair)) for pair in found}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        what = " ".join(str(error).split())
        raise ArmError(f"pairs {path} cannot be read: {what}") from error
    if of != fingerprint:
        raise ArmError(f"pairs {path} is of another URDF; accepted: delete it to have it made anew")
    return pairs
