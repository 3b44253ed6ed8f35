"""The grounding scene's scripted expert: without memory, so that it works from any state.

It can label the states of any policy, and recovers from whatever noise brings it to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vla_sim.tasks.grounding_tasks import HALF_SIZE, SIDES, Instruction, Verb
from vla_sim.tasks.grounding_verdict import PUSH_DISTANCE

Array = npt.NDArray[np.float64]

# Heights of the hand, m; its fingertips are 4.5 cm lower.
FINGER = 0.045
TRAVEL_HEIGHT = 2 * HALF_SIZE + FINGER + 0.05
TOUCH_HEIGHT = 2 * HALF_SIZE + FINGER - 0.015  # below the block's top, to come there with speed
PUSH_HEIGHT = FINGER + 0.02
LOW = PUSH_HEIGHT + 0.015  # below it, a hand behind the block pushes

HALF_FINGER = 0.015  # m, half the width of a finger along x
CONTACT = HALF_SIZE + HALF_FINGER  # m between hand and block's centre when the fingers touch it
APPROACH = CONTACT + 0.03  # m behind the block's centre, where the hand comes down
OVERSHOOT = 0.03  # m that a push goes on beyond what is asked

FUNNEL = 0.015  # m off the axis at which the hand may come down
SLOPE = 2.0  # m of height per m farther off
GAIN = 10.0  # 1 of action (1 cm a step) per 0.1 m
PUSH_ACTION = 0.35  # of 1: 0.28 m/s; a block pushed faster slides on by itself
DESCENT_ACTION = 0.5


class GroundingExpert:
    """Says what to do now, in the units of Meta-World's experts."""

    def __init__(
        self,
        asked: Instruction,
        start: Array,
        block: Callable[[], Array],
        touched: Callable[[], bool],
    ) -> None:
        """Know the task.

        Args:
            asked: what to do. start: (3,) m, where the named block was at reset.
            block, touched: give where it is now, and whether the arm touches it.
        """
        self._asked = asked
        self._start = start
        self._block = block
        self._touched = touched

    def get_action(self, observation: Array) -> Array:
        """(4,) xyz in cm per step, within ±1, and gripper effort; observation: Meta-World's."""
        hand, block = observation[:3], self._block()
        push = self._asked.verb is Verb.PUSH
        motion = self._push(hand, block) if push else self._touch(hand, block)
        return np.append(np.clip(motion, -1.0, 1.0), 1.0)

    def _touch(self, hand: Array, block: Array) -> Array:
        """Come down on the block, wherever it is, and stay there."""
        if self._touched():
            return np.zeros(3)
        off = float(np.hypot(*(block - hand)[:2]))
        return _come_down(hand, block[:2], off, TOUCH_HEIGHT)

    def _push(self, hand: Array, block: Array) -> Array:
        side = SIDES[self._asked.side]
        along = side * (hand[0] - block[0])  # negative: behind the block
        across = hand[1] - block[1]
        goal = self._start[0] + side * (PUSH_DISTANCE + OVERSHOOT)
        behind = -2 * APPROACH < along < -CONTACT + 0.012 and abs(across) < HALF_SIZE - 0.005
        if behind and hand[2] < LOW:
            motion = GAIN * np.array(
                [goal - side * CONTACT - hand[0], -across, PUSH_HEIGHT - hand[2]]
            )
            motion[0] = np.clip(motion[0], -PUSH_ACTION, PUSH_ACTION)
            return motion
        if side * (block[0] - goal) > -0.5 * OVERSHOOT:
            # It is where it should be: leave it there, upwards.
            return GAIN * np.array([0.0, 0.0, TRAVEL_HEIGHT - hand[2]])
        target = np.array([block[0] - side * APPROACH, block[1]])
        off = float(np.hypot(*(target - hand[:2])))
        return _come_down(hand, target, off, PUSH_HEIGHT)


def _come_down(hand: Array, target: Array, off: float, height: float) -> Array:
    """Through a funnel above (x, y) of `target` to a height; from below it, rise first."""
    over = min(height + SLOPE * max(0.0, off - FUNNEL), TRAVEL_HEIGHT)
    aside = np.clip(1.0 - (over - hand[2]) / 0.03, 0.0, 1.0)
    motion = GAIN * np.append(aside * (target - hand[:2]), over - hand[2])
    motion[:2] = _shorten(motion[:2])
    motion[2] = max(motion[2], -DESCENT_ACTION)
    return motion


def _shorten(motion: Array) -> Array:
    """Keep the direction where an entry exceeds 1."""
    return motion / max(1.0, float(np.abs(motion).max()))
