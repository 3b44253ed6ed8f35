"""What every simulated robot offers and tells, whatever it is. Without MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

GRIPPER_OPENING = "gripper_opening"
END_EFFECTOR = tuple(f"end_effector.{axis}" for axis in "xyz")


@dataclass(frozen=True)
class RobotState:
    """What the robot measures of itself.

    end_effector: (3,) m in base_link, which is MuJoCo's world frame.
    end_effector_quaternion: (4,) x, y, z, w of the same in base_link.
    joint_names, joint_positions, joint_velocities: (J,); rad, rad/s; of fingers m, m/s.
    gripper_opening: 0 (closed) to 1; gripper_velocity: its change, 1/s. None: a joint tells it.
    """

    end_effector: Array
    end_effector_quaternion: Array
    joint_names: tuple[str, ...]
    joint_positions: Array
    joint_velocities: Array
    gripper_opening: float | None = None
    gripper_velocity: float = 0.0

    def values(self) -> dict[str, float]:
        """Every number by the name that an observation of the graph has it under."""
        values = dict(zip(END_EFFECTOR, self.end_effector.tolist(), strict=True))
        values |= zip(self.joint_names, self.joint_positions.tolist(), strict=True)
        if self.gripper_opening is not None:
            values[GRIPPER_OPENING] = self.gripper_opening
        return values


@dataclass(frozen=True)
class StepResult:
    """Outcome of a step.

    step: steps simulated in this episode. success: latched at the first rise of the task's own
    flag within the step limit. truncated: the step limit is reached and the arm holds.
    unstable: MuJoCo found its state diverging and reset it; the episode is worth nothing.
    failure: why success is no longer possible, e.g. "touched the blue block".
    """

    step: int
    reward: float
    success: bool
    truncated: bool
    unstable: bool
    failure: str = ""


@dataclass(frozen=True)
class Scene:
    """A copy of the physical state that can be rendered while the original moves on."""

    task: str
    model: Any
    data: Any


class SimulatedRobot(Protocol):
    """A robot in one of its tasks, one episode at a time.

    step_period: s. image_period_ticks: steps between two pictures, where nothing else is said.
    """

    step_period: float
    image_period_ticks: int
    step_limit: int
    cameras: tuple[str, ...]
    task: str
    seed: int

    def reset(self, task: str, seed: int) -> None:
        """Begin the episode of this task and seed; raises TaskError."""

    def apply(self, action: npt.ArrayLike | None) -> StepResult:
        """Simulate one step; action: (D,) SI, in the order of its action space; None: hold."""

    @property
    def result(self) -> StepResult:
        """Outcome of the latest step."""

    def state(self) -> RobotState:
        """Present state of the robot."""

    def expert_action(self) -> Array:
        """(D,) SI: what the task's scripted expert asks for now."""

    def landmarks(self) -> Array:
        """(9,) m: the task's object, a second one and the goal, which no policy is told."""

    def scene(self) -> Scene:
        """Copy the state for rendering it later, or in another thread."""

    def render(self, scene: Scene | None = None) -> dict[str, Image]:
        """Pictures (rgb uint8, (H, W, 3), upright) by camera; always in the same thread."""

    def close(self) -> None:
        """Free the OpenGL context, in the thread that renders."""


def diverged(data: Any) -> bool:
    """Whether MuJoCo found the state diverging since the episode's start; data: MjData."""
    import mujoco

    kinds = mujoco.mjtWarning
    bad = (kinds.mjWARN_BADQPOS, kinds.mjWARN_BADQVEL, kinds.mjWARN_BADQACC)
    return any(data.warning[int(kind)].number for kind in bad)
