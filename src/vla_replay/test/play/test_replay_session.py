"""What a replay gathers: every number of a message under its own name."""

import json
from types import SimpleNamespace

import pytest

from vla_interfaces.msg import Fault, Violation
from vla_replay.play import replay_session
from vla_replay.play.replay_session import Series, Session, violation_name

SECOND = 1_000_000_000


def constants(message, prefix):
    """Names of a message's constants, in words, in the order of their values."""
    names = [name for name in type(message).__prepare__("", ()) if name.startswith(prefix)]
    values = {getattr(message, name): name[len(prefix) :].replace("_", " ") for name in names}
    assert sorted(values) == list(range(len(values)))
    return [values[value] for value in range(len(values))]


def test_limits_are_named_as_in_the_message():
    for value, words in enumerate(constants(Violation, "LIMIT_")):
        assert violation_name(Violation(limit=value)) == words.lower()
    assert violation_name(Violation(limit=200)) == "200"


def test_a_limit_is_named_with_its_dimension_or_with_what_it_is_about():
    assert violation_name(Violation(limit=Violation.LIMIT_VELOCITY, dimension="y")) == "velocity y"
    assert violation_name(Violation(limit=Violation.LIMIT_OBSTACLE, name="scan")) == "obstacle scan"
    both = Violation(limit=Violation.LIMIT_NORM, dimension="y", name="linear")
    assert violation_name(both) == "norm y"
    assert violation_name(SimpleNamespace(limit=1, dimension="")) == "range"  # of an old bag


def begun(period=0.02):
    made = Session((True, True), (2.0, 4.0), period)
    made.begin = SECOND
    return made


def test_faults_are_named_as_in_the_message_and_told_when_their_level_changes():
    made = begun()
    kinds = [words.lower() for words in constants(Fault, "KIND_")]
    for kind in range(len(kinds)):
        assert made.fault("safety", kind, Fault.LEVEL_ERROR, "why", 2 * SECOND)
        assert not made.fault("safety", kind, Fault.LEVEL_ERROR, "again", 3 * SECOND)
    assert [fault["kind"] for fault in made.faults] == kinds
    assert made.faults[0] == {
        "time": 1.0, "source": "safety", "kind": "vision", "level": "ERROR", "message": "why",
    }  # fmt: skip
    assert made.fault("safety", 0, Fault.LEVEL_WARN, "better", 4 * SECOND)
    assert made.fault("perception", 0, 9, "worse than known", 4 * SECOND)
    assert not made.fault("policy", 0, Fault.LEVEL_OK, "", 4 * SECOND)  # as every source begins
    assert [fault["level"] for fault in made.faults[-2:]] == ["WARN", "ERROR"]
    assert made.fault("policy", 99, 1, "", SECOND) and made.faults[-1]["kind"] == "99"


def action(requested, safe, verdict=0, state=1, violations=()):
    return SimpleNamespace(
        requested=requested, safe=safe, verdict=verdict, state=state, violations=violations
    )


def test_a_control_period_is_scored_by_its_deviation_and_its_verdict():
    made = begun()
    limited = [Violation(limit=7, name="linear"), Violation(limit=2, dimension="x")]
    stamp = 2 * SECOND
    assert made.safe_action(action([0.5, 1.0], [0.5, 1.0]), stamp, b"") == (0.0, "PASS")
    score, why = made.safe_action(action([0.5, 1.0], [0.1, 0.0], 1, 1, limited), stamp, b"")
    assert (score, why) == (0.25, "LIMITED: norm linear, velocity x")
    assert made.safe_action(action([0.5, 0.0], [0.5, 0.0], 2), stamp, b"")[0] == 0.0
    assert made.safe_action(action([0.5, 0.0], [0.5, 0.0], 2, 3, limited), stamp, b"")[0] == 0.5
    assert made.safe_action(action([0.5, 0.0], [0.5, 0.0], 3, 4), stamp, b"")[0] == 2.0
    assert made.verdicts == {"PASS": 1, "LIMITED": 1, "HELD": 2, "STOPPED": 1}
    assert made.states == {"NOMINAL": 3, "HOLD": 1, "STOPPED": 1}
    assert made.violations == {"norm linear": 2, "velocity x": 2}
    assert [(c["time"], c["state"]) for c in made.changes] == [
        (1.0, "NOMINAL"), (1.0, "HOLD"), (1.0, "STOPPED"),
    ]  # fmt: skip
    assert made.series.rows[1] == (1.0, [0.5, 1.0], [0.1, 0.0], 1, 1)


def test_the_summary_tells_all_of_it_and_is_json():
    made = begun()
    made.safe_action(action([0.5, 1.0], [0.1, 0.0], 1, 1), SECOND, b"one")
    made.safe_action(action([0.5, 1.0], [0.1, 0.0], 1, 1), 3 * SECOND, b"two")
    made.safe_action(action([0.5, 1.0], [0.1, 0.0], 1, 1), 2 * SECOND, b"three")
    made.observations = 5
    made.latency("model", 0.25)
    made.skew.add(3.0)
    made.command("open", 2 * SECOND)
    made.drops["camera: late"] += 2
    told = json.loads(json.dumps(made.summary()))
    one = {"count": 1, "p50": 250.0, "p95": 250.0, "p99": 250.0, "max": 250.0}
    assert told["latency_ms"] == {"model": one}
    assert told["skew_ms"] == dict.fromkeys(one, 3.0) | {"count": 1}
    assert (told["begin"], told["ticks"], told["observations"], told["seconds"]) == (
        SECOND, 3, 5, 2.0,
    )  # fmt: skip
    assert told["commands"] == [{"time": 1.0, "text": "open"}]
    assert told["verdicts"] == {"LIMITED": 3} and told["drops"] == {"camera: late": 2}
    # SHA-256 of "onetwothree", by sha256sum.
    assert told["actions_sha256"].startswith("4592092e1061")
    assert Session((True,), (1.0,), 0.02).summary()["seconds"] == 0.0


def test_without_a_beginning_the_first_control_period_is_it():
    made = Session((True,), (1.0,), 0.02)
    made.safe_action(action([0.0], [0.0]), 5 * SECOND, b"")
    made.safe_action(action([0.0], [0.0]), 6 * SECOND, b"")
    assert made.begin == 5 * SECOND and made.summary()["seconds"] == 1.0


def test_a_curve_of_any_length_stays_small_and_even():
    series = Series()
    for index in range(3 * replay_session.SERIES):
        series.add(float(index), [0.0], [0.0], 0, 1)
    times = [row[0] for row in series.rows]
    assert replay_session.SERIES // 2 <= len(times) < replay_session.SERIES
    assert {b - a for a, b in zip(times, times[1:], strict=False)} == {4.0}


def test_a_moment_is_kept_with_pictures_only_where_it_is_one_of_the_worst():
    made = begun(period=0.5)  # of which two are a second, as far as moments are apart
    made.moment(0.0, 1, SECOND, "PASS", lambda: pytest.fail("not wanted"))
    made.moment(0.5, 2, SECOND, "LIMITED", lambda: {"front": b"jpeg"})
    (kept,) = made.moments.worst
    assert (kept.score, kept.tick, kept.stamp, kept.why) == (0.5, 2, SECOND, "LIMITED")
    assert kept.pictures == {"front": b"jpeg"} and made.moments._stretch == 2


def test_a_stop_adds_to_the_deviation_and_time_has_fractions():
    made = begun()
    assert made.summary()["seconds"] == 0.0  # whatever its beginning, nothing was decided
    limited = [Violation(limit=7, name="linear")]
    apart = [0.5, 1.0], [0.1, 1.0]  # 0.2 of the range
    assert made.safe_action(action(*apart, 3, 4), SECOND, b"")[0] == pytest.approx(2.2)
    held = action(*apart, 2, 3, limited)
    assert made.safe_action(held, SECOND * 5 // 2, b"")[0] == pytest.approx(0.7)
    assert made.summary()["seconds"] == 1.5
    assert made.fault("policy", 8, 1, "", SECOND) and made.faults[-1]["kind"] == "8"


def test_what_moves_is_a_velocity_or_a_position_that_changes():
    made = Session((True, False), (2.0, 4.0), 0.02)
    periods = [
        ([0.0, 0.5], False), ([0.0, 0.5], False), ([0.2, 0.5], True), ([0.2, 0.5], True),
        ([0.0, 0.5], True), ([0.0, 0.5], False), ([0.0, 0.6], True),
    ]  # fmt: skip
    for tick, (safe, moving) in enumerate(periods):
        made.safe_action(action([float("nan")] * 2, safe, 2, 3), tick * SECOND, b"")
        assert made.moving == moving, tick
    assert made.moved and made.standstill == "" and made.summary()["standstill"] == ""


def test_where_nothing_moved_it_says_why():
    made = begun()
    assert made.standstill.startswith("nothing moved: no command was given; accepted: ")
    made.command("open the drawer", SECOND)
    made.safe_action(action([0.0, float("nan")], [0.0, 0.0]), SECOND, b"")
    assert made.standstill == "nothing moved: no motion was asked for"
    made.fault("policy", 2, Fault.LEVEL_WARN, "slow", SECOND)
    made.fault("perception", 1, Fault.LEVEL_ERROR, "no camera is left", SECOND)
    made.safe_action(action([0.0, 0.4], [0.0, 0.0], 2, 3), 2 * SECOND, b"")
    assert made.standstill == (
        "nothing moved: what was asked for was held or stopped (no camera is left)"
    )
