"""The tasks: Meta-World's fifty, the grounding scene's and the SO-101's, with a command for each.

Meta-World's commands are worded as in LeRobot's Meta-World dataset (which follows the task
descriptions of the Meta-World paper), so that policies trained on either understand them. One
differs: there, "push" and "push-back" share a sentence; here every task has its own. The grounding
scene's commands are in `grounding`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from vla_sim.so101 import so101_tasks
from vla_sim.tasks import grounding_tasks

MOST_SEEDS = 100_000
INSTRUCTIONS: dict[str, str] = {
    "assembly": "Pick up a nut and place it onto a peg",
    "basketball": "Dunk the basketball into the basket",
    "bin-picking": "Grasp the puck from one bin and place it into another bin",
    "box-close": "Grasp the cover and close the box with it",
    "button-press": "Press a button",
    "button-press-topdown": "Press a button from the top",
    "button-press-topdown-wall": "Bypass a wall and press a button from the top",
    "button-press-wall": "Bypass a wall and press a button",
    "coffee-button": "Push a button on the coffee machine",
    "coffee-pull": "Pull a mug from a coffee machine",
    "coffee-push": "Push a mug under a coffee machine",
    "dial-turn": "Rotate a dial 180 degrees",
    "disassemble": "Pick a nut out of a peg",
    "door-close": "Close a door with a revolving joint",
    "door-lock": "Lock the door by rotating the lock clockwise",
    "door-open": "Open a door with a revolving joint",
    "door-unlock": "Unlock the door by rotating the lock counter-clockwise",
    "drawer-close": "Push and close a drawer",
    "drawer-open": "Open a drawer",
    "faucet-close": "Rotate the faucet clockwise",
    "faucet-open": "Rotate the faucet counter-clockwise",
    "hammer": "Hammer a screw on the wall",
    "hand-insert": "Insert the gripper into a hole",
    "handle-press": "Press a handle down",
    "handle-press-side": "Press a handle down sideways",
    "handle-pull": "Pull a handle up",
    "handle-pull-side": "Pull a handle up sideways",
    "lever-pull": "Pull a lever down 90 degrees",
    "peg-insert-side": "Insert a peg sideways",
    "peg-unplug-side": "Unplug a peg sideways",
    "pick-out-of-hole": "Pick up a puck from a hole",
    "pick-place": "Pick and place a puck to a goal",
    "pick-place-wall": "Pick a puck, bypass a wall and place the puck",
    "plate-slide": "Slide a plate into a cabinet",
    "plate-slide-back": "Get a plate from the cabinet",
    "plate-slide-back-side": "Get a plate from the cabinet sideways",
    "plate-slide-side": "Slide a plate into a cabinet sideways",
    "push": "Push the puck to a goal",
    "push-back": "Push the puck back to a goal",
    "push-wall": "Bypass a wall and push a puck to a goal",
    "reach": "Reach a goal position",
    "reach-wall": "Bypass a wall and reach a goal",
    "shelf-place": "Pick and place a puck onto a shelf",
    "soccer": "Kick a soccer into the goal",
    "stick-pull": "Grasp a stick and pull a box with the stick",
    "stick-push": "Grasp a stick and push a box using the stick",
    "sweep": "Sweep a puck off the table",
    "sweep-into": "Sweep a puck into a hole",
    "window-close": "Push and close a window",
    "window-open": "Push and open a window",
}

# Meta-World's ten, as MT10 has them.
MT10 = (
    "reach",
    "push",
    "pick-place",
    "door-open",
    "drawer-open",
    "drawer-close",
    "button-press-topdown",
    "peg-insert-side",
    "window-open",
    "window-close",
)

# Meta-World's fifty by difficulty, as Seo et al., "Masked World Models for Visual Control" (2022),
# sort them; published success rates are means over these tiers.
TIERS: Mapping[str, tuple[str, ...]] = {
    "easy": (
        "button-press",
        "button-press-topdown",
        "button-press-topdown-wall",
        "button-press-wall",
        "coffee-button",
        "dial-turn",
        "door-close",
        "door-lock",
        "door-open",
        "door-unlock",
        "drawer-close",
        "drawer-open",
        "faucet-close",
        "faucet-open",
        "handle-press",
        "handle-press-side",
        "handle-pull",
        "handle-pull-side",
        "lever-pull",
        "peg-unplug-side",
        "plate-slide",
        "plate-slide-back",
        "plate-slide-back-side",
        "plate-slide-side",
        "reach",
        "reach-wall",
        "window-close",
        "window-open",
    ),
    "medium": (
        "basketball",
        "bin-picking",
        "box-close",
        "coffee-pull",
        "coffee-push",
        "hammer",
        "peg-insert-side",
        "push-wall",
        "soccer",
        "sweep",
        "sweep-into",
    ),
    "hard": ("assembly", "hand-insert", "pick-out-of-hole", "pick-place", "push", "push-back"),
    "very-hard": ("disassemble", "pick-place-wall", "shelf-place", "stick-pull", "stick-push"),
}

# Names that stand for several tasks, in lists of tasks.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": tuple(INSTRUCTIONS),
    "mt50": tuple(INSTRUCTIONS),
    "mt10": MT10,
    **TIERS,
    "ground": grounding_tasks.tasks(),
    "ground-touch": grounding_tasks.tasks(grounding_tasks.Verb.TOUCH),
    "ground-push": grounding_tasks.tasks(grounding_tasks.Verb.PUSH),
    "so101": so101_tasks.tasks(),
    **{f"so101-{verb.value}": so101_tasks.tasks(verb) for verb in so101_tasks.Verb},
}

# Robot of the simulator → its tasks.
ROBOTS: Mapping[str, tuple[str, ...]] = {
    "metaworld": (*INSTRUCTIONS, *grounding_tasks.TASKS),
    "so101": so101_tasks.tasks(),
}


class TaskError(ValueError):
    """A task or seed that does not exist; the message is one line and names what is accepted."""


def tasks() -> tuple[str, ...]:
    """Names of Meta-World's tasks, sorted, without its version suffix."""
    return tuple(INSTRUCTIONS)


def known() -> tuple[str, ...]:
    """Names of all tasks, of every robot."""
    return tuple(name for names in ROBOTS.values() for name in names)


def robot_of(task: str) -> str:
    """Name in ROBOTS of the robot that has the task; raises TaskError."""
    check_task(task)
    return next(robot for robot, names in ROBOTS.items() if task in names)


def expand(text: str) -> list[str]:
    """Names of a comma-separated list of tasks and GROUPS, each once; not checked."""
    parts = [part.strip() for part in text.split(",")]
    return list(dict.fromkeys(name for part in parts for name in GROUPS.get(part, (part,))))


def parse_seeds(text: str) -> list[int]:
    """Seeds of a comma-separated list of numbers and ranges, e.g. "100-109,7"; or TaskError."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,19})(?:-(\d{1,19}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first:
            raise TaskError(f"seeds are {text!r}; accepted: e.g. 100-109 or 3,5,7-9")
        check_seed(last)
        if last - first >= MOST_SEEDS:
            raise TaskError(f"seeds have {part.strip()!r}; accepted: at most {MOST_SEEDS} at once")
        found += range(first, last + 1)
    return found


def instruction(task: str, seed: int = 0) -> str:
    """A command in English that describes the episode; raises TaskError for an unknown task.

    Meta-World's tasks have one each; the others several, chosen by the seed.
    """
    check_task(task)
    if task in so101_tasks.TASKS:
        return so101_tasks.command(task, seed)
    return (
        grounding_tasks.command(task, seed) if task in grounding_tasks.TASKS else INSTRUCTIONS[task]
    )


def check_task(task: object, robot: str | None = None) -> None:
    """Raise TaskError, naming the closest tasks, unless `task` is one; robot: of this one."""
    names = known() if robot is None else ROBOTS[robot]
    if isinstance(task, str) and task in names:
        return
    close = difflib.get_close_matches(str(task).removesuffix("-v3"), names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else f"accepted: {', '.join(names)}"
    raise TaskError(f"task is {task!r}, which the simulator does not have; {hint}")


def check_seed(seed: object) -> None:
    """Raise TaskError unless `seed` is a whole number that fits into int64 and is at least 0."""
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise TaskError(f"seed is {seed!r}; accepted: a whole number from 0 to 2^63 - 1")
