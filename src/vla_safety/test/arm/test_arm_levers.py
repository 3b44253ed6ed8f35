"""Nothing comes nearer than the levers of the joints allow, and any requests keep every pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pinocchio", reason="pip install pin coal")

from arm_rig import ONE, TWO, TWO_ARMS, guard

from vla_safety.arm.clearance import BETWEEN
from vla_safety.limits.limiter import MotionLimiter


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return guard(tmp_path_factory.mktemp("two"), TWO_ARMS, TWO)


def row(low, high, count):
    return st.lists(st.floats(low, high), min_size=count, max_size=count).map(np.array)


@given(row(-2.5, 2.5, 10), row(-0.4, 0.4, 10))
@settings(max_examples=300, deadline=None)
def test_a_distance_falls_by_no_more_than_the_levers_allow(two, start, change):
    clearance = two._clearance
    model = clearance._model
    slides = np.array(["grip" in name or "follow" in name for name in model.joints])
    start, change = np.where(slides, 0.01, start), np.where(slides, 0.02 * change, change)
    every = range(len(clearance.pairs))
    model.look_around(start)
    levers = clearance._ways.levers(model.grown(np.abs(change)))
    model.move_to(start)
    before = model.distances(every)
    for share in (0.3, 1.0):
        model.move_to(start + share * change)
        nearer = before - model.distances(every)
        # An overlap is told in another measure than a distance, which is good to 1e-6 m.
        apart = before > 0.0
        allowed = share * (levers @ np.abs(change))
        more = np.where(apart, np.minimum(nearer, before) - allowed, 0.0)
        worst = int(more.argmax())
        assert more[worst] < 1e-5, clearance.pairs[worst].name


def test_a_lever_grows_with_what_is_behind_its_joint(tmp_path):
    """Upright, the pan joint moves the finger by little; bent, by the length of the arm."""
    made = guard(tmp_path)
    clearance, model = made._clearance, made._clearance._model
    names = [pair.links for pair in clearance.pairs]
    finger, pan = names.index(("base", "left_finger")), model.joints.index("left_pan")
    model.look_around(np.zeros(5))
    still = clearance._ways.levers(model.grown(np.zeros(5)))[finger, pan]
    bent = clearance._ways.levers(model.grown(np.array([0.5, 1.0, 0.0, 0.0, 0.0])))[finger, pan]
    assert still < 0.1 and bent >= 0.7 * np.sin(1.0)


@given(st.lists(row(-2.5, 2.5, 4), min_size=2, max_size=8), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_any_requests_keep_every_pair_between_the_commands_too(tmp_path_factory, goals, every):
    made = guard(tmp_path_factory.mktemp("one"), arm_margin=0.02)
    limiter, clearance = MotionLimiter(ONE), made._clearance
    model, joints = clearance._model, made._joints
    before = limiter.values
    for k in range(every * len(goals)):
        step = made.limit_command(limiter, goals[k // every].tolist(), {}, emergency=k % 7 == 6)
        for share in (0.25, 0.5, 0.75, 1.0):
            command = before + share * (step.safe - before)
            model.move_to(joints.matrix @ command + joints.resting({}))
            found = model.distances(range(len(clearance.pairs)))
            tolerance = BETWEEN if share < 1.0 else 1e-5
            assert (found >= clearance._margins.least - tolerance).all()
        before = step.safe


@given(row(-2.5, 2.5, 10), st.lists(row(-0.1, 0.1, 10), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_no_end_is_faster_on_a_way_than_the_bound_from_its_beginning(two, start, steps):
    model = two._clearance._model
    slides = np.array(["grip" in name or "follow" in name for name in model.joints])
    start, steps = np.where(slides, 0.01, start), np.array(steps) * np.where(slides, 0.02, 1.0)
    ways = np.abs(steps).cumsum(axis=0)
    model.look_around(start)
    bound = model.end_speeds(steps, ways, model.grown(ways[-1]), 0.02)
    before = model.end_places(start)
    for step, most in zip(steps.cumsum(axis=0), bound, strict=True):
        reached = model.end_places(start + step)
        assert (np.linalg.norm(reached - before, axis=1) / 0.02 <= most + 1e-9).all()
        before = reached


def test_joints_that_work_against_each_other_leave_an_end_at_rest(two):
    """The elbow turns back what the shoulder turns: the bound is of the speed, not of a sum."""
    model = two._clearance._model
    step = np.zeros(10)
    step[model.joints.index("left_lift")] = -1e-4
    step[model.joints.index("left_elbow")] = 1e-4
    start = np.zeros(10)  # upright
    model.look_around(start)
    way = np.abs(step)[None]
    bound = model.end_speeds(step[None], way, model.grown(way[0]), 1.0)
    alone = np.linalg.norm(model.end_jacobians, axis=1) @ way[0]
    assert bound.max() < 0.4 * alone.max()
