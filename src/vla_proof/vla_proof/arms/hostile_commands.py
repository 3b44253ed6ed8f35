"""Joint commands that mean harm to an arm, and what becomes of them behind the guard. ROS-free.

Goals at random and into corners, noise, NaN, jumps as at the seams of chunks, and a descent to the
pair of links that is nearest; emergency stops, a changing speed scale, a gripper that takes a
payload and lets it go.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.message_enums import Limit
from vla_proof.arms.contact_judge import ContactJudge, Verdict
from vla_proof.arms.hostile_arms import Arm
from vla_safety.arm import link_pairs
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.joint_map import JointMap
from vla_safety.arm.link_pairs import Margins
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import MotionLimiter

Array = npt.NDArray[np.float64]
KINDS = ("goal", "corner", "noise", "descent", "seam", "not a number")
_GRADIENT = 1e-3  # rad or m
_TRIES = 2000


@dataclass
class Outcome:
    """verdict: MuJoCo's. fastest: of an end, m/s. refused: commands that the guard changed.

    way, free_way: of all joints together, with the guard and without it, rad.
    """

    verdict: Verdict
    refused: int = 0
    fastest: float = 0.0
    way: float = 0.0
    free_way: float = 0.0


class Attacker:
    """Makes the requests."""

    def __init__(self, arm: Arm, model: ArmModel, joints: JointMap, margins: Margins, seed: int):
        self._space = arm.space
        self._model = model
        self._joints = joints
        self._margins = margins
        self._random = random.Random(seed)
        self._kind = KINDS[0]
        self._goal: Array = np.zeros(arm.space.width)

    def request(self, number: int, command: Array) -> list[float]:
        """The request of a period. command: the last one."""
        if number % 40 == 0:
            self._kind = self._random.choice(KINDS)
        if number % (3 if self._kind == "seam" else 20) == 0:
            self._goal = self._new_goal(command)
        request = self._goal.copy()
        if self._kind == "noise":
            request += [self._random.gauss(0.0, 0.3) for _ in request]
        if self._kind == "not a number":
            request[self._random.randrange(len(request))] = self._random.choice((np.nan, np.inf))
        return [float(value) for value in request]

    def _new_goal(self, command: Array) -> Array:
        low = np.array([d.low for d in self._space.dimensions])
        high = np.array([d.high for d in self._space.dimensions])
        if self._kind == "corner":
            return np.where([self._random.random() < 0.5 for _ in low], low, high)
        if self._kind == "descent":
            return np.clip(command - 2.0 * self._towards_contact(command), low, high)
        return np.array([self._random.uniform(a, b) for a, b in zip(low, high, strict=True)])

    def _towards_contact(self, command: Array) -> Array:
        """Unit direction in which the distance of one of the nearest pairs grows."""
        slack = self._distances(command) - self._margins.least
        pair = int(self._random.choice(slack.argsort()[:4].tolist()))
        here = self._distance(command, pair)
        gradient = np.zeros_like(command)
        for i in range(len(command)):
            moved = command.copy()
            moved[i] += _GRADIENT
            gradient[i] = (self._distance(moved, pair) - here) / _GRADIENT
        return gradient / (np.linalg.norm(gradient) or 1.0)

    def _distances(self, command: Array) -> Array:
        self._model.move_to(_configuration(self._joints, command))
        return self._model.distances(range(len(self._margins.pairs)))

    def _distance(self, command: Array, pair: int) -> float:
        self._model.move_to(_configuration(self._joints, command))
        return self._model.distance(pair)

    def clear_start(self) -> Array:
        """A command at which every pair has its margin.

        Raises:
            ValueError: none was found.
        """
        dimensions = self._space.dimensions
        for _ in range(_TRIES):
            command = np.array([self._random.uniform(d.low, d.high) for d in dimensions])
            if (self._distances(command) > self._margins.least + 1e-3).all():
                return command
        raise ValueError(f"no clear configuration in {_TRIES}")


class Attack:
    """One arm under attack."""

    def __init__(self, arm: Arm, config: SafetyConfig, seed: int = 0) -> None:
        self._arm = arm
        self._guard = ArmGuard(arm.space, config, ArmModel(arm.urdf, arm.geometry), arm.geometry)
        # The attacker's own copies: what it looks at must not help the guard.
        model = ArmModel(arm.urdf, arm.geometry)
        joints = JointMap(arm.urdf, model.joints, arm.space, arm.geometry, ())
        margins = link_pairs.choose(model, arm.geometry, config.arm_margin)
        model.watch(margins.pairs)
        self._model, self._joints = model, joints
        self._attacker = Attacker(arm, model, joints, margins, seed)
        self._random = random.Random(seed)
        self._judge = ContactJudge(arm.urdf, arm.geometry, margins.pairs, margins.least)
        self._rows = [model.joints.index(joint.name) for joint in arm.urdf.joints]

    def run(self, commands: int, guarded: bool = True) -> Outcome:
        """Send so many commands. guarded: False to see what the limits of the axes alone do."""
        limiter, free = MotionLimiter(self._arm.space), MotionLimiter(self._arm.space)
        command = self._attacker.clear_start()
        limiter.reset(command)
        free.reset(command)
        outcome = Outcome(self._judge.verdict)
        places = self._places(command)
        emergency = 0
        scale = 1.0
        for number in range(commands):
            request = self._attacker.request(number, command)
            if number % 500 == 0:
                scale = self._random.choice((1.0, 1.0, 0.3))
            if self._random.random() < 0.003:
                emergency = self._random.randrange(1, 30)
            emergency -= 1
            asked = request if emergency < 0 else None
            limits: dict[str, Any] = {"emergency": emergency >= 0, "speed_scale": scale}
            if guarded:
                step = self._guard.limit_command(limiter, asked, {}, **limits)
            else:
                step = limiter.step(asked, **limits)
            before = free.values
            outcome.free_way += float(np.abs(free.step(asked, **limits).safe - before).sum())
            outcome.refused += any(v.limit in _OF_ARM for v in step.violations)
            outcome.way += float(np.abs(step.safe - command).sum())
            positions = _configuration(self._joints, step.safe)
            self._judge.judge(positions[self._rows].tolist(), self._holds(command))
            reached = self._places(step.safe)
            speed = float(np.linalg.norm(reached - places, axis=1).max()) / self._arm.space.period
            outcome.fastest = max(outcome.fastest, speed)
            command, places = step.safe, reached
        return outcome

    def _places(self, command: Array) -> Array:
        return self._model.end_places(_configuration(self._joints, command))

    def _holds(self, command: Array) -> bool:
        payload = self._arm.geometry.payload
        if payload is None:
            return False
        value = command[self._arm.space.dimension_names.index(payload.gripper)]
        return bool(payload.held_between[0] <= value <= payload.held_between[1])


def _configuration(joints: JointMap, command: Array) -> Array:
    """Of all joints, with the others at rest."""
    return joints.matrix @ command + joints.resting({})


_OF_ARM = (Limit.SELF_COLLISION, Limit.OBSTACLE, Limit.TOOL_SPEED)
