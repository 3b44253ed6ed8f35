"""Where an emergency brake would lead, and going back to where it was only tried."""

import random

import numpy as np
import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.limits.limiter import MotionLimiter


def space(source):
    made = []
    for i in range(4):
        velocity, (a, d), j = source.uniform(0.2, 3), (source.uniform(1, 12) for _ in "ad"), 0.0
        j = source.uniform(10, 300)
        harder = [source.uniform(1, 3) for _ in range(3)]
        normal = Limits(velocity, a, j, d)
        emergency = Limits(velocity, a * harder[0], j * harder[1], d * harder[2])
        output = Output("t", "trajectory_msgs/msg/JointTrajectory", f"d{i}")
        made.append(
            Dimension(
                f"d{i}",
                Kind.JOINT_POSITION,
                "rad",
                -1.5,
                1.5,
                -1.5,
                1.5,
                normal,
                emergency,
                "f",
                output,
            )  # fmt: skip
        )
    return ActionSpace("s", 50.0, 40, 0.02, 20.0, tuple(made))


@pytest.mark.parametrize("seed", range(12))
def test_the_path_is_that_of_the_brake_whatever_came_before(seed):
    source = random.Random(seed)
    limiter = MotionLimiter(space(source))
    goal = [0.0] * 4
    for k in range(200):
        if k % 20 == 0:
            goal = [source.uniform(-1.6, 1.6) for _ in goal]
        limiter.step(goal, speed_scale=source.choice((1.0, 0.3)))
        if k % 23 != 5:
            continue
        before, path = limiter.positions, limiter.braking_path()
        assert limiter.positions == before, "it was only looked at"
        assert np.array_equal(path[0], limiter.values)
        for row in path[1:]:
            scale = source.choice((1.0, 0.1, 0.0))
            step = limiter.step(None, emergency=True, speed_scale=scale)
            assert np.abs(step.safe - row).max() < 1e-5
        while not limiter.standstill:  # what rounding has left
            step = limiter.step(None, emergency=True)
            assert np.abs(step.safe - path[-1]).max() < 1e-5
        limiter.restore_positions(before)


def test_a_step_that_was_only_tried_leaves_no_trace():
    source = random.Random(1)
    one, other = (MotionLimiter(space(random.Random(7))) for _ in range(2))
    for _ in range(150):
        goal = [source.uniform(-1.5, 1.5) for _ in range(4)]
        before = one.positions
        one.step([-value for value in goal], emergency=source.random() < 0.3)
        one.restore_positions(before)
        assert one.step(goal).safe.tolist() == other.step(goal).safe.tolist()
