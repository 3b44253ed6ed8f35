"""The simulated robots by name; what each needs is imported when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_sim.robot.simulated_robot import SimulatedRobot
from vla_sim.tasks import task_list


@dataclass(frozen=True)
class RobotFacts:
    """What is known of a robot before it is made.

    cameras: those that it has where none are named. step_period: s. step_limit: of an episode.
    image_period_ticks: steps between two pictures. first_task: the one that is begun with.
    """

    cameras: tuple[str, ...]
    step_period: float
    step_limit: int
    image_period_ticks: int
    first_task: str


ROBOTS = {
    "metaworld": RobotFacts(("corner2", "gripper_pov"), 0.0125, 500, 4, "drawer-open"),
    "so101": RobotFacts(("front", "wrist"), 0.02, 600, 5, "put-red-in-tray"),
}


def known_cameras(name: str) -> tuple[str, ...]:
    """All cameras that a robot can have."""
    if name == "so101":
        return ROBOTS[name].cameras
    from vla_sim.robot.rendering import CAMERAS

    return tuple(CAMERAS)


def make_robot(
    name: str,
    cameras: Sequence[str] | None = None,
    width: int = 240,
    height: int = 240,
    step_limit: int | None = None,
) -> SimulatedRobot:
    """A robot of ROBOTS; cameras: None: its own; step_limit: None: its own.

    Raises:
        ValueError: no such robot. GraphicsError: this machine cannot render. CameraError: unknown
            camera, wrong size.
    """
    if name not in ROBOTS:
        raise ValueError(f"robot is {name!r}; accepted: {', '.join(ROBOTS)}")
    facts = ROBOTS[name]
    chosen = facts.cameras if cameras is None else cameras
    limit = step_limit or facts.step_limit
    if name == "so101":
        from vla_sim.robot.so101_robot import SO101Environment

        return SO101Environment(chosen, width, height, limit)
    from vla_sim.robot.metaworld_robot import MetaworldEnvironment

    return MetaworldEnvironment(chosen, width, height, limit)


def robot_with(task: str, cameras: Sequence[str] | None = None) -> SimulatedRobot:
    """The robot that has a task.

    Raises:
        TaskError: none has it. GraphicsError, CameraError: as `make_robot`.
    """
    return make_robot(task_list.robot_of(task), cameras)
