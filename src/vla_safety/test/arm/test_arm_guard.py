"""Fail-safe motion of a whole arm."""

import math
import random

import numpy as np
import pytest

from vla_contract.action_space import ActionSpace
from vla_safety.arm.arm_geometry import ArmError, Payload, Solid
from vla_safety.arm.arm_guard import make_guard
from vla_safety.arm.clearance import BETWEEN
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit, MotionLimiter
from vla_safety.surroundings.transforms import Transform

pytest.importorskip("pinocchio", reason="pip install pin coal")

from arm_rig import ONE, ONE_ARM, TWO, TWO_ARMS, dimension, guard

FLOOR = Solid("floor", "plane", (0.0, 0.0, 1.0, 0.0), Transform.identity())


def follow(made, limiter, requests, **limits):
    """The commands of these requests and the names of the limits of the arm that held them back."""
    commands, names = [], set()
    for request in requests:
        step = made.limit_command(limiter, request, {}, **limits)
        commands.append(step.safe)
        names |= {(v.limit, v.name) for v in step.violations if v.limit in OF_ARM}
    return np.array(commands), names


OF_ARM = (Limit.SELF_COLLISION, Limit.OBSTACLE, Limit.TOOL_SPEED)


def distances(made, command):
    """Of every pair that counts, and what is kept."""
    model, joints = made._clearance._model, made._joints
    model.move_to(joints.matrix @ command + joints.resting({}))
    count = len(made._clearance.pairs)
    return np.array([model.distance(i) for i in range(count)]), made._clearance._margins.least


def test_a_free_motion_passes_as_the_limiter_alone_gives_it(tmp_path):
    made, limiter, alone = guard(tmp_path), MotionLimiter(ONE), MotionLimiter(ONE)
    for k in range(100):
        request = [0.5 * math.sin(0.05 * k), 0.3, 0.4, 0.02]
        step, free = made.limit_command(limiter, request, {}), alone.step(request)
        assert step.safe.tolist() == free.safe.tolist()
        assert step.violations == free.violations


def test_links_stop_before_each_other_and_the_pair_is_named(tmp_path):
    made, limiter = guard(tmp_path, TWO_ARMS, TWO), MotionLimiter(TWO)
    inwards = [-1.57, 1.5, 0.0, 0.0, 1.57, 1.5, 0.0, 0.0]
    commands, names = follow(made, limiter, [inwards] * 200)
    assert {limit for limit, _ in names} == {Limit.SELF_COLLISION}
    assert any("left_" in name and "right_" in name and "–" in name for _, name in names)
    for command in commands:
        found, least = distances(made, command)
        assert (found >= least - 1e-5).all()
    assert min(distances(made, commands[-1])[0]) < 0.03, "it comes near"
    free = MotionLimiter(TWO)
    unguarded = [free.step(inwards).safe for _ in range(200)]
    assert min(min(distances(made, command)[0]) for command in unguarded) < 0.0


def test_the_surroundings_are_kept_clear_and_named(tmp_path):
    made, limiter = guard(tmp_path, surroundings=[FLOOR]), MotionLimiter(ONE)
    commands, names = follow(made, limiter, [[0.0, 2.4, 0.0, 0.0]] * 200)
    assert names and {limit for limit, _ in names} == {Limit.OBSTACLE}
    assert all(name.endswith("–floor") for _, name in names)
    for command in commands:
        found, least = distances(made, command)
        assert (found >= least - 1e-5).all()


def test_each_command_has_a_way_to_rest_that_is_clear(tmp_path):
    made, limiter = guard(tmp_path, TWO_ARMS, TWO, [FLOOR]), MotionLimiter(TWO)
    source = random.Random(1)
    request = []
    for k in range(400):
        if k % 15 == 0:
            request = [source.uniform(d.low, d.high) for d in TWO.dimensions]
        made.limit_command(limiter, request, {})
        before = limiter.positions
        while not limiter.standstill:
            command = limiter.step(None, emergency=True).safe
            found, least = distances(made, command)
            assert (found >= least - BETWEEN).all(), k
        limiter.restore_positions(before)


def test_an_emergency_brakes_on_the_way_that_was_found_clear(tmp_path):
    made, limiter = guard(tmp_path, TWO_ARMS, TWO), MotionLimiter(TWO)
    follow(made, limiter, [[-1.57, 1.5, 0.0, 0.0, 1.57, 1.5, 0.0, 0.0]] * 25)
    way = limiter.braking_path()[1:]
    commands, names = follow(made, limiter, [None] * len(way), emergency=True)
    assert np.abs(commands - way).max() < 1e-6
    assert not names and limiter.standstill


def test_between_two_commands_nothing_is_tunnelled_through(tmp_path):
    """A thin plate that two successive commands lie on either side of."""
    plate = Solid(
        "plate", "box", (0.004, 0.004, 0.1), Transform.from_rpy((0.66, 0.0, 0.2), (0, 0, 0))
    )
    quick = tuple(dimension(d.name, d.low, d.high, d.kind, d.unit) for d in ONE.dimensions)
    space = ActionSpace("slow rate", 4.0, 50, 0.25, 3.0, quick)
    made = guard(tmp_path, space=space, surroundings=[plate], arm_margin=0.001)
    limiter = MotionLimiter(space)
    limiter.reset([-0.7, 1.57, 0.0, 0.0])
    commands, names = follow(made, limiter, [[0.7, 1.57, 0.0, 0.0]] * 40)
    assert commands[:, 0].max() < 0.0, "it did not pass the plate"
    assert names and all(name.endswith("–plate") for _, name in names)


def test_an_arm_that_starts_in_contact_may_only_move_away(tmp_path):
    # The floor is at the forearm's middle: it can only be lifted.
    high = Solid("floor", "plane", (0.0, 0.0, 1.0, 0.2), Transform.identity())
    made, limiter = guard(tmp_path, surroundings=[high]), MotionLimiter(ONE)
    start = [0.0, 1.7, 0.0, 0.0]
    limiter.reset(start)
    first, _ = distances(made, np.array(start))
    commands, names = follow(made, limiter, [[0.0, 2.4, 0.0, 0.0]] * 30)
    assert np.array_equal(commands, [start] * 30), "deeper into it: it stays"
    assert names and all("floor" in name for _, name in names)
    commands, names = follow(made, limiter, [[0.0, 1.0, 0.0, 0.0]] * 100)
    assert commands[-1][1] == pytest.approx(1.0) and not names
    floor = [i for i, pair in enumerate(made._clearance.pairs) if "floor" in pair.name]
    worst = [min(distances(made, command)[0][floor]) for command in commands]
    assert all(after >= before for before, after in zip(worst, worst[1:], strict=False))
    assert worst[-1] > min(first[floor])


def test_an_arm_on_its_way_out_of_contact_does_not_go_back(tmp_path):
    high = Solid("floor", "plane", (0.0, 0.0, 1.0, 0.2), Transform.identity())
    made, limiter = guard(tmp_path, surroundings=[high]), MotionLimiter(ONE)
    limiter.reset([0.0, 1.8, 0.0, 0.0])
    commands, _ = follow(made, limiter, [[0.0, 1.65, 0.0, 0.0]] * 60)
    assert commands[-1][1] == pytest.approx(1.65)
    commands, names = follow(made, limiter, [[0.0, 1.8, 0.0, 0.0]] * 60)
    assert commands[-1][1] == pytest.approx(1.65, abs=1e-4) and names


def test_the_violation_of_one_that_is_too_near_tells_what_it_may_not_go_below(tmp_path):
    high = Solid("floor", "plane", (0.0, 0.0, 1.0, 0.2), Transform.identity())
    made, limiter = guard(tmp_path, surroundings=[high]), MotionLimiter(ONE)
    limiter.reset([0.0, 1.7, 0.0, 0.0])
    step = made.limit_command(limiter, [0.0, 2.4, 0.0, 0.0], {})
    violation = step.violations[0]
    assert violation.limit is Limit.OBSTACLE and violation.name.startswith("left_")
    assert violation.name.endswith("(already too near: it may only move away)")
    assert violation.value < violation.bound < 0.01


def test_a_payload_counts_while_the_gripper_is_closed(tmp_path):
    box = Solid("payload", "box", (0.04, 0.04, 0.2), Transform.from_rpy((0, 0, 0.46), (0, 0, 0)))
    carried = Payload("left_forearm", box, "left_grip", (0.0, 0.015))
    reached = {}
    for grip in (0.0, 0.03):
        made = guard(tmp_path, surroundings=[FLOOR], payload=carried)
        limiter = MotionLimiter(ONE)
        limiter.reset([0.0, 0.5, 0.5, grip])
        commands, names = follow(made, limiter, [[0.0, 2.0, 0.5, grip]] * 150)
        reached[grip] = commands[-1][1]
        assert ((Limit.OBSTACLE, "payload–floor") in names) == (grip == 0.0)
    assert reached[0.0] < reached[0.03] - 0.03


def test_a_payload_that_is_taken_from_the_floor_can_be_lifted(tmp_path):
    box = Solid("payload", "box", (0.04, 0.04, 0.3), Transform.from_rpy((0, 0, 0.5), (0, 0, 0)))
    carried = Payload("left_forearm", box, "left_grip", (0.0, 0.015))
    made, limiter = guard(tmp_path, surroundings=[FLOOR], payload=carried), MotionLimiter(ONE)
    limiter.reset([0.0, 1.3, 0.8, 0.03])
    commands, _ = follow(made, limiter, [[0.0, 1.3, 0.8, 0.0]] * 60)
    assert commands[-1][3] == pytest.approx(0.0), (
        "it closes although the box reaches into the floor"
    )
    commands, names = follow(made, limiter, [[0.0, 1.5, 0.8, 0.0]] * 30)
    assert commands[-1][1] == pytest.approx(1.3) and names
    commands, _ = follow(made, limiter, [[0.0, 0.6, 0.8, 0.0]] * 100)
    assert commands[-1][1] == pytest.approx(0.6)


def test_elbow_and_tool_are_no_faster_than_their_cap(tmp_path):
    made, limiter = guard(tmp_path, arm_speed=0.25), MotionLimiter(ONE)
    source = random.Random(3)
    model, joints = made._clearance._model, made._joints
    places = model.end_places(joints.matrix @ limiter.values + joints.resting({}))
    fastest, request, slowed = 0.0, [], 0
    for k in range(1500):
        if k % 60 == 0:
            request = [source.uniform(d.low, d.high) for d in ONE.dimensions]
        step = made.limit_command(limiter, request, {}, emergency=k % 97 == 0)
        slowed += any(v.limit is Limit.TOOL_SPEED for v in step.violations)
        reached = model.end_places(joints.matrix @ step.safe + joints.resting({}))
        fastest = max(fastest, np.linalg.norm(reached - places, axis=1).max() * 50.0)
        places = reached
    assert 0.1 < fastest <= 0.25
    assert slowed > 100


def test_a_measured_joint_is_where_it_is_measured(tmp_path):
    """The other arm is not commanded: where it stands decides how far this one comes."""
    required = [f"right_{name}" for name in ("pan", "lift", "elbow", "grip")]
    reached = []
    for pan in (0.9, -1.57):
        made = guard(tmp_path, TWO_ARMS, ONE, required=required)
        limiter = MotionLimiter(ONE)
        other = dict(zip(required, (pan, 1.5, 0.0, 0.0), strict=True))
        for _ in range(200):
            step = made.limit_command(limiter, [-0.9, 1.5, 0.0, 0.0], other)
        reached.append(step.safe[:2].tolist())
    assert reached[1] == pytest.approx([-0.9, 1.5])
    assert reached[0] != pytest.approx([-0.9, 1.5])


def test_without_a_measured_joint_the_arm_brakes_and_names_it(tmp_path):
    required = [f"right_{name}" for name in ("pan", "lift", "elbow", "grip")]
    made, limiter = guard(tmp_path, TWO_ARMS, ONE, required=required), MotionLimiter(ONE)
    told = dict.fromkeys(required, 0.0)
    for _ in range(20):
        made.limit_command(limiter, [1.0, 0.5, 0.5, 0.0], told)
    del told["right_elbow"]
    for _ in range(60):
        step = made.limit_command(limiter, [1.0, 0.5, 0.5, 0.0], told)
        assert any(v.name == "right_elbow" for v in step.violations) and step.emergency
    assert limiter.standstill


def test_what_raises_leaves_the_limiter_where_it_was(tmp_path):
    made, limiter = guard(tmp_path), MotionLimiter(ONE)
    follow(made, limiter, [[1.0, 1.0, 1.0, 0.0]] * 10)
    before = limiter.positions
    with pytest.raises(ValueError, match="row has shape"):
        made.limit_command(limiter, [1.0], {})
    assert limiter.positions == before


def test_a_request_that_is_no_number_brakes_within_the_limits(tmp_path):
    made, limiter = guard(tmp_path, arm_speed=0.25), MotionLimiter(ONE)
    follow(made, limiter, [[1.0, 1.0, 1.0, 0.0]] * 10)
    commands, _ = follow(made, limiter, [[math.nan, math.inf, -math.inf, math.nan]] * 60)
    assert np.isfinite(commands).all() and limiter.standstill


def test_no_guard_is_made_without_a_urdf():
    assert make_guard(ONE, SafetyConfig()) is None


def test_joint_states_are_needed(tmp_path):
    config = SafetyConfig(arm_urdf=ONE_ARM, required_inputs=())
    with pytest.raises(ArmError, match="accepted of required_inputs: joint_states among them"):
        make_guard(ONE, config)


class Servos:
    """Joints that are a whole number of periods late and hang by a part of a radian."""

    def __init__(self, late, hang):
        self.sent, self.late, self.hang = [], late, np.array(hang)

    def measured(self, command):
        self.sent.append(np.array(command))
        where = self.sent[-1 - min(self.late, len(self.sent) - 1)] + self.hang
        return dict(zip(ONE.dimension_names, where.tolist(), strict=True))


@pytest.mark.parametrize(("told", "clear"), [(True, True), (False, False)])
def test_an_arm_that_hangs_below_its_commands_stays_clear(tmp_path, told, clear):
    """It hangs by more than its margin, on a way down to the floor."""
    made = guard(tmp_path, surroundings=[FLOOR], arm_margin=0.004, arm_delay=0.06)
    limiter, servos = MotionLimiter(ONE), Servos(late=3, hang=[0.0, 0.02, 0.0, 0.0])
    where, nearest, violations = {}, [], []
    for _ in range(200):
        step = made.limit_command(limiter, [0.0, 2.4, 0.0, 0.0], where if told else {})
        violations += step.violations
        where = servos.measured(step.safe)
        nearest.append(min(distances(made, np.array(list(where.values())))[0]))
    assert (min(nearest) >= 0.5 * 0.004 - BETWEEN) == clear
    assert {v.name.rpartition("–")[2] for v in violations if v.limit in OF_ARM} == {"floor"}


def test_what_a_servo_lags_behind_while_it_moves_is_no_hanging(tmp_path):
    """The way of a late arm that ends at the floor is that of one which is not late."""
    ways = []
    for late in (0, 3):
        made = guard(tmp_path, surroundings=[FLOOR], arm_delay=0.02 * late)
        limiter, servos, where = MotionLimiter(ONE), Servos(late, [0.0] * 4), {}
        way = []
        for k in range(150):
            step = made.limit_command(limiter, [math.sin(0.1 * k), 2.4, 0.3, 0.0], where)
            where = servos.measured(step.safe)
            way.append(step.safe)
        ways.append(np.array(way))
    assert np.abs(ways[0] - ways[1]).max() < 1e-9
