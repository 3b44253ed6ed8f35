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
# Of a vector the matrix, row by row, that stands for a cross product: a × p = (p @ _CROSS) a.
_CROSS = np.zeros((3, 9))
_CROSS[0, [5, 7]] = 1.0, -1.0
_CROSS[1, [2, 6]] = -1.0, 1.0
_CROSS[2, [1, 3]] = 1.0, -1.0


@dataclass(frozen=True)
class Body:
    """One convex shape of a link, of the surroundings (`link` is its name there) or carried.

    joint: number of the one that moves it, 0: none. source: its points are seen by a sensor.
    """

    index: int
    name: str
    link: str
    joint: int
    payload: bool = False
    surrounding: bool = False
    source: bool = False


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
        from scipy.linalg.lapack import dtrtri

        self._inverse = dtrtri
        count = model.njoints - 1
        # Which joints (columns) are before a joint (row, 0: the world) or it itself.
        self._identity = np.eye(count)
        self._before = np.zeros((model.njoints, count))
        for joint in range(1, model.njoints):
            self._before[joint] = self._before[model.parents[joint]]
            self._before[joint, joint - 1] = 1.0
        self._turns = turns
        # [j, k]: joint k is behind joint j, and moves what j turns.
        behind = self._before[1:].T * (1.0 - self._identity)
        self._behind = behind * self._turns[:, None]
        centres, radii = zip(*(_ball(shapes, body) for body in bodies), strict=True)
        joints = [body.joint for body in bodies] + [joint for joint, _ in ends]
        self._point_joints = np.array(joints)
        self._points = np.array([*centres, *(place for _, place in ends)])[:, :, None]
        self._bodies = len(bodies)
        # Of every body: centre, in the frame of its joint, and radius of a ball around it.
        self.balls = np.array(centres), np.array(radii)
        self._moved = self._before[self._point_joints]
        # A slide moves every point alike; a turn those of the body that are farthest out.
        self._farther = np.array(radii)[:, None] * self._moved[: len(bodies)] * turns

    def between(self, pair: Pair) -> Array:
        """1 for each joint that moves one of two bodies and not the other."""
        first, second = self._before[pair.first.joint], self._before[pair.second.joint]
        return np.abs(first - second)

    def look_around(self, jacobian: Array, rotations: Array, origins: Array) -> None:
        """jacobian: of the joints, in the world. rotations, origins: of the joints' places."""
        points = self.placed(rotations, origins)
        # A joint moves a point by linear + angular × point.
        crossed = (points @ _CROSS).reshape(-1, 3) @ jacobian[3:]
        moved = crossed.reshape(len(points), 3, -1) + jacobian[:3]
        moved *= self._moved[:, None, :]
        levers = np.sqrt(np.einsum("pij,pij->pj", moved, moved))
        levers[: self._bodies] += self._farther
        self._levers = levers
        # Of links' ends, m/s per rad/s; shape (ends, 3, joints).
        self.end_jacobians = moved[self._bodies :]

    def end_places(self, rotations: Array, origins: Array) -> Array:
        """Where each link's end is, shape (ends, 3)."""
        return self.placed(rotations, origins)[self._bodies :]

    def placed(self, rotations: Array, origins: Array) -> Array:
        """Where the middle of each body and each link's end is, shape (points, 3)."""
        turned = rotations[self._point_joints] @ self._points
        return np.asarray(turned[:, :, 0] + origins[self._point_joints])

    def grown(self, way: Array) -> Array:
        """Levers while each joint moves by no more than `way`; shape (bodies + ends, joints)."""
        # Behind a joint others move the body farther out, by their own levers, which grow likewise:
        # grown = now + grown @ (way * behind). No joint is behind itself, so there is an inverse.
        growth = self._identity - way[:, None] * self._behind.T
        return np.asarray(self._levers @ self._inverse(growth, lower=1, unitdiag=1)[0])

    @property
    def bodies(self) -> int:
        """Number of rows of `grown` that are bodies'; those of links' ends follow."""
        return self._bodies

    def bending(self, ways: Array, rates: Array) -> Array:
        """How much a lever of 1 at each joint adds to the speed of what it moves.

        The speed on a way is that of `end_jacobians` at its beginning, and at most the sum of this
        over the joints, each times its lever: a joint's motion turns with those before it.

        ways, rates: of the joints, up to each row and in it, not negative; shape (rows, joints).
        """
        turned = (ways @ self._behind + self._turns * ways) * rates
        return np.asarray(turned + ways * (rates @ self._behind))


class Ways:
    """How much nearer the bodies of pairs can come."""

    def __init__(self, trace: Trace, pairs: tuple[Pair, ...]) -> None:
        self._first = np.array([pair.first.index for pair in pairs])
        self._second = np.array([pair.second.index for pair in pairs])
        self._between = np.array([trace.between(pair) for pair in pairs])

    def levers(self, grown: Array) -> Array:
        """Of the pairs; shape (pairs, joints). grown: see `Trace`."""
        levers = grown.take(self._first, axis=0)
        levers += grown.take(self._second, axis=0)
        levers *= self._between
        return levers


def _ball(shapes: Any, body: Body) -> tuple[Array, float]:
    """Centre, in the frame of the joint that moves it, and radius of a ball around a body."""
    shape = shapes.geometryObjects[body.index]
    if body.surrounding:  # it does not move, and a plane has no ball
        return np.zeros(3), 0.0
    centre, radius = convex_shapes.ball(shape.geometry)
    return shape.placement.rotation @ centre + shape.placement.translation, radius
