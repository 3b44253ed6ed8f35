"""Whether a motion stays clear, checked on samples that are never too far apart. Free of ROS.

Of every pair of bodies a distance is known that they have at least. It falls by no more than the
joints' ways times their levers, so most pairs need no look at all, and along a motion the next
sample is as far as the distance that is left allows. Between two samples that are nearer to the
margin than that, more are taken, until nothing can have happened between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.levers import Array, Pair
from vla_safety.arm.link_pairs import Margins

Index = npt.NDArray[np.intp]
# m: what may be missing between two commands, and what distances and motions are rounded by.
BETWEEN, ROUNDING = 1e-3, 2e-6
_NOISE = 1e-8  # m, of a distance


class TooNear(NamedTuple):
    """A pair that would come too near. least: accepted, m.

    already: it is nearer than its margin, so that it may only move away.
    """

    number: int
    pair: Pair
    distance: float
    least: float
    already: bool


class Clearance:
    """Keeps every pair at its margin; one that is nearer may only come no nearer."""

    def __init__(self, model: ArmModel, margins: Margins) -> None:
        self._model = model
        self._margins = margins
        self.pairs = margins.pairs
        self._ways = model.trace(self.pairs)
        self._carried = np.array([p.first.payload or p.second.payload for p in self.pairs])
        self._at: Array | None = None
        # The ways that levers from there are good for; of bodies and ends, and of the pairs.
        self._looked: tuple[Array, Array, Array] | None = None
        self._known = np.zeros(len(self.pairs))
        self._least = margins.least.copy()
        self._holding = False
        model.watch(self.pairs)

    def start_at(self, configuration: Array, holding: bool) -> None:
        """Begin here: a pair that is nearer than its margin keeps at least its distance."""
        self._holding = holding
        self._go_to(configuration)
        self._measure(np.arange(len(self.pairs)))

    def move_on(self, configuration: Array, foreign: Array, holding: bool) -> None:
        """The robot was sent here; foreign: how far joints moved of themselves, rad or m."""
        assert self._at is not None, "start_at comes first"
        way = np.abs(configuration - self._at)
        levers = self._levers(way)
        self._known -= levers @ way
        self._go_to(configuration)
        if holding != self._holding:
            self._holding = holding
            self._measure(np.flatnonzero(self._carried))
        if foreign.any():
            moved = (levers @ foreign > 0.0) & (self._known < self._margins.least)
            self._measure(np.flatnonzero(moved))
        # Without a payload what it would be near to is -inf, and stays so.
        near = np.flatnonzero((self._least < self._margins.least) & (self._least > -np.inf))
        if near.size:
            self._look(near)
            better = np.minimum(self._known[near], self._margins.least[near])
            self._least[near] = np.maximum(self._least[near], better)

    def grown(self, way: Array) -> Array:
        """Levers of bodies and links' ends while each joint moves from here by at most `way`."""
        return self._looked_for(way)[1]

    def renew(self, source: str) -> None:
        """A source of points shows something else."""
        which = [i for i, pair in enumerate(self.pairs) if pair.second.name == source]
        if self._at is not None:
            self._measure(np.array(which, dtype=np.intp))

    def _levers(self, way: Array) -> Array:
        """Of every pair, while each joint moves from here by no more than `way`."""
        return self._looked_for(way)[2]

    def _looked_for(self, way: Array) -> tuple[Array, Array, Array]:
        if self._looked is None or (way > self._looked[0]).any():
            grown = self._model.grown(way)
            self._looked = (way, grown, self._ways.levers(grown))
        return self._looked

    def _go_to(self, configuration: Array) -> None:
        self._looked = None
        self._at = configuration
        self._model.look_around(configuration)

    def _measure(self, which: Index) -> None:
        """Take the distances of now for granted."""
        self._look(which)
        self._least[which] = np.minimum(self._known[which], self._margins.least[which])
        if not self._holding:
            self._least[self._carried] = -np.inf

    def _look(self, which: Index) -> None:
        assert self._at is not None
        self._model.move_to(self._at)
        self._known[which] = self._model.distances(which.tolist())

    def too_near(self, path: Array, ways: Array) -> TooNear | None:
        """The first pair that would come too near on a path from here; None: it stays clear.

        path: configurations, shape (n, joints), the first where the robot is.
        ways: of every joint up to each of the others, shape (n - 1, joints).
        """
        levers = self._levers(ways[-1])
        nearer = levers @ ways[-1]
        which = np.flatnonzero(self._known - nearer < self._least)
        if not which.size:
            return None
        self._look(which)
        which = which[self._known[which] - nearer[which] < self._least[which]]
        if not which.size:
            return None
        reached = np.zeros((len(path), len(which)))
        reached[1:] = ways @ levers[which].T
        return self._walk(path, reached, which)

    def lead_nearer(self, number: int, steps: Array) -> list[bool]:
        """Whether each of some small steps from here, by itself, brings a pair nearer.

        steps: changes of the configuration, shape (n, joints).
        """
        assert self._at is not None
        distances = []
        for step in (np.zeros_like(self._at), *steps):
            self._model.move_to(self._at + step)
            distances.append(self._model.distance(number))
        return [distance < distances[0] - _NOISE for distance in distances[1:]]

    def _walk(self, path: Array, ways: Array, which: Index) -> TooNear | None:
        """ways: how much nearer each pair of `which` can have come at each row of the path."""
        last, row = len(path) - 1, 0
        least = self._least[which]
        now = self._known[which]
        # Of each pair the row up to which it is sure to be clear.
        clear = (ways <= now - least).sum(axis=0) - 1
        while True:
            following = np.where(clear < last, np.maximum(clear, row + 1), last + 1)
            row = int(following.min())
            if row > last:
                return None
            due = np.flatnonzero(following == row)
            self._model.move_to(path[row])
            then = self._model.distances(which[due].tolist())
            found = self._found(which[due], then, least[due])
            unsure = clear[due] < row
            if found is None and unsure.any():
                some = due[unsure]
                way = ways[row, some] - ways[row - 1, some]
                found = self._between(
                    path[row - 1], path[row], now[some], then[unsure], way, which[some]
                )
            if found is not None:
                return found
            now[due] = then
            reach = ways[row, due] + (then - least[due])
            clear[due] = (ways[:, due] <= reach).sum(axis=0) - 1

    def _between(
        self, begin: Array, end: Array, now: Array, then: Array, way: Array, which: Index
    ) -> TooNear | None:
        """way: how much nearer each pair can come between the two, m."""
        unsure = 0.5 * (now + then - way) < self._least[which] - BETWEEN
        if not unsure.any():
            return None
        which, now, then, way = which[unsure], now[unsure], then[unsure], 0.5 * way[unsure]
        middle = 0.5 * (begin + end)
        self._model.move_to(middle)
        half = self._model.distances(which.tolist())
        return (
            self._found(which, half, self._least[which] - 0.5 * BETWEEN)
            or self._between(begin, middle, now, half, way, which)
            or self._between(middle, end, half, then, way, which)
        )

    def _found(self, which: Index, distances: Array, least: Array) -> TooNear | None:
        short = distances - least + ROUNDING
        worst = int(short.argmin())
        if short[worst] >= 0.0:
            return None
        pair = int(which[worst])
        accepted = float(self._least[pair])
        already = accepted < self._margins.least[pair]
        return TooNear(pair, self.pairs[pair], float(distances[worst]), accepted, already)
