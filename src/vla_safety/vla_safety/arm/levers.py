"""How far the joints of an arm can move its parts. Free of ROS.

A lever is the way of the farthest point of a body per rad (m for a slide) of a joint. It is known
where the arm is; while the arm moves, it grows by no more than the way that the joints behind that
joint move the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_safety.arm import convex_shapes

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Body:
    """One convex shape of a link, of the surroundings (`link` is its name there) or carried.

    joint: number of the one that moves it, 0: none.
    """

    index: int
    name: str
    link: str
    joint: int
    payload: bool = False
    surrounding: bool = False


@dataclass(frozen=True)
class Pair:
    """Two bodies whose distance counts."""

    first: Body
    second: Body

    @property
    def links(self) -> tuple[str, str]:
        """Their links, in alphabetical order."""
        first, second = sorted((self.first.link, self.second.link))
        return first, second

    @property
    def shapes(self) -> tuple[str, str]:
        """Their own names, in alphabetical order."""
        first, second = sorted((self.first.name, self.second.name))
        return first, second

    @property
    def name(self) -> str:
        """As a violation tells it."""
        ends = (self.second, self.first) if self.first.surrounding else (self.first, self.second)
        return "–".join(body.link for body in ends)


class Trace:
    """The levers of every body and of every link's end."""

    def __init__(
        self,
        model: Any,
        shapes: Any,
        turns: Array,
        bodies: Sequence[Body],
        ends: Sequence[tuple[int, Array]],
    ) -> None:
        """model, shapes: pinocchio's. turns: 1 for each joint that turns, 0 for one that slides.

        ends: (joint, place in its frame).
        """
        count = model.njoints - 1
        # Which joints (columns) are before a joint (row, 0: the world) or it itself.
        self._before = np.zeros((model.njoints, count))
        for joint in range(1, model.njoints):
            self._before[joint] = self._before[model.parents[joint]]
            self._before[joint, joint - 1] = 1.0
        self._turns = turns
        # [j, k]: joint k is behind joint j, and moves what j turns.
        behind = self._before[1:].T * (1.0 - np.eye(count))
        self._behind = behind * self._turns[:, None]
        centres, radii = zip(*(_ball(shapes, body) for body in bodies), strict=True)
        self._radii = np.array(radii)
        joints = [body.joint for body in bodies] + [joint for joint, _ in ends]
        self._point_joints = np.array(joints)
        self._points = np.array([*centres, *(place for _, place in ends)])
        self._ends = len(bodies)
        self._moved = self._before[self._point_joints]

    def between(self, pair: Pair) -> Array:
        """1 for each joint that moves one of two bodies and not the other."""
        first, second = self._before[pair.first.joint], self._before[pair.second.joint]
        return np.abs(first - second)

    def look_around(self, jacobian: Array, places: Any) -> None:
        """jacobian: of the joints, in the world. places: of the joints."""
        points = self._placed(places)
        linear, angular = jacobian[:3], jacobian[3:]
        x, y, z = points[:, 0:1], points[:, 1:2], points[:, 2:3]
        square = (linear[0] + angular[1] * z - angular[2] * y) ** 2
        square += (linear[1] + angular[2] * x - angular[0] * z) ** 2
        square += (linear[2] + angular[0] * y - angular[1] * x) ** 2
        levers = np.sqrt(square) * self._moved
        self.end_levers = levers[self._ends :]
        # A slide moves every point alike; a turn those of the body that are farthest out.
        self.body_levers = levers[: self._ends]
        self.body_levers += self._radii[:, None] * self._moved[: self._ends] * self._turns

    def end_places(self, places: Any) -> Array:
        """Where each link's end is, shape (ends, 3)."""
        return self._placed(places)[self._ends :]

    def _placed(self, places: Any) -> Array:
        rotations = np.array([place.rotation for place in places])[self._point_joints]
        origins = np.array([place.translation for place in places])[self._point_joints]
        return np.asarray((rotations @ self._points[:, :, None])[:, :, 0] + origins)

    def levers(self, way: Array) -> Array:
        """Of every body, while each joint moves by no more than `way`; shape (bodies, joints)."""
        # Behind a joint others move the body farther out, by their own levers, which grow likewise:
        # grown = now + grown @ (way * behind). No joint is behind itself, so there is an inverse.
        growth = np.eye(len(way)) - way[:, None] * self._behind.T
        return np.asarray(self.body_levers @ np.linalg.inv(growth))


class Ways:
    """How much nearer the bodies of pairs can come."""

    def __init__(self, trace: Trace, pairs: tuple[Pair, ...]) -> None:
        self._trace = trace
        self._first = np.array([pair.first.index for pair in pairs])
        self._second = np.array([pair.second.index for pair in pairs])
        self._between = np.array([trace.between(pair) for pair in pairs])

    def levers(self, way: Array) -> Array:
        """While each joint moves by no more than `way`; shape (pairs, joints)."""
        bodies = self._trace.levers(way)
        return (bodies[self._first] + bodies[self._second]) * self._between


def _ball(shapes: Any, body: Body) -> tuple[Array, float]:
    """Centre, in the frame of the joint that moves it, and radius of a ball around a body."""
    shape = shapes.geometryObjects[body.index]
    if body.joint == 0:  # it does not move, and a plane has no ball
        return np.zeros(3), 0.0
    centre, radius = convex_shapes.ball(shape.geometry)
    return shape.placement.rotation @ centre + shape.placement.translation, radius
