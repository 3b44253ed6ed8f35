"""Poses and joint velocities in the running node: robot state in, a limited command out."""

import math
import time

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import PoseStamped
from node_rig import PERIOD, new_id, safety
from sensor_msgs.msg import JointState

from vla_contract import rotations, topics

ROBOT = topics.ROBOT_COMMAND


def dimension(name, kind, unit, reach, topic, type_, field, **more):
    return {
        "name": name, "kind": kind, "unit": unit, "range": [-reach, reach],
        "normal": {"velocity": 0.5, "acceleration": 2.0, "jerk": 20.0},
        "emergency": {"velocity": 0.5, "acceleration": 4.0, "jerk": 40.0},
        "frame": "base", "output": {"topic": topic, "type": type_, "field": field}, **more,
    }  # fmt: skip


def space(*dimensions):
    return yaml.safe_dump({
        "name": "test", "control_rate": 20.0, "chunk": {"length": 40, "period": 0.05},
        "braking_time": 1.5, "dimensions": list(dimensions),
    })  # fmt: skip


TYPE = "geometry_msgs/msg/PoseStamped"
POSE = space(
    *(
        dimension(a, "end_effector_position", "m", 1.0, "target", TYPE, f"pose.position.{a}")
        for a in "xyz"
    ),
    *(
        dimension(
            f"r{a}", "end_effector_orientation", "rad", 3.1416, "target", TYPE,
            f"pose.orientation.rotation_vector.{a}",
        )
        for a in "xyz"
    ),
)  # fmt: skip
VELOCITY = space(
    dimension(
        "elbow", "joint_velocity", "rad/s", 0.5, "velocities", "sensor_msgs/msg/JointState",
        "elbow_joint", joint_range=[-1.0, 0.6],
    )
)  # fmt: skip


JOG = space(
    dimension(
        "elbow", "joint_velocity", "rad/s", 0.5, "jog", "control_msgs/msg/JointJog",
        "elbow_joint", joint_range=[-1.0, 0.6],
    ),
    dimension(
        "opening", "gripper", "m", 1.0, "gripper", "control_msgs/action/GripperCommand",
        "command.position",
    ),
    dimension(
        "jaw", "gripper", "rad", 1.0, "jaw", "control_msgs/action/ParallelGripperCommand",
        "jaw_joint",
    ),
)  # fmt: skip


class Driven:
    """A graph, and what tells the robot's state and sends the chunk, each period."""

    def __init__(self, graph, kind, topic, tell):
        self.g, self.command = graph, new_id()
        qos = topics.qos_profile(ROBOT)
        self.sent = self.g.client.collect(kind, topic, qos)
        self.tell, self.last = tell, 0.0

    def until(self, condition, row, names, timeout=40.0):
        def step():
            if time.monotonic() - self.last >= PERIOD:
                self.last = time.monotonic()
                self.tell(self)
                self.g.beat(states=False)
                self.g.chunk(self.command, actions=row * 40, dimension_names=names)
            return condition()

        self.g.client.wait(step, timeout)


def test_a_pose_begins_where_the_end_effector_is_and_turns_through_half_a_turn(
    parameters, space_file, graph
):
    space_file.write_text(POSE)
    inputs = ["joint_states", "end_effector_pose"]
    with safety({**parameters, "required_inputs": inputs}):
        g = graph()
        qos = topics.qos_profile(topics.END_EFFECTOR_POSE)
        poses = g.client.publisher(PoseStamped, topics.END_EFFECTOR_POSE, qos)
        start = PoseStamped()
        start.header.frame_id = "base"
        start.pose.position.x = 0.3
        q = rotations.exponential([0.0, 0.0, 2.8])
        o = start.pose.orientation
        o.x, o.y, o.z, o.w = q

        def tell(driven):
            g.states.publish(JointState(name=["a"], position=[0.0]))
            poses.publish(driven.sent[-1] if driven.sent else start)

        driven = Driven(g, PoseStamped, "target", tell)
        goal = [0.5, 0.0, 0.0, 0.0, 0.0, -2.8]  # 0.68 rad further on, beyond pi
        target = rotations.exponential(goal[3:])

        def turned():
            if not driven.sent:
                return False
            o = driven.sent[-1].pose.orientation
            near = abs(sum(a * b for a, b in zip((o.x, o.y, o.z, o.w), target, strict=True)))
            return near > 1.0 - 1e-9 and abs(driven.sent[-1].pose.position.x - 0.5) < 1e-6

        driven.until(turned, goal, ["x", "y", "z", "rx", "ry", "rz"])
        numbers = [(m.pose.position, m.pose.orientation) for m in driven.sent]
        assert all(0.299 <= p.x <= 0.501 for p, _ in numbers)
        quaternions = np.array([(o.x, o.y, o.z, o.w) for _, o in numbers])
        steps = np.abs(np.diff(quaternions, axis=0)).max()
        assert steps <= 0.5 * 0.5 * PERIOD * 1.05, "no more than the angular velocity turns"
        assert driven.sent[-1].header.frame_id == "base"


def test_a_joint_velocity_stops_at_the_end_of_the_range(parameters, space_file, graph):
    space_file.write_text(VELOCITY)
    with safety(parameters):
        g, place = graph(), [0.0]

        def tell(driven):
            velocity = driven.sent[-1].velocity[0] if driven.sent else 0.0
            place.append(place[-1] + velocity * PERIOD)
            g.states.publish(
                JointState(name=["elbow_joint"], position=[place[-1]], velocity=[velocity])
            )

        driven = Driven(g, JointState, "velocities", tell)

        def stopped():
            found = g.safe[-1].violations if g.safe else []
            return (
                len(driven.sent) > 20
                and driven.sent[-1].velocity[0] == 0.0
                and any(v.limit == v.LIMIT_RANGE and v.name == "elbow_joint high" for v in found)
            )

        driven.until(stopped, [0.4], ["elbow"])
        # The clocks of the robot here and of the node differ by parts of a period.
        assert 0.4 < max(place) <= 0.6 + 0.4 * PERIOD
        assert not math.isnan(driven.sent[-1].velocity[0])
        assert list(driven.sent[-1].name) == ["elbow_joint"]


def test_grippers_get_goals_that_end_where_the_command_ends(parameters, space_file, graph):
    pytest.importorskip("control_msgs", reason="control_msgs is not in the wheels")
    from control_msgs.action import GripperCommand, ParallelGripperCommand
    from control_msgs.msg import JointJog
    from rclpy.action import ActionServer

    space_file.write_text(JOG)
    with safety(parameters):
        g, goals, jaws = graph(), [], []

        def serve(kind, name, take):
            def execute(handle):
                take(handle.request.command)
                handle.succeed()
                return kind.Result()

            return ActionServer(g.client.node, kind, name, execute)

        def tell(driven):
            names = ["elbow_joint", "opening", "jaw_joint"]
            g.states.publish(JointState(name=names, position=[0.0, 0.0, 0.0]))

        driven = Driven(g, JointJog, "jog", tell)
        row, names = [0.2, 0.8, -0.5], ["elbow", "opening", "jaw"]
        driven.until(
            lambda: any("nobody serves the action" in s.cause for s in g.status), row, names
        )
        servers = [
            serve(GripperCommand, "gripper", lambda c: goals.append(c.position)),
            serve(ParallelGripperCommand, "jaw", lambda c: jaws.append((c.name[0], c.position[0]))),
        ]
        try:
            driven.until(
                lambda: goals and jaws and goals[-1] == 0.8 and jaws[-1] == ("jaw_joint", -0.5),
                row,
                names,
            )
            count = len(goals)
            end = time.monotonic() + 1.0
            driven.until(lambda: time.monotonic() > end, row, names)
            assert len(goals) == count, "a command that rests needs no further goal"
        finally:
            for server in servers:
                server.destroy()
        assert list(driven.sent[-1].joint_names) == ["elbow_joint"]
        assert driven.sent[-1].velocities[0] == pytest.approx(0.2)
