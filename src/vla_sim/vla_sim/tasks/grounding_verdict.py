"""Whether a grounding episode is won or lost; the first of both stays. Without MuJoCo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_sim.tasks.grounding_tasks import HALF_SIZE, SIDES, Instruction, Verb

Array = npt.NDArray[np.float64]

PUSH_DISTANCE = 2.0 * HALF_SIZE  # m: a push is a block's own width to the named side
WRONG_DISTANCE = HALF_SIZE  # m to the other side, or across by a push's distance: the wrong way
MOVED = 0.01  # m: another block that went so far was moved, by whatever


@dataclass(frozen=True)
class Moment:
    """A step of the scene: centre of every block, (3,) m, and the blocks that the arm touches."""

    places: Mapping[str, Array]
    touched: frozenset[str]


class Verdict:
    """Judges an episode step by step.

    Touch: the arm touches the named block. Push: the block has moved by PUSH_DISTANCE to the
    named side, and less than that across. Lost, whatever follows: another block is touched or
    moved first, or the block is pushed the wrong way.

    Attributes:
        success: won. failure: why it is lost, "" where it is not.
    """

    def __init__(self, asked: Instruction, start: Mapping[str, Array]) -> None:
        self.start = {colour: place.copy() for colour, place in start.items()}
        self.success = False
        self.failure = ""
        self._asked = asked

    def judge(self, moment: Moment) -> None:
        """Take the next step into account."""
        if self.success or self.failure:
            return
        # What happens to the wrong block counts before what happens to the right one.
        self.failure = self._wrong_block(moment) or self._wrong_way(moment)
        self.success = not self.failure and self._done(moment)

    def _wrong_block(self, moment: Moment) -> str:
        for colour, place in moment.places.items():
            if colour == self._asked.colour:
                continue
            if colour in moment.touched:
                return f"touched the {colour} block"
            if np.linalg.norm(place - self.start[colour]) > MOVED:
                return f"moved the {colour} block"
        return ""

    def _wrong_way(self, moment: Moment) -> str:
        if self._asked.verb is not Verb.PUSH:
            return ""
        along, across = self._moved(moment)
        if along < -WRONG_DISTANCE or abs(across) > PUSH_DISTANCE:
            return f"pushed the {self._asked.colour} block the wrong way"
        return ""

    def _done(self, moment: Moment) -> bool:
        if self._asked.verb is Verb.TOUCH:
            return self._asked.colour in moment.touched
        return self._moved(moment)[0] >= PUSH_DISTANCE

    def _moved(self, moment: Moment) -> tuple[float, float]:
        """How far the named block is along the named side's direction and across it, m."""
        colour = self._asked.colour
        x, y, _ = moment.places[colour] - self.start[colour]
        return float(x * SIDES[self._asked.side]), float(y)
