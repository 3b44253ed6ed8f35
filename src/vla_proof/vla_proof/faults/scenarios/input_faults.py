"""Scenarios: robot state, emergency stop, other publishers, a second safety node."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from geometry_msgs.msg import Twist

from vla_cli.client import processes
from vla_contract import topics
from vla_proof.faults.fault_rig import Rig
from vla_proof.faults.fault_scenario import Injected, Recovery, Scenario
from vla_proof.faults.pretended.pretended_robot import FOREIGN

SECOND_NODE_PATIENCE = 30.0  # s
INTRUDER_PERIOD = 0.02  # s


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        Scenario(
            name="joint_states_lost",
            what="no joint states",
            expected="HOLD at the input's timeout; goes on by itself",
            inject=_lose("joint_states"),
            clear=_find("joint_states"),
            timeout=lambda rig: float(rig.safety["input_timeout"]),
        ),
        Scenario(
            name="odometry_lost",
            what="no odometry, which the configuration requires",
            expected="HOLD at the input's timeout; goes on by itself",
            inject=_lose("odom"),
            clear=_find("odom"),
            timeout=lambda rig: float(rig.safety["input_timeout"]),
        ),
        Scenario(
            name="emergency_stop_flapping",
            what="emergency stop pressed and released 25 times a second",
            expected="STOPPED at the first press, latched; reset once it is quiet",
            inject=_flap,
            clear=lambda rig: rig.robot.order(button="released"),
            timeout=lambda rig: 0.0,
            recovery=Recovery.RESET,
            lasting=1.0,
        ),
        Scenario(
            name="second_command_publisher",
            what="another node publishes on the robot's command topic",
            expected="HOLD while it is there, naming it; goes on by itself",
            inject=_intrude,
            clear=_retreat,
            timeout=lambda rig: rig.publishers_period,
        ),
        Scenario(
            name="two_safety_nodes",
            what="a second safety node of the same name starts, armed",
            expected="it never connects its outputs; the first HOLDs while it hears another, and "
            "goes on by itself",
            inject=_second_safety,
            clear=_end_second_safety,
            timeout=lambda rig: rig.publishers_period,
            lasting=2.0,
            judge=_newcomer_silent,
        ),
    ]


def _lose(stream: str) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        answer = rig.robot.order(stream={stream: False})
        return Injected(answer["at"], last_valid=answer["last"][stream])

    return inject


def _find(stream: str) -> Callable[[Rig], object]:
    return lambda rig: rig.robot.order(stream={stream: True})


def _flap(rig: Rig) -> Injected:
    answer = rig.robot.order(button="flapping")
    return Injected(answer["at"], last_valid=answer["stamp"])


def _intrude(rig: Rig) -> Injected:
    node = rig.graph.node
    profile = topics.qos_profile(topics.ROBOT_COMMAND)
    publisher = node.create_publisher(Twist, "/cmd_vel", profile)
    message = Twist()
    message.linear.x, message.angular.x = 0.6, FOREIGN
    # It can do nothing before the robot's own reader, beside this recorder's, has found it.
    rig.wait(lambda: publisher.get_subscription_count() > 1, SECOND_NODE_PATIENCE)
    since, stamp = time.monotonic_ns(), node.get_clock().now().nanoseconds
    timer = node.create_timer(INTRUDER_PERIOD, lambda: publisher.publish(message))
    rig.scratch.intruder = publisher, timer
    return Injected(since, last_valid=stamp)


def _retreat(rig: Rig) -> None:
    publisher, timer = rig.scratch.intruder
    rig.graph.node.destroy_timer(timer)
    rig.graph.node.destroy_publisher(publisher)


def _second_safety(rig: Rig) -> Injected:
    rig.follow_one = True
    since = time.monotonic_ns()
    words = [sys.executable, "-m", "vla_safety.node.node", "--ros-args", "-r", "__ns:=/vla"]
    words += ["-r", "__node:=safety", "--params-file", str(rig.folder / "safety_config.yaml")]
    words += ["-p", f"action_space:={rig.space_file}", "-p", "armed_on_start:=true"]
    for topic in ("cmd_vel", "joint_states", "odom", "scan", "range", "emergency_stop"):
        words += ["-r", f"{topic}:=/{topic}"]
    with rig.log.with_suffix(".second.log").open("ab") as output:
        rig.scratch.second_safety = subprocess.Popen(
            words,
            env={**os.environ, "ROS_DOMAIN_ID": str(rig.domain), "ROS_HOME": str(rig.folder)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=processes.end_with_parent(),
        )
    rig.record.others.clear()
    node = rig.graph.node
    rig.wait(lambda: node.count_publishers("/cmd_vel") > 1, SECOND_NODE_PATIENCE)
    return Injected(since, last_valid=node.get_clock().now().nanoseconds)


def _end_second_safety(rig: Rig) -> None:
    rig.scratch.second_safety.terminate()
    rig.scratch.second_safety.wait(10.0)
    rig.follow_one = False


def _newcomer_silent(rig: Rig, injected: Injected) -> Iterator[str]:
    if not rig.record.others:
        yield "the second safety node was never heard"
    elif any(tick.connected for tick in rig.record.others):
        yield "the second safety node sent commands to the robot as well"
