"""The grounding scene's tasks: which block a command names, its wordings, where the blocks stand.

Three blocks of different colour lie at random places. What has to be done stands in the command
alone: nothing in the scene tells the task, so a policy that ignores the words succeeds by chance.
Without MuJoCo; the scene itself is `grounding_scene`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Colour of each block, rgb: unlike the dark red arm, the brown table and the cyan finger.
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.95, 0.05, 0.05),
    "green": (0.05, 0.75, 0.1),
    "blue": (0.1, 0.15, 0.95),
}
# Side → direction along x of base_link, seen from the robot, which looks along y. In corner2's
# picture, left is left too.
SIDES: dict[str, float] = {"left": -1.0, "right": 1.0}

HALF_SIZE = 0.03  # m, half the edge of a block
# m, x and y of a block's centre in base_link. Chosen by looking: there the hand at its start hides
# none of them from corner2, and the gripper's camera sees nearly all.
PLACE_LOW, PLACE_HIGH = (-0.15, 0.46), (0.25, 0.76)
# Between the centres of any two blocks at least one of these, m: the first lets the gripper (5 cm
# wide) pass between two rows; the second lets it push one block by its width, with the other in
# the same row, from either side.
ROW_DISTANCE = 0.12
COLUMN_DISTANCE = 0.2


class Verb(Enum):
    """What is to be done with the named block."""

    TOUCH = "touch"
    PUSH = "push"


@dataclass(frozen=True)
class Instruction:
    """What a task asks for; side: of a push, "" of a touch."""

    verb: Verb
    colour: str
    side: str = ""

    @property
    def task(self) -> str:
        """Name of the task."""
        parts = ("ground", self.verb.value, self.colour, self.side)
        return "-".join(part for part in parts if part)


@dataclass(frozen=True)
class Wordings:
    """Sentences with {colour} and {side}; `held_out` ones are for evaluation and never trained."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


# Of the words of the held-out sentences a few are in no training sentence, as a user's would be:
# "gently", "over", "now", "towards", "side".
WORDINGS: Mapping[Verb, Wordings] = {
    Verb.TOUCH: Wordings(
        training=(
            "touch the {colour} block",
            "touch the {colour} cube",
            "tap the {colour} block",
            "please touch the {colour} block",
            "put the gripper on the {colour} block",
            "move to the {colour} cube and touch it",
            "reach for the {colour} block",
            "touch the block that is {colour}",
        ),
        held_out=(
            "tap the {colour} cube",
            "please tap the block that is {colour}",
            "gently touch the {colour} cube",
            "reach for the {colour} cube and touch it",
            "now put the gripper on the {colour} cube",
        ),
    ),
    Verb.PUSH: Wordings(
        training=(
            "push the {colour} block to the {side}",
            "push the {colour} cube to the {side}",
            "push the {colour} block {side}",
            "move the {colour} block to the {side}",
            "please push the {colour} block to the {side}",
            "slide the {colour} cube to the {side}",
            "shove the {colour} block {side}",
            "push the block that is {colour} to the {side}",
        ),
        held_out=(
            "slide the {colour} block {side}",
            "please shove the {colour} cube to the {side}",
            "move the {colour} cube {side}",
            "push the {colour} block over to the {side} side",
            "now push the cube that is {colour} towards the {side}",
        ),
    ),
}


def _instructions() -> dict[str, Instruction]:
    touch = [Instruction(Verb.TOUCH, colour) for colour in COLOURS]
    push = [Instruction(Verb.PUSH, colour, side) for colour in COLOURS for side in SIDES]
    return {instruction.task: instruction for instruction in (*touch, *push)}


# Task → what it asks for.
TASKS: Mapping[str, Instruction] = _instructions()


def tasks(verb: Verb | None = None) -> tuple[str, ...]:
    """Names of the grounding tasks, of one verb or all."""
    return tuple(name for name, i in TASKS.items() if verb in (None, i.verb))


def wordings(task: str, *, held_out: bool = False) -> tuple[str, ...]:
    """Sentences that ask for a task, the plainest first; held_out: those kept from training."""
    asked = TASKS[task]
    kinds = WORDINGS[asked.verb]
    sentences = kinds.held_out if held_out else kinds.training
    return tuple(s.format(colour=asked.colour, side=asked.side) for s in sentences)


def command(task: str, seed: int, *, held_out: bool = False) -> str:
    """Wording of an episode: the seeds go through all of them."""
    sentences = wordings(task, held_out=held_out)
    return sentences[seed % len(sentences)]


def layout(task: str, seed: int) -> dict[str, Array]:
    """Place of every block's centre, (x, y) in base_link, m, by colour.

    The same for the same task and seed. Tasks draw from one distribution, each with numbers of its
    own: a seed of several tasks gives as many scenes.
    """
    # A fixed stream per task, independent of the order in which tasks are declared.
    rng = np.random.default_rng([seed, *task.encode()])
    while True:
        places = rng.uniform(PLACE_LOW, PLACE_HIGH, (len(COLOURS), 2))
        if _apart(places):
            return dict(zip(COLOURS, places, strict=True))


def _apart(places: Array) -> bool:
    gaps = np.abs(places[:, None] - places[None])
    free = (gaps[..., 0] >= COLUMN_DISTANCE) | (gaps[..., 1] >= ROW_DISTANCE)
    return bool(free[~np.eye(len(places), dtype=bool)].all())
