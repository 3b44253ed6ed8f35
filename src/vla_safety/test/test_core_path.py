"""What the core does along the path: slowing, braking, fading in; positions and velocities."""

import dataclasses
import math

import numpy as np
import pytest
from core_rig import ARM, JOINT, VELOCITY, Rig, T
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.decision import Verdict
from vla_safety.limits.limiter import Limit, MotionLimiter
from vla_safety.plan.path_follower import PathFollower
from vla_safety.plan.path_speed import Factor, velocity_ceilings
from vla_safety.plan.sequencing import Chunk, Sequencer
from vla_safety.watch.safety_states import Reason, State

PLANE = ActionSpace("plane", 50.0, 20, T, 1.0, (VELOCITY, dataclasses.replace(VELOCITY, name="y")))
JOINTS = ActionSpace("joints", 50.0, 20, T, 1.0, (JOINT, dataclasses.replace(JOINT, name="other")))


class Slowed(Rig):
    """A rig with a factor of its own."""

    def __init__(self, *args, **changes):
        super().__init__(*args, **changes)
        self.factor = 1.0
        allow = self.core.surroundings.allow

        def slowed(*asked):
            return dataclasses.replace(allow(*asked), factors=(Factor("people", self.factor),))

        self.core.surroundings.allow = slowed
        joints = dict.fromkeys(self.core.space.dimension_names, 0.0)
        self.core.watch.robot.update("joint_states", joints, self.steady)
        self.step()
        self.decisions = []


def shape(rig, since=0):
    """Commands of a run, shape (n, width)."""
    return np.array([d.safe for d in rig.decisions[since:]])


def test_a_slowed_velocity_keeps_its_direction_where_a_limit_alone_would_bend_it():
    rig = Rig(PLANE)
    rig.run(80, actions=[0.8, 0.2] * 20)
    assert rig.decisions[-1].safe == pytest.approx([0.5, 0.125])
    assert rig.decisions[-1].path_speed == pytest.approx(0.625)
    assert rig.decisions[-1].slowed_by == "velocity of x"
    assert rig.decisions[-1].verdict is Verdict.LIMITED
    bent = Rig(PLANE, slowing="dimension")
    bent.run(80, actions=[0.8, 0.2] * 20)
    assert bent.decisions[-1].safe == pytest.approx([0.5, 0.2])
    assert bent.decisions[-1].path_speed == 1.0 and bent.decisions[-1].slowed_by == ""


def test_the_speed_scale_slows_the_whole_motion():
    rig = Rig(PLANE, speed_scale=0.4)
    rig.run(80, actions=[0.4, 0.1] * 20)
    assert rig.decisions[-1].safe == pytest.approx([0.2, 0.05])
    assert rig.decisions[-1].slowed_by == "speed scale of x"
    assert Limit.SPEED_SCALE in {v.limit for v in rig.decisions[-1].violations}


def test_nothing_that_slows_leaves_everything_as_it_was():
    runs = []
    for slowing in ("path", "dimension"):
        rig = Rig(PLANE, slowing=slowing)
        for k in range(120):
            wave = [0.4 * math.sin(0.05 * (k + i)) for i in range(20)]
            rig.run(1, actions=[value for w in wave for value in (w, -w)])
        assert all(d.path_speed == 1.0 for d in rig.decisions)
        runs.append(shape(rig))
    assert np.array_equal(*runs)


def curve(row):
    """Two joints on an arc, from rest."""
    angle = 0.02 * (row - 25.0 * (1.0 - math.exp(-row / 25.0)))
    return [0.3 * math.sin(angle), 0.3 * (1.0 - math.cos(angle))]


def along_the_curve(factors, **changes):
    rig = Slowed(JOINTS, chunk_timeout=100.0, closed_loop=False, **changes)
    rig.chunk(actions=[value for row in range(200) for value in curve(row)])
    for factor in factors:
        rig.factor = factor
        rig.step()
    return rig


def off_the_curve(rig):
    """Greatest distance of a command from the arc, rad."""
    arc = np.array([curve(0.1 * k) for k in range(2000)])
    return max(np.abs(arc - command).max(axis=1).min() for command in shape(rig))


def test_positions_follow_the_same_path_later():
    assert off_the_curve(along_the_curve([1.0] * 130)) < 3e-4
    rig = along_the_curve([1.0] * 30 + [0.3] * 60 + [0.0] * 50 + [1.0] * 60)
    slow = shape(rig)
    assert rig.decisions[120].path_speed < 0.01 and rig.decisions[120].slowed_by == "people"
    assert np.ptp(slow[125:139], axis=0).max() < 1e-3
    assert slow[-1][1] > 0.1
    assert off_the_curve(rig) < 2e-3


def test_a_slower_arm_stays_on_its_path_where_limits_alone_cut_the_corner():
    ways = {
        slowing: off_the_curve(along_the_curve([1.0] * 190, slowing=slowing, speed_scale=0.3))
        for slowing in ("path", "dimension")
    }
    assert ways["path"] < 2e-3 and ways["dimension"] > 0.02


def test_an_observation_made_while_it_stood_is_acted_on_from_its_first_row():
    rig = Slowed(ARM, chunk_timeout=100.0)
    rig.chunk(actions=[0.0] * 20)
    rig.factor = 0.0
    rig.step(10)
    rows = [0.002 * row for row in range(20)]
    rig.chunk(actions=rows)
    assert rig.step(10).requested == [0.0]
    rig.factor = 1.0
    assert rig.step(5).requested[0] < 0.02


def test_a_hold_brakes_along_the_plan():
    rig = Rig(PLANE)
    rig.run(81, actions=[0.4, 0.1] * 20)
    begin = len(rig.decisions)
    rig.chunk(done=True, actions=[0.4, 0.1] * 20)
    rig.step(60)
    braked = shape(rig, begin)
    assert rig.decisions[-1].state is State.HOLD and rig.cause.reason is Reason.DONE
    assert rig.decisions[begin].slowed_by == "braking" and rig.decisions[begin].requested is None
    assert np.allclose(braked[:, 1], 0.25 * braked[:, 0], atol=2e-3)
    assert np.all(np.diff(braked[:, 0]) <= 1e-12) and not braked[-1].any()
    assert not any(d.emergency for d in rig.decisions)
    assert rig.decisions[-1].path_speed == 1.0 and rig.decisions[-1].slowed_by == ""
    # No later than by the limiter alone.
    alone = Rig(PLANE, slowing="dimension")
    alone.run(81, actions=[0.4, 0.1] * 20)
    alone.chunk(done=True, actions=[0.4, 0.1] * 20)
    alone.step(60)
    periods = [np.count_nonzero(shape(r, begin)[:, 0]) for r in (rig, alone)]
    assert periods[0] <= periods[1] + 2


def test_no_velocity_grows_while_it_brakes_along_a_plan_that_speeds_up():
    rig = Rig(PLANE)
    rows = [value for row in range(20) for value in (0.02 * row, 0.2 - 0.02 * row)]
    rig.chunk(actions=rows)
    rig.step(5)
    begin = len(rig.decisions)
    rig.chunk(done=True, actions=rows)
    rig.step(80)
    speeds = np.abs(shape(rig, begin - 1))
    settling = 10  # what the acceleration of before commits to
    assert np.all(np.diff(speeds[settling:], axis=0) <= 1e-9)
    assert not speeds[-1].any()


def test_an_emergency_brakes_at_once_and_does_not_wait_for_the_path():
    rig = Rig()
    rig.at_speed()
    rig.core.accept_text("stop", rig.now)
    decision = rig.step()
    assert decision.emergency and decision.slowed_by == ""
    rig.step(20)
    assert rig.decisions[-1].standstill


def test_motion_is_faded_in_after_arming_but_not_at_an_ordinary_start():
    rig = Rig(fade_in_time=1.0)
    rig.run(12)
    assert all(d.path_speed == 1.0 for d in rig.decisions)
    rig = Rig(fade_in_time=1.0, armed_on_start=False)
    rig.run(10)
    rig.core.arm(True, rig.now, rig.steady)
    rig.run(8, 2)
    begin = next(i for i, d in enumerate(rig.decisions) if d.slowed_by == "fading in")
    rig.run(80, 2)
    speeds = [d.path_speed for d in rig.decisions[begin:]]
    assert speeds[0] == 0.0 and speeds[25] <= 0.5 and speeds[-1] == 1.0
    assert all(s <= 1.5 * k * T / 1.0 + 1e-9 for k, s in enumerate(speeds[:50]))
    assert rig.decisions[-1].safe[0] == pytest.approx(0.4)


def test_motion_is_faded_in_after_a_recovery_and_a_joint_goes_gently_to_the_plan():
    rig = Slowed(ARM, fade_in_time=1.0)
    rig.run(100, value=0.2)
    assert rig.decisions[-1].safe[0] == pytest.approx(0.2)
    rig.step(30)
    assert rig.cause.reason is Reason.CHUNK_AGE
    begin = len(rig.decisions)
    rig.run(100, value=0.3)
    ways = shape(rig, begin)[:, 0] - 0.2
    first = np.flatnonzero(ways > 1e-6)[0]
    assert ways[first + 10] < 0.03 and ways[first + 60] == pytest.approx(0.1, abs=1e-3)
    slowed = {d.slowed_by for d in rig.decisions[begin:]}
    assert "fading in" in slowed and rig.decisions[-1].path_speed == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.0), st.integers(1, 12), st.floats(-1.0, 1.0)),
        min_size=1,
        max_size=20,
    ),
    st.booleans(),
)
def test_the_index_into_a_chunk_never_goes_back_and_limits_are_kept(stretches, joints):
    rig = Slowed(JOINTS if joints else PLANE, chunk_timeout=1.0)
    taus = []
    for factor, periods, value in stretches:
        rig.factor = factor
        rig.run(periods, value=value)
        taus.append(rig.core.plan.sequencer.clock.at(rig.now))
    assert taus == sorted(taus)
    assert all(0.0 <= d.path_speed <= 1.0 for d in rig.decisions)
    values = np.concatenate([np.zeros((3, 2)), shape(rig)])
    rate = np.diff(values, axis=0) / T if joints else values
    acceleration = np.diff(rate, axis=0) / T
    assert np.abs(rate).max() <= 0.5 * (1 + 1e-9)
    assert np.abs(acceleration).max() <= 2.0 * (1 + 1e-9)


def test_an_orientation_turns_later_and_through_half_a_turn():
    kind, limits = Kind.END_EFFECTOR_ORIENTATION, Limits(1.0, 5.0, 50.0)
    turning = tuple(
        Dimension(
            f"r{i}", kind, "rad", -math.pi, math.pi, -math.pi, math.pi, limits, limits, "f",
            Output("o", "std_msgs/msg/Float64MultiArray", f"data[{i}]"),
        )
        for i in range(3)
    )  # fmt: skip
    space = ActionSpace("turning", 50.0, 20, T, 10.0, turning)
    sequencer, limiter = Sequencer(space, 0.0), MotionLimiter(space)
    path = PathFollower(space, sequencer)
    # About z from 3 rad on: at half a turn the rotation vector changes its sign. At twice the
    # velocity limit, once it is under way.
    angles = [3.0 + 0.04 * max(0.0, k - 10.0 * (1.0 - math.exp(-k / 10.0))) for k in range(40)]
    wrapped = [angle - 2.0 * math.pi * (angle > math.pi) for angle in angles]
    rows = [value for angle in wrapped for value in (0.0, 0.0, angle)]
    names = space.dimension_names
    sequencer.accept(Chunk(10**9, 20_000_000, rows, "turning", names, command_id=1), 10**9)
    limiter.reset([0.0, 0.0, 3.0])
    speeds, turned = [], []
    for k in range(90):
        now = 10**9 + k * 20_000_000
        path.advance_clock(now)
        motion = path.planned(now)
        if motion is None:
            break
        row = path.follow(
            motion,
            [],
            velocity_ceilings(space, motion.rates, 1.0),
            by_policy=True,
            fade_time=0.0,
            values=limiter.values.tolist(),
            now=now,
        )
        safe = limiter.step(row).safe.tolist()
        path.observe_command(safe)
        speeds.append(path.speed.value)
        turned.append(safe[2] % (2.0 * math.pi))
    # It waits for no jump: only as slow as twice too fast a plan needs, and it gets round.
    assert 0.35 < min(speeds) < 0.6
    assert turned[-1] > 3.9 and min(np.diff(turned)) > -1e-9
