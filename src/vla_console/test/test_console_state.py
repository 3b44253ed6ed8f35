"""What the page says, from what came."""

import json
import math

from vla_console.console_state import (
    STATUS_TIMEOUT,
    ConsoleState,
    FaultView,
    LimitView,
    NodeView,
    SafetyView,
    answers_to,
    cause_without_numbers,
)
from vla_console.robot_clock import RobotClock
from vla_contract.message_enums import Level, State

SECOND = 1_000_000_000
KNOWN = {"drawer-open": ["open the drawer", "open a drawer"], "door": ["open the door", "open"]}


def jerk(dimension="linear_x"):
    return LimitView("jerk", dimension, f"{dimension}: jerk 5 > 2")


def test_an_empty_state_says_that_safety_is_silent():
    page = ConsoleState().page(5 * SECOND)
    assert page["safety"] is None and page["safety_silent"] and page["safety_age"] is None
    json.dumps(page, allow_nan=False)


def test_state_cause_and_age():
    state = ConsoleState()
    view = SafetyView(
        State.STOPPED, stamp=100 * SECOND, since=98 * SECOND, cause="pressed", clears_when="reset",
        causes=("pressed", "no chunk"), shadow=True, armed=True, limits=(jerk(),),
        observation_age=math.nan, faults=(FaultView("p", "vision", Level.WARN, "dark"),),
    )  # fmt: skip
    state.accept_safety(view, 7 * SECOND)
    page = state.page(8 * SECOND)
    safety = page["safety"]
    assert (safety["state"], safety["cause"], safety["outputs"]) == ("stopped", "pressed", "shadow")
    assert safety["since"] == 3.0 and page["safety_age"] == 1.0 and not page["safety_silent"]
    assert safety["other_causes"] == ["no chunk"] and safety["limits"] == ["linear_x: jerk 5 > 2"]
    assert safety["faults"] == [{"text": "p: vision warn: dark", "level": "warn"}]
    json.dumps(page, allow_nan=False)
    assert state.page(int((7.1 + STATUS_TIMEOUT) * SECOND))["safety_silent"]


def test_stops_are_counted_by_cause_and_limits_when_they_begin():
    state = ConsoleState()

    def accept(*views):
        for view in views:
            state.accept_safety(view, 0)

    accept(
        SafetyView(State.STOPPED, cause="before the console was there"),
        SafetyView(State.HOLD, cause="waits"),  # out of a stop: nothing moved
        SafetyView(State.NOMINAL, limits=(jerk(),)),
        SafetyView(State.NOMINAL, limits=(jerk(), jerk("linear_y"))),
        SafetyView(State.NOMINAL),
        SafetyView(State.HOLD, cause="image 0.53 s old", limits=(jerk(),)),
        SafetyView(State.NOMINAL),
        SafetyView(State.HOLD, cause="image 0.61 s old"),
        SafetyView(State.STOPPED, cause="pressed"),
        SafetyView(State.STOPPED, cause="pressed again"),
    )
    counts = state.metrics(0).counts
    assert counts.stops == {"image # s old": 2, "pressed": 1}
    assert counts.limits == {("jerk", "linear_x"): 2, ("jerk", "linear_y"): 1}


def test_causes_do_not_grow_without_end():
    state = ConsoleState()
    for number in range(200):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        state.accept_safety(SafetyView(State.NOMINAL), 0)
        state.accept_safety(SafetyView(State.HOLD, cause=word), 0)
    assert len(state.metrics(0).counts.stops) == 65
    assert sum(state.metrics(0).counts.stops.values()) == 200
    assert cause_without_numbers("") == "unknown"


def test_a_question_is_answered_by_the_commands_that_it_names():
    question = 'did you mean "open the door" or "Open the drawer"?'
    assert answers_to(question, KNOWN) == ["open the door", "open the drawer"]
    assert answers_to("", KNOWN) == [] and answers_to("what?", KNOWN) == []
    state = ConsoleState()
    state.accept_known_commands(KNOWN)
    state.accept_question(question)
    assert state.page(0)["question"]["answers"] == ["open the door", "open the drawer"]


def test_the_command_in_force_is_safetys_else_the_accepted_one():
    state = ConsoleState()
    state.accept_command("open the door")
    assert state.command == "open the door"
    state.accept_safety(SafetyView(State.NOMINAL, command="open the drawer"), 0)
    assert state.command == "open the drawer"


def test_nodes_are_told_by_name():
    state = ConsoleState()
    state.accept_node(NodeView("safety", 1, "hold", {}))
    state.accept_node(NodeView("policy", 0, "ok", {}))
    assert [node["name"] for node in state.page(0)["nodes"]] == ["policy", "safety"]


def test_the_robots_clock_is_that_of_the_least_delayed_message():
    clock = RobotClock()
    assert clock.age(1, 2) is None
    clock.observe(50 * SECOND, 10 * SECOND)  # 40 s ahead of this machine's, or simulated
    clock.observe(51 * SECOND, int(11.4 * SECOND))  # this one was 0.4 s under way
    age = clock.age(51 * SECOND, int(11.4 * SECOND))
    assert 0.35 < age <= 0.4
    assert clock.age(0, SECOND) is None and clock.age(99 * SECOND, 11 * SECOND) == 0.0
