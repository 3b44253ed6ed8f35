"""The SO-101's tasks: what each asks for, its wordings, and where the cubes lie. Without MuJoCo.

As in the grounding scene, nothing on the table tells the task: only the words do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.9, 0.05, 0.05),
    "green": (0.05, 0.65, 0.1),
    "blue": (0.1, 0.2, 0.95),
}
# What a cube is stacked on.
BELOW = {"red": "green", "green": "blue", "blue": "red"}

HALF_SIZE = 0.015  # m, half the edge of a cube
PAN_AXIS = (0.0388, 0.0)  # m in base_link: x and y of the axis of shoulder_pan
# Of a cube's centre: distance from that axis, m, and direction from it, rad (0: straight ahead).
NEAREST, FARTHEST = 0.17, 0.225
WIDEST = 0.7
# Between the directions of any two cubes: the open gripper passes between them.
APART = 0.42
TURNED = 0.15  # rad: a cube faces the axis but for so much
TRAY = (0.0388 + 0.02, 0.20)  # m in base_link: its centre, to the left of the arm
TRAY_HALF = 0.05  # m, half the edge of its inside


class Verb(Enum):
    """What is to be done with the named cube."""

    TOUCH = "touch"
    PICK = "pick"
    PUT = "put"
    PUSH = "push"
    STACK = "stack"


@dataclass(frozen=True)
class Instruction:
    """What a task asks for; below: the colour that a cube is stacked on, else ""."""

    verb: Verb
    colour: str
    below: str = ""

    @property
    def task(self) -> str:
        """Name of the task."""
        end = {Verb.PUT: "-in-tray", Verb.STACK: f"-on-{self.below}"}.get(self.verb, "")
        return f"{self.verb.value}-{self.colour}{end}"


# Sentences with {colour} and {below}, the plainest first.
WORDINGS: Mapping[Verb, tuple[str, ...]] = {
    Verb.TOUCH: (
        "touch the {colour} cube",
        "touch the {colour} block",
        "tap the {colour} cube",
        "please touch the {colour} cube",
        "reach for the {colour} block and touch it",
    ),
    Verb.PICK: (
        "pick up the {colour} cube",
        "pick up the {colour} block",
        "lift the {colour} cube",
        "please pick up the {colour} cube",
        "grasp the {colour} block and lift it",
    ),
    Verb.PUT: (
        "put the {colour} cube in the tray",
        "put the {colour} block into the tray",
        "place the {colour} cube in the tray",
        "please put the {colour} cube in the tray",
        "drop the {colour} block into the tray",
    ),
    Verb.PUSH: (
        "push the {colour} cube away",
        "push the {colour} block away",
        "push the {colour} cube forward",
        "please push the {colour} cube away",
        "shove the {colour} block forward",
    ),
    Verb.STACK: (
        "stack the {colour} cube on the {below} cube",
        "put the {colour} block on top of the {below} block",
        "stack the {colour} block onto the {below} block",
        "please stack the {colour} cube on the {below} cube",
        "place the {colour} cube on top of the {below} cube",
    ),
}

# Task → what it asks for.
TASKS: Mapping[str, Instruction] = {
    asked.task: asked
    for verb in Verb
    for colour in COLOURS
    for asked in [Instruction(verb, colour, BELOW[colour] if verb is Verb.STACK else "")]
}


def tasks(verb: Verb | None = None) -> tuple[str, ...]:
    """Names of the tasks, of one verb or all."""
    return tuple(name for name, asked in TASKS.items() if verb in (None, asked.verb))


def wordings(task: str) -> tuple[str, ...]:
    """Sentences that ask for a task, the plainest first."""
    asked = TASKS[task]
    return tuple(
        sentence.format(colour=asked.colour, below=asked.below) for sentence in WORDINGS[asked.verb]
    )


def command(task: str, seed: int) -> str:
    """Wording of an episode: the seeds go through all of them."""
    sentences = wordings(task)
    return sentences[seed % len(sentences)]


@dataclass(frozen=True)
class Place:
    """Where a cube lies: centre, m in base_link, and its turn about z, rad."""

    x: float
    y: float
    yaw: float


def layout(task: str, seed: int) -> dict[str, Place]:
    """Place of every cube, by colour; the same for the same task and seed."""
    # A fixed stream per task, independent of the order in which tasks are declared.
    rng = np.random.default_rng([seed, *task.encode()])
    while True:
        directions = rng.uniform(-WIDEST, WIDEST, len(COLOURS))
        gaps = np.abs(directions[:, None] - directions[None])
        if (gaps[~np.eye(len(COLOURS), dtype=bool)] >= APART).all():
            break
    distances = rng.uniform(NEAREST, FARTHEST, len(COLOURS))
    turns = rng.uniform(-TURNED, TURNED, len(COLOURS))
    return {
        colour: Place(
            PAN_AXIS[0] + float(distance) * math.cos(direction),
            PAN_AXIS[1] + float(distance) * math.sin(direction),
            float(direction + turn),
        )
        for colour, direction, distance, turn in zip(
            COLOURS, directions, distances, turns, strict=True
        )
    }
