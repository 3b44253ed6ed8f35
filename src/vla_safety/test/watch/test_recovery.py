import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.watch.recovery import SETTLED_AFTER, Recovery, RecoveryRules
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

PERIOD = 20_000_000  # ns
SECOND = 1_000_000_000
TIMES = {
    FaultKind.VISION: 5.0,
    FaultKind.LANGUAGE: 3.0,
    FaultKind.ACTION: 10.0,
    FaultKind.COMMUNICATION: 2.0,
    Reason.OBSTACLE: 0.5,
}
RULES = RecoveryRules(TIMES, count=3, total=5, window=60.0)
NEVER = dataclasses.replace(RULES, count=0, total=0)
COMMAND = Cause(Reason.COMMAND, Severity.HOLD, "waiting", "a new command")


def fault(kind, emergency=False):
    return Cause(Reason.FAULT, Severity.HOLD, f"{kind.name} lost", "over", emergency, kind)


class Rig:
    """Feeds a recovery period by period, as the core does."""

    def __init__(self, rules=RULES, settled=True):
        self.recovery = Recovery()
        self.rules = rules
        self.steady = SECOND
        self.moving = False
        if settled:
            self.run(2 * SECOND // PERIOD)

    def run(self, periods, *causes):
        for _ in range(periods):
            self.steady += PERIOD
            result = self.recovery.update(causes, self.rules, self.steady, self.moving)
            self.moving = not causes and not result.causes
        return result

    def stopped(self, result):
        return [c for c in result.causes if c.severity is Severity.STOP]


@pytest.mark.parametrize("kind", [k for k in TIMES if isinstance(k, FaultKind)])
def test_a_fault_must_stay_away_for_the_time_of_its_kind(kind):
    rig = Rig()
    assert rig.run(1, fault(kind)).causes == ()
    periods = round(TIMES[kind] * SECOND) // PERIOD
    result = rig.run(periods - 1)
    (cause,) = result.causes
    assert (cause.reason, cause.severity) == (Reason.RECOVERY, Severity.HOLD)
    assert f"{kind.name} lost" in cause.text and cause.kind is None
    assert result.left == pytest.approx(PERIOD / SECOND)
    assert rig.run(1) == type(result)()


def test_coming_back_begins_the_time_anew():
    rig = Rig(NEVER)
    for _ in range(4):
        rig.run(3, fault(FaultKind.COMMUNICATION))
        assert rig.run(99).causes
    assert not rig.run(1).causes


def test_the_longest_of_several_is_told_first_and_all_must_be_over():
    rig = Rig()
    rig.run(1, fault(FaultKind.COMMUNICATION), fault(FaultKind.ACTION))
    result = rig.run(1)
    assert ["ACTION lost" in c.text for c in result.causes] == [True, False]
    assert result.left == pytest.approx(9.98)
    assert len(rig.run(100).causes) == 1


def test_an_obstacle_has_a_time_but_does_not_count():
    rig = Rig()
    obstacle = Cause(Reason.OBSTACLE, Severity.HOLD, "0.1 m away", "gone", True)
    for _ in range(10):
        rig.run(1, obstacle)
        assert rig.run(24).causes[0].emergency
        assert not rig.run(10).causes


def test_what_only_degrades_or_waits_needs_no_recovery():
    rig = Rig()
    warning = dataclasses.replace(fault(FaultKind.VISION), severity=Severity.DEGRADE)
    rig.run(5, warning, COMMAND)
    assert not rig.run(1).causes


def test_start_up_is_no_fault():
    rig = Rig(settled=False)
    rig.run(100, COMMAND, fault(FaultKind.VISION))
    assert not rig.run(1, COMMAND).causes, "well for the first time"
    # Well, then not again before the graph has settled: still start-up.
    rig.run(1, COMMAND, fault(FaultKind.COMMUNICATION))
    assert not rig.run(SETTLED_AFTER // PERIOD + 2, COMMAND).causes
    rig.run(1, fault(FaultKind.VISION))
    assert rig.run(1).causes
    rig.recovery.restart()
    assert not rig.run(1).causes


def test_motion_ends_start_up():
    rig = Rig(settled=False)
    rig.run(1)
    rig.run(1, fault(FaultKind.VISION))
    assert rig.run(1).causes


def test_too_many_of_a_kind_stop():
    rig = Rig()
    for number in range(1, 4):
        result = rig.run(1, fault(FaultKind.COMMUNICATION, emergency=True))
        stops = rig.stopped(result)
        assert bool(stops) is (number == 3)
        rig.run(120)
    (cause,) = stops
    assert (cause.reason, cause.kind, cause.emergency) == (
        Reason.ESCALATED,
        FaultKind.COMMUNICATION,
        True,
    )
    assert cause.text == ("3 communication faults within 60 s, the last: COMMUNICATION lost")


def test_too_many_of_all_kinds_stop():
    rig = Rig(dataclasses.replace(RULES, times={}))
    kinds = [FaultKind.VISION, FaultKind.LANGUAGE] * 2 + [FaultKind.ACTION]
    for kind in kinds:
        result = rig.run(1, fault(kind))
        rig.run(5)
    assert rig.stopped(result)[0].text.startswith("5 faults within 60 s")


def test_old_faults_and_forgiven_ones_do_not_count():
    rig = Rig()
    for _ in range(2):
        rig.run(1, fault(FaultKind.COMMUNICATION))
        rig.run(120)
    rig.run(61 * SECOND // PERIOD)
    for _ in range(2):
        assert not rig.stopped(rig.run(1, fault(FaultKind.COMMUNICATION)))
        rig.run(120)
    rig.recovery.forgive()
    assert not rig.stopped(rig.run(1, fault(FaultKind.COMMUNICATION)))


def test_a_fault_that_interrupts_no_motion_does_not_count():
    rig = Rig(dataclasses.replace(RULES, times={}))
    for _ in range(20):
        rig.run(2, COMMAND)
        assert not rig.stopped(rig.run(1, COMMAND, fault(FaultKind.LANGUAGE)))


def test_kinds_that_do_not_concern_the_driver_wait_their_turn():
    rig = Rig()
    rig.run(1, fault(FaultKind.VISION))
    policys = frozenset((FaultKind.VISION,))
    rig.steady += PERIOD
    assert not rig.recovery.update((), RULES, rig.steady, False, ignored=policys).causes
    assert rig.run(1).causes


@given(
    st.lists(
        st.tuples(
            st.integers(1, 300),
            st.sets(st.sampled_from([k for k in TIMES if isinstance(k, FaultKind)])),
        ),
        max_size=12,
    )
)
def test_nothing_moves_before_every_recovery_time_is_over(stretches):
    rig = Rig(NEVER)
    last = {}
    for periods, kinds in stretches:
        for _ in range(periods):
            result = rig.run(1, *map(fault, kinds))
            last.update(dict.fromkeys(kinds, rig.steady))
            due = max((t + TIMES[k] * SECOND for k, t in last.items()), default=0)
            free = not kinds and not result.causes
            assert free is (rig.steady >= due)
            if not kinds:
                assert result.left == pytest.approx(max(0.0, (due - rig.steady) / SECOND))
