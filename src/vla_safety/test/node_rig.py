"""The safety node as a process over DDS, and what is around it: a policy, a robot, a person."""

import contextlib
import itertools
import math
import os
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.node_testing import Client, node_process
from vla_interfaces.msg import ActionChunk, Fault, SafeAction, SafetyStatus

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "47"))
NAMESPACE = "/vla"
# 20 Hz keeps a loaded machine's jitter out of what is tested here.
FORWARD = """
name: test
control_rate: 20.0
chunk: {length: 40, period: 0.05}
braking_time: 0.8
dimensions:
  - name: linear_x
    kind: linear_velocity
    unit: m/s
    range: [-0.5, 0.5]
    normal: {velocity: 0.5, acceleration: 1.0, jerk: 5.0}
    emergency: {velocity: 0.5, acceleration: 2.0, jerk: 20.0}
    frame: base_link
    output: {topic: twist, type: geometry_msgs/msg/TwistStamped, field: twist.linear.x}
"""
GRIPPER = """\
  - name: gripper
    kind: gripper
    unit: "1"
    range: [-1.0, 1.0]
    normal: {velocity: 4.0, acceleration: 40.0, jerk: 400.0}
    emergency: {velocity: 4.0, acceleration: 40.0, jerk: 400.0}
    frame: gripper
    output: {topic: gripper_effort, type: std_msgs/msg/Float64, field: data}
"""
SPACE = FORWARD + GRIPPER
BRAKING_TIME, PERIOD = 0.8, 0.05
_ids = itertools.count(time.time_ns())


def new_id():
    return next(_ids)


@contextlib.contextmanager
def safety(parameters):
    arguments = ["-r", f"__ns:={NAMESPACE}"]
    with node_process("vla_safety.node.node", DOMAIN, parameters, arguments) as process:
        try:
            yield process
        except BaseException:
            print(process.output)
            raise


class Graph:
    """What is around the safety node: a policy, a robot, a person."""

    def __init__(self, lock_step=False):
        self.client = client = Client(DOMAIN, NAMESPACE)

        def qos(name):
            return topics.qos_profile(name, lock_step=lock_step)

        self.safe = client.collect(SafeAction, topics.SAFE_ACTION, qos(topics.SAFE_ACTION))
        self.status = client.collect(
            SafetyStatus, topics.SAFETY_STATUS, topics.qos_profile(topics.SAFETY_STATUS)
        )
        self.twists = client.collect(TwistStamped, "twist", qos(topics.ROBOT_COMMAND))
        self.efforts = client.collect(Float64, "gripper_effort", qos(topics.ROBOT_COMMAND))
        self.faults = client.collect(Fault, topics.FAULT, qos(topics.FAULT))
        self.diagnostics = client.collect(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self.chunks = client.publisher(ActionChunk, topics.ACTION_CHUNK, qos(topics.ACTION_CHUNK))
        self.states = client.publisher(JointState, topics.JOINT_STATES, qos(topics.JOINT_STATES))
        self.fault_out = client.publisher(Fault, topics.FAULT, qos(topics.FAULT))
        self.sequence = itertools.count(1)
        self.closed = False
        if not lock_step:
            # A command given before is not one to move for.
            client.wait(lambda: self.status and self.safe)

    def close(self):
        if not self.closed:
            self.closed = True
            self.client.close()

    def chunk(self, command_id, value=0.4, gripper=1.0, rows=40, stamp=None, **changes):
        now = stamp or self.client.node.get_clock().now().to_msg()
        message = ActionChunk(
            observation_stamp=now,
            observation_sequence=next(self.sequence),
            action_space="test",
            dimension_names=["linear_x", "gripper"],
            actions=[value, gripper] * rows,
            period=PERIOD,
            command_id=command_id,
            command="go",
            progress=math.nan,
            confidence=math.nan,
        )
        for name, change in changes.items():
            setattr(message, name, change)
        self.chunks.publish(message)

    def beat(self, states=True, stamped=False):
        if states:
            message = JointState(name=["a"], position=[0.0])
            if stamped:
                message.header.stamp = self.client.node.get_clock().now().to_msg()
            self.states.publish(message)
        self.fault_out.publish(Fault(source="policy", kind=Fault.KIND_LANGUAGE))

    def run(self, condition, command_id, timeout=20.0, stamped=False, **chunk):
        """Publish what a living graph publishes until the condition holds."""
        last = 0.0

        def beat():
            nonlocal last
            if time.monotonic() - last >= PERIOD:
                last = time.monotonic()
                self.beat(stamped=stamped)
                if command_id is not None:
                    self.chunk(command_id, **chunk)
            return condition()

        self.client.wait(beat, timeout)

    @property
    def speed(self):
        return self.twists[-1].twist.linear.x if self.twists else 0.0

    @property
    def state(self):
        return self.safe[-1].state if self.safe else None

    def at_rest(self):
        return self.twists and self.speed == 0.0

    def call(self, service_type, name, **request):
        return self.client.call(service_type, name, service_type.Request(**request))

    def set(self, name, value):
        """Set a parameter of the safety node; returns the result."""
        if isinstance(value, bool):
            typed = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=value)
        else:
            typed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
        changes = [Parameter(name=name, value=typed)]
        return self.call(SetParameters, "safety/set_parameters", parameters=changes).results[0]


def assert_within_limits(graph, space_file):
    """Recompute every derivative from what came on the robot's own topics."""
    space = ActionSpace.load(space_file)
    emergency = {s.tick: s.emergency for s in graph.safe}
    assert len(emergency) > 10
    x = np.array([t.twist.linear.x for t in graph.twists])
    assert len(x) > 10
    limits = (
        space.dimensions[0].emergency if any(emergency.values()) else (space.dimensions[0].normal)
    )
    check(x, np.diff(x) / PERIOD, np.diff(x, 2) / PERIOD**2, limits, 0.5)
    g = np.array([e.data for e in graph.efforts])
    grip = space.dimensions[1].normal
    assert np.abs(g).max() <= 1.0
    assert np.abs(np.diff(g)).max() / PERIOD <= grip.velocity * (1 + 1e-9)
    assert np.abs(np.diff(g, 2)).max() / PERIOD**2 <= grip.acceleration * (1 + 1e-9)
    assert np.abs(np.diff(g, 3)).max() / PERIOD**3 <= grip.jerk * (1 + 1e-9)


def check(value, acceleration, jerk, limits, bound):
    assert np.abs(value).max() <= bound
    assert np.abs(acceleration).max() <= limits.acceleration * (1 + 1e-9)
    assert np.abs(jerk).max() <= limits.jerk * (1 + 1e-9)
