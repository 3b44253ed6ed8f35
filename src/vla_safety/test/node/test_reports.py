from dataclasses import replace

from builtin_interfaces.msg import Time
from core_rig import Rig

from vla_interfaces.msg import SafetyStatus
from vla_safety.node.reports import StatusKey, is_late, status_key, status_message
from vla_safety.watch.safety_states import State

KEY = StatusKey(
    State.HOLD, "scan is 0.52 s old", True, True, False, 1.0, 3, True, "policy", False, 0, 0
)  # fmt: skip


def test_words_are_less_than_any_other_news():
    assert KEY._replace(cause="scan is 0.54 s old").differs_in_words(KEY)
    assert not KEY._replace(cause="", state=State.NOMINAL).differs_in_words(KEY)
    assert not KEY._replace(standstill=False).differs_in_words(KEY)


def test_the_status_is_of_the_decision_whatever_has_happened_since():
    rig = Rig()
    decision = rig.at_speed()
    before = status_key(decision), status_message(decision, Time(sec=1))
    rig.core.stop("the stop service was called", rig.now)
    assert (status_key(decision), status_message(decision, Time(sec=1))) == before
    assert before[1].state == SafetyStatus.STATE_NOMINAL
    assert (before[1].command_id, before[1].command, before[1].armed) == (1, "go", True)
    now = status_message(replace(decision, situation=rig.core.situation()), Time(sec=1))
    assert (now.state, now.cause) == (SafetyStatus.STATE_STOPPED, "the stop service was called")
    assert now.causes[0] == now.cause and now.command == ""


def test_a_machine_that_is_too_slow_is_the_last_cause_of_what_is_late():
    rig = Rig()
    decision = rig.at_speed()
    assert not is_late(decision.situation)
    decision = rig.step(60)  # nothing comes any more
    assert is_late(decision.situation)
    message = status_message(decision, Time(sec=1), "this machine is too slow")
    assert message.causes[-1] == "this machine is too slow" and len(message.causes) > 1
    assert message.cause != message.causes[-1]
