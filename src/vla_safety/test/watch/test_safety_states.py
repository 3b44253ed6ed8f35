import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.watch.safety_states import Cause, Reason, Severity, State, StateMachine


def cause(severity, text="x", reason=Reason.FAULT):
    return Cause(reason, severity, text, "it is over")


HOLD = cause(Severity.HOLD, "held")
DEGRADE = cause(Severity.DEGRADE, "degraded")
STOP = cause(Severity.STOP, "stopped")


def active(**options):
    machine = StateMachine(**options)
    machine.activate(1)
    return machine


def test_it_is_inactive_until_activated_and_then_holds():
    machine = StateMachine()
    assert machine.update([], 0) is State.INACTIVE
    machine.activate(5)
    assert (machine.state, machine.since) == (State.HOLD, 5)


@pytest.mark.parametrize(
    ("causes", "state", "text"),
    [
        ([], State.NOMINAL, None),
        ([DEGRADE], State.DEGRADED, "degraded"),
        ([DEGRADE, HOLD], State.HOLD, "held"),
        ([HOLD, STOP], State.STOPPED, "stopped"),
        ([cause(Severity.HOLD, "first"), HOLD], State.HOLD, "first"),
    ],
)
def test_the_gravest_cause_decides_the_first_of_equals(causes, state, text):
    machine = active()
    assert machine.update(causes, 2) is state
    assert (machine.cause.text if machine.cause else None) == text


def test_since_changes_with_the_state_only():
    machine = active()
    machine.update([HOLD], 10)
    machine.update([cause(Severity.HOLD, "other")], 20)
    assert (machine.since, machine.cause.text) == (1, "other")
    machine.update([], 30)
    assert machine.since == 30


def test_a_stop_is_left_only_by_reset_and_not_while_its_cause_lasts():
    machine = active()
    machine.update([STOP], 2)
    assert machine.update([], 3) is State.STOPPED
    refused = machine.reset([HOLD, STOP], 4)
    assert not refused.done and refused.message == "refused: stopped; it is over first"
    assert machine.state is State.STOPPED
    assert machine.reset([HOLD], 5).done
    assert machine.state is State.HOLD
    assert machine.update([], 6) is State.NOMINAL


def test_the_first_stop_is_the_one_that_is_named():
    machine = active()
    machine.latch(STOP, 2)
    machine.latch(cause(Severity.STOP, "later"), 3)
    machine.update([cause(Severity.STOP, "later still")], 4)
    assert machine.cause.text == "stopped"


def test_a_stop_survives_deactivation_and_a_restart():
    machine = active()
    machine.latch(STOP, 2)
    machine.deactivate(3)
    assert machine.state is State.INACTIVE
    machine.activate(4)
    assert machine.state is State.STOPPED
    assert active(latched=STOP).state is State.STOPPED


def test_a_reset_without_a_stop_says_so():
    machine = active()
    assert machine.reset([], 2).message == "nothing to reset: not stopped"


def test_a_stop_while_inactive_is_latched_and_reset():
    machine = StateMachine()
    machine.latch(STOP, 1)
    assert machine.state is State.INACTIVE
    assert machine.reset([], 2).done
    machine.activate(3)
    assert machine.state is State.HOLD


@given(st.lists(st.tuples(st.lists(st.sampled_from([HOLD, DEGRADE, STOP])), st.booleans())))
def test_stopped_is_left_only_by_a_reset(periods):
    machine, now = active(), 1
    for causes, reset in periods:
        now += 1
        before = machine.state
        left = reset and machine.reset(causes, now).done
        machine.update(causes, now)
        if before is State.STOPPED and machine.state is not State.STOPPED:
            assert left
        if STOP in causes:
            assert machine.state is State.STOPPED
