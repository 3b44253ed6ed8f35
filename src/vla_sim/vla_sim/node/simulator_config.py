"""Parameters of the `simulator` node: defaults, units and ranges stand here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_sim.robot import metaworld_robot
from vla_sim.tasks import task_list


@dataclass(frozen=True)
class SimulatorConfig(Config):
    """Task, pace, cameras and driver of the simulated robot."""

    task: str = parameter("drawer-open", "Task of the first episode; reset_episode changes it.")
    seed: int = parameter(0, "Seed of the first episode's scene.", minimum=0)
    step_limit: int = parameter(
        metaworld_robot.STEP_LIMIT,
        "Steps of 12.5 ms after which an episode is over and the arm holds; in lock-step only.",
        minimum=1,
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
        metaworld_robot.DEFAULT_CAMERAS,
        "Cameras: behind_gripper, corner, corner2, corner3, corner4, gripper_pov, topview.",
    )
    image_width: int = parameter(240, "Width of the pictures.", "px", minimum=1, maximum=4096)
    image_height: int = parameter(240, "Height of the pictures.", "px", minimum=1, maximum=4096)
    image_period_ticks: int = parameter(
        4, "Pictures are published every so many ticks, from an episode's first on.", minimum=1
    )
    compressed: bool = parameter(False, "Publish the pictures as JPEG too.")
    jpeg_quality: int = parameter(90, "Quality of the JPEG pictures.", minimum=1, maximum=100)
    command_timeout: float = parameter(
        0.1,
        "Time without a twist after which the driver brakes by itself.",
        "s",
        minimum=0.0125,
        maximum=10.0,
    )
    braking_deceleration: float = parameter(
        10.0, "How hard the driver brakes then.", "m/s^2", minimum=0.1, maximum=1000.0
    )
    answer_timeout: float = parameter(
        30.0,
        "Lock-step: wall time without an answer after which it is reported, again and again.",
        "s",
        minimum=0.1,
    )

    def check(self) -> None:
        """Raise ParameterError for a task that does not exist or a camera named twice."""
        try:
            task_list.check_task(self.task)
        except task_list.TaskError as error:
            raise ParameterError(f"parameter {error}") from error
