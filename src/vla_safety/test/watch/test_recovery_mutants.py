"""Cases that a changed line of the recovery would get wrong."""

from vla_contract.stamps import NANOSECONDS
from vla_safety.watch.recovery import SETTLED_AFTER, Recovery, RecoveryRules
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

RULES = RecoveryRules({FaultKind.VISION: 1.0, FaultKind.ACTION: 2.0}, count=2, window=10.0)
COMMAND = Cause(Reason.COMMAND, Severity.HOLD, "waiting", "a new command")
WARNING = Cause(Reason.FAULT, Severity.DEGRADE, "dim", "light", kind=FaultKind.VISION)


def fault(kind=FaultKind.VISION):
    return Cause(Reason.FAULT, Severity.HOLD, f"{kind.name} lost", "over", False, kind)


def settled():
    recovery = Recovery()
    recovery.update([], RULES, 0, True)
    return recovery


def test_it_settles_after_just_that_time_and_again_after_a_restart():
    recovery = Recovery()
    for _ in range(2):
        recovery.update([], RULES, 0, False)
        recovery.update([], RULES, SETTLED_AFTER, False)
        recovery.update([fault()], RULES, SETTLED_AFTER + 1, False)
        assert recovery.update([], RULES, SETTLED_AFTER + 2, False).left > 0.0
        recovery.restart()
        recovery.update([fault()], RULES, 3, False)
        assert recovery.update([], RULES, 4, False).left == 0.0
        recovery.restart()


def test_a_recovery_ends_to_the_nanosecond():
    recovery = settled()
    recovery.update([fault()], RULES, 5, True)
    assert recovery.update([], RULES, 5, False).left == 1.0
    assert recovery.update([], RULES, 5 + NANOSECONDS - 1, False).causes
    found = recovery.update([], RULES, 5 + NANOSECONDS, False)
    assert not found.causes and found.left == 0.0


def test_one_fault_that_lasts_does_not_hide_another_that_is_over():
    recovery = settled()
    recovery.update([fault(), fault(FaultKind.ACTION)], RULES, 5, True)
    found = recovery.update([fault()], RULES, 6, False)
    assert [cause.clears_when for cause in found.causes] == ["that stays away for 2 s"]


def test_lesser_causes_before_a_fault_do_not_hide_it():
    recovery = settled()
    recovery.update([WARNING, COMMAND, fault()], RULES, 5, True)
    assert recovery.update([], RULES, 6, False).left > 0.9


def test_two_kinds_that_escalate_at_once_are_both_told():
    recovery = settled()
    both = [fault(), fault(FaultKind.ACTION)]
    recovery.update(both, RULES, 5, True)
    recovery.update([], RULES, 6, False)
    later = 6 + 3 * NANOSECONDS
    recovery.update([], RULES, later, True)
    stops = recovery.update(both, RULES, later + 1, True).causes
    assert [(c.kind, c.clears_when) for c in stops] == [
        (FaultKind.VISION, "reset"),
        (FaultKind.ACTION, "reset"),
    ]


def test_faults_count_for_just_the_window():
    for later, counts in ((10 * NANOSECONDS, True), (10 * NANOSECONDS + 1, False)):
        recovery = settled()
        recovery.update([fault()], RULES, 5, True)
        recovery.update([], RULES, 5 + 2 * NANOSECONDS, True)
        found = recovery.update([fault()], RULES, 5 + later, True)
        assert any(c.severity is Severity.STOP for c in found.causes) is counts
