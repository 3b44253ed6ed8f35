import dataclasses
import math
from dataclasses import replace

import numpy as np
import pytest
from core_rig import ARM, CONFIG, PERIOD, SPACE, START, VELOCITY, Rig, T
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import Output
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore, Verdict
from vla_safety.limits.limiter import Limit
from vla_safety.plan.sequencing import Refusal
from vla_safety.watch.fault_levels import FaultReport, Level
from vla_safety.watch.input_watch import LockStepWatch
from vla_safety.watch.safety_inputs import RobotState, joint_of_position
from vla_safety.watch.safety_states import FaultKind, Reason, State


def test_it_waits_for_a_command_then_follows_and_names_what_it_limits():
    rig = Rig()
    assert rig.step().verdict is Verdict.HELD
    assert rig.cause.text == "started; waiting for a new command"
    rig.chunk()
    first = rig.step()
    assert (first.state, first.verdict) == (State.NOMINAL, Verdict.LIMITED)
    assert {v.limit for v in first.violations} == {Limit.JERK}
    assert first.requested == [0.4, 0.4]
    assert (first.command_id, first.connected) == (1, True)
    assert first.observation_age == pytest.approx(T)
    assert rig.at_speed().verdict is Verdict.PASS
    rig.assert_within_limits(emergency=False)


def test_an_exhausted_chunk_brakes_with_the_normal_limits():
    rig = Rig(chunk_timeout=5.0)
    rig.at_speed()
    # Fresh for a while: the newest chunk was sent just now.
    rig.step(20)
    rig.assert_brakes(Reason.CHUNK_EXHAUSTED, emergency=False)
    assert {v.limit for v in rig.decisions[-1].violations} == {Limit.EXHAUSTED}
    assert rig.decisions[-1].safe[1] == pytest.approx(0.4)
    rig.at_speed()


def test_too_old_an_observation_brakes_as_an_emergency_and_a_chunk_resumes():
    rig = Rig(chunk_timeout=0.2)
    rig.at_speed()
    rig.step(10)
    rig.assert_brakes(Reason.CHUNK_AGE)
    assert Limit.AGE in {v.limit for v in rig.decisions[-1].violations}
    rig.at_speed()


@pytest.mark.parametrize(
    ("changes", "reason"), [({"done": True}, Reason.DONE), ({"rows": 0}, Reason.NO_CHUNK)]
)
def test_done_and_nothing_to_do_brake_with_the_normal_limits(changes, reason):
    rig = Rig()
    rig.at_speed()
    rig.step()
    rig.chunk(**changes)
    rig.assert_brakes(reason, emergency=False)


def test_done_is_final_for_its_command():
    rig = Rig()
    rig.at_speed()
    rig.step()
    rig.chunk(done=True)
    rig.run(60)
    assert rig.decisions[-1].safe[0] == 0.0
    rig.at_speed(command_id=2)


def test_a_stop_word_brakes_at_once_and_waits_for_a_new_command():
    rig = Rig()
    rig.at_speed()
    assert rig.core.accept_text("push the stop button", rig.now) == ""
    assert rig.core.accept_text(" STOP!", rig.now) == "stop"
    rig.assert_brakes(Reason.STOP_WORD)
    assert rig.run(60).safe[0] == 0.0
    assert rig.cause.reason is Reason.STOP_WORD
    rig.at_speed(command_id=2)


def test_a_stop_word_that_another_node_heard_brakes_once():
    rig = Rig()
    rig.at_speed()
    heard = rig.now - PERIOD
    assert rig.core.obey_stop_word("stop", heard, rig.now)
    rig.assert_brakes(Reason.STOP_WORD)
    assert rig.core.stop_word_heard == heard
    rig.at_speed(command_id=2)
    assert not rig.core.obey_stop_word("stop", heard, rig.now)  # told again
    assert rig.step().state is State.NOMINAL
    # Also after a clock that jumped back, and with one that goes ahead of this node's.
    for other in (heard - 10 * PERIOD, rig.now + 10 * PERIOD):
        assert rig.core.obey_stop_word("stop", other, rig.now)
        rig.assert_brakes(Reason.STOP_WORD)
        rig.at_speed(command_id=other)


def test_when_a_command_was_given_decides_whether_it_is_newer_than_a_stop():
    rig = Rig()
    rig.at_speed()
    rig.step(3)
    rig.core.accept_text("stop", rig.now)
    stopped = rig.now
    rig.step()
    # Seen first in an observation from before the stop, but given after it: it moves.
    rig.chunk(2, observation_stamp=stopped - PERIOD // 2, command_stamp=stopped + 1)
    assert rig.step().state is State.NOMINAL
    rig.core.accept_text("stop", rig.now)
    # Given before the stop: no later observation makes it newer.
    rig.step()
    rig.chunk(3, command_stamp=stopped)
    assert rig.step().state is State.HOLD


def test_the_stop_service_latches_and_reset_wants_a_new_command():
    rig = Rig()
    rig.at_speed()
    rig.core.stop("the stop service was called", rig.now)
    rig.assert_brakes(Reason.STOP_SERVICE, State.STOPPED)
    assert rig.run(60, command_id=2).verdict is Verdict.STOPPED
    assert rig.core.reset(rig.now, rig.steady).done
    assert rig.run(60, command_id=2).safe[0] == 0.0
    rig.at_speed(command_id=3)


def test_a_pressed_emergency_stop_latches_and_reset_is_refused_while_it_lasts():
    rig = Rig()
    rig.at_speed()
    rig.core.watch.emergency_stop.set_level(True, rig.steady)
    rig.assert_brakes(Reason.EMERGENCY_STOP, State.STOPPED)
    result = rig.core.reset(rig.now, rig.steady)
    assert not result.done and "release the emergency stop" in result.message
    rig.core.watch.emergency_stop.set_level(False, rig.steady)
    assert rig.run(10).state is State.STOPPED
    assert rig.core.reset(rig.now, rig.steady).done
    rig.at_speed(command_id=2)


def test_a_required_emergency_stop_holds_until_heard_and_stops_when_silent():
    rig = Rig(require_emergency_stop=True)
    assert rig.run(10).state is State.HOLD
    rig.core.watch.emergency_stop.set_level(False, rig.steady)
    assert rig.run(20).state is State.NOMINAL
    rig.step(10)
    assert rig.run(10).state is State.STOPPED
    assert "silent" in rig.cause.text


def test_a_lost_input_brakes_and_is_named_and_resumes_by_itself():
    rig = Rig(required_inputs=("joint_states",), input_timeout=0.3)
    assert rig.run(10).state is State.HOLD
    assert rig.cause.text == "joint_states was never received"
    rig.core.watch.robot.update("joint_states", {}, rig.steady)
    assert rig.run(14).state is State.NOMINAL
    assert rig.run(3).state is State.HOLD
    assert rig.cause.text == "joint_states is older than 0.3 s"
    rig.core.watch.robot.update("joint_states", {}, rig.steady)
    assert rig.run(10).state is State.NOMINAL
    rig.assert_within_limits()


def test_a_needed_joint_that_falls_silent_is_named_while_the_others_go_on():
    rig = Rig(ARM, required_inputs=("joint_states",), required_joints=("wrist",), input_timeout=0.3)

    def tell(periods, joint, wrist):
        for _ in range(periods):
            measured = {"joint": 0.2} if joint else {}
            rig.core.watch.robot.update(
                "joint_states", measured, rig.steady, {"wrist": 0.1} if wrist else {}
            )
            decision = rig.run(1, value=0.3)
        return decision

    assert tell(10, joint=True, wrist=False).state is State.HOLD
    assert rig.cause.text == "joint wrist was never told of, while joint_states comes"
    assert tell(20, joint=True, wrist=True).state is State.NOMINAL
    assert tell(14, joint=True, wrist=False).state is State.NOMINAL
    assert tell(3, joint=True, wrist=False).state is State.HOLD
    assert rig.cause.text.startswith("joint wrist is silent for 0.")
    assert tell(20, joint=False, wrist=True).state is State.HOLD
    assert rig.cause.text.startswith("joint joint is silent for 0.")
    assert tell(20, joint=True, wrist=True).state is State.NOMINAL


def test_the_joint_of_an_array_is_that_of_the_dimension():
    """A forward_position_controller takes an array, whose field is no name of a joint."""
    array = Output("commands", "std_msgs/msg/Float64MultiArray", "data[0]")
    space = replace(ARM, dimensions=(replace(ARM.dimensions[0], output=array),))
    assert joint_of_position(space) == {"joint": "joint"}
    trajectory = Output("commands", "trajectory_msgs/msg/JointTrajectory", "elbow")
    space = replace(ARM, dimensions=(replace(ARM.dimensions[0], output=trajectory),))
    assert joint_of_position(space) == {"joint": "elbow"}


def test_the_stamps_of_each_driver_have_an_order_of_their_own():
    robot, config = RobotState(), SafetyConfig()
    now = 10**10
    for stamp in range(now, now + 10 * PERIOD, PERIOD):
        assert robot.stamp_problem("joint_states", stamp, now, config, ("arm",)) == ""
        assert robot.stamp_problem("joint_states", stamp - 1000, now, config, ("gripper",)) == ""
    problem = robot.stamp_problem("joint_states", now, now, config, ("gripper",))
    assert problem == "joint_states has a stamp that goes back"


def test_a_silent_source_brakes_and_is_named():
    rig = Rig(heartbeat_sources=("policy",), heartbeat_timeout=0.3)
    assert rig.run(10).state is State.HOLD
    rig.core.watch.faults.report_fault(
        FaultReport("policy", FaultKind.ACTION, Level.OK, ""), rig.steady
    )
    assert rig.run(14).state is State.NOMINAL
    assert rig.run(3).state is State.HOLD
    assert rig.cause.text == "policy is silent for over 0.3 s"


@pytest.mark.parametrize(
    ("kind", "level", "state", "emergency"),
    [
        (FaultKind.VISION, Level.WARN, State.DEGRADED, False),
        (FaultKind.VISION, Level.ERROR, State.HOLD, True),
        (FaultKind.LANGUAGE, Level.ERROR, State.HOLD, False),
    ],
)
def test_faults_degrade_or_hold(kind, level, state, emergency):
    rig = Rig()
    rig.at_speed()
    rig.core.watch.faults.report_fault(
        FaultReport("perception", kind, level, "camera lost"), rig.steady
    )
    decision = rig.run(1)
    assert (decision.state, decision.emergency) == (state, emergency)
    assert rig.cause.text == "perception: camera lost"
    rig.core.watch.faults.report_fault(FaultReport("perception", kind, Level.OK, ""), rig.steady)
    rig.at_speed()
    rig.assert_within_limits()


def test_a_stale_plan_is_not_resumed_after_a_hold():
    rig = Rig()
    rig.at_speed()
    fault = FaultReport("perception", FaultKind.VISION, Level.ERROR, "")
    rig.core.watch.faults.report_fault(fault, rig.steady)
    rig.step()
    rig.core.watch.faults.report_fault(dataclasses.replace(fault, level=Level.OK), rig.steady)
    assert rig.step(2).requested is None
    assert rig.cause.reason is Reason.NO_CHUNK
    rig.at_speed()


def test_a_clock_that_stands_still_holds():
    rig = Rig(chunk_timeout=100.0, clock_timeout=0.3)
    rig.at_speed()
    rig.step(15, ros=0)
    rig.assert_brakes(Reason.CLOCK, ros=0)
    assert rig.cause.text == "the ROS clock stands still for over 0.3 s"


def test_a_clock_at_zero_holds():
    rig = Rig()
    rig.now = 0
    assert rig.core.decide(0, rig.steady).state is State.HOLD


def test_a_clock_that_jumps_back_empties_everything_and_wants_a_new_command():
    rig = Rig()
    rig.at_speed()
    rig.now -= 5_000_000_000
    rig.assert_brakes(Reason.CLOCK)
    assert rig.chunk() is None
    assert rig.run(60).safe[0] == 0.0
    rig.at_speed(command_id=2)


def test_two_publishers_hold():
    rig = Rig()
    rig.at_speed()
    rig.core.watch.other_publishers = "chunks come from 2 nodes: a, b"
    rig.assert_brakes(Reason.PUBLISHERS)
    rig.core.watch.other_publishers = ""
    rig.at_speed()


def test_bad_chunks_degrade_and_the_old_plan_goes_on():
    rig = Rig()
    rig.at_speed()
    for k in range(3):
        assert rig.chunk(actions=[math.nan, 0.0]) is Refusal.NOT_FINITE
        assert rig.core.plan.bad_in_a_row == k + 1
    decision = rig.step()
    assert (decision.state, decision.safe[0]) == (State.DEGRADED, pytest.approx(0.4))
    assert rig.cause.text == "chunk refused: NaN or infinite action"
    rig.at_speed()
    assert rig.core.plan.bad_in_a_row == 0


def test_shadow_and_disarming_brake_before_they_disconnect():
    rig = Rig()
    rig.at_speed()
    rig.core.arm(False, rig.now)
    braking = []
    while rig.decisions[-1].connected:
        braking.append(rig.run(1).safe[0])
    assert braking[-1] == 0.0 and len(braking) > 10
    rig.assert_within_limits(emergency=False)
    assert rig.run(60).safe[0] == pytest.approx(0.4)
    assert not rig.decisions[-1].connected


def test_connecting_starts_from_rest_and_wants_a_new_command():
    rig = Rig(armed_on_start=False)
    decision = rig.at_speed()
    assert not decision.connected
    rig.core.arm(True, rig.now)
    rig.decisions.clear()
    decision = rig.run(30)
    assert decision.connected and decision.safe.tolist() == [0.0, 0.0]
    rig.at_speed(command_id=2)
    rig.assert_within_limits(emergency=False)
    rig.core.reconfigure(dataclasses.replace(rig.core.config, shadow=True), rig.now)
    assert not rig.run(60).connected


def test_speed_scale_slows_at_run_time():
    rig = Rig()
    rig.at_speed()
    rig.core.reconfigure(dataclasses.replace(rig.core.config, speed_scale=0.2), rig.now)
    decision = rig.run(60)
    assert decision.safe[0] == pytest.approx(0.1)
    assert {v.limit for v in decision.violations} == {Limit.SPEED_SCALE}
    rig.assert_within_limits(emergency=False)


def test_a_new_episode_starts_at_rest_with_its_own_command():
    rig = Rig(watch=LockStepWatch)
    rig.at_speed()
    rig.now += PERIOD
    rig.core.new_episode()
    rig.chunk(command_id=1)
    decision = rig.core.decide(rig.now, rig.now)
    assert decision.safe.tolist() == [0.0, 0.0] and decision.state is State.HOLD
    rig.now += PERIOD
    rig.chunk(command_id=2)
    assert rig.core.decide(rig.now, rig.now).state is State.NOMINAL


@pytest.mark.parametrize("level", [Level.WARN, Level.ERROR])
def test_in_lock_step_a_fault_of_another_node_decides_nothing(level):
    rig = Rig(watch=LockStepWatch)
    rig.at_speed()
    before = rig.core.decide(rig.now, rig.now)
    rig.core.watch.faults.report_fault(
        FaultReport("perception", FaultKind.VISION, level, "late"), rig.now
    )
    rig.now += PERIOD
    rig.chunk()
    after = rig.core.decide(rig.now, rig.now)
    assert before.state is after.state is State.NOMINAL
    assert after.safe[0] == pytest.approx(before.safe[0])


def test_after_a_restart_it_stays_stopped_and_knows_the_old_commands():
    rig = Rig()
    rig.at_speed()
    rig.core.stop("the stop service was called", rig.now)
    again = Rig(saved=rig.core.state_to_save())
    assert again.run(10).state is State.STOPPED
    assert again.core.reset(again.now, again.steady).done
    assert again.run(60).safe[0] == 0.0
    again.at_speed(command_id=2)


def test_a_respawn_takes_the_measured_velocity_as_its_start():
    core = SafetyCore(SPACE, CONFIG)
    core.watch.robot.update("odom", {"x": 0.3}, START)
    core.activate(START)
    first = core.decide(START + PERIOD, START + PERIOD)
    assert 0.25 < first.safe[0] <= 0.3 and first.state is State.HOLD


def test_a_joint_is_sent_nowhere_before_its_position_is_known():
    rig = Rig(ARM, chunk_timeout=5.0)
    decision = rig.run(10, value=0.3)
    assert not decision.connected and decision.state is State.HOLD
    assert rig.cause.text == "the position of joint is not known"
    rig.core.watch.robot.update("joint_states", {"joint": 0.2}, rig.steady)
    decision = rig.run(5, value=0.3)
    assert decision.connected and decision.safe[0] == 0.2
    assert rig.run(100, command_id=2, value=0.3).safe[0] == pytest.approx(0.3)


def test_closing_brakes_whatever_comes():
    rig = Rig()
    rig.at_speed()
    rig.core.close()
    rig.assert_brakes(Reason.SHUTDOWN)
    rig.core.deactivate(rig.now)
    assert rig.core.decide(rig.now, rig.steady).state is State.INACTIVE


events = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 30), st.integers(1, 3), st.floats(-0.8, 0.8)),
    st.tuples(st.just("silence"), st.integers(1, 40)),
    st.tuples(st.just("text"), st.sampled_from(["stop", "open the drawer"])),
    st.tuples(st.sampled_from(["stop", "reset", "press", "release", "close"])),
    st.tuples(st.just("arm"), st.booleans()),
    st.tuples(st.just("scale"), st.floats(0.0, 1.0)),
    st.tuples(st.just("clock"), st.integers(-(10**10), 10**10)),
    st.tuples(st.just("fault"), st.sampled_from(list(FaultKind)), st.sampled_from(list(Level))),
    st.tuples(st.just("bad"), st.sampled_from([math.nan, math.inf, 1e300])),
)


@given(st.lists(events, max_size=30))
@settings(max_examples=150)
def test_whatever_happens_what_leaves_is_within_the_limits(happenings):
    rig = Rig(blend_window=0.1)
    stopped = False
    for name, *values in happenings:
        before = len(rig.decisions)
        happen(rig, name, values)
        if name == "reset":
            stopped = False
        for decision in rig.decisions[before:]:
            if stopped:
                assert decision.state is State.STOPPED
            stopped = decision.state is State.STOPPED
    # On connecting, motion starts anew; until then nothing has left.
    for part in connected_parts(rig.decisions):
        x = np.array([0.0, 0.0] + [d.safe[0] for d in part])
        assert np.abs(x).max() <= 0.5
        assert np.abs(np.diff(x)).max(initial=0) / T <= VELOCITY.emergency.acceleration * (1 + 1e-9)
        assert np.abs(np.diff(x, 2)).max(initial=0) / T**2 <= VELOCITY.emergency.jerk * (1 + 1e-9)
    rig.core.stop("end", rig.now)
    rig.step(60)
    assert rig.decisions[-1].safe[0] == 0.0


def connected_parts(decisions):
    parts = [[]]
    for decision in decisions:
        if decision.connected:
            parts[-1].append(decision)
        elif parts[-1]:
            parts.append([])
    return parts


def happen(rig, name, values):
    core = rig.core
    if name == "run":
        rig.run(values[0], command_id=values[1], value=values[2])
    elif name == "silence":
        rig.step(values[0])
    elif name == "text":
        core.accept_text(values[0], rig.now)
    elif name == "stop":
        core.stop("the stop service was called", rig.now)
    elif name == "reset":
        core.reset(rig.now, rig.steady)
    elif name in ("press", "release"):
        core.watch.emergency_stop.set_level(name == "press", rig.steady)
    elif name == "close":
        core.reconfigure(dataclasses.replace(core.config, shadow=not core.config.shadow), rig.now)
    elif name == "arm":
        core.arm(values[0], rig.now)
    elif name == "scale":
        core.reconfigure(dataclasses.replace(core.config, speed_scale=values[0]), rig.now)
    elif name == "clock":
        rig.now = max(1, rig.now + values[0])
    elif name == "fault":
        core.watch.faults.report_fault(FaultReport("perception", *values, "x"), rig.steady)
    else:
        rig.chunk(value=values[0])
