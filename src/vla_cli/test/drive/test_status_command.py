"""The status as text."""

from __future__ import annotations

import math

from vla_cli.drive import status_command
from vla_interfaces.msg import SafetyStatus, TaskState, Violation


def violation(dimension: str = "linear_x") -> Violation:
    return Violation(
        limit=Violation.LIMIT_ACCELERATION, dimension=dimension, value=42.0, bound=10.0
    )


def test_status_shows_what_there_is():
    safety = SafetyStatus(
        state=SafetyStatus.STATE_STOPPED, cause="stop word", clears_when="reset is called",
        standstill=True, armed=True, speed_scale=0.5, observation_age=math.nan, period=0.0125,
        violations=[violation()],
    )  # fmt: skip
    view_ = status_command.View(7, "/vla", {"safety": "active", "policy": "absent"}, {}, safety)
    view_.task = TaskState(task="drawer-open", seed=3, step=12, success=True)
    text = "\n".join(status_command.lines(view_))
    for piece in (
        "domain 7", "STOPPED (standstill)", "stop word", "reset is called", "speed scale 0.5",
        "linear_x: acceleration", "80 Hz", "absent", "drawer-open, seed 3, step 12: success",
    ):  # fmt: skip
        assert piece in text
    assert status_command.exit_status(view_) == 1
    safety.state = SafetyStatus.STATE_HOLD
    assert status_command.exit_status(view_) == 0
    assert status_command.exit_status(status_command.View(7, "/vla")) == 1
