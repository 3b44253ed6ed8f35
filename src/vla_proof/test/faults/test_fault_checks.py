"""What is made of a recorded fault, without a graph."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vla_contract.action_space import ActionSpace
from vla_proof.faults import fault_checks
from vla_proof.faults.pretended.camera_streams import SIDE, CameraMode, Scene, data_of
from vla_proof.faults.pretended.pretended_base import WATCHDOG, Base
from vla_proof.faults.pretended.pretended_policy import ChunkMode, rows
from vla_proof.faults.recorded_commands import Reaction, Record, Sent, Tick
from vla_safety.limits.limiter import MotionLimiter

ROOT = Path(__file__).resolve().parents[4]
SPACE = ActionSpace.load(ROOT / "config" / "action_spaces" / "mobile_base.yaml")
PERIOD = round(SPACE.period * 1e9)  # ns


def ticks(values, first=100, emergency=False, connected=True, held_from=10**9):
    """Linear speeds, one control period apart."""
    return [
        Tick(
            arrived=(first + i) * PERIOD,
            stamp=(first + i) * PERIOD - 1_000_000,
            number=first + i,
            period=SPACE.period,
            safe=(value, 0.0),
            verdict=2 if first + i >= held_from else 0,
            state=3 if first + i >= held_from else 1,
            emergency=emergency,
            connected=connected,
            observation=(first + i) * PERIOD - 50_000_000,
        )
        for i, value in enumerate(values)
    ]


def motion(*, emergency: bool):
    """What the real limiter makes of cruising and a stop."""
    limiter = MotionLimiter(SPACE)
    cruise = [0.3, 0.0]
    moving = [limiter.step(cruise).safe[0] for _ in range(120)]
    braking = [limiter.step(None, emergency=emergency).safe[0] for _ in range(60)]
    assert braking[-1] == 0.0
    return ticks([0.0, 0.0, *moving]) + ticks(braking, 222, emergency)


@pytest.mark.parametrize("emergency", [False, True])
def test_what_the_limiter_does_is_within_the_limits(emergency):
    assert not list(fault_checks.limit_problems(motion(emergency=emergency), SPACE))


def test_a_brake_harder_than_the_set_in_force_is_found():
    recorded = motion(emergency=True)
    normal = [Tick(**{**vars(tick), "emergency": False}) for tick in recorded]
    assert any("jerk" in problem for problem in fault_checks.limit_problems(normal, SPACE))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.3, 0.3, 0.3, 0.1], "deceleration"),
        ([0.6, 0.6, 0.7], "range"),
        ([0.0, 0.0, math.nan], "finite"),
    ],
)
def test_commands_out_of_limits_are_named(values, word):
    assert any(word in problem for problem in fault_checks.limit_problems(ticks(values), SPACE))


def test_what_was_not_sent_to_the_robot_is_not_judged():
    assert not list(fault_checks.limit_problems(ticks([0.3, 0.3, 0.0], connected=False), SPACE))


def test_after_a_pause_the_motion_begins_at_rest():
    pause = round(2.1 * WATCHDOG * 1e9) // PERIOD + 1
    jump = ticks([0.3, 0.3]) + ticks([0.3, 0.3], 102 + pause)
    assert list(fault_checks.limit_problems(jump, SPACE))
    rest = ticks([0.3, 0.3]) + ticks([0.0, 0.0], 102 + pause)
    assert not list(fault_checks.limit_problems(rest, SPACE))


def test_the_first_decelerating_command_counts():
    recorded = ticks([0.3, 0.3, 0.29, 0.3, 0.3, 0.2, 0.1, 0.0, 0.0])
    first, rest = fault_checks.brake(recorded, since=0)
    assert (first.safe[0], rest.number) == (0.2, 107)
    assert fault_checks.brake(recorded[:7], since=0) is None
    assert fault_checks.brake(ticks([0.0, 0.0]), since=0) is None


def test_a_reaction_is_judged_with_two_periods_and_nothing_more():
    first, rest = fault_checks.brake(ticks([0.3, 0.2, 0.0]), since=0)
    last_valid = first.stamp - 440_000_000
    reaction = fault_checks.reaction_of(first, rest, last_valid, timeout=0.4)
    assert reaction.reaction == pytest.approx(0.44)
    assert reaction.braking == pytest.approx(2 * SPACE.period)
    assert not list(fault_checks.reaction_problems(reaction, SPACE.period, 0.6))
    late = Reaction(reaction.reaction + 1e-3, 0.7, 0.4)
    assert len(list(fault_checks.reaction_problems(late, SPACE.period, 0.6))) == 2


def test_a_command_that_no_safe_action_tells_of_is_found():
    recorded = ticks([0.0, 0.1, 0.2])
    same = [Sent(t.arrived, t.safe) for t in recorded]
    assert not list(fault_checks.topic_problems(recorded, same))
    assert not list(fault_checks.topic_problems(recorded, same[1:]))
    foreign = [*same[:2], Sent(same[1].arrived, (0.15, 0.0)), same[2]]
    assert list(fault_checks.topic_problems(recorded, foreign))


def test_a_jump_from_the_measured_speed_is_found():
    assert list(fault_checks.restart_problems((0.29, 0.0), (0.0, 0.0), SPACE))
    assert not list(fault_checks.restart_problems((0.0, 0.0), (0.0, 0.0), SPACE))


def test_the_record_gives_what_came_since_and_one_before():
    record = Record(ticks=ticks([0.1] * 5))
    assert [t.number for t in record.ticks_since(103 * PERIOD)] == [102, 103, 104]
    record.forget_before(103 * PERIOD)
    assert [t.number for t in record.ticks] == [103, 104]


def test_the_base_brakes_by_itself_when_commands_cease():
    base = Base()
    base.command(0.3, 0.5, now=10.0)
    base.command(math.nan, 0.0, now=10.0)
    base.move(10.1, 0.02)
    assert (base.linear, base.angular) == (0.3, 0.5)
    for i in range(40):
        base.move(10.0 + WATCHDOG + 0.02 * (i + 1), 0.02)
    assert (base.linear, base.angular) == (0.0, 0.0) and base.x > 0.0


def test_a_camera_sends_what_its_mode_says():
    pixels = Scene().next()
    size = 3 * SIDE * SIDE
    assert pixels.std() > 20 and (pixels != Scene(1).next()).any()
    assert len(data_of(pixels, CameraMode.GOOD)) == size
    assert set(data_of(pixels, CameraMode.BLACK)) == {0}
    half = data_of(pixels, CameraMode.HALF)
    assert len(half) == size and not any(half[size // 2 :]) and any(half[: size // 2])
    assert len(data_of(pixels, CameraMode.TRUNCATED)) == size // 2


@pytest.mark.parametrize("mode", ChunkMode)
def test_chunks_hold_what_their_mode_says(mode):
    import numpy as np

    values = np.array(rows(mode, (0.3, 0.48), np.random.default_rng(0)))
    assert values.shape == (64,)
    assert np.isfinite(values).all() == (mode is not ChunkMode.NAN)
    assert (np.abs(values).max() > 1e300) == (mode is ChunkMode.EXTREME) or mode is ChunkMode.NAN
