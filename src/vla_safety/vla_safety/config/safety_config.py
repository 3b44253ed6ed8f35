"""Parameters of the safety node: defaults, ranges and meaning, in one place. Free of ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace
from vla_contract.language.spoken_text import words
from vla_contract.language.stop_words import STOP_WORDS
from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_safety.config.config_sections import (
    ArmParameters,
    ContactParameters,
    DetectorParameters,
    HomeParameters,
    PeopleParameters,
    RecordingParameters,
    RecoveryParameters,
    TeleoperationParameters,
    WorkspaceParameters,
)
from vla_safety.config.obstacle_config import ObstacleParameters
from vla_safety.limits.limiter import braking_time
from vla_safety.loop.realtime_priority import HIGHEST

# Control periods: of the default loop_timeout, and the least that is a gap and no late period.
LOOP_PERIODS, LEAST_PERIODS = 3.0, 2.0
# A stall that counts for no escalation where no driver declares its timeout, s.
BRIDGED_STALL = 0.5
SLOWING = ("path", "dimension")
INPUTS = ("joint_states", "end_effector_pose", "odom")


@dataclass(frozen=True)
class ControlParameters(Config):
    """What the control loop needs, and for how long it does without."""

    action_space: str = parameter("", "Path of the action space file.")
    slop: float = parameter(
        0.1,
        "Greatest difference of stamps in an observation (perception's slop).",
        "s",
        minimum=0.0,
    )
    latency_p99: float = parameter(
        0.1,
        "99th percentile of the time from an image's stamp to its chunk here.",
        "s",
        minimum=0.0,
    )
    inference_period: float = parameter(
        0.05,
        "Time between two chunks. A chunk must cover slop + latency_p99 + twice this.",
        "s",
        minimum=0.0,
    )
    blend_window: float = parameter(
        0.1,
        "Time over which a new chunk takes over from the old one.",
        "s",
        minimum=0.0,
        maximum=10.0,
        runtime=True,
    )
    stamp_tolerance: float = parameter(
        0.02,
        "How far in the future an observation's stamp may lie.",
        "s",
        minimum=0.0,
        maximum=1.0,
        runtime=True,
    )
    chunk_timeout: float = parameter(
        0.4,
        "Greatest age of the observation acted on; beyond it the robot brakes.",
        "s",
        minimum=0.01,
        runtime=True,
    )
    heartbeat_sources: tuple[str, ...] = parameter(
        ("perception", "policy"), "Nodes whose fault levels must keep coming (not in lock-step)."
    )
    heartbeat_timeout: float = parameter(
        1.0,
        "Silence of one of them after which the robot brakes.",
        "s",
        minimum=0.01,
        runtime=True,
    )
    required_inputs: tuple[str, ...] = parameter(
        ("joint_states",), "Robot state without which the robot does not move.", choices=INPUTS
    )
    input_timeout: float = parameter(
        0.5, "Greatest age of a required input.", "s", minimum=0.01, runtime=True
    )
    required_joints: tuple[str, ...] = parameter(
        (), "Joints that joint_states must hold, beside those of the action space."
    )
    require_emergency_stop: bool = parameter(
        False, "Silence on emergency_stop is a stop; for robots that publish it periodically."
    )
    emergency_stop_timeout: float = parameter(0.5, "That silence.", "s", minimum=0.01, runtime=True)
    clock_timeout: float = parameter(
        0.5,
        "Time for which the ROS clock may stand still (not in lock-step).",
        "s",
        minimum=0.05,
        runtime=True,
    )
    clock_jump: float = parameter(
        1.0,
        "Jump of the ROS clock, either way, after which the robot waits for a new command.",
        "s",
        minimum=0.05,
        runtime=True,
    )
    loop_timeout: float = parameter(
        0.0,
        "Gap of the safety loop after which the robot brakes, beginning with what its driver does "
        "by then: what was measured, or rest once the driver's own timeout is over. 0: three "
        "control periods, or the shortest timeout of a driver where that is less.",
        "s",
        minimum=0.0,
        maximum=10.0,
    )
    publishers_period: float = parameter(
        0.1,
        "Period of looking for other publishers of chunks and of the robot's commands.",
        "s",
        minimum=0.05,
        maximum=10.0,
    )
    realtime_priority: int = parameter(
        50,
        "Real-time priority of the control loop's thread where the operating system grants it "
        "(not in lock-step); 0: none.",
        minimum=0,
        maximum=HIGHEST,
    )
    parameter_lock: bool = parameter(
        False, "While active, refuse changes that loosen a limit.", runtime=True
    )
    stop_words: tuple[str, ...] = parameter(
        STOP_WORDS, "Utterances that stop the robot; each as a whole."
    )
    shadow: bool = parameter(False, "Run everything, but send nothing to the robot.", runtime=True)
    armed_on_start: bool = parameter(
        False, "Outputs are connected from the start; else the arm service connects them."
    )
    speed_scale: float = parameter(
        1.0, "Scale of every velocity limit.", minimum=0.0, maximum=1.0, runtime=True
    )
    slowing: str = parameter(
        SLOWING[0],
        "What slows down does so along the path, all dimensions alike and the plan later, or "
        "each dimension by itself while the plan goes on.",
        choices=SLOWING,
    )
    fade_in_time: float = parameter(
        0.5,
        "Time over which the policy's motion is faded in after arming, after a person has driven "
        "and after a recovery (slowing: path); 0: at once.",
        "s",
        minimum=0.0,
        maximum=60.0,
        runtime=True,
    )
    state_file: str = parameter(
        "",
        "Where the latched stop and the commands seen survive a restart. Empty: "
        "$ROS_HOME/vla_safety/, by domain and namespace; none: nowhere.",
    )
    fault_period: float = parameter(
        0.2, "Period of the fault levels, which are the node's heartbeat.", "s", minimum=0.01
    )
    error_count: int = parameter(
        5,
        "Bad chunks, or diagnoses (1 Hz) with a fault that holds, in a row that are an error.",
        minimum=1,
        maximum=1000,
        runtime=True,
    )
    lock_step: bool = parameter(
        False, "One period per simulation tick; no timer and no wall clock decide anything."
    )

    def check(self) -> None:
        """Refuse a stop word that is none."""
        if not all(words(word) for word in self.stop_words):
            raise ParameterError(
                f"parameter stop_words is {list(self.stop_words)}; accepted: words"
            )
        super().check()


@dataclass(frozen=True)
class SafetyConfig(
    TeleoperationParameters,
    RecordingParameters,
    ArmParameters,
    ContactParameters,
    PeopleParameters,
    HomeParameters,
    WorkspaceParameters,
    ObstacleParameters,
    DetectorParameters,
    RecoveryParameters,
    ControlParameters,
):
    """See each field's description; `vla_contract.node.parameters.table` prints them."""


def loop_timeout(config: SafetyConfig, space: ActionSpace) -> float:
    """Gap of the safety loop after which the motion begins anew, s."""
    default = min(LOOP_PERIODS * space.period, *space.driver_timeouts.values(), math.inf)
    return config.loop_timeout or default


def escalating_stall(space: ActionSpace) -> float:
    """Gap of the safety loop beyond which it counts for escalation, s.

    A shorter one is bridged by the drivers: motion goes on from the last command, and a busy
    machine may have many of them.
    """
    return min(space.driver_timeouts.values(), default=BRIDGED_STALL)


def check_space(config: SafetyConfig, space: ActionSpace) -> None:
    """Refuse an action space that cannot be driven safely with this configuration.

    Raises:
        ParameterError: a full chunk ends before the next can be there, or the emergency limits
            cannot stop a dimension within the braking time, or a driver stops by itself before
            a gap of the loop is one, or an input that a kind of action needs is not required, or
            a position of the end effector may leave the workspace. The message has the numbers.
    """
    needed = config.slop + config.latency_p99 + 2.0 * config.inference_period
    if space.horizon < needed - 1e-9:
        raise ParameterError(
            f"a chunk of action space {space.name} covers {space.horizon:.3f} s; accepted: at "
            f"least slop {config.slop} + latency_p99 {config.latency_p99} + 2 * inference_period "
            f"{config.inference_period} = {needed:.3f} s"
        )
    _check_drivers(config, space)
    _check_inputs(config, space)
    _check_positions(config, space)
    if config.people_enabled and not (
        space.linear_indices or config.people_robot_speed or (config.arm_urdf and config.arm_speed)
    ):
        raise ParameterError(
            f"parameter people_robot_speed is 0; accepted for action space {space.name}, which has "
            "no linear velocity: above 0 m/s, or arm_urdf with an arm_speed"
        )
    for dimension in space.dimensions:
        longest = braking_time(dimension, space.period)
        if longest > space.braking_time:
            raise ParameterError(
                f"braking_time of action space {space.name} is {space.braking_time} s, but "
                f"{dimension.name} may take {longest:.4f} s; accepted: at least that"
            )


def _check_inputs(config: SafetyConfig, space: ActionSpace) -> None:
    needed = [("joint_states", space.joint_ranges[0][0])] if space.joint_ranges else []
    needed += [("end_effector_pose", space.pose_indices[0])] if space.pose_indices else []
    for name, index in needed:
        if name not in config.required_inputs:
            dimension = space.dimensions[index]
            raise ParameterError(
                f"parameter required_inputs is {list(config.required_inputs)}; accepted for "
                f"{dimension.name}, a {dimension.kind.value}: {name} among them"
            )


def _check_positions(config: SafetyConfig, space: ActionSpace) -> None:
    """The range of a commanded position is the box that the end effector stays in."""
    if config.box is None:
        return
    for i, axis in space.position_axes:
        dimension, low, high = space.dimensions[i], config.box[0][axis], config.box[1][axis]
        if dimension.frame != config.workspace_frame:
            raise ParameterError(
                f"parameter workspace_frame is {config.workspace_frame!r}; accepted for "
                f"{dimension.name}: its frame, {dimension.frame!r}"
            )
        if dimension.low < low or dimension.high > high:
            raise ParameterError(
                f"range of {dimension.name} is [{dimension.low}, {dimension.high}]; accepted with "
                f"this workspace: within [{low}, {high}]"
            )


def _check_drivers(config: SafetyConfig, space: ActionSpace) -> None:
    least, chosen = LEAST_PERIODS * space.period, loop_timeout(config, space)
    topic, shortest = min(
        space.driver_timeouts.items(), key=lambda item: item[1], default=("", math.inf)
    )
    if shortest < least - 1e-9:
        raise ParameterError(
            f"the driver of {topic} stops {shortest} s after a command; accepted for action space "
            f"{space.name}: at least two of its control periods, {least:g} s"
        )
    if not least - 1e-9 <= chosen <= shortest:
        most = f" to {shortest} s, after which the driver of {topic} stops" if topic else " s"
        raise ParameterError(
            f"parameter loop_timeout is {chosen} s; accepted for action space {space.name}: 0, or "
            f"{least:g} (two control periods){most}"
        )
