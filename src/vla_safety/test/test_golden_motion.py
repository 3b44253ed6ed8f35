"""What the limiter does with given requests, as recorded: no change of it goes unnoticed.

The property tests say that every limit is kept; this one that the motion is still the same: as
quick, as smooth, with the same limits named. After a change that is meant, look at what differs and
write the record anew: `python src/vla_safety/test/test_golden_motion.py`.
"""

import json
import math
import random
from pathlib import Path

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits.braking import Rates
from vla_safety.limits.limiter import Boundary, Limit, MotionLimiter, SpeedCap, braking_time

RECORD = Path(__file__).parent / "data" / "golden_motion.json"
SCENARIOS = 60
STRETCHES, PERIODS = 8, 12
PERIOD = 0.02
# In the order of the record; the motion of a velocity or a position does not depend on its kind.
KINDS = (Kind.LINEAR_VELOCITY, Kind.ANGULAR_VELOCITY, Kind.JOINT_POSITION, Kind.GRIPPER)


def limits(source, least=None):
    if least is not None:
        factors = [source.choice((1.0, source.uniform(1.0, 4.0))) for _ in range(4)]
        values = (least.velocity, least.acceleration, least.jerk, least.deceleration)
        return Limits(*(a * b for a, b in zip(values, factors, strict=True)))
    velocity = math.exp(source.uniform(-2.0, 0.7))
    acceleration = velocity * math.exp(source.uniform(0.3, 3.5))
    jerk = acceleration * math.exp(source.uniform(1.0, 5.0))
    return Limits(velocity, acceleration, jerk, acceleration * source.choice((1.0, 0.5, 2.0)))


def space(source):
    dimensions = []
    for i in range(source.choice((1, 2, 3, 3, 4))):
        kind = source.choice((Kind.LINEAR_VELOCITY,) * 4 + KINDS)
        low, high = source.uniform(-1.5, -0.1), source.uniform(0.1, 1.5)
        normal = limits(source)
        dimensions.append(
            Dimension(
                f"d{i}", kind, kind.units[0], low, high, low, high, normal, limits(source, normal),
                "f", Output("o", "std_msgs/msg/Float64", "data"),
            )
        )  # fmt: skip
    norms = Norms(*(source.choice((None, source.uniform(0.2, 1.2))) for _ in range(2)))
    return ActionSpace("golden", 1.0 / PERIOD, 10, PERIOD, 1e6, tuple(dimensions), norms)


def boundaries(source, made):
    found = []
    for k in range(source.choice((0, 0, 1, 2, 4))):
        row = tuple(
            source.choice((-1.0, 1.0, 0.0, source.uniform(-1.0, 1.0)))
            if d.kind.is_velocity
            else 0.0
            for d in made.dimensions
        )
        remaining = source.choice((-0.05, 0.0, 0.02, 0.1, source.uniform(0.0, 0.5), math.nan))
        found.append([row, remaining, f"b{k}"])
    return found


class Sums:
    """A few numbers that depend on every single one."""

    def __init__(self, source):
        self._source = source
        self.values = self.numbers = 0.0
        self.names = {}

    def take(self, values, violations, emergency):
        for value in values:
            self.values += self._source.uniform(0.5, 1.5) * value
        for v in violations:
            key = f"{v.limit.name} {v.dimension} {v.name}"
            self.names[key] = self.names.get(key, 0) + 1
            for number in (v.value, v.bound):
                if math.isfinite(number) and abs(number) < 1e6:
                    self.numbers += self._source.uniform(0.5, 1.5) * number
        self.names["emergency"] = self.names.get("emergency", 0) + int(emergency)


def play(seed):
    """Sums over a scenario: random stretches of requests, sets, scales, caps and boundaries."""
    source = random.Random(seed)
    made = space(source)
    limiter, sums = MotionLimiter(made), Sums(random.Random(seed))
    start = [source.uniform(-0.1, 0.1) for _ in made.dimensions]
    limiter.reset(start if source.random() < 0.5 else None)
    for _ in range(STRETCHES):
        row = [source.uniform(-1.8, 1.8) for _ in made.dimensions]
        slope = source.choice((0.0, 0.0, source.uniform(-0.02, 0.02)))
        if source.random() < 0.1:
            row[0] = source.choice((math.nan, math.inf))
        braking, emergency = source.random() < 0.15, source.random() < 0.2
        scale = source.choice((1.0, 1.0, 0.5, 0.1, 0.0))
        cap = source.choice((None, None, source.uniform(0.0, 1.0), -1.0))
        faces = boundaries(source, made)
        for k in range(PERIODS):
            asked = None if braking else [value + slope * k for value in row]
            step = limiter.step(
                asked,
                emergency=emergency,
                speed_scale=scale,
                boundaries=[Boundary(c, left, Limit.WORKSPACE, name) for c, left, name in faces],
                speed_cap=None if cap is None else SpeedCap(cap, Limit.SPEED_ZONE, "zone"),
            )
            sums.take(step.safe.tolist(), step.violations, step.emergency)
            for face in faces:  # they are where they were, as in a box
                face[1] -= PERIOD * sum(
                    c * v for c, v in zip(face[0], step.safe.tolist(), strict=True)
                )
        for hard in (False, True):
            sums.take(limiter.hold_target(hard).tolist(), (), limiter.standstill)
    return {"values": sums.values, "numbers": sums.numbers, "names": sums.names}


def braking():
    """Closed forms at many states, and braking times."""
    source = random.Random(1)
    found = []
    for _ in range(40):
        made = limits(source)
        rates = Rates(
            PERIOD, made.velocity, made.acceleration, made.jerk * PERIOD, made.deceleration
        )
        total = 0.0
        for _ in range(12):
            v = source.uniform(-1.0, 1.0) * made.velocity
            a = source.uniform(-1.0, 1.0) * made.acceleration
            total += source.uniform(0.5, 1.5) * rates.stopping_distance(v, a)
            total += source.uniform(0.5, 1.5) * rates.brake(v, a) * PERIOD
            total += source.uniform(0.5, 1.5) * rates.drift(a) + rates.peak(v, a)
            total += source.uniform(0.5, 1.5) * rates.reach_at_most(v, a)
            total += source.uniform(0.5, 1.5) * rates.towards(v, a, 0.5 * made.velocity) * PERIOD
        kind = source.choice(KINDS)
        hard = limits(source, made)
        dimension = Dimension(
            "d", kind, kind.units[0], -1.0, 1.0, -1.0, 1.0, made, hard, "f",
            Output("o", "std_msgs/msg/Float64", "data"),
        )  # fmt: skip
        found.append([total, braking_time(dimension, PERIOD)])
    return found


@pytest.mark.parametrize("seed", range(SCENARIOS))
def test_the_motion_is_the_one_that_was_recorded(seed):
    expected = json.loads(RECORD.read_text())["scenarios"][seed]
    found = play(seed)
    assert found["values"] == pytest.approx(expected["values"], rel=1e-9, abs=1e-9)
    assert found["names"] == expected["names"]
    assert found["numbers"] == pytest.approx(expected["numbers"], rel=1e-7, abs=1e-7)


def test_the_closed_forms_give_what_was_recorded():
    expected = json.loads(RECORD.read_text())["braking"]
    for found, row in zip(braking(), expected, strict=True):
        assert found == pytest.approx(row, rel=1e-9, abs=1e-12)


if __name__ == "__main__":
    RECORD.parent.mkdir(exist_ok=True)
    content = {"scenarios": [play(seed) for seed in range(SCENARIOS)], "braking": braking()}
    RECORD.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"written: {RECORD}")
