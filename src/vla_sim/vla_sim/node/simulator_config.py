"""Parameters of the `simulator` node: defaults, units and ranges stand here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_sim.robot.robots import ROBOTS
from vla_sim.tasks import task_list


@dataclass(frozen=True)
class SimulatorConfig(Config):
    """Task, pace, cameras and driver of the simulated robot."""

    robot: str = parameter("metaworld", "Which robot: metaworld or so101.")
    task: str = parameter(
        "first", "Task of the first episode; reset_episode changes it. first: the robot's first."
    )
    seed: int = parameter(0, "Seed of the first episode's scene.", minimum=0)
    step_limit: int = parameter(
        0,
        "Steps after which an episode is over and the arm holds; in lock-step only. 0: the robot's "
        "own (metaworld 500 of 12.5 ms, so101 600 of 20 ms).",
        minimum=0,
    )
    lock_step: bool = parameter(
        False, "Wait for one SafeAction per tick; wall time then decides nothing."
    )
    real_time_factor: float = parameter(
        1.0,
        "Simulated time per wall time; of no effect in lock-step.",
        minimum=0.01,
        maximum=20.0,
        runtime=True,
    )
    cameras: tuple[str, ...] = parameter(
        ROBOTS["metaworld"].cameras,
        "Cameras: behind_gripper, corner, corner2, corner3, corner4, gripper_pov, topview; of "
        "so101: front, wrist.",
    )
    image_width: int = parameter(240, "Width of the pictures.", "px", minimum=1, maximum=4096)
    image_height: int = parameter(240, "Height of the pictures.", "px", minimum=1, maximum=4096)
    image_period_ticks: int = parameter(
        0,
        "Pictures are published every so many ticks, from an episode's first on. 0: as the robot "
        "has it (metaworld 4, so101 5).",
        minimum=0,
    )
    compressed: bool = parameter(False, "Publish the pictures as JPEG too.")
    jpeg_quality: int = parameter(90, "Quality of the JPEG pictures.", minimum=1, maximum=100)
    command_timeout: float = parameter(
        0.1,
        "Time without a command after which the driver brakes by itself.",
        "s",
        minimum=0.0125,
        maximum=10.0,
    )
    braking_deceleration: float = parameter(
        10.0, "How hard a driver of velocities brakes then.", "m/s^2", minimum=0.1, maximum=1000.0
    )
    answer_timeout: float = parameter(
        30.0,
        "Lock-step: wall time without an answer after which it is reported, again and again.",
        "s",
        minimum=0.1,
    )

    def check(self) -> None:
        """Raise ParameterError for a robot, or a task of it, that does not exist."""
        if self.robot not in ROBOTS:
            raise ParameterError(
                f"parameter robot is {self.robot!r}; accepted: {', '.join(ROBOTS)}"
            )
        try:
            task_list.check_task(self.first_task, self.robot)
        except task_list.TaskError as error:
            raise ParameterError(f"parameter {error}") from error

    @property
    def first_task(self) -> str:
        """Task of the first episode."""
        return ROBOTS[self.robot].first_task if self.task == "first" else self.task
