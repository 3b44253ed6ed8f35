"""What the core does about faults, places, obstacles, people and clocks."""

import dataclasses

import numpy as np
import pytest
from core_rig import CONFIG, PERIOD, SPACE, VELOCITY, Rig, T
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped_spaces import shipped_space

from vla_safety.config import obstacle_config
from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.core import SafetyCore, Verdict
from vla_safety.limits.limiter import Limit
from vla_safety.plan.teleoperation import TeleopConfig, Teleoperation
from vla_safety.surroundings.environment import Surroundings
from vla_safety.surroundings.measured_pose import Pose
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor, Reading
from vla_safety.watch.fault_levels import FaultReport, Level
from vla_safety.watch.safety_states import FaultKind, Reason, Severity, State

SECOND = 10**9
BASE = shipped_space("mobile_base")
ARM = shipped_space("metaworld")


def report(kind=FaultKind.VISION, level=Level.ERROR):
    return FaultReport("perception", kind, level, "lost")


def fault(rig, kind=FaultKind.VISION, level=Level.ERROR):
    rig.core.watch.faults.report_fault(report(kind, level), rig.steady)


def test_after_a_fault_the_robot_waits_for_the_recovery_time():
    rig = Rig(recovery_vision=1.0)
    rig.at_speed()
    fault(rig)
    assert rig.run(1).state is State.HOLD
    fault(rig, level=Level.OK)
    rig.run(49)
    assert rig.decisions[-1].state is State.HOLD
    assert rig.cause.reason is Reason.RECOVERY
    assert rig.core.watch.recovery.result.left == pytest.approx(0.02)
    # It goes on with what the policy says now, from rest.
    assert rig.run(3).state is State.NOMINAL
    rig.at_speed()
    rig.assert_within_limits()


def test_a_late_policy_recovers_too_and_lateness_meanwhile_begins_anew():
    rig = Rig(recovery_communication=1.0, chunk_timeout=0.2)
    rig.at_speed()
    rig.step(12)
    assert rig.cause.reason is Reason.CHUNK_AGE
    rig.run(20)
    assert rig.cause.reason is Reason.RECOVERY
    rig.step(12)
    assert rig.cause.reason is Reason.CHUNK_AGE
    rig.run(45)
    assert rig.cause.reason is Reason.RECOVERY
    rig.run(20)
    assert rig.decisions[-1].state is State.NOMINAL


def test_a_fault_of_action_goes_on_with_the_rest_of_the_last_good_chunk_then_holds():
    rig = Rig(chunk_timeout=0.2)
    rig.at_speed()
    fault(rig, FaultKind.ACTION)
    decision = rig.step(5)
    assert (decision.state, decision.safe[0]) == (State.DEGRADED, pytest.approx(0.4))
    assert rig.step(10).state is State.HOLD


def test_faults_that_keep_coming_back_latch_and_reset_says_what_lasts():
    rig = Rig(escalation_count=3, escalation_window=60.0)
    for _ in range(3):
        rig.at_speed()
        fault(rig)
        rig.run(1)
        if rig.decisions[-1].state is not State.STOPPED:
            fault(rig, level=Level.OK)
    assert rig.decisions[-1].state is State.STOPPED
    assert rig.cause.text.startswith("3 vision faults within 60 s")
    refused = rig.core.reset(rig.now, rig.steady)
    assert not refused.done and "perception: lost" in refused.message
    fault(rig, level=Level.OK)
    rig.run(2)
    assert rig.core.reset(rig.now, rig.steady).done
    rig.at_speed(command_id=2)
    fault(rig)
    assert rig.run(1).state is State.HOLD, "what was forgiven no longer counts"


@pytest.mark.parametrize("jump", [5 * SECOND, -5 * SECOND])
def test_a_clock_that_jumps_either_way_waits_for_a_new_command(jump):
    rig = Rig()
    rig.at_speed()
    rig.now += jump
    rig.assert_brakes(Reason.CLOCK)
    assert "jumped" in rig.cause.text
    assert rig.run(60).safe[0] == 0.0
    rig.at_speed(command_id=2)


def test_a_loop_that_stood_still_starts_from_what_was_measured_since():
    rig = Rig()
    rig.at_speed()
    rig.now += 3 * SECOND
    rig.steady += 3 * SECOND
    decision = rig.step()
    assert (decision.state, decision.missed) == (State.HOLD, 151)
    assert decision.safe[0] == 0.0 and "stood still for 3.0 s" in rig.cause.text
    rig.at_speed()
    rig.now += 3 * SECOND
    rig.steady += 3 * SECOND
    rig.core.watch.robot.update("odom", {"x": 0.2}, rig.steady)
    assert 0.15 < rig.step().safe[0] <= 0.2


def test_limited_for_too_long_holds_and_recovers():
    rig = Rig(limited_timeout=0.5, recovery_action=1.0)
    rig.run(45, value=0.9)
    assert rig.decisions[-1].state is State.HOLD
    assert "the limits change every command" in rig.cause.text
    assert not any(d.emergency for d in rig.decisions)
    rig.at_speed()


# Where it is.


def arm_rig(**changes):
    return Rig.around(SafetyCore(ARM, dataclasses.replace(CONFIG, **changes)))


def test_an_end_effector_needs_a_workspace_and_a_pose():
    rig = arm_rig()
    assert rig.run(10).state is State.HOLD
    assert rig.cause.reason is Reason.CONFIGURATION
    rig = arm_rig(workspace_low=(-1.0, -1.0, -1.0))
    assert rig.run(10).state is State.HOLD
    assert "position is not known" in rig.cause.text
    rig.core.surroundings.pose.update_pose(pose(0.0), rig.steady)
    assert rig.run(10).state is State.NOMINAL


def pose(x):
    return Pose((x, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), "base_link")


def test_the_end_effector_stops_before_its_workspace_ends():
    rig = arm_rig(workspace_high=(0.3, 1000.0, 1000.0), limited_timeout=0.0, tracking_timeout=0.0)
    x, greatest = 0.0, 0.0
    period = ARM.period
    for _ in range(240):
        rig.core.surroundings.pose.update_pose(pose(x), rig.steady)
        rig.chunk(value=0.5, period=round(period * 1e9))
        rig.now += round(period * 1e9)
        rig.steady += round(period * 1e9)
        decision = rig.core.decide(rig.now, rig.steady)
        x += decision.safe[0] * period
        greatest = max(greatest, x)
    assert 0.25 < greatest <= 0.3
    assert abs(decision.safe[0]) < 0.02 and decision.state is State.NOMINAL
    assert decision.verdict is Verdict.LIMITED
    assert Limit.WORKSPACE in {v.limit for v in decision.violations}


# Obstacles.


def base_rig(with_scan=True, **changes):
    config = dataclasses.replace(CONFIG, obstacle_sources=("scan",) if with_scan else (), **changes)
    monitor = None
    if with_scan:
        zones = dict(obstacle_config.DEFAULT_ZONES)
        monitor = ObstacleMonitor(obstacle_config.build(config, {"scan": SourceConfig()}, zones))
    return Rig.around(SafetyCore(BASE, config, None, Surroundings(BASE, config, monitor)))


def scan(rig, distance):
    points = np.array([[0.25 + distance, 0.0]])
    rig.core.surroundings.obstacles.accept_reading("scan", Reading(points), rig.steady)


def drive(rig, periods, distance, command_id=1):
    for _ in range(periods):
        scan(rig, distance)
        rig.k += 1
        rig.now += PERIOD
        rig.steady += PERIOD
        if rig.k % 4 == 0:
            rig.chunk(command_id, actions=[0.4, 0.0] * 20)
        rig.decisions.append(rig.core.decide(rig.now, rig.steady))
    return rig.decisions[-1]


def test_a_base_needs_a_source_of_obstacles():
    rig = base_rig(with_scan=False)
    assert rig.run(10).state is State.HOLD
    assert "obstacle_sources" in rig.cause.clears_when
    rig = base_rig(with_scan=False, obstacle_source_required=False)
    assert rig.run(10).state is State.NOMINAL


def test_a_silent_source_counts_as_an_obstacle():
    rig = base_rig()
    assert drive(rig, 100, 20.0).safe[0] == pytest.approx(0.4)
    decision = rig.run(60, actions=[0.4, 0.0] * 20)
    assert decision.state is State.HOLD and decision.safe[0] == 0.0
    assert "invalid source scan" in rig.cause.text
    assert drive(rig, 100, 20.0).state is State.NOMINAL


def test_an_obstacle_slows_then_stops_and_gone_for_a_moment_lets_it_go_on():
    rig = base_rig(recovery_obstacle=0.4)
    assert drive(rig, 100, 20.0).safe[0] == pytest.approx(0.4)
    decision = drive(rig, 60, 0.4)
    assert 0.0 < decision.safe[0] < 0.3
    assert {v.limit for v in decision.violations} == {Limit.OBSTACLE}
    decision = drive(rig, 60, 0.05)
    assert decision.state is State.HOLD and decision.safe[0] == 0.0
    assert rig.cause.reason is Reason.OBSTACLE
    assert decision.warnings[0].limit is Limit.OBSTACLE
    assert drive(rig, 15, 20.0).state is State.HOLD
    assert rig.cause.reason is Reason.RECOVERY
    assert drive(rig, 100, 20.0).safe[0] == pytest.approx(0.4)


# A person.


def teleoperated():
    person = Teleoperation({"joystick": TeleopConfig()}, {}, frame="base_link")
    config = dataclasses.replace(
        CONFIG, obstacle_source_required=False, heartbeat_sources=("policy",), recovery_vision=60.0
    )
    return Rig.around(SafetyCore(BASE, config, None, None, person)), person


def test_a_person_drives_without_a_policy_and_the_policy_waits_for_a_new_command():
    rig, person = teleoperated()
    for _ in range(80):
        person.accept_twist("joystick", (0.3, 0.0, 0.0, 0.0, 0.0, 0.2), rig.steady)
        fault(rig)
        decision = rig.step()
        rig.decisions.append(decision)
    assert (decision.state, decision.input) == (State.NOMINAL, "joystick")
    assert decision.safe.tolist() == pytest.approx([0.3, 0.2])
    assert decision.observation_stamp == 0 and decision.command_id == 0
    rig.core.watch.emergency_stop.set_level(True, rig.steady)
    person.accept_twist("joystick", (0.3, 0.0, 0.0, 0.0, 0.0, 0.2), rig.steady)
    assert rig.step().state is State.STOPPED


def test_after_a_person_the_robot_brakes_and_an_old_command_moves_nothing():
    rig, person = teleoperated()
    ok = FaultReport("policy", FaultKind.ACTION, Level.OK, "")
    for k in range(200):
        rig.core.watch.faults.report_fault(ok, rig.steady)
        if 50 <= k < 100:
            person.accept_twist("joystick", (0.2, 0.0, 0.0, 0.0, 0.0, 0.0), rig.steady)
        rig.run(1, actions=[0.4, 0.0] * 20, command_stamp=10**12)
        if k == 49:
            assert (rig.decisions[-1].input, rig.decisions[-1].state) == ("policy", State.NOMINAL)
    assert rig.decisions[-1].safe[0] == 0.0 and rig.decisions[-1].state is State.HOLD
    assert "joystick" in rig.cause.text
    rig.core.watch.faults.report_fault(ok, rig.steady)
    assert rig.run(10, 2, actions=[0.4, 0.0] * 20, command_stamp=rig.now).input == "policy"


# Whatever happens.

happenings = st.lists(
    st.tuples(
        st.integers(1, 25),
        st.sampled_from(["run", "silence", "fault", "well", "press", "release", "reset", "gap"]),
        st.sampled_from(list(FaultKind)),
    ),
    max_size=25,
)


@given(happenings)
@settings(max_examples=60, deadline=None)
def test_stopped_is_left_only_by_reset_and_nothing_moves_while_recovering(events):
    rig = Rig(
        recovery_vision=0.3, recovery_action=0.2, recovery_communication=0.1, escalation_count=3
    )
    stopped = False
    for count, name, kind in events:
        if name in ("press", "release"):
            rig.core.watch.emergency_stop.set_level(name == "press", rig.steady)
        elif name in ("fault", "well"):
            fault(rig, kind, Level.ERROR if name == "fault" else Level.OK)
        elif name == "gap":
            rig.now += SECOND
            rig.steady += SECOND
        elif name == "reset" and rig.core.reset(rig.now, rig.steady).done:
            stopped = False
        before = len(rig.decisions)
        if name == "silence":
            rig.step(count)
        else:
            rig.run(count, command_id=len(rig.decisions))
        for decision in rig.decisions[before:]:
            assert not (stopped and decision.state is not State.STOPPED)
            stopped = decision.state is State.STOPPED
            if decision.state in (State.HOLD, State.STOPPED):
                assert decision.requested is None
        grave = any(c.severity is not Severity.DEGRADE for c in rig.core.machine.causes)
        if rig.core.watch.recovery.result.left > 0.0:
            assert grave and rig.decisions[-1].state in (State.HOLD, State.STOPPED)
    rig.core.stop("end", rig.now)
    assert rig.step(60).safe[0] == 0.0


# A loop that stands still.

TIMEOUT = 0.1  # s, of the driver that is pretended here


def spoken_to(timeout):
    """SPACE with a driver of x that stops after `timeout` s without a command."""
    output = dataclasses.replace(VELOCITY.output, timeout=timeout)
    x = dataclasses.replace(VELOCITY, output=output)
    return dataclasses.replace(SPACE, dimensions=(x, SPACE.dimensions[1]))


@given(
    stall=st.integers(PERIOD, 2 * SECOND),
    speed=st.sampled_from([0.4, -0.4]),
    periods=st.integers(1, 60),
    timeout=st.sampled_from([None, TIMEOUT, 0.3]),
    measured=st.none() | st.tuples(st.floats(-0.5, 0.5), st.integers(0, SECOND)),
)
@settings(max_examples=300, deadline=None)
def test_after_a_stall_the_first_command_is_one_limited_step_from_what_the_driver_does(
    stall, speed, periods, timeout, measured
):
    rig = Rig(spoken_to(timeout))
    before = rig.run(periods, value=speed).safe[0]
    rig.now += stall - PERIOD
    rig.steady += stall - PERIOD
    # Driver and robot: as commanded until the timeout, then at rest, or as was measured since.
    gap = stall / SECOND
    stands_still = gap > 3 * T
    stopped = stands_still and gap >= (timeout or 0.0)
    robot = 0.0 if stopped else before
    if measured is not None:
        value, age = measured
        rig.core.watch.robot.update("odom", {"x": value}, rig.steady + PERIOD, age=age)
        if stopped and age < min(stall, SECOND // 10):
            robot = value
    decision = rig.step()
    assert decision.state is State.HOLD or not stands_still
    assert abs(decision.safe[0] - robot) <= VELOCITY.emergency.acceleration * T * (1 + 1e-9)
    # And so on to rest.
    rest = rig.step(60)
    x = np.array([robot] + [d.safe[0] for d in rig.decisions[periods:]])
    assert np.abs(np.diff(x)).max() <= VELOCITY.emergency.acceleration * T * (1 + 1e-9)
    assert rest.safe[0] == 0.0 or not stands_still


def test_what_was_measured_before_a_stall_and_came_after_it_is_no_beginning():
    rig = Rig(spoken_to(TIMEOUT))
    rig.at_speed()
    rig.now += SECOND // 2
    rig.steady += SECOND // 2
    rig.core.watch.robot.update("odom", {"x": 0.4}, rig.steady, age=SECOND * 45 // 100)
    assert rig.step().safe[0] == 0.0


def test_a_short_stall_of_a_quick_driver_is_no_unlimited_step():
    rig = Rig(spoken_to(TIMEOUT))
    rig.at_speed()
    rig.now += SECOND * 4 // 10
    rig.steady += SECOND * 4 // 10
    decision = rig.step()
    assert decision.safe[0] == 0.0 and decision.state is State.HOLD


@pytest.mark.parametrize(
    ("timeout", "short", "long"), [(TIMEOUT, 0.09, 0.11), (0.3, 0.29, 0.31), (None, 0.49, 0.51)]
)
def test_stalls_that_the_driver_bridges_do_not_escalate_and_longer_ones_do(timeout, short, long):
    def play(stall):
        rig = Rig(spoken_to(timeout), escalation_count=3)
        for _ in range(3):
            rig.run(60)
            rig.now += round(stall * SECOND) - PERIOD
            rig.steady += round(stall * SECOND) - PERIOD
            assert rig.step().missed  # it brakes either way
        return rig.decisions[-1].state

    assert play(short) is State.HOLD
    assert play(long) is State.STOPPED
