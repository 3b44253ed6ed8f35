"""Enums and messages in words."""

from __future__ import annotations

import math

import pytest

from vla_cli.drive import goal_client
from vla_contract import message_enums
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import Fault, SafetyStatus, Violation


def violation(dimension: str = "linear_x") -> Violation:
    return Violation(
        limit=Violation.LIMIT_ACCELERATION, dimension=dimension, value=42.0, bound=10.0
    )


@pytest.mark.parametrize(
    ("value", "bound", "said"),
    [(42.0, 10.0, "42 > 10"), (1.0000001, 1.0, "1.0000001 > 1"), (0.2004, 0.2, "0.2004 > 0.2"),
     (1.0, 1.0, "1 > 1"), (math.inf, 1.0, "inf > 1")],
)  # fmt: skip
def test_which_one_is_greater_can_be_seen(value, bound, said):
    fired = Violation(limit=Violation.LIMIT_RANGE, dimension="gripper", value=value, bound=bound)
    assert message_enums.violation_text(fired) == f"gripper: range {said}"


def test_limits_and_faults_in_words():
    assert message_enums.violation_text(violation()) == "linear_x: acceleration 42 > 10"
    fault = Fault(
        source="perception", kind=Fault.KIND_VISION, level=Fault.LEVEL_ERROR, message="silent"
    )
    assert message_enums.fault_text(fault) == "perception: vision error: silent"


def test_feedback_in_one_line():
    feedback = ExecuteCommand.Feedback(
        state=SafetyStatus.STATE_HOLD, cause="no chunk", progress=math.nan, elapsed=1.25,
        limited_by=["linear_x: jerk"],
    )  # fmt: skip
    assert (
        goal_client.FeedbackLines().next_line(feedback)
        == "   1.2 s  hold  no chunk  limited by linear_x: jerk"
    )
