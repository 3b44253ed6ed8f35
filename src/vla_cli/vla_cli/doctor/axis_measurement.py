"""What the robot's own sensors say of each axis, from the topics that the safety node reads."""

from __future__ import annotations

import math
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState

from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, Graph
from vla_cli.doctor.axis_motion import Pose, axis_of, displacement
from vla_contract import topics
from vla_contract.action_space import Dimension
from vla_contract.rotations import quaternion_problem

SAFETY = "safety"
DRIVERS = 10  # of joint states on one topic, of which each message tells a part
TYPES = {
    "geometry_msgs/msg/PoseStamped": PoseStamped,
    "nav_msgs/msg/Odometry": Odometry,
    "sensor_msgs/msg/JointState": JointState,
}


class AxisMeasurement:
    """Newest messages of each measured quantity."""

    def __init__(self, graph: Graph) -> None:
        """Subscribe, and wait a second for a message of each.

        Raises:
            CommandError: there is no safety node.
        """
        # Its topics may be known before its name is.
        graph.require(
            lambda: SAFETY in graph.nodes(), DISCOVERY_TIMEOUT, "the safety node is not found"
        )
        self._messages: dict[Any, list[Any]] = {}
        for name, types in graph.node.get_subscriber_names_and_types_by_node(
            SAFETY, graph.namespace
        ):
            if kind := TYPES.get(types[0]):
                qos = topics.qos_profile(topics.JOINT_STATES)  # best effort hears everybody
                keep = DRIVERS if kind is JointState else 1
                self._messages[kind] = graph.collect(kind, name, keep=keep, qos=qos)
        graph.wait(lambda: all(self._messages.values()), 1.0)

    def measure(self, dimension: Dimension) -> Pose | float | None:
        """Where a dimension is now; None where nothing measures it.

        Raises:
            CommandError: a pose whose rotation is none.
        """
        if axis_of(dimension) is None:
            return self._joint(dimension)
        pose, odom = (self._messages.get(kind, []) for kind in (PoseStamped, Odometry))
        if pose and not (odom and odom[-1].child_frame_id == dimension.frame):
            return to_pose(pose[-1].pose, pose[-1].header.frame_id, topics.END_EFFECTOR_POSE)
        if odom:
            return to_pose(odom[-1].pose.pose, odom[-1].header.frame_id, "odom")
        return None

    def _joint(self, dimension: Dimension) -> float | None:
        if dimension.unit == "1":
            return None
        # Newest first: an arm's driver and a gripper's may share the topic.
        for message in reversed(self._messages.get(JointState, [])):
            positions = dict(zip(message.name, message.position, strict=False))
            for name in (dimension.output.field, dimension.name):
                if math.isfinite(positions.get(name, math.nan)):
                    return float(positions[name])
        return None


def displacements(
    dimension: Dimension, before: Any, after: Any
) -> tuple[tuple[float, ...] | None, int]:
    """How far each axis of the dimension's kind moved between two measurements, and which it is.

    Returns:
        None for the displacements where nothing measures them; the index among them.
    """
    axis = axis_of(dimension)
    if before is None or after is None:
        return None, 0
    if axis is None:
        return (after - before,), 0
    return displacement(before, after, axis[0], dimension.frame), axis[1]


def to_pose(pose: Any, frame: str, name: str) -> Pose:
    """Of a message on the topic `name`.

    Raises:
        CommandError: its rotation is none.
    """
    p, q = pose.position, pose.orientation
    rotation = (q.x, q.y, q.z, q.w)
    if problem := quaternion_problem(rotation):
        raise CommandError(f"{name}: {problem}")
    return Pose((p.x, p.y, p.z), rotation, frame)
