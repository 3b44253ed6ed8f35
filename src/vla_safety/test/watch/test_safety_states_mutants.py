"""Cases that a changed line of the state machine, the gate or the watchdog would get wrong."""

import pytest

from vla_safety.plan.command_gate import CommandGate
from vla_safety.watch.safety_states import (
    Cause,
    FaultKind,
    Reason,
    ResetResult,
    Severity,
    State,
    StateMachine,
)
from vla_safety.watch.watchdog import StampOrder

HOLD = Cause(Reason.FAULT, Severity.HOLD, "held", "it is over")
DEGRADE = Cause(Reason.FAULT, Severity.DEGRADE, "degraded", "it is over")
STOP = Cause(Reason.STOP_SERVICE, Severity.STOP, "stopped", "it is over")
BLIND = Cause(Reason.FAULT, Severity.HOLD, "blind", "it sees", kind=FaultKind.VISION)
DEAF = Cause(Reason.FAULT, Severity.HOLD, "deaf", "it hears", kind=FaultKind.COMMUNICATION)
ESCALATED = Cause(
    Reason.ESCALATED, Severity.STOP, "too often blind", "reset", kind=FaultKind.VISION
)


def test_a_new_machine_knows_nothing():
    machine = StateMachine()
    assert (machine.cause, machine.since, machine.causes) == (None, 0, ())


def test_a_latched_stop_is_the_cause_from_activation_on():
    machine = StateMachine(STOP)
    machine.activate(3)
    assert (machine.state, machine.cause, machine.since) == (State.STOPPED, STOP, 3)


def test_each_entry_notes_its_time_and_its_cause():
    machine = StateMachine()
    machine.activate(1)
    for now, causes, state, cause in (
        (2, [], State.NOMINAL, None),
        (3, [DEGRADE], State.DEGRADED, DEGRADE),
        (4, [HOLD], State.HOLD, HOLD),
        (5, [STOP], State.STOPPED, STOP),
    ):
        machine.update(causes, now)
        assert (machine.state, machine.since, machine.cause) == (state, now, cause)
        assert machine.causes == tuple(causes)
    assert machine.reset([], 6).done
    assert (machine.state, machine.since, machine.cause) == (State.HOLD, 6, None)
    machine.latch(STOP, 7)
    assert (machine.state, machine.since, machine.cause) == (State.STOPPED, 7, STOP)
    machine.deactivate(8)
    assert (machine.state, machine.since, machine.causes) == (State.INACTIVE, 8, ())


def test_a_reset_says_what_it_did():
    machine = StateMachine()
    machine.activate(1)
    assert machine.reset([], 2) == ResetResult(True, "nothing to reset: not stopped")
    machine.latch(STOP, 3)
    refused = machine.reset([STOP], 4)
    assert refused == ResetResult(False, "refused: stopped; it is over first")
    assert machine.reset([HOLD], 5) == ResetResult(True, "reset; it was stopped because: stopped")


def test_an_escalated_stop_is_refused_while_a_fault_of_its_kind_lasts():
    machine = StateMachine()
    machine.activate(1)
    machine.latch(ESCALATED, 2)
    assert not machine.reset([BLIND], 3).done
    degraded = Cause(Reason.FAULT, Severity.DEGRADE, "x", "y", kind=FaultKind.VISION)
    assert machine.latched is ESCALATED
    # Neither another kind, nor a lesser fault, nor the escalation itself keeps it.
    assert machine.reset([DEAF, degraded, ESCALATED, HOLD], 4).done


def test_a_stop_without_a_kind_is_kept_by_no_hold():
    machine = StateMachine()
    machine.activate(1)
    machine.latch(STOP, 2)
    assert machine.reset([HOLD, BLIND], 3).done


def test_a_gate_has_no_command_before_the_first_and_after_a_cancellation():
    gate = CommandGate()
    assert gate.current == 0
    assert gate.admit(1, 0)  # given at the very beginning of time
    gate.cancel(5)
    assert gate.current == 0
    assert not gate.admit(1, 6)
    assert gate.admit(2, 5)


def test_the_gate_forgets_the_oldest_id_first():
    gate = CommandGate()
    for number in range(1, 300):
        gate.admit(number, number)
    assert gate.seen == tuple(range(44, 300))


SECOND = 10**9


def test_stamps_must_grow_and_be_near_now():
    order = StampOrder()
    now = 100 * SECOND
    assert order.check(now, now, SECOND) == ""
    assert order.check(now, now, SECOND) == "has a stamp that stands still"
    assert order.check(now - 1, now, SECOND) == "has a stamp that goes back"
    assert order.check(now + 1, now, SECOND) == ""
    assert order.check(now + 2, now + 2 + SECOND, SECOND) == ""
    assert order.check(now + 3, now + 4 + SECOND, SECOND) == "is too old on arrival"
    assert order.check(now + 3 + SECOND, now + 3, SECOND) == ""
    assert order.check(now + 5 + SECOND, now + 4, SECOND) == "has a stamp in the future"
    # What is refused is not noted.
    assert order.check(now + 4 + SECOND, now + 4, SECOND) == ""


@pytest.mark.parametrize("stamp", [1, 2])
def test_a_stamp_of_zero_passes_until_there_was_another(stamp):
    order = StampOrder()
    assert order.check(0, 50 * SECOND, SECOND) == ""
    assert order.check(0, 50 * SECOND, SECOND) == ""
    assert order.check(stamp, stamp, SECOND) == ""
    assert order.check(0, stamp, SECOND) == "has a stamp that goes back"
    assert StampOrder().check(stamp, 50 * SECOND, SECOND) == "is too old on arrival"
