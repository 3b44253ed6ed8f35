"""The node over DDS: commands, stop words, questions, and ExecuteCommand goals."""

import json
import math
import struct

import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_msgs.msg import String

from vla_contract.message_enums import done_cause
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import Fault, SafetyStatus, Violation

RESULT = ExecuteCommand.Result
WORDS = ["<pad>", "<unk>", "open", "close", "the", "drawer", "press", "button", "push", "stop"]
TEXT = "open the drawer"


@pytest.fixture(scope="module")
def shared(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    (folder / "tokenizer.json").write_text(json.dumps({"words": WORDS}))
    (folder / "config.yaml").write_text("commands: {drawer-open: [open the drawer]}")
    graph = start(
        cameras=["front"], vocabulary=str(folder / "tokenizer.json"), execution_timeout=5.0
    )
    graph.front()
    graph.robot(0.05)
    graph.next_observation()
    return graph


@pytest.fixture
def graph(shared):
    before = list(shared._timers)
    shared.status()
    yield shared
    for timer in set(shared._timers) - set(before):
        shared.end(timer)
    shared.status()
    # A stop that had nothing to end could still be under way and end the next test's command.
    shared.say("close")
    shared.wait_for_command("close")
    shared.say("stop")
    shared.wait_for_command("")
    assert shared.process.process.poll() is None, shared.process.output
    assert "Traceback" not in shared.process.output


def command_id(graph, text: str = TEXT) -> int:
    return graph.wait_for_command(text).command.command_id


def raw_string(content: bytes) -> bytes:
    """A std_msgs/String as CDR, of bytes that need be no UTF-8."""
    return b"\x00\x01\x00\x00" + struct.pack("<I", len(content) + 1) + content + b"\x00"


def test_a_command_stays_in_force_until_a_stop_word(graph):
    graph.say("  open the\n drawer ")
    first = graph.wait_for_command(TEXT)
    assert first.command.command_id > 0 and first.command.header.stamp.sec > 0
    assert command_id(graph) == first.command.command_id
    graph.say("close the drawer")
    assert command_id(graph, "close the drawer") > first.command.command_id
    graph.say("push the stop button")
    assert command_id(graph, "push the stop button")
    graph.say("Stop!")
    graph.wait_for_command("")
    graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_OK)


def test_a_stamped_command_keeps_its_id_and_stamp(graph):
    graph.say_stamped(text=TEXT, command_id=42)
    assert command_id(graph) == 42
    graph.say_stamped(text="close the drawer", command_id=42)
    graph.wait_for_command("")
    graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_ERROR, "command_id 42")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * 100_000, "too long"),
        (b"", "empty"),
        (b"open \xff\xfe\x80 the drawer", "not UTF-8"),
        (b"open \x07the drawer", "control characters"),
        (b"defenestrate the cat", "unknown words"),
        ("don\N{ACUTE ACCENT}t open the drawer".encode(), "it may forbid what comes after it"),
    ],
)
def test_what_is_not_understood_holds_and_is_asked_again(graph, content, words):
    graph.say(TEXT)
    graph.wait_for_command(TEXT)
    graph.prompts.clear()
    graph.publisher("command").publish(raw_string(content))
    graph.wait_for_command("")
    fault = graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_ERROR, words)
    assert len(fault.message) < 400
    graph.client.wait(lambda: graph.prompts and graph.prompts[-1].data)
    question = graph.prompts[-1].data
    assert question.endswith("What shall I do?")
    if words == "unknown words":
        assert "'defenestrate', 'cat'" in question and "I know: open the drawer" in question
    graph.say(TEXT)
    graph.wait_for_command(TEXT)
    graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_OK)
    graph.client.wait(lambda: graph.prompts[-1] == String())  # the question is taken back


def set_parameter(graph, name: str, value) -> None:
    change = Parameter(name, value=value).to_parameter_msg()
    request = SetParameters.Request(parameters=[change])
    (result,) = graph.client.call(SetParameters, "perception/set_parameters", request).results
    assert result.successful, result.reason


def test_a_parameter_that_changes_at_run_time_is_in_force(graph):
    set_parameter(graph, "max_command_length", 5)
    graph.say(TEXT)
    words = "that has 15 characters, I read at most 5"
    graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_ERROR, words)
    set_parameter(graph, "max_command_length", 500)
    graph.say(TEXT)
    graph.wait_for_command(TEXT)


def test_bytes_that_are_no_string_end_nothing(graph):
    graph.say(TEXT)
    graph.publisher("command").publish(b"\x00\x01\x00\x00\xff\xff\xff\x7fopen")
    graph.wait_for_command(TEXT)


def test_a_goal_runs_tells_how_it_goes_and_succeeds_at_a_standstill(graph):
    goal = graph.goal(TEXT)
    number = command_id(graph)
    graph.chunk(number)
    limited = Violation(limit=Violation.LIMIT_JERK, dimension="linear_x")
    graph.publish(
        "safety_status",
        SafetyStatus(
            state=SafetyStatus.STATE_NOMINAL,
            command_id=number,
            cause="moving",
            violations=[limited],
        ),
    )
    graph.client.wait(
        lambda: any(each.limited_by and each.progress == 0.5 for each in goal.feedback)
    )
    told = goal.feedback[-1]
    assert (told.state, told.cause) == (SafetyStatus.STATE_NOMINAL, "moving")
    assert list(told.limited_by) == ["linear_x: jerk"]
    assert told.elapsed > 0.0
    graph.chunk(number, done=True)
    graph.wait_for_command("")
    assert not goal.ended, "the robot still moves"
    graph.standing()
    status, outcome, reason = goal.result()
    assert (status, outcome) == (graph.SUCCEEDED, RESULT.OUTCOME_SUCCEEDED), reason


def test_a_canceled_goal_withdraws_the_command_and_ends_at_a_standstill(graph):
    goal = graph.goal(TEXT)
    graph.wait_for_command(TEXT)
    goal.cancel()
    graph.wait_for_command("")
    assert not goal.ended
    graph.standing()
    assert goal.result()[:2] == (graph.CANCELED, RESULT.OUTCOME_CANCELED)


def test_a_newer_goal_preempts_and_a_text_does_too(graph):
    first = graph.goal(TEXT)
    second = graph.goal("close the drawer")
    assert first.result()[:2] == (graph.ABORTED, RESULT.OUTCOME_PREEMPTED)
    graph.wait_for_command("close the drawer")
    graph.say("press the button")
    assert second.result()[:2] == (graph.ABORTED, RESULT.OUTCOME_PREEMPTED)
    graph.wait_for_command("press the button")


def test_a_goal_runs_out_of_time(graph):
    goal = graph.goal(TEXT, time_limit=0.4)
    graph.wait_for_command(TEXT)
    graph.wait_for_command("")
    graph.standing()
    assert goal.result()[:2] == (graph.ABORTED, RESULT.OUTCOME_TIMED_OUT)


def test_a_stop_word_ends_the_goal(graph):
    goal = graph.goal(TEXT)
    graph.say("freeze")
    graph.wait_for_command("")
    graph.standing()
    assert goal.result()[:2] == (graph.ABORTED, RESULT.OUTCOME_STOPPED)


def test_a_latched_stop_ends_the_goal_and_refuses_the_next_until_reset(graph):
    goal = graph.goal(TEXT)
    graph.wait_for_command(TEXT)
    graph.status(SafetyStatus.STATE_STOPPED, standstill=True)
    graph.wait_for_command("")
    stopped = graph.every(0.1, lambda: graph.status(SafetyStatus.STATE_STOPPED, standstill=True))
    assert goal.result()[:2] == (graph.ABORTED, RESULT.OUTCOME_STOPPED)
    refused = graph.goal(TEXT)
    status, outcome, reason = refused.result()
    assert outcome == RESULT.OUTCOME_STOPPED and "reset" in reason
    graph.end(stopped)
    after = graph.goal(TEXT)  # before the news of the reset
    graph.status()
    graph.wait_for_command(TEXT)
    assert not after.ended


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "no words"), ("xyzzy", "'xyzzy'")],
)
def test_a_goal_that_is_not_understood_says_why(graph, text, why):
    status, outcome, reason = graph.goal(text).result()
    assert (status, outcome) == (graph.ABORTED, RESULT.OUTCOME_REJECTED)
    assert why in reason


@pytest.mark.parametrize("limit", [-1.0, math.nan])
def test_a_goal_with_a_bad_time_limit_is_rejected_and_changes_nothing(graph, limit):
    graph.say(TEXT)
    number = command_id(graph)
    goal = ExecuteCommand.Goal(text="close the drawer", time_limit=limit)
    sent = graph.actions.send_goal_async(goal)
    graph.client.wait(sent.done)
    assert not sent.result().accepted
    assert command_id(graph) == number
    line = f"goal 'close the drawer' rejected: its time_limit is {limit} s"
    graph.client.wait(lambda: line in graph.process.output)


def test_that_a_held_robot_is_done_counts_once_nothing_else_holds_it(graph):
    goal = graph.goal(TEXT)
    number = command_id(graph)
    done = graph.every(0.05, lambda: graph.chunk(number, done=True))
    told = SafetyStatus(
        state=SafetyStatus.STATE_HOLD, command_id=number, command=TEXT, standstill=True
    )
    for told.cause, told.recovery_left in (
        ("recovering, over is: no image", 0.5),
        (done_cause(TEXT), 0.5),
        ("an obstacle is near", 0.0),
    ):
        graph.publish("safety_status", told)
        graph.client.wait(lambda: goal.feedback and goal.feedback[-1].cause == told.cause)
        graph.wait_for_command(TEXT)
    told.cause = done_cause(TEXT)
    graph.publish("safety_status", told)
    graph.wait_for_command("")
    graph.end(done)
    graph.standing()
    assert goal.result()[:2] == (graph.SUCCEEDED, RESULT.OUTCOME_SUCCEEDED)


def test_a_goal_that_nobody_serves_fails(graph):
    goal = graph.goal(TEXT)
    graph.standing()
    status, outcome, reason = goal.result()
    assert (status, outcome) == (graph.ABORTED, RESULT.OUTCOME_FAILED)
    assert "action_chunk" in reason
