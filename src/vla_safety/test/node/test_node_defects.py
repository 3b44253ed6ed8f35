"""Whatever raises in the running node: the robot brakes within its limits and stays stopped."""

import contextlib
import os
import time
from pathlib import Path

import pytest
from node_rig import BRAKING_TIME, DOMAIN, NAMESPACE, PERIOD, assert_within_limits, new_id
from std_srvs.srv import Trigger

from vla_contract.node_testing import NodeProcess, node_process
from vla_interfaces.msg import SafetyStatus

STOPPED = SafetyStatus.STATE_STOPPED
# In a control period, before, in and behind the limiter, and in what is sent and recorded.
PERIODS = (
    "vla_safety.core:SafetyCore.decide",
    "vla_safety.core:SafetyCore._causes",
    "vla_safety.plan.sequencing:Sequencer.at",
    "vla_safety.surroundings.environment:Surroundings.allow",
    "vla_safety.watch.motion_detectors:Detectors.update",
    "vla_safety.limits.warning_thresholds:warnings",
    "vla_safety.node.transform_lookup:TipLookup.update",
    "vla_safety.node.graph_watch:OtherPublishers.problem",
    "vla_safety.node.outputs.senders:safe_action_to_message",
    "vla_safety.node.newest_worker:NewestWorker.collect",
    "vla_safety.node.outputs.senders:Senders.send_status",
    "vla_safety.node.stop_recorder:StopRecorder.record",
    "vla_safety.node.stop_recorder:StopRecorder.poll",
    "vla_safety.watch.state_file:StateWriter.write",
)
CALLBACKS = (
    "vla_safety.node.safety_conversions:chunk_from_message",
    "vla_safety.node.safety_conversions:measured_from_joints",
    "vla_safety.node.safety_conversions:fault_from_message",
    "vla_safety.node.outputs.senders:Senders.levels",
    "vla_safety.node.graph_watch:OtherPublishers.inspect_graph",
    "vla_safety.node.node:diagnosis",
)
SERVICES = {
    "stop": "vla_safety.core:SafetyCore.stop",
    "reset": "vla_safety.core:SafetyCore.reset",
}


@contextlib.contextmanager
def defective(place, flag, parameters):
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    words = ["-r", f"__ns:={NAMESPACE}"]
    with node_process(
        "defective_node", DOMAIN, parameters, words, before=[place, str(flag)]
    ) as process:
        try:
            yield process
        except BaseException:
            print(process.output)
            raise


@pytest.fixture
def flag(tmp_path) -> Path:
    return tmp_path / "broken"


def assert_stops(g, process: NodeProcess, flag: Path, space_file, shown: bool = True) -> None:
    """From motion; shown: the status can be sent."""
    command = new_id()
    g.run(lambda: g.speed >= 0.39, command)
    g.twists.clear()
    g.efforts.clear()
    g.safe.clear()
    flag.touch()
    begin = time.monotonic()
    g.run(lambda: g.twists and g.speed == 0.0, command)
    # On a machine with other work; within the limits it is checked below.
    assert time.monotonic() - begin < BRAKING_TIME + 40 * PERIOD
    assert "ZeroDivisionError: broken in" in process.output
    if shown:
        g.run(lambda: g.status and g.status[-1].state == STOPPED, command)
        assert "broken in" in g.status[-1].cause
    flag.unlink()
    heard = len(g.twists)
    g.run(lambda: len(g.twists) > heard + 10, new_id())
    assert g.speed == 0.0  # stopped until reset, with commands that go on
    if len({s.tick for s in g.safe}) > 10:  # where they could be sent
        assert_within_limits(g, space_file)


@pytest.mark.parametrize("place", PERIODS + CALLBACKS)
def test_a_defect_ends_in_a_latched_stop(place, flag, parameters, space_file, graph):
    with defective(place, flag, parameters) as process:
        g = graph()
        told = "send_status" not in place
        assert_stops(g, process, flag, space_file, shown=told)
        g.run(lambda: g.status[-1].state == STOPPED, None)  # told as soon as it can be
        assert g.call(Trigger, "reset").success
        g.run(lambda: g.speed >= 0.39, new_id())


def test_a_defect_in_the_limiter_itself_stops_at_once(flag, parameters, space_file, graph):
    with defective("vla_safety.limits.limiter:MotionLimiter.step", flag, parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        flag.touch()
        g.run(lambda: g.speed == 0.0, command)
        g.run(lambda: g.status[-1].state == STOPPED, command)
        assert g.efforts[-1].data > 0.5  # what is no velocity stays where it is


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_raises_is_answered_and_the_robot_stops(
    service, flag, parameters, space_file, graph
):
    with defective(SERVICES[service], flag, parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        flag.touch()
        answer = g.call(Trigger, service)
        assert not answer.success and "broken in" in answer.message
        g.run(lambda: g.speed == 0.0 and g.status[-1].state == STOPPED, command)
        assert_within_limits(g, space_file)
