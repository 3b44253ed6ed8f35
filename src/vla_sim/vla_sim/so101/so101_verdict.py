"""Whether an SO-101 episode is won or lost; the first of both stays. Without MuJoCo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_sim.so101.so101_tasks import (
    HALF_SIZE,
    PAN_AXIS,
    TRAY,
    TRAY_HALF,
    Instruction,
    Verb,
)

Array = npt.NDArray[np.float64]

LIFT = 0.05  # m above where it lay
HOLD_STEPS = 10  # of 20 ms: so long a cube stays lifted
PUSH_DISTANCE = 0.04  # m away from the arm's first axis
ACROSS = 0.02  # m: pushed the wrong way
MOVED = 0.015  # m: another cube that went so far was moved, by whatever
OFF_CENTRE = 0.012  # m: a cube on another one whose centre is nearer than this to the other's axis
LEVEL = 0.005  # m: its height, so exactly
AT_REST = 0.02  # m/s


@dataclass(frozen=True)
class Moment:
    """A step: centre of every cube, (3,) m, its speed, m/s, and what the arm touches."""

    places: Mapping[str, Array]
    speeds: Mapping[str, float]
    touched: frozenset[str]


class Verdict:
    """Judges an episode step by step.

    Touch: the arm touches the named cube. Pick: it is LIFT above its place for HOLD_STEPS, and the
    arm touches it. Push: it is PUSH_DISTANCE farther from the arm, and less than ACROSS aside.
    Put, stack: it lies in the tray or on the other cube, at rest, and the arm has let go of it.
    Lost, whatever follows: another cube has moved by MOVED (of a touch: was touched), or a push
    went across.

    Attributes:
        success: won. failure: why it is lost, "" where it is not.
    """

    def __init__(self, asked: Instruction, start: Mapping[str, Array]) -> None:
        self.start = {colour: place.copy() for colour, place in start.items()}
        self.success = False
        self.failure = ""
        self._asked = asked
        self._lifted = 0

    def judge(self, moment: Moment) -> None:
        """Take the next step into account."""
        if self.success or self.failure:
            return
        self.failure = self._wrong_cube(moment) or self._wrong_way(moment)
        self.success = not self.failure and bool(self._done(moment))

    def _wrong_cube(self, moment: Moment) -> str:
        for colour, place in moment.places.items():
            if colour == self._asked.colour:
                continue
            if self._asked.verb is Verb.TOUCH and colour in moment.touched:
                return f"touched the {colour} cube"
            if math.dist(place, self.start[colour]) > MOVED:
                return f"moved the {colour} cube"
        return ""

    def _wrong_way(self, moment: Moment) -> str:
        if self._asked.verb is Verb.PUSH and abs(self._pushed(moment)[1]) > ACROSS:
            return f"pushed the {self._asked.colour} cube aside"
        return ""

    def _done(self, moment: Moment) -> bool:
        colour = self._asked.colour
        held = colour in moment.touched
        rests = not held and moment.speeds[colour] < AT_REST
        x, y, z = moment.places[colour]
        match self._asked.verb:
            case Verb.TOUCH:
                return held
            case Verb.PICK:
                high = held and z - self.start[colour][2] >= LIFT
                self._lifted = self._lifted + 1 if high else 0
                return self._lifted >= HOLD_STEPS
            case Verb.PUSH:
                return self._pushed(moment)[0] >= PUSH_DISTANCE
            case Verb.PUT:
                inside = max(abs(x - TRAY[0]), abs(y - TRAY[1])) < TRAY_HALF
                return rests and inside and z - self.start[colour][2] < HALF_SIZE
            case Verb.STACK:
                below = moment.places[self._asked.below]
                off = math.hypot(x - below[0], y - below[1])
                return rests and off < OFF_CENTRE and abs(z - below[2] - 2 * HALF_SIZE) < LEVEL

    def _pushed(self, moment: Moment) -> tuple[float, float]:
        """How far the named cube is away from the arm and aside, m."""
        start = self.start[self._asked.colour][:2]
        away = start - PAN_AXIS
        away = away / np.linalg.norm(away)
        way = moment.places[self._asked.colour][:2] - start
        return float(way @ away), float(way[1] * away[0] - way[0] * away[1])
