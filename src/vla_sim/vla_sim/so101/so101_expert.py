"""The SO-101's scripted expert: without memory, so that it works from any state.

It can label the states of any policy, and recovers from whatever noise brings it to. What it asks
for lies a little ahead of what is commanded, on the straight line to where the hand is to go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_sim.so101.so101_kinematics import ARM, Kinematics
from vla_sim.so101.so101_tasks import HALF_SIZE, PAN_AXIS, TRAY, TRAY_HALF, Instruction, Verb
from vla_sim.so101.so101_verdict import PUSH_DISTANCE

Array = npt.NDArray[np.float64]

OPEN, CLOSED = 0.75, 0.0  # rad of the gripper; a cube keeps the jaws 0.2 apart
CLOSING = OPEN - 0.05  # rad: below it they have begun to close
SQUEEZED = 0.05  # rad that the gripper stays behind its command while it holds something

# Heights of the point between the jaws above a cube's centre on the table, m; the tips are 9 mm
# lower.
TRAVEL = 0.07
GRASP = 0.004
TOUCH = HALF_SIZE + 0.006
DROP = 0.04
LIFTED = 0.07
STACKED = 2 * HALF_SIZE + 0.003

BEHIND = 0.052  # m before the cube's centre, where the closed jaws come down for a push
PUSH_CONTACT = 0.036  # m there when they touch it
OVERSHOOT = 0.02  # m that a push goes on

FUNNEL = 0.008  # m off the axis at which the hand may come down
SLOPE = 2.0  # m of height per m farther off
NEAR = 0.006  # m
LEAD = 0.03  # m ahead of what is commanded: about 0.2 m/s within the action space's limits
SLOW_LEAD = 0.014  # m, of a descent and a push
TURN_LEAD = 0.25  # rad
SAG = 0.008  # m that the measured hand may be behind the command at rest


@dataclass(frozen=True)
class Situation:
    """What the expert sees.

    measured, commanded: (6,) rad. places: centre of every cube, (3,) m; yaws: its turn about z.
    touched: colours that the arm touches.
    """

    measured: Array
    commanded: Array
    places: Mapping[str, Array]
    yaws: Mapping[str, float]
    touched: frozenset[str]


@dataclass(frozen=True)
class Goal:
    """Where the hand is to go: place, (3,) m; yaw, rad; gripper, rad; the greatest lead, m."""

    place: Array
    yaw: float
    gripper: float
    lead: float = LEAD


class SO101Expert:
    """Says what to ask for now: joint positions, (6,) rad."""

    def __init__(
        self, asked: Instruction, start: Mapping[str, Array], kinematics: Kinematics
    ) -> None:
        """start: centre of every cube at reset, (3,) m in base_link."""
        self._asked = asked
        self._start = {colour: place.copy() for colour, place in start.items()}
        self._table = float(start[asked.colour][2])  # height of a cube's centre on the table
        self._kinematics = kinematics

    def request(self, now: Situation) -> Array:
        """(6,) rad: joint positions to ask for."""
        hand, axes = self._kinematics.place(now.measured)
        command, axes = self._kinematics.place(now.commanded)
        goal = self._goal(now, hand, command)
        # Servos hang a little below what they are told.
        sag = float(np.clip(command[2] - hand[2], 0.0, SAG))
        wanted = goal.place + np.array([0.0, 0.0, sag])
        target = command + _shorten(wanted - command, goal.lead)
        yaw = math.atan2(axes[1, 0], axes[0, 0])
        yaw += float(np.clip(_wrapped(goal.yaw - yaw), -TURN_LEAD, TURN_LEAD))
        joints = self._kinematics.solve(target, yaw, now.commanded)
        return np.append(joints, goal.gripper)

    def _goal(self, now: Situation, hand: Array, command: Array) -> Goal:
        match self._asked.verb:
            case Verb.TOUCH:
                return self._touch(now, hand)
            case Verb.PUSH:
                return self._push(now, hand)
            case _:
                return self._carry(now, hand, command)

    def _touch(self, now: Situation, hand: Array) -> Goal:
        cube = now.places[self._asked.colour]
        yaw = _direction(cube)
        if self._asked.colour in now.touched:
            return Goal(hand, yaw, CLOSED)
        return self._come_down(hand, cube[:2], cube[2] + TOUCH, yaw, CLOSED)

    def _push(self, now: Situation, hand: Array) -> Goal:
        start, cube = self._start[self._asked.colour], now.places[self._asked.colour]
        yaw = _direction(start)
        away = np.array([math.cos(yaw), math.sin(yaw)])
        along = float((hand[:2] - cube[:2]) @ away)  # negative: behind the cube
        across = float(np.linalg.norm(hand[:2] - cube[:2] - along * away))
        height = self._table + GRASP
        if float((cube[:2] - start[:2]) @ away) > PUSH_DISTANCE + OVERSHOOT / 2:
            return Goal(np.append(hand[:2], self._table + TRAVEL), yaw, CLOSED)
        behind = -2 * BEHIND < along < -PUSH_CONTACT + 0.014 and across < 0.01
        if behind and hand[2] < height + 0.01:
            end = start[:2] + (PUSH_DISTANCE + OVERSHOOT - PUSH_CONTACT) * away
            return Goal(np.append(end, height), yaw, CLOSED, SLOW_LEAD)
        return self._come_down(hand, cube[:2] - BEHIND * away, height, yaw, CLOSED)

    def _carry(self, now: Situation, hand: Array, command: Array) -> Goal:
        colour = self._asked.colour
        cube = now.places[colour]
        squeezed = now.measured[ARM] - now.commanded[ARM] > SQUEEZED
        if colour in now.touched and squeezed:
            return self._bring(now, hand, command, cube)
        if self._delivered(now, cube):
            return Goal(np.append(hand[:2], self._table + TRAVEL), _direction(hand), OPEN)
        yaw = _nearest_face(now.yaws[colour], _direction(cube))
        off = float(np.hypot(*(cube[:2] - hand[:2])))
        there = np.append(cube[:2], cube[2] + GRASP)
        # Jaws that close push the cube from one to the other.
        near = NEAR if now.commanded[ARM] > CLOSING else 2.5 * NEAR
        if off < near and abs(hand[2] - there[2]) < NEAR:
            return Goal(np.append(command[:2], there[2]), yaw, CLOSED, SLOW_LEAD)
        if colour in now.touched and hand[2] > there[2] + 2 * NEAR:
            # A jaw stands on the cube: up, and once more.
            return Goal(hand + np.array([0.0, 0.0, LEAD]), yaw, OPEN)
        return self._come_down(hand, cube[:2], float(there[2]), yaw, OPEN)

    def _bring(self, now: Situation, hand: Array, command: Array, cube: Array) -> Goal:
        """A held cube to where it belongs: the hand goes as the cube has to."""
        in_hand = cube - hand
        if self._asked.verb is Verb.PICK:
            place = np.append(self._start[self._asked.colour][:2], self._table + LIFTED)
            return Goal(place - in_hand, _direction(cube), CLOSED, SLOW_LEAD)
        if self._asked.verb is Verb.PUT:
            over, height = np.array(TRAY), self._table + DROP
            near = 0.6 * TRAY_HALF
        else:
            below = now.places[self._asked.below]
            over, height, near = below[:2], float(below[2]) + STACKED, 0.004
        off = float(np.hypot(*(over - cube[:2])))
        if off < near and cube[2] - height < 0.004:
            return Goal(command, _direction(hand), OPEN)
        goal = self._come_down(cube, over, height, _direction(over), CLOSED)
        return Goal(goal.place - in_hand, goal.yaw, CLOSED, goal.lead)

    def _delivered(self, now: Situation, cube: Array) -> bool:
        if self._asked.verb is Verb.PUT:
            return bool(np.abs(cube[:2] - TRAY).max() < TRAY_HALF)
        if self._asked.verb is Verb.STACK:
            below = now.places[self._asked.below]
            on_top = abs(cube[2] - below[2] - 2 * HALF_SIZE) < 0.008
            return on_top and bool(np.hypot(*(cube[:2] - below[:2])) < 0.012)
        return False

    def _come_down(self, at: Array, over: Array, height: float, yaw: float, gripper: float) -> Goal:
        """Through a funnel above (x, y) `over` to a height; from below it, rise first."""
        off = float(np.hypot(*(over - at[:2])))
        top = max(self._table + TRAVEL, height + 0.02)
        least = min(height + SLOPE * max(0.0, off - FUNNEL), top)
        aside = float(np.clip(1.0 - (least - at[2] - 0.005) / 0.02, 0.0, 1.0))
        place = np.append(at[:2] + aside * (over - at[:2]), least)
        return Goal(place, yaw, gripper, SLOW_LEAD if off < 2 * FUNNEL else LEAD)


def _direction(place: Array) -> float:
    """Direction of a place from the first axis of the arm, rad."""
    return math.atan2(place[1] - PAN_AXIS[1], place[0] - PAN_AXIS[0])


def _nearest_face(yaw: float, direction: float) -> float:
    """Of the four faces of a cube, the one that is nearest to a direction, rad."""
    quarter = math.pi / 2
    return direction + (yaw - direction + quarter / 2) % quarter - quarter / 2


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _shorten(way: Array, length: float) -> Array:
    return way * min(1.0, length / max(1e-9, float(np.linalg.norm(way))))
