"""Parameters of the safety node by subject; `SafetyConfig` is all of them. Free of ROS."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_safety.watch.recovery import Key, RecoveryRules
from vla_safety.watch.safety_states import FaultKind, Reason

# A side of the workspace this far away is open.
OPEN_SIDE = 1000.0  # m
URDF_TOPIC = "topic"  # in place of a path
POSITION_SOURCES = ("auto", "end_effector_pose", "odom", "tf")


@dataclass(frozen=True)
class RecoveryParameters(Config):
    """How long a fault must stay away before the robot moves again; when faults are too many."""

    recovery_vision: float = parameter(
        5.0, "Recovery time of a fault of vision.", "s", minimum=0.0, maximum=3600.0, runtime=True
    )
    recovery_language: float = parameter(
        3.0, "Recovery time of a fault of language.", "s", minimum=0.0, maximum=3600.0, runtime=True
    )
    recovery_action: float = parameter(
        10.0, "Recovery time of a fault of action.", "s", minimum=0.0, maximum=3600.0, runtime=True
    )
    recovery_communication: float = parameter(
        2.0,
        "Recovery time of a fault of communication.",
        "s",
        minimum=0.0,
        maximum=3600.0,
        runtime=True,
    )
    recovery_robot_state: float = parameter(
        1.0, "Recovery time of lost robot state.", "s", minimum=0.0, maximum=3600.0, runtime=True
    )
    recovery_clock: float = parameter(
        1.0, "Recovery time of a fault of a clock.", "s", minimum=0.0, maximum=3600.0, runtime=True
    )
    recovery_obstacle: float = parameter(
        0.5,
        "Time for which an obstacle that stopped the robot must be gone.",
        "s",
        minimum=0.0,
        maximum=3600.0,
        runtime=True,
    )
    recovery_contact: float = parameter(
        2.0,
        "Time for which a contact that stopped the robot must be over.",
        "s",
        minimum=0.0,
        maximum=3600.0,
        runtime=True,
    )
    escalation_count: int = parameter(
        5,
        "Faults of one kind that interrupt motion within escalation_window and stop the robot "
        "until reset; 0: never.",
        minimum=0,
        maximum=1000,
        runtime=True,
    )
    escalation_total: int = parameter(
        10, "The same for faults of all kinds.", minimum=0, maximum=1000, runtime=True
    )
    escalation_window: float = parameter(
        120.0, "That window.", "s", minimum=1.0, maximum=86400.0, runtime=True
    )

    @cached_property
    def recovery_rules(self) -> RecoveryRules:
        """These parameters as `Recovery` takes them."""
        times: Mapping[Key, float] = {
            FaultKind.VISION: self.recovery_vision,
            FaultKind.LANGUAGE: self.recovery_language,
            FaultKind.ACTION: self.recovery_action,
            FaultKind.COMMUNICATION: self.recovery_communication,
            FaultKind.ROBOT_STATE: self.recovery_robot_state,
            FaultKind.CLOCK: self.recovery_clock,
            Reason.OBSTACLE: self.recovery_obstacle,
            Reason.CONTACT: self.recovery_contact,
        }
        return RecoveryRules(
            times, self.escalation_count, self.escalation_total, self.escalation_window
        )


@dataclass(frozen=True)
class DetectorParameters(Config):
    """When motion that is commanded does not happen, or leads nowhere."""

    closed_loop: bool = parameter(
        True, "What is measured answers what is commanded; false for replays, and detects nothing."
    )
    limited_timeout: float = parameter(
        5.0,
        "Time for which the limits may change every command of the policy; 0: for ever.",
        "s",
        minimum=0.0,
        maximum=3600.0,
        runtime=True,
    )
    progress_timeout: float = parameter(
        20.0,
        "Time for which a command may be served without progress; 0: for ever.",
        "s",
        minimum=0.0,
        maximum=3600.0,
        runtime=True,
    )
    progress_rise: float = parameter(
        0.02,
        "Rise of the policy's progress within that time that counts as some.",
        minimum=0.0,
        maximum=1.0,
        runtime=True,
    )
    progress_motion: float = parameter(
        0.01,
        "Measured motion that counts as some, where the policy tells no progress.",
        "m or rad",
        minimum=0.0,
        runtime=True,
    )
    tracking_timeout: float = parameter(
        2.0,
        "Time for which the measured state may differ from the command; 0: for ever.",
        "s",
        minimum=0.0,
        maximum=3600.0,
        runtime=True,
    )
    tracking_linear: float = parameter(
        0.3, "Difference of linear velocities that counts.", "m/s", minimum=0.0, runtime=True
    )
    tracking_angular: float = parameter(
        0.5, "Difference of angular velocities that counts.", "rad/s", minimum=0.0, runtime=True
    )
    tracking_position: float = parameter(
        0.2,
        "Difference of positions of joints and of the end effector that counts, and of its "
        "orientation.",
        "rad or m",
        minimum=0.0,
        runtime=True,
    )


@dataclass(frozen=True)
class HomeParameters(Config):
    """The start pose, and the way there."""

    home_pose: tuple[str, ...] = parameter(
        (),
        "Where the service home moves to: NAME=VALUE of dimensions of the action space, rad or m; "
        "of a linear velocity the end effector's position on its axis in workspace_frame. What is "
        "not named stays.",
    )
    home_speed: float = parameter(
        0.25,
        "Speed of that motion, as a share of the velocity limits.",
        minimum=0.01,
        maximum=1.0,
        runtime=True,
    )
    home_tolerance: float = parameter(
        0.02,
        "Difference of the measured from the start pose at which it is reached.",
        "rad or m",
        minimum=0.001,
        maximum=1.0,
        runtime=True,
    )
    home_timeout: float = parameter(
        60.0, "Time after which it has failed.", "s", minimum=1.0, maximum=3600.0, runtime=True
    )


@dataclass(frozen=True)
class WorkspaceParameters(Config):
    """Where the end effector or the base may be, and where that is known from."""

    workspace_low: tuple[float, ...] = parameter(
        (-OPEN_SIDE,) * 3,
        "Lower corner of the box that the end effector (or the base) stays in; -1000 is open.",
        "m",
        minimum=-OPEN_SIDE,
        maximum=OPEN_SIDE,
    )
    workspace_high: tuple[float, ...] = parameter(
        (OPEN_SIDE,) * 3, "Its upper corner; 1000 is open.", "m", minimum=-OPEN_SIDE,
        maximum=OPEN_SIDE,
    )  # fmt: skip
    workspace_frame: str = parameter("base_link", "Frame that the box is given in.")
    workspace_required: bool = parameter(True, "An end effector does not move without a workspace.")
    speed_zones: tuple[str, ...] = parameter(
        (), "Names of places with a speed limit of their own, each with its own parameters."
    )
    position_source: str = parameter(
        "auto",
        "Where the position is from; auto: odom for a base, else end_effector_pose.",
        choices=POSITION_SOURCES,
    )
    tip_frame: str = parameter("tool0", "tf: frame whose position in workspace_frame counts.")
    obstacle_source_required: bool = parameter(
        True, "A base does not move without a source of obstacles."
    )

    def check(self) -> None:
        """Refuse a box that is none."""
        for name in ("workspace_low", "workspace_high"):
            if len(getattr(self, name)) != 3:
                raise ParameterError(
                    f"parameter {name} is {list(getattr(self, name))}; accepted: x, y, z"
                )
        for axis, low, high in zip("xyz", self.workspace_low, self.workspace_high, strict=True):
            if not low < high:
                raise ParameterError(
                    f"parameters workspace_low and workspace_high are {low} and {high} in {axis}; "
                    "accepted: the lower one first"
                )
        super().check()

    @property
    def box(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Corners of the workspace, an open side infinite; None where every side is open."""
        low = tuple(-math.inf if v <= -OPEN_SIDE else v for v in self.workspace_low)
        high = tuple(math.inf if v >= OPEN_SIDE else v for v in self.workspace_high)
        return None if all(map(math.isinf, (*low, *high))) else (low, high)


@dataclass(frozen=True)
class ArmParameters(Config):
    """The shape of an arm that is commanded by joint positions; the singularities of others."""

    arm_urdf: str = parameter(
        "",
        "URDF of the whole arm: path or package:// of a file (of xacro its output), the text "
        "itself, or topic: what robot_description brings. Empty: its shape is not looked at.",
    )
    arm_geometry: str = parameter(
        "",
        "File, or package:// of it, with what the URDF does not tell: SRDF or pairs, surroundings, "
        "payload.",
    )
    arm_margin: float = parameter(
        0.01,
        "Least distance between links, and of links from surroundings, payload and points.",
        "m",
        minimum=0.0,
        maximum=1.0,
    )
    arm_delay: float = parameter(
        0.0,
        "How late the joints follow their commands while they move, for the whole arm: what they "
        "are off besides is how far they hang, and is kept clear too.",
        "s",
        minimum=0.0,
        maximum=1.0,
    )
    arm_speed: float = parameter(
        0.25, "Greatest speed of elbows and tools; 0: no limit.", "m/s", minimum=0.0, maximum=10.0
    )
    singularity_lower: float = parameter(
        17.0,
        "Of an end effector told twists, with arm_urdf: condition number of the Jacobian of "
        "tip_frame from which on it is slowed.",
        minimum=1.0,
        maximum=1e6,
    )
    singularity_upper: float = parameter(
        30.0, "Condition number at which it stands.", minimum=1.0, maximum=1e6
    )
    arm_point_sources: tuple[str, ...] = parameter(
        (),
        "Names of sources of points (PointCloud2, LaserScan) that every link is kept from, each "
        "with its own parameters.",
    )

    def check(self) -> None:
        """Refuse thresholds the wrong way round, points for an arm without a shape, odd names."""
        if not self.singularity_lower < self.singularity_upper:
            raise ParameterError(
                f"parameters singularity_lower and singularity_upper are {self.singularity_lower} "
                f"and {self.singularity_upper}; accepted: the lower one first"
            )
        for name in self.arm_point_sources:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ParameterError(
                    f"parameter arm_point_sources has {name!r}; accepted: a letter, then letters, "
                    "digits, _"
                )
        if self.arm_point_sources and not self.arm_urdf:
            raise ParameterError(
                f"parameter arm_point_sources is {list(self.arm_point_sources)} and arm_urdf is "
                "empty; accepted: a URDF with them"
            )
        super().check()


@dataclass(frozen=True)
class ContactParameters(Config):
    """Forces that are a contact: they stop the robot, which then yields a little."""

    contact_force: float = parameter(
        0.0, "Force beyond its slow average that is a contact; 0: no sensor.", "N", minimum=0.0
    )
    contact_torque: float = parameter(
        0.0, "Torque beyond its slow average that is one; 0: no sensor.", "N m", minimum=0.0
    )
    contact_joints: tuple[str, ...] = parameter((), "Joints whose effort is looked at.")
    contact_efforts: tuple[float, ...] = parameter(
        (5.0,),
        "Effort beyond its slow average that is a contact: one for all of them, or one for each.",
        "N m or N, as the driver tells it",
    )
    contact_baseline_time: float = parameter(
        10.0, "Time constant of that average.", "s", minimum=0.1, maximum=3600.0
    )
    contact_yield: float = parameter(
        0.0,
        "Way that the robot yields in the direction of the force, once it stands; 0: it stays.",
        "m or rad",
        minimum=0.0,
        maximum=0.1,
    )
    contact_yield_speed: float = parameter(
        0.02, "Speed of that.", "m/s or rad/s", minimum=0.001, maximum=0.2
    )

    def check(self) -> None:
        """Refuse joints without a threshold, or thresholds without a joint."""
        if len(self.contact_efforts) not in (1, len(self.contact_joints)):
            raise ParameterError(
                f"parameter contact_efforts has {len(self.contact_efforts)} entries; accepted: "
                f"one, or one for each of the {len(self.contact_joints)} contact_joints"
            )
        if not all(0.0 < effort < math.inf for effort in self.contact_efforts):
            raise ParameterError(
                f"parameter contact_efforts is {list(self.contact_efforts)}; accepted: finite "
                "numbers above 0"
            )
        super().check()


@dataclass(frozen=True)
class PeopleParameters(Config):
    """People whom a detector sees (topic `people`), and how near they may be: ISO/TS 15066."""

    people_enabled: bool = parameter(
        False, "The robot is only as fast as the nearest person on the topic people allows."
    )
    people_reach: float = parameter(
        1.0,
        "How far the robot reaches around the origin of base_frame; distances begin there.",
        "m",
        minimum=0.0,
        maximum=10.0,
    )
    people_speed: float = parameter(
        1.6, "Speed at which a person may come nearer (v_h).", "m/s", minimum=0.0, maximum=10.0
    )
    people_reaction: float = parameter(
        0.2,
        "Time from a detection to the first command that answers it, and the driver's own (T_r). "
        "The age of the detection is added.",
        "s",
        minimum=0.0,
        maximum=10.0,
    )
    people_intrusion: float = parameter(
        0.0, "How far a body reaches in before it is seen (C).", "m", minimum=0.0, maximum=2.0
    )
    people_uncertainty: float = parameter(
        0.1, "Uncertainty of a person's position (Z_d).", "m", minimum=0.0, maximum=5.0
    )
    people_robot_uncertainty: float = parameter(
        0.02, "Uncertainty of the robot's position (Z_r).", "m", minimum=0.0, maximum=5.0
    )
    people_robot_speed: float = parameter(
        0.0,
        "Greatest speed of any part of a robot without linear velocities; 0: arm_speed.",
        "m/s",
        minimum=0.0,
        maximum=10.0,
    )


@dataclass(frozen=True)
class RecordingParameters(Config):
    """What is kept of a stop."""

    recording_folder: str = parameter(
        "",
        "Folder of the recordings of stops. Empty: $ROS_HOME/vla_safety/recordings/, by "
        "namespace; none: nothing is recorded.",
    )
    recording_duration: float = parameter(
        10.0, "Time before a stop that is recorded.", "s", minimum=0.1, maximum=600.0
    )
    recording_tail: float = parameter(1.0, "Time after it.", "s", minimum=0.0, maximum=60.0)
    recording_large_period: float = parameter(
        1.0,
        "Least time between two recorded messages of one topic that are larger than 64 KiB, such "
        "as point clouds; 0: every one.",
        "s",
        minimum=0.0,
        maximum=60.0,
    )
    recording_count: int = parameter(
        50, "Recordings that are kept; the oldest go first.", minimum=1, maximum=100000
    )
    recording_bytes: int = parameter(1073741824, "Their size in all.", "byte", minimum=1048576)


@dataclass(frozen=True)
class TeleoperationParameters(Config):
    """A person's inputs beside the policy."""

    teleop_inputs: tuple[str, ...] = parameter(
        (), "Names of teleoperation inputs, each with its own parameters."
    )
    teleop_locks: tuple[str, ...] = parameter(
        (), "Names of locks that mask inputs of a lower priority, each with its own parameters."
    )
    policy_priority: int = parameter(
        10, "Priority of the policy among the inputs.", minimum=1, maximum=255
    )
    teleop_resume: str = parameter(
        "command",
        "What lets the policy drive again after a person: a new command, or the next chunk.",
        choices=("command", "chunk"),
    )
