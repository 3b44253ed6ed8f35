"""What is to be seen of zones, workspace and an arm, as lines, triangles and texts. Free of ROS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.shape_surfaces import triangles
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.protective_zones import Zone
from vla_safety.surroundings.speed_zones import SpeedZone

Array = npt.NDArray[np.float64]
OPEN = 3.0  # m, to which a side of the workspace is drawn that is open
PLANE = 1.0  # m, half of the side of a plane
_AROUND = 48  # corners of a circle


@dataclass(frozen=True)
class Drawing:
    """One thing to be seen, in m.

    group, name: what it is, and which one; a violation of that name lights it up.
    frame: of its points. lines: shape (n, 2, 3). faces: triangles, shape (n, 3, 3).
    text: written at `at`, (3,).
    """

    group: str
    name: str
    frame: str
    lines: Array = field(default_factory=lambda: np.empty((0, 2, 3)))
    faces: Array = field(default_factory=lambda: np.empty((0, 3, 3)))
    text: str = ""
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Triggered:
    """A limit that acts now: its name (of zone, side or pair), and the value against the bound."""

    name: str
    value: float
    bound: float


def workspace(low: Sequence[float], high: Sequence[float], frame: str) -> list[Drawing]:
    """A drawing of each side that is closed; a violation names it, such as "x high"."""
    corners = np.array([np.clip(low, -OPEN, OPEN), np.clip(high, -OPEN, OPEN)])
    found = []
    for axis, name in enumerate("xyz"):
        for side, word in enumerate(("low", "high")):
            if math.isinf((low, high)[side][axis]):
                continue
            others = [k for k in range(3) if k != axis]
            around = []
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                point = np.empty(3)
                point[axis] = corners[side, axis]
                point[others[0]], point[others[1]] = corners[a, others[0]], corners[b, others[1]]
                around.append(point)
            found.append(Drawing("workspace", f"{name} {word}", frame, closed(np.array(around))))
    return found


def speed_zone(zone: SpeedZone, frame: str) -> Drawing:
    """Its polygon, and what may be driven in it."""
    corners = np.array([(x, y, 0.0) for x, y in zone.polygon])
    x, y, _ = corners.mean(axis=0)
    text = f"{zone.name}: {zone.maximum:g} m/s"
    return Drawing("speed zones", zone.name, frame, closed(corners), text=text, at=(x, y, 0.1))


def protective_zone(zone: Zone, frame: str) -> Drawing:
    """Its outline about the base."""
    return Drawing("protective zones", zone.name, frame, closed(outline(zone.shape)))


def outline(shape: Shape) -> Array:
    """Corners of an outline, shape (n, 3); one that is inflated is drawn with its corners round."""
    angles = np.linspace(0.0, 2.0 * math.pi, _AROUND, endpoint=False)
    circle = shape.radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    if not len(shape.vertices):
        flat = circle
    elif shape.radius == 0.0:
        flat = shape.vertices
    else:
        from scipy.spatial import ConvexHull

        # Of an outline that is not convex its hull: what is drawn is never less than what counts.
        points = (shape.vertices[:, None] + circle[None]).reshape(-1, 2)
        flat = points[ConvexHull(points).vertices]
    return np.hstack((flat, np.zeros((len(flat), 1))))


def closed(corners: Array) -> Array:
    """The sides of a polygon, shape (n, 2, 3)."""
    return np.stack((corners, np.roll(corners, -1, axis=0)), axis=1)


class ArmScene:
    """The links, the surroundings and the nearest pair of an arm where its joints are."""

    def __init__(self, guard: ArmGuard) -> None:
        self._guard = guard

    def drawings(
        self, positions: Mapping[str, float], acting: Sequence[Triggered]
    ) -> Iterator[Drawing]:
        """positions: of the joints, rad or m. Nothing before all of them are known."""
        guard = self._guard
        configuration = guard.configuration(positions)
        if configuration is None:
            return
        root = guard.model.root
        for body, faces in guard.model.surfaces(configuration, lambda s: triangles(s, PLANE)):
            group = "surroundings" if body.surrounding else "payload" if body.payload else "links"
            yield Drawing(group, body.link, root, faces=faces)
        yield from self._pairs(configuration, acting, root)

    def _pairs(
        self, configuration: Array, acting: Sequence[Triggered], root: str
    ) -> Iterator[Drawing]:
        guard = self._guard
        near = guard.nearest_pairs(configuration, [one.name for one in acting])
        for pair, distance, points in near:
            text = f"{pair.name}: {distance * 1e3:.0f} mm"
            limits = [one for one in acting if one.name.startswith(pair.name)]
            if limits:
                text += f", on the way to rest {limits[0].value * 1e3:.0f} mm"
                text += f" of at least {limits[0].bound * 1e3:.0f} mm"
            middle = points.mean(axis=0)
            at = (float(middle[0]), float(middle[1]), float(middle[2]) + 0.05)
            yield Drawing("pairs", pair.name, root, points[None], text=text, at=at)


def is_lit(drawing: Drawing, acting: Sequence[Triggered]) -> bool:
    """A limit of its name acts, or of a pair that it is one of."""
    pairs = [one.name.split(" (")[0] for one in acting]  # behind it is said what is special
    return any(
        drawing.name in (one.name, pair, *pair.split("–"))
        for one, pair in zip(acting, pairs, strict=True)
    )
