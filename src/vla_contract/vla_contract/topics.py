"""Names of the graph and its one QoS table.

All names are relative: the launch files put them into the namespace and remap what belongs to
the robot. `qos_profile` turns a row of the table into rclpy's object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.qos import QoSProfile

OBSERVATION = "observation"
ACTION_CHUNK = "action_chunk"
SAFE_ACTION = "safe_action"
SAFETY_STATUS = "safety_status"
FAULT = "fault"
PROMPT = "prompt"
ACCEPTED_COMMAND = "accepted_command"
KNOWN_COMMANDS = "known_commands"
ATTENTION = "attention"
COMMAND = "command"
COMMAND_STAMPED = "command_stamped"
EMERGENCY_STOP = "emergency_stop"
JOINT_STATES = "joint_states"
END_EFFECTOR_POSE = "end_effector_pose"
ROBOT_DESCRIPTION = "robot_description"
TICK = "tick"
TASK_STATE = "task_state"
CAMERA = "camera"  # the row of the table; a camera's topic is in the cameras file
ROBOT_COMMAND = "robot_command"  # likewise; the topics are in the action space
DIAGNOSTICS = "/diagnostics"

STOP_SERVICE = "stop"
RESET_SERVICE = "reset"
ARM_SERVICE = "arm"
HOME_SERVICE = "home"
RESET_EPISODE_SERVICE = "reset_episode"
RUN_EPISODE_SERVICE = "run_episode"
EXECUTE_COMMAND_ACTION = "execute_command"


@dataclass(frozen=True)
class Qos:
    """Reliability, durability and history depth of a topic, and why."""

    reliable: bool
    transient_local: bool
    depth: int
    reason: str


QOS: dict[str, Qos] = {
    CAMERA: Qos(False, False, 1, "sensor data: only the newest image is of use"),
    JOINT_STATES: Qos(False, False, 10, "sensor data, kept for pairing with images"),
    END_EFFECTOR_POSE: Qos(False, False, 10, "sensor data, kept for pairing with images"),
    ROBOT_DESCRIPTION: Qos(True, True, 1, "published once, as robot_state_publisher does"),
    OBSERVATION: Qos(True, False, 1, "only the newest observation is of use"),
    ACTION_CHUNK: Qos(True, False, 1, "only the newest chunk is of use"),
    SAFE_ACTION: Qos(True, False, 10, "a record of every period"),
    SAFETY_STATUS: Qos(True, True, 1, "a late joiner must see the present state"),
    FAULT: Qos(True, False, 50, "levels of several sources on one topic"),
    PROMPT: Qos(True, True, 1, "what the robot asks stays asked"),
    ACCEPTED_COMMAND: Qos(True, True, 1, "a late joiner tells what is new from what was"),
    KNOWN_COMMANDS: Qos(True, True, 1, "published once"),
    ATTENTION: Qos(True, False, 1, "a picture to look at: only the newest is of use"),
    COMMAND: Qos(True, False, 10, "volatile: transient local would refuse `ros2 topic pub`"),
    COMMAND_STAMPED: Qos(True, False, 10, "as command"),
    EMERGENCY_STOP: Qos(
        True, False, 10, "also best effort and transient local, as drivers offer it"
    ),
    ROBOT_COMMAND: Qos(True, False, 10, "drivers subscribe reliable or best effort"),
    TICK: Qos(True, False, 10, "lock-step: nothing may be lost"),
    TASK_STATE: Qos(True, True, 10, "a late joiner must see the verdict"),
}

# Of each topic that has one type: package/msg/Name.
TYPES: dict[str, str] = {
    JOINT_STATES: "sensor_msgs/msg/JointState",
    END_EFFECTOR_POSE: "geometry_msgs/msg/PoseStamped",
    ROBOT_DESCRIPTION: "std_msgs/msg/String",
    COMMAND: "std_msgs/msg/String",
    COMMAND_STAMPED: "vla_interfaces/msg/Command",
    ACCEPTED_COMMAND: "vla_interfaces/msg/Command",
    KNOWN_COMMANDS: "std_msgs/msg/String",
    EMERGENCY_STOP: "std_msgs/msg/Bool",
    OBSERVATION: "vla_interfaces/msg/Observation",
    PROMPT: "std_msgs/msg/String",
    ATTENTION: "sensor_msgs/msg/Image",
    ACTION_CHUNK: "vla_interfaces/msg/ActionChunk",
    FAULT: "vla_interfaces/msg/Fault",
    SAFE_ACTION: "vla_interfaces/msg/SafeAction",
    SAFETY_STATUS: "vla_interfaces/msg/SafetyStatus",
    TICK: "vla_interfaces/msg/SimulationTick",
    TASK_STATE: "vla_interfaces/msg/TaskState",
}

# Lock-step loses nothing: every stream is reliable and kept.
LOCK_STEP_DEPTH = 50
# Ticks with images that a replay sends before they are due, and that perception lets wait.
LOCK_STEP_AHEAD = 2


def qos(name: str, *, lock_step: bool = False) -> Qos:
    """Row of the table for a topic of the graph.

    Raises:
        KeyError: `name` is not in the table.
    """
    row = QOS[name]
    if not lock_step:
        return row
    depth = max(row.depth, LOCK_STEP_DEPTH)
    return Qos(True, row.transient_local, row.depth if row.transient_local else depth, row.reason)


def level_profiles(name: str, *, lock_step: bool = False) -> list[QoSProfile]:
    """The row, and what it takes to hear every driver of a level.

    Some publish it periodically and best effort, some once and keep it for who comes later. A
    subscription that fits the ones does not get everything of the others. In lock-step the QoS is
    this project's own: the row alone.
    """
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    row = qos_profile(name, lock_step=lock_step)
    if lock_step:
        return [row]
    best_effort, kept = qos_profile(name), qos_profile(name)
    best_effort.reliability = ReliabilityPolicy.BEST_EFFORT
    kept.durability, kept.depth = DurabilityPolicy.TRANSIENT_LOCAL, 1
    return [row, best_effort, kept]


def qos_profile(name: str, *, lock_step: bool = False) -> QoSProfile:
    """The same row as an rclpy QoSProfile."""
    from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

    row = qos(name, lock_step=lock_step)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=row.depth,
        reliability=(ReliabilityPolicy.RELIABLE if row.reliable else ReliabilityPolicy.BEST_EFFORT),
        durability=(
            DurabilityPolicy.TRANSIENT_LOCAL if row.transient_local else DurabilityPolicy.VOLATILE
        ),
    )
