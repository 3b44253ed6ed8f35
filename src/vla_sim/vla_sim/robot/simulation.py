"""Episodes on a clock that never goes back, with the driver in front of the robot."""

from __future__ import annotations

from vla_contract.stamps import NANOSECONDS
from vla_sim.robot.arm_driver import Driver
from vla_sim.robot.joint_driver import JointDriver
from vla_sim.robot.simulated_robot import SimulatedRobot, StepResult


class Simulation:
    """The environment, its driver and the count of ticks and episodes.

    Attributes:
        tick: of the present state, from 1; a new episode takes the next one.
        episode: from 1.
    """

    def __init__(
        self,
        environment: SimulatedRobot,
        driver: Driver | JointDriver,
        image_period_ticks: int,
    ) -> None:
        self.environment = environment
        self.driver = driver
        self.tick = 0
        self.episode = 0
        self._image_period_ticks = image_period_ticks

    def begin(self, task: str, seed: int) -> None:
        """Begin an episode, with the driver at rest; raises TaskError and then changes nothing."""
        self.environment.reset(task, seed)
        self.driver.reset()
        self.tick += 1
        self.episode += 1

    def advance(self, now: float) -> StepResult:
        """Simulate one step with what the driver gives at `now`, s of its clock."""
        result = self.environment.apply(self.driver.action(now, self.step_period))
        self.tick += 1
        return result

    @property
    def step_period(self) -> float:
        """Simulated time of a step, s."""
        return self.environment.step_period

    @property
    def stamp(self) -> int:
        """Simulated time of the present state, ns."""
        return self.tick * round(self.step_period * NANOSECONDS)

    @property
    def time(self) -> float:
        """The same in s."""
        return self.stamp * 1e-9

    @property
    def has_images(self) -> bool:
        """True in a tick at which the cameras take pictures."""
        due = self.environment.result.step % self._image_period_ticks == 0
        return due and bool(self.environment.cameras)
