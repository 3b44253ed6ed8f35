"""The simulator as a process, running by itself: topics, rates, services, the watchdog."""

import os
import time

import numpy as np
import pytest

pytest.importorskip("metaworld")

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from simulated_safety import NAMESPACE, SimulatedSafety

from vla_contract import topics
from vla_contract.node_testing import node_process
from vla_contract.stamps import to_nanoseconds
from vla_sim.robot.metaworld_robot import JOINT_NAMES

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
ARGUMENTS = ["-r", f"__ns:={NAMESPACE}"]
PARAMETERS = {
    "compressed": True,
    "image_width": 96,
    "image_height": 96,
    "step_limit": 5,  # of lock-step only: running freely, an episode has no end
    "use_sim_time": True,  # must not matter to the node that publishes the clock
}


@pytest.fixture(scope="module")
def process():
    with node_process("vla_sim.node.node", DOMAIN, PARAMETERS, ARGUMENTS) as process:
        yield process


@pytest.fixture(scope="module")
def safety(process):
    safety = SimulatedSafety(DOMAIN, lock_step=False)
    safety.clock = safety.client.collect(Clock, "/clock", 10)
    camera = topics.qos_profile(topics.CAMERA)
    topic = "camera/corner2/image_raw/compressed"
    safety.jpegs = safety.client.collect(CompressedImage, topic, camera)
    safety.diagnostics = safety.client.collect(DiagnosticArray, topics.DIAGNOSTICS, 10)
    safety.wait_until_connected()
    yield safety
    safety.client.close()


def position(safety):
    position = safety.heard.poses[-1].pose.position
    return np.array((position.x, position.y, position.z))


def drive(safety, velocity, until, timeout=30.0):
    """Send a velocity at about 80 Hz until a condition holds."""
    end = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < end
        safety.twist(velocity)
        safety.client.spin(0.012)


def test_what_is_published(safety):
    safety.client.wait(lambda: safety.heard.images and safety.heard.joints and safety.jpegs)
    image, joint = safety.heard.images[-1], safety.heard.joints[-1]
    assert (image.encoding, image.height, image.width, image.step) == ("rgb8", 96, 96, 288)
    assert image.header.frame_id == "corner2" and np.std(image.data) > 10
    assert joint.name == [*JOINT_NAMES, "gripper_opening"]
    assert len(joint.position) == len(joint.velocity) == len(joint.name)
    assert 0.0 <= joint.position[-1] <= 1.0
    assert safety.heard.poses[-1].header.frame_id == "base_link"
    assert bytes(safety.jpegs[-1].data[:2]) == b"\xff\xd8"
    task = safety.heard.tasks[-1]
    assert (task.task, task.seed, task.instruction) == ("drawer-open", 0, "Open a drawer")


def test_rates(safety):
    """80 steps and 20 pictures per second of simulated time, which passes as the wall's."""
    safety.client.wait(lambda: safety.clock)
    start, stamp = time.monotonic(), to_nanoseconds(safety.clock[-1].clock)
    safety.heard.clear()
    safety.client.wait(lambda: to_nanoseconds(safety.clock[-1].clock) >= stamp + 10**9)
    assert time.monotonic() - start > 0.5
    # Each step has its states; a busy machine may take longer for them, or lose some to this test.
    steps = np.diff([to_nanoseconds(joint.header.stamp) for joint in safety.heard.joints])
    assert len(steps) > 40 and all(step % 12_500_000 == 0 for step in steps)
    stamps = [to_nanoseconds(image.header.stamp) for image in safety.heard.images]
    # Pictures may be dropped on a busy machine, but come from ticks 50 ms apart.
    assert len(stamps) > 5
    assert all(difference % 50_000_000 == 0 for difference in np.diff(stamps))
    known = {to_nanoseconds(joint.header.stamp) for joint in safety.heard.joints}
    assert len(known.intersection(stamps)) >= len(stamps) - 2


def test_the_arm_moves_as_told_and_the_watchdog_stops_it(safety, process):
    assert safety.reset("drawer-open", 0).success
    start = position(safety)
    drive(safety, (0.2, 0.0, 0.0), lambda: position(safety)[0] > start[0] + 0.05)
    # From here on nobody commands.
    released = position(safety)[0]
    process.wait_for_output("driver: no command for 0.1 s, braking")
    safety.client.spin(0.3)
    stopped = position(safety)
    safety.client.spin(0.2)
    assert np.abs(position(safety) - stopped).max() < 1e-3
    # 0.1 s of silence at 0.2 m/s, then 10 m/s^2; the arm itself follows with some lag, and what is
    # heard of it here is late on a busy machine.
    assert 0.0 < stopped[0] - released < 0.2 * 0.1 + 0.1
    assert safety.heard.tasks[-1].command_age > 0.1


def test_bad_commands_are_refused_and_shown(safety):
    safety.twist((float("nan"), 0.0, 0.0))
    safety.twist((0.1, 0.0, 0.0), frame="tool0")

    def refused():
        for array in safety.diagnostics:
            for status in array.status:
                values = {pair.key: pair.value for pair in status.values}
                if int(values.get("driver_refused", 0)) >= 2:
                    return "tool0" in values["driver_last_refusal"]
        return False

    safety.client.wait(refused)
    assert np.isfinite(position(safety)).all()


def test_reset_episode(safety):
    before = to_nanoseconds(safety.clock[-1].clock)
    answer = safety.reset("button-press", 7)
    assert answer.success and answer.seed == 7 and answer.instruction == "Press a button"
    following = safety.reset("", -1)
    assert following.success and following.seed == 8 and following.episode == answer.episode + 1
    safety.client.wait(lambda: safety.heard.tasks[-1].episode == following.episode)
    assert safety.heard.tasks[-1].task == "button-press"
    safety.client.wait(lambda: to_nanoseconds(safety.clock[-1].clock) > before + 10**8)
    assert all(np.diff([to_nanoseconds(clock.clock) for clock in safety.clock]) >= 0)


def test_services_refuse_in_one_line(safety):
    wrong = safety.reset("buton-press", 0)
    assert not wrong.success and "did you mean button-press" in wrong.message
    assert "\n" not in wrong.message
    run = safety.run(10)
    assert not run.success and "not in lock-step" in run.message


def test_the_real_time_factor_changes_at_run_time(safety):
    def set_factor(value):
        parameter = Parameter(
            name="real_time_factor",
            value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value),
        )
        request = SetParameters.Request(parameters=[parameter])
        answer = safety.client.call(SetParameters, "/vla/simulator/set_parameters", request)
        return answer.results[0]

    def stamp():
        return to_nanoseconds(safety.clock[-1].clock)

    assert not set_factor(0.0).successful
    assert set_factor(0.25).successful
    safety.clock.clear()  # what is late is of the factor before
    safety.client.wait(lambda: safety.clock)
    start, first = time.monotonic(), stamp()
    safety.client.wait(lambda: stamp() >= first + 300_000_000)
    assert time.monotonic() - start > 0.8
    assert set_factor(1.0).successful


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"task": "make-coffee"}, "parameter task is 'make-coffee'"),
        ({"cameras": ["corner9"]}, "camera is 'corner9'; accepted: behind_gripper"),
        ({"seed": -3}, "parameter seed is -3; accepted: int, at least 0"),
    ],
)
def test_a_wrong_parameter_gives_one_line(parameters, line):
    domain = DOMAIN + 1 if DOMAIN < 100 else DOMAIN - 1
    with node_process("vla_sim.node.node", domain, parameters, ARGUMENTS) as process:
        process.wait_for_output(f"cannot configure: {line}")
        assert "Traceback" not in process.output


def test_it_ends_at_once(process, safety):
    assert process.stop() == 0
    assert "Traceback" not in process.output
