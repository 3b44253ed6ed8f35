import pytest

from vla_contract.message_enums import FaultKind, Level, Limit, Outcome, State, Verdict
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import Fault, SafeAction, SafetyStatus, Violation


@pytest.mark.parametrize(
    ("enum", "message", "prefix"),
    [
        (FaultKind, Fault, "KIND_"),
        (Level, Fault, "LEVEL_"),
        (State, SafetyStatus, "STATE_"),
        (Verdict, SafeAction, "VERDICT_"),
        (Limit, Violation, "LIMIT_"),
        (Outcome, ExecuteCommand.Result, "OUTCOME_"),
    ],
)
def test_an_enum_has_the_constants_of_its_message(enum, message, prefix):
    # The class itself lists what its .msg declares; dir() does not on a class with a metaclass.
    constants = {n: getattr(message, n) for n in type(message).__prepare__("", ())}
    declared = {n[len(prefix) :]: v for n, v in constants.items() if n.startswith(prefix)}
    assert {member.name: int(member) for member in enum} == declared


def test_names_in_words():
    assert FaultKind.EMERGENCY_STOP.words == "emergency stop"
    assert Outcome.words_of(3) == "timed out"
    assert State.words_of(99) == "99"
