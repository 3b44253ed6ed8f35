"""The node as a process over DDS, seen from outside."""

import ast
import inspect
import math
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Twist
from node_rig import (
    BRAKING_TIME,
    DOMAIN,
    NAMESPACE,
    PERIOD,
    assert_within_limits,
    check,
    new_id,
    safety,
)
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64, String
from std_srvs.srv import SetBool, Trigger

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.node_testing import Client
from vla_interfaces.msg import ActionChunk, Fault, SafeAction, SafetyStatus, SimulationTick
from vla_safety.node import node


def test_chunks_become_motion_within_the_limits(parameters, space_file, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        g.run(lambda: g.speed <= -0.49, command, value=-3.0, gripper=-1.0)
        g.run(lambda: len(g.twists) > 80, command, value=0.1)
        assert_within_limits(g, space_file)
        moving = [s for s in g.safe if s.state == SafetyStatus.STATE_NOMINAL]
        assert {s.command_id for s in moving} == {command}
        assert all(0.0 <= s.observation_age < 1.0 for s in moving)
        assert any(v.limit == v.LIMIT_VELOCITY for s in g.safe for v in s.violations)
        ticks = [s.tick for s in g.safe]
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        now = g.client.node.get_clock().now().nanoseconds
        stamp = g.twists[-1].header.stamp
        assert abs(now - (stamp.sec * 10**9 + stamp.nanosec)) < 10**9
        assert g.twists[-1].header.frame_id == "base_link"


def test_a_driver_that_waits_for_another_type_is_named(parameters):
    client = Client(DOMAIN, NAMESPACE, name="base")
    statuses = client.collect(SafetyStatus, topics.SAFETY_STATUS, 1)
    diagnostics = client.collect(DiagnosticArray, topics.DIAGNOSTICS, 10)
    client.collect(Twist, "twist", 10)
    client.collect(Float64, "gripper_effort", 10)
    states = client.node.create_publisher(JointState, topics.JOINT_STATES, 10)
    words = (
        "nobody reads /vla/twist as geometry_msgs/msg/TwistStamped; "
        "/vla/base reads it as geometry_msgs/msg/Twist"
    )

    def told():
        states.publish(JointState(name=["a"], position=[0.0]))
        return any(words in status.causes for status in statuses) and any(
            value.key == "unread" and value.value == words
            for array in diagnostics
            for status in array.status
            for value in status.values
        )

    try:
        with safety(parameters):
            client.wait(told)
            assert statuses[-1].state == SafetyStatus.STATE_HOLD  # for a command, not for this
    finally:
        client.close()


def test_bad_chunks_are_counted_and_do_not_reach_the_robot(parameters, space_file, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        for changes in (
            {"actions": [math.nan, 0.0] * 40},
            {"actions": [0.1, 0.0, 0.3]},
            {"action_space": "another"},
            {"dimension_names": ["gripper", "linear_x"]},
            {"period": -1.0},
            {"action_space": "x" * 100_000},
        ):
            for _ in range(2):
                g.chunk(command, **changes)
                g.client.spin(0.1)  # one at a time: the topic keeps only the newest
        g.run(lambda: any(f.kind == f.KIND_ACTION and f.level for f in g.faults), None)
        g.run(lambda: g.speed >= 0.39 and len(g.twists) > 60, command)

        def counted():
            values = {v.key: v.value for a in g.diagnostics for s in a.status for v in s.values}
            return {
                "chunks_refused: NaN or infinite action",
                "chunks_refused: unknown action space",
            } <= values.keys()

        g.run(counted, command)
        assert_within_limits(g, space_file)


def test_silence_brakes_to_zero_and_a_chunk_resumes(parameters, space_file, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        g.run(g.at_rest, None, timeout=1.0 + BRAKING_TIME + 2.0)
        held = [s for s in g.safe if s.state == SafetyStatus.STATE_HOLD and s.safe[0] > 0.0]
        assert len(held) * PERIOD <= BRAKING_TIME
        assert any(v.limit == v.LIMIT_AGE for s in held for v in s.violations)
        g.client.wait(lambda: "old" in g.status[-1].cause and g.status[-1].standstill)
        g.run(lambda: g.speed >= 0.39, command)
        assert_within_limits(g, space_file)


def test_a_lost_robot_state_holds_and_says_so(parameters, graph):
    with safety({**parameters, "input_timeout": 0.5}):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        last = 0.0

        def chunks_only():
            nonlocal last
            if time.monotonic() - last >= PERIOD:
                last = time.monotonic()
                g.chunk(command)
                g.fault_out.publish(Fault(source="policy"))
            return g.at_rest()

        g.client.wait(chunks_only)
        g.client.wait(lambda: "joint_states" in g.status[-1].cause)
        g.run(lambda: g.speed >= 0.39, command)


def test_the_stop_service_latches_until_reset_and_a_new_command(parameters, space_file, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        assert g.call(Trigger, "stop").success
        g.run(lambda: g.at_rest() and g.state == SafetyStatus.STATE_STOPPED, command)
        stopped = [s for s in g.safe if s.verdict == SafeAction.VERDICT_STOPPED and s.safe[0] > 0]
        assert len(stopped) * PERIOD <= BRAKING_TIME
        assert all(s.emergency for s in stopped)
        g.run(lambda: len(g.safe) > 0 and g.speed == 0.0, new_id())
        assert g.call(Trigger, "reset").success
        g.run(lambda: g.state == SafetyStatus.STATE_HOLD, command)
        seen = len(g.twists)
        g.run(lambda: len(g.twists) > seen + 20, command)
        assert g.speed == 0.0
        g.run(lambda: g.speed >= 0.39, new_id())
        assert_within_limits(g, space_file)


def test_a_stop_word_holds_until_a_new_command(parameters, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        words = g.client.publisher(String, topics.COMMAND, topics.qos_profile(topics.COMMAND))
        g.run(lambda: g.speed >= 0.39, command)
        words.publish(String(data="push the stop button"))
        words.publish(String(data="x" * 100_000))
        seen = len(g.twists)
        g.run(lambda: len(g.twists) > seen + 20, command)
        assert g.speed >= 0.39
        words.publish(String(data=" Stop!! "))
        g.run(g.at_rest, command)
        assert g.state == SafetyStatus.STATE_HOLD
        g.run(lambda: '"stop" was said' in g.status[-1].cause, command)
        g.run(lambda: g.speed >= 0.39, new_id())


def test_the_emergency_stop_latches_and_reset_is_refused_while_it_lasts(parameters, graph):
    with safety({**parameters, "require_emergency_stop": True}):
        g, command = graph(), new_id()
        button = g.client.publisher(
            Bool, topics.EMERGENCY_STOP, topics.qos_profile(topics.EMERGENCY_STOP)
        )

        def run(condition, pressed, command_id):
            def beat():
                button.publish(Bool(data=pressed))
                return condition()

            g.run(beat, command_id)

        run(lambda: g.speed >= 0.39, False, command)
        run(g.at_rest, True, command)
        assert g.state == SafetyStatus.STATE_STOPPED
        refused = g.call(Trigger, "reset")
        assert not refused.success and "emergency stop" in refused.message
        g.run(lambda: g.state == SafetyStatus.STATE_STOPPED, command)
        run(lambda: True, False, command)
        g.client.wait(
            lambda: (button.publish(Bool(data=False)), g.call(Trigger, "reset").success)[1]
        )
        run(lambda: g.speed >= 0.39, False, new_id())
        # Silence is a stop too.
        g.run(lambda: g.at_rest() and g.state == SafetyStatus.STATE_STOPPED, command)


@pytest.mark.parametrize("offered", ["best effort", "kept"])
def test_an_emergency_stop_is_heard_in_whatever_qos_it_is_offered(parameters, graph, offered):
    kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    qos = kept if offered == "kept" else qos_profile_sensor_data
    client = Client(DOMAIN, NAMESPACE, name="driver")
    button = client.node.create_publisher(Bool, topics.EMERGENCY_STOP, qos)
    button.publish(Bool(data=True))  # before the node is there
    try:
        with safety({**parameters, "require_emergency_stop": False}) as process:
            g = graph()

            def told():
                if offered == "best effort":
                    button.publish(Bool(data=True))
                return "emergency stop is pressed" in g.status[-1].cause

            g.run(told, new_id())
            assert g.state == SafetyStatus.STATE_STOPPED
            assert "incompatible QoS" not in process.output
    finally:
        client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_brakes_before_the_end(parameters, space_file, graph, number):
    with safety(parameters) as process:
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        process.process.send_signal(number)
        g.client.wait(lambda: process.process.poll() is not None)
        g.client.spin(0.2)
        assert process.process.returncode == 0
        assert g.speed == 0.0
        assert_within_limits(g, space_file)
        assert g.status[-1].state == SafetyStatus.STATE_INACTIVE


def test_after_a_kill_it_holds_until_a_new_command(parameters, graph):
    command = new_id()
    with safety(parameters) as process:
        g = graph()
        g.run(lambda: g.speed >= 0.39, command)
        process.stop(signal.SIGKILL)
        g.close()  # or there would be two publishers of chunks
    with safety(parameters):
        g = graph()
        g.run(lambda: len(g.safe) > 20, command)
        assert {s.state for s in g.safe} == {SafetyStatus.STATE_HOLD}
        assert {t.twist.linear.x for t in g.twists} == {0.0}
        g.run(lambda: g.speed >= 0.39, new_id())


def test_a_stop_survives_a_kill(parameters, graph):
    with safety(parameters) as process:
        g = graph()
        assert g.call(Trigger, "stop").success
        # It brakes before anything is written.
        g.client.wait(lambda: "stop service" in Path(parameters["state_file"]).read_text())
        process.stop(signal.SIGKILL)
    with safety(parameters):
        g = graph()
        g.run(lambda: g.state == SafetyStatus.STATE_STOPPED, new_id())
        assert g.call(Trigger, "reset").success
        g.run(lambda: g.state == SafetyStatus.STATE_HOLD, None)


def test_shadow_and_arming_disconnect_only_at_rest(parameters, space_file, graph):
    with safety({**parameters, "armed_on_start": False}):
        g = graph()
        g.run(lambda: g.safe and g.safe[-1].safe[0] >= 0.39, new_id())
        assert not g.twists and not any(s.outputs_connected for s in g.safe)
        assert g.call(SetBool, "arm", data=True).success
        g.run(lambda: g.speed >= 0.39, new_id())
        g.safe.clear()
        shadow = Parameter(
            name="shadow",
            value=ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=True),
        )
        assert (
            g.call(SetParameters, "safety/set_parameters", parameters=[shadow])
            .results[0]
            .successful
        )
        g.run(lambda: g.safe and not g.safe[-1].outputs_connected, new_id())
        assert g.speed == 0.0
        assert_within_limits(g, space_file)
        assert g.status[-1].shadow


def test_speed_scale_at_run_time_slows_within_the_limits(parameters, space_file, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        scale = Parameter(
            name="speed_scale",
            value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.2),
        )
        request = {"parameters": [scale]}
        assert g.call(SetParameters, "safety/set_parameters", **request).results[0].successful
        g.run(lambda: g.speed == pytest.approx(0.1), command)
        g.run(lambda: any(v.limit == v.LIMIT_SPEED_SCALE for v in g.safe[-1].violations), command)
        assert_within_limits(g, space_file)
        scale.value.double_value = 1.5
        answer = g.call(SetParameters, "safety/set_parameters", **request).results[0]
        assert not answer.successful and "0.0 to 1.0" in answer.reason


def test_chunks_from_two_nodes_hold(parameters, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        other = Client(DOMAIN, NAMESPACE, "intruder")
        try:
            other.publisher(ActionChunk, topics.ACTION_CHUNK, 1)
            g.run(lambda: g.at_rest() and "intruder" in g.status[-1].cause, command)
        finally:
            other.close()
        g.run(lambda: g.speed >= 0.39, command)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slop": 2.0}, "accepted: at least slop 2.0"),
        ({"action_space": "/nowhere.yaml"}, "/nowhere.yaml: No such file"),
        ({"speed_scale": 2.0}, "parameter speed_scale is 2.0; accepted: float, 0.0 to 1.0"),
        ({"required_inputs": ["smell"]}, "accepted: array of str, one of joint_states"),
    ],
)
def test_a_wrong_configuration_gives_one_clear_line(parameters, changes, said):
    with safety({**parameters, **changes}) as process:
        output = process.wait_for_output(said)
        assert "Traceback" not in output
        assert len([line for line in output.splitlines() if "FATAL" in line]) == 1


def test_no_name_of_rclpy_is_overwritten():
    """A list of rclpy's own under another use is lost without a word."""
    rclpy.init(domain_id=DOMAIN)
    try:
        plain = set(vars(LifecycleNode("plain")))
    finally:
        rclpy.shutdown()
    tree = ast.parse(inspect.getsource(node))
    assigned = {
        target.attr
        for statement in ast.walk(tree)
        if isinstance(statement, (ast.Assign, ast.AnnAssign))
        for target in getattr(statement, "targets", [getattr(statement, "target", None)])
        if isinstance(target, ast.Attribute)
    }
    assert not plain & assigned


def test_lock_step_answers_every_tick_once(parameters, space_file, graph):
    options = {**parameters, "lock_step": True}
    first = lock_step_run(options, graph)
    Path(options["state_file"]).unlink()
    assert lock_step_run(options, graph) == first
    values = np.array([row[0] for row in first])
    assert values[:20].max() >= 0.39 and values[20] < 0.1 * values[19], "an episode begins at rest"
    limits = ActionSpace.load(space_file).dimensions[0].normal
    for part in (values[:20], values[20:]):
        check(part, np.diff(part) / PERIOD, np.diff(part, 2) / PERIOD**2, limits, 0.5)


def lock_step_run(parameters, graph):
    """Two episodes of twenty ticks; returns the safe actions."""
    with safety(parameters):
        g = graph(lock_step=True)
        ticks = g.client.publisher(
            SimulationTick, topics.TICK, topics.qos_profile(topics.TICK, lock_step=True)
        )
        g.client.wait(lambda: g.chunks.get_subscription_count() > 0)
        for k in range(1, 41):
            episode = 1 + (k - 1) // 20
            stamp = g.client.node.get_clock().now().to_msg()
            stamp.sec, stamp.nanosec = divmod(k * 50_000_000, 10**9)
            images = k % 4 == 1
            # In an order that must not matter.
            tick = SimulationTick(tick=k, episode=episode, has_images=images, period=PERIOD)
            tick.header.stamp = stamp
            state = JointState(name=["a"], position=[0.0])
            state.header.stamp = stamp
            g.states.publish(state)
            if k % 3 == 0:
                ticks.publish(tick)
            if images:
                g.chunk(1000 + episode, stamp=stamp)
            if k % 3:
                ticks.publish(tick)
            g.client.wait(lambda k=k: g.safe and g.safe[-1].tick == k)
            assert g.safe[-1].header.stamp == stamp
        g.client.spin(0.3)
    assert [s.tick for s in g.safe] == list(range(1, 41))
    assert [t.header.stamp for t in g.twists] == [s.header.stamp for s in g.safe]
    return [tuple(s.safe) for s in g.safe]


def test_an_input_that_is_repeated_counts_as_if_it_had_come_again(parameters, graph):
    box = {"workspace_low": [-1.0, -1.0, -1.0], "workspace_high": [1.0, 1.0, 1.0]}
    options = {**parameters, **box, "lock_step": True}
    sent = placed_run(options, graph, repeat=False)
    Path(options["state_file"]).unlink()
    assert placed_run(options, graph, repeat=True) == sent
    assert max(row[0] for row in sent) >= 0.39


def placed_run(parameters, graph, *, repeat):
    """Every twelfth tick has a pose of its own; in the others the last one is repeated."""
    pose = topics.END_EFFECTOR_POSE
    with safety(parameters):
        g = graph(lock_step=True)
        ticks, poses = (
            g.client.publisher(kind, topic, topics.qos_profile(topic, lock_step=True))
            for kind, topic in ((SimulationTick, topics.TICK), (PoseStamped, pose))
        )
        g.client.wait(lambda: g.chunks.get_subscription_count() > 0)
        g.client.wait(lambda: poses.get_subscription_count() > 0)
        place = PoseStamped()
        place.header.frame_id, place.pose.orientation.w = "base_link", 1.0
        for k in range(1, 31):
            stamp = Time(sec=k * 50_000_000 // 10**9, nanosec=k * 50_000_000 % 10**9)
            own = k % 12 == 1
            if own:
                place.pose.position.x = 0.02 * k
            tick = SimulationTick(tick=k, episode=1, has_images=k % 4 == 1, period=PERIOD)
            tick.header.stamp = place.header.stamp = stamp
            tick.missing_inputs = [] if own or not repeat else [pose]
            g.states.publish(JointState(header=tick.header, name=["a"], position=[0.0]))
            if own or not repeat:
                poses.publish(place)
            if tick.has_images:
                g.chunk(1000, stamp=stamp)
            ticks.publish(tick)
            g.client.wait(lambda k=k: g.safe and g.safe[-1].tick == k)
        # Without a pose and without leave to repeat one, there is no answer.
        tick = SimulationTick(tick=31, episode=1, period=PERIOD)
        tick.header.stamp = Time(sec=1, nanosec=550_000_000)
        ticks.publish(tick)
        g.client.spin(0.3)
    assert [s.tick for s in g.safe] == list(range(1, 31))
    return [(*s.safe, s.verdict, len(s.violations)) for s in g.safe]
