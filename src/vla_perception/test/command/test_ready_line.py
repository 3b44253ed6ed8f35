"""The line that says that a command can be given."""

import pytest

from vla_interfaces.msg import Fault, SafetyStatus
from vla_perception.command.ready_line import ready_line


def status(**fields):
    values = {"state": SafetyStatus.STATE_HOLD, "armed": True, **fields}
    return SafetyStatus(**values)


def line(**fields):
    return ready_line(status(**fields), "open the drawer", "/vla")


def test_it_has_a_command_that_can_be_typed():
    assert line() == 'ready: ./vla say "open the drawer"'
    assert ready_line(status(), "", "/arm") == "ready: ./vla say --namespace /arm COMMAND"


@pytest.mark.parametrize(
    "fields",
    [
        {"state": SafetyStatus.STATE_INACTIVE},
        {"state": SafetyStatus.STATE_NOMINAL},
        {"faults": [Fault(level=Fault.LEVEL_ERROR)]},
        {"recovery_left": 0.5},
    ],
)
def test_nothing_is_said_while_no_command_would_move_the_robot(fields):
    assert line(**fields) == ""


def test_a_warning_keeps_no_command_back():
    assert line(faults=[Fault(level=Fault.LEVEL_WARN)]).startswith("ready: ")


def test_a_stop_from_before_and_a_disarmed_robot_come_first():
    arm = 'ros2 service call /vla/arm std_srvs/srv/SetBool "{data: true}"'
    assert line(state=SafetyStatus.STATE_STOPPED, cause="stop pressed") == (
        'ready, stopped since before (stop pressed): ./vla reset, then ./vla say "open the drawer"'
    )
    assert line(armed=False) == f'ready, disarmed: {arm}, then ./vla say "open the drawer"'
    assert line(armed=False, shadow=True) == 'ready, in shadow mode: ./vla say "open the drawer"'
