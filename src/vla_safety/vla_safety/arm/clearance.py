"""Whether a motion stays clear, checked on samples that are never too far apart. Free of ROS.

Of every pair of bodies a distance is known that they have at least. It falls by no more than the
joints' ways times their levers, so most pairs need no look at all, and along a motion the next
sample is as far as the distance that is left allows. Between two samples that are nearer to the
margin than that, more are taken, until nothing can have happened between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vla_safety.arm.arm_model import Array, ArmModel, Pair
from vla_safety.arm.link_pairs import Margins

# m: what may be missing between two commands, and what distances and motions are rounded by.
BETWEEN, ROUNDING = 1e-3, 2e-6


class TooNear(NamedTuple):
    """A pair that would come too near. least: accepted, m; below the margin where it is already."""

    pair: Pair
    distance: float
    least: float


class Clearance:
    """Keeps every pair at its margin; one that is nearer may only come no nearer."""

    def __init__(self, model: ArmModel, margins: Margins) -> None:
        self._model = model
        self._margins = margins
        self.pairs = margins.pairs
        self._levers = np.array([model.pair_levers(pair) for pair in self.pairs])
        self._carried = np.array([p.first.payload or p.second.payload for p in self.pairs])
        self._at: Array | None = None
        self._known = np.zeros(len(self.pairs))
        self._least = margins.least.copy()
        self._holding = False
        model.watch(self.pairs)

    def start_at(self, configuration: Array, holding: bool) -> None:
        """Begin here: a pair that is nearer than its margin keeps at least its distance."""
        self._holding = holding
        self._at = configuration
        self._measure(np.arange(len(self.pairs)))

    def move_on(self, configuration: Array, foreign: Array, holding: bool) -> None:
        """The robot was sent here; foreign: how far joints moved of themselves, rad or m."""
        assert self._at is not None, "start_at comes first"
        self._known -= self._levers @ np.abs(configuration - self._at)
        self._at = configuration
        if holding != self._holding:
            self._holding = holding
            self._measure(np.flatnonzero(self._carried))
        if foreign.any():
            moved = (self._levers @ foreign > 0.0) & (self._known < self._margins.least)
            self._measure(np.flatnonzero(moved))
        near = np.flatnonzero(self._least < self._margins.least)
        if near.size:
            self._look(near)
            better = np.minimum(self._known[near], self._margins.least[near])
            self._least[near] = np.maximum(self._least[near], better)

    def _measure(self, which: Array) -> None:
        """Take the distances of now for granted."""
        self._look(which)
        self._least[which] = np.minimum(self._known[which], self._margins.least[which])
        if not self._holding:
            self._least[self._carried] = -np.inf

    def _look(self, which: Array) -> None:
        assert self._at is not None
        self._model.move_to(self._at)
        self._known[which] = self._distances(which)

    def _distances(self, which: Array) -> Array:
        return np.array([self._model.distance(i) for i in which.tolist()])

    def too_near(self, path: Array) -> TooNear | None:
        """The first pair that would come too near on a path from here; None: it stays clear.

        path: configurations, shape (n, joints), the first where the robot is.
        """
        ways = np.zeros_like(path)
        np.abs(np.diff(path, axis=0)).cumsum(axis=0, out=ways[1:])
        nearer = self._levers @ ways[-1]
        which = np.flatnonzero(self._known - nearer < self._least)
        if not which.size:
            return None
        self._look(which)
        which = which[self._known[which] - nearer[which] < self._least[which]]
        if not which.size:
            return None
        return self._walk(path, ways @ self._levers[which].T, which)

    def _walk(self, path: Array, ways: Array, which: Array) -> TooNear | None:
        """ways: how much nearer each pair of `which` can have come at each row of the path."""
        now, least, at = self._known[which], self._least[which], 0
        last = len(path) - 1
        while at < last:
            within = (ways[at + 1 :] - ways[at] <= now - least).all(axis=1)
            far = at + (last - at if within.all() else int(within.argmin()))
            if far == last:
                return None
            following = max(far, at + 1)
            self._model.move_to(path[following])
            then = self._distances(which)
            found = self._found(which, then, least)
            if found is None and far == at:
                way = ways[following] - ways[at]
                found = self._between(path[at], path[following], now, then, way, which)
            if found is not None:
                return found
            at, now = following, then
        return None

    def _between(
        self, begin: Array, end: Array, now: Array, then: Array, way: Array, which: Array
    ) -> TooNear | None:
        """way: how much nearer each pair can come between the two, m."""
        unsure = 0.5 * (now + then - way) < self._least[which] - BETWEEN
        if not unsure.any():
            return None
        which, now, then, way = which[unsure], now[unsure], then[unsure], 0.5 * way[unsure]
        middle = 0.5 * (begin + end)
        self._model.move_to(middle)
        half = self._distances(which)
        return (
            self._found(which, half, self._least[which] - 0.5 * BETWEEN)
            or self._between(begin, middle, now, half, way, which)
            or self._between(middle, end, half, then, way, which)
        )

    def _found(self, which: Array, distances: Array, least: Array) -> TooNear | None:
        short = distances - least + ROUNDING
        worst = int(short.argmin())
        if short[worst] >= 0.0:
            return None
        pair = int(which[worst])
        return TooNear(self.pairs[pair], float(distances[worst]), float(self._least[pair]))
