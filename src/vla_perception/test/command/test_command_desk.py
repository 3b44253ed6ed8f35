"""Commands from topics and goals, and what ends them."""

import pytest

from vla_perception.command.active_command import HeldCommand
from vla_perception.command.command_desk import RESET_GRACE, CommandDesk, Moment, Utterance
from vla_perception.command.command_vocabulary import Vocabulary
from vla_perception.command.goal_execution import Outcome, Phase
from vla_perception.perception_config import PerceptionConfig

VOCABULARY = Vocabulary(
    frozenset({"open", "close", "the", "drawer"}), {"drawer-open": ("open the drawer",)}
)


def at(seconds: float) -> Moment:
    return Moment(int(seconds * 1e9), seconds, int(seconds * 1e9))


class Desk(CommandDesk):
    def __init__(self, **config) -> None:
        self.said: list[str] = []
        self.accepted: list[HeldCommand] = []
        self.logged: list[str] = []
        super().__init__(
            PerceptionConfig(**config),
            VOCABULARY,
            self.accepted.append,
            self.said.append,
            self.logged.append,
        )

    @property
    def text(self) -> str | None:
        return self.hold.current.text if self.hold.current else None


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_command_is_in_force_until_its_time_is_over(desk):
    desk.speak(Utterance("open the drawer"), at(1))
    desk.check(at(60.9))
    assert desk.text == "open the drawer"
    desk.check(at(61))
    assert desk.text is None and "is over" in desk.said[-1]


def test_what_is_put_in_force_is_told_from_topics_and_goals(desk):
    desk.speak(Utterance("  Open the drawer ", 7, int(0.5e9)), at(1))
    desk.speak(Utterance("defenestrate it"), at(2))
    desk.speak(Utterance("stop"), at(3))
    desk.execute("close the drawer", 0.0, at(4))
    told = [(each.text, each.given) for each in desk.accepted]
    assert told == [("open the drawer", int(0.5e9)), ("close the drawer", int(4e9))]
    assert desk.accepted[0].command_id == 7


def test_a_stop_word_ends_it_and_settles_every_question(desk):
    desk.speak(Utterance("defenestrate it"), at(1))
    assert desk.language_fault and "'defenestrate'" in desk.said[-1]
    goal = desk.execute("open the drawer", 0.0, at(2))
    desk.speak(Utterance("Stop!"), at(3))
    assert desk.text is None and desk.language_fault == "" and desk.said[-1] == ""
    assert goal.phase == Phase.COMING_TO_REST
    desk.safety_status(True, "stop word", True, at(3.1))
    desk.check(at(4))
    assert goal.result is not None and goal.result.outcome == Outcome.STOPPED


def test_a_stop_word_is_handed_on_until_safety_has_obeyed_it(desk):
    desk.speak(Utterance("Stop!"), at(3))
    assert desk.unanswered_stop == ("stop", 3_000_000_000)
    desk.speak(Utterance("halt"), at(3.1))  # the first one says all
    assert desk.unanswered_stop == ("stop", 3_000_000_000)
    desk.stop_word_obeyed(at(2.9).ros, at(3.2))
    assert desk.unanswered_stop
    desk.stop_word_obeyed(at(3.001).ros, at(3.2))
    assert desk.unanswered_stop is None


def test_a_goal_that_is_a_stop_word_is_handed_on_too(desk):
    desk.execute("halt", 0.0, at(3))
    assert desk.unanswered_stop == ("halt", 3_000_000_000)


def test_what_only_a_goal_tells_is_published_when_it_is_accepted(desk):
    desk.execute("Open the drawer", 0.0, at(1))
    desk.execute("defenestrate it", 0.0, at(2))
    canceled = desk.execute("close the drawer", 0.0, at(3))
    assert desk.cancel(canceled, at(4)) and desk.cancel(canceled, at(4.1))
    desk.execute("halt", 0.0, at(5))
    assert [(each.text, each.given * 1e-9) for each in desk.accepted] == [
        ("open the drawer", 1), ("close the drawer", 3), ("stop", 4), ("halt", 5),
    ]  # fmt: skip


def test_what_safety_obeyed_before_the_clock_jumped_back_is_no_answer(desk):
    desk.speak(Utterance("open the drawer"), at(5))
    desk.stop_word_obeyed(at(100).ros, at(5.1))
    assert desk.text == "open the drawer"
    desk.speak(Utterance("stop"), at(6))
    desk.stop_word_obeyed(at(100).ros, at(6.1))
    assert desk.unanswered_stop


def test_a_newer_command_takes_the_place_of_a_stop_word(desk):
    desk.speak(Utterance("stop"), at(3))
    desk.speak(Utterance("open the drawer"), at(4))
    assert desk.unanswered_stop is None
    desk.stop_word_obeyed(at(3).ros, at(4.1))
    assert desk.text == "open the drawer"


def test_a_stop_word_that_safety_alone_heard_ends_the_command_and_its_goal(desk):
    goal = desk.execute("open the drawer", 0.0, at(2))
    desk.stop_word_obeyed(at(2.5).ros, at(2.6))
    assert desk.text is None and goal.phase == Phase.COMING_TO_REST
    desk.safety_status(False, "", True, at(4))
    desk.check(at(4))
    assert goal.result is not None and goal.result.outcome == Outcome.STOPPED


def test_in_lock_step_both_hear_every_stop_word_and_none_is_handed_on():
    desk = Desk(lock_step=True)
    desk.speak(Utterance("stop"), at(3))
    assert desk.unanswered_stop is None


def test_what_is_not_understood_withdraws_the_command_and_asks(desk):
    desk.speak(Utterance("open the drawer"), at(1))
    for text in ("x" * 100_000, "", "\ufffd", "frobnicate everything"):
        desk.speak(Utterance(text), at(2))
        assert desk.text is None and desk.language_fault
        assert desk.said[-1].endswith("What shall I do?")
    assert desk.refused == 4
    desk.speak(Utterance("close the drawer"), at(3))
    assert desk.text == "close the drawer" and not desk.language_fault and desk.said[-1] == ""


def test_a_goal_succeeds_when_the_policy_is_done(desk):
    goal = desk.execute("open the drawer", 5.0, at(1))
    assert desk.hold.current is not None and desk.hold.current.limit == 5.0
    desk.chunk(goal.command_id + 1, True, 1.0, at(1.5))
    assert goal.phase == Phase.RUNNING, "a chunk of another command"
    desk.command_served(goal.command_id)
    desk.chunk(goal.command_id, False, 0.4, at(2))
    desk.chunk(goal.command_id, True, 1.0, at(2.5))
    assert desk.text is None and goal.phase == Phase.COMING_TO_REST
    desk.safety_status(False, "", True, at(3))
    assert goal.result is not None and goal.result.outcome == Outcome.SUCCEEDED


@pytest.mark.parametrize("by_goal", [True, False])
def test_what_the_policy_says_of_a_robot_that_is_held_all_the_time_ends_nothing(desk, by_goal):
    desk.speak(Utterance("close the drawer"), at(1))
    before = desk.hold.current.command_id
    desk.command_served(before)
    if by_goal:
        desk.execute("open the drawer", 0.0, at(2))
    else:
        desk.speak(Utterance("open the drawer"), at(2))
    number = desk.hold.current.command_id
    desk.chunk(number, True, 1.0, at(2.1))
    desk.command_served(before)
    desk.chunk(number, True, 1.0, at(2.2))
    assert desk.text == "open the drawer"
    desk.command_served(number)
    assert desk.text == "open the drawer", "only a chunk from then on counts"
    desk.chunk(number, True, 1.0, at(2.3))
    assert desk.text is None


def test_in_lock_step_it_counts_at_once_that_the_policy_is_done():
    desk = Desk(lock_step=True)
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.chunk(goal.command_id, True, 1.0, at(1))
    assert desk.text is None


@pytest.mark.parametrize("limit", [-1.0, float("nan"), float("inf"), 86400.1])
def test_a_goal_cannot_have_every_time_limit_but_a_stop_word_can(desk, limit):
    assert desk.goal_fault("open it", limit) == f"its time_limit is {limit} s; accepted: 0 to 86400"
    assert desk.goal_fault("Stop!", limit) == ""
    assert desk.goal_fault("open it", 0.0) == desk.goal_fault("open it", 86400.0) == ""


def test_the_question_after_a_refusal_tells_which_command_it_ended(desk):
    desk.speak(Utterance("Öffne die Straße"), at(1))
    assert desk.said[-1].startswith("I do not know 'Öffne', 'die', 'Straße'; I know")
    assert "was ended" not in desk.said[-1]
    desk.speak(Utterance("open the drawer"), at(2))
    goal = desk.execute("打开抽屉", 0.0, at(3))
    reason = (
        "I do not know '打开抽屉'; I know: open the drawer; the command 'open the drawer' was ended"
    )
    assert desk.said[-1] == f"{reason}. What shall I do?" and goal.result.reason == reason


def test_goals_and_texts_preempt_each_other(desk):
    first = desk.execute("open the drawer", 0.0, at(1))
    second = desk.execute("close the drawer", 0.0, at(2))
    assert first.result is not None and first.result.outcome == Outcome.PREEMPTED
    assert first.command_id != second.command_id
    desk.speak(Utterance("open the drawer"), at(3))
    assert second.result is not None and second.result.outcome == Outcome.PREEMPTED
    assert desk.text == "open the drawer" and desk.execution is None


@pytest.mark.parametrize(("text", "limit"), [("", 0.0), ("xyzzy", 0.0), ("", -1.0)])
def test_a_goal_that_is_not_understood_is_rejected_and_the_robot_holds(desk, text, limit):
    desk.speak(Utterance("open the drawer"), at(1))
    goal = desk.execute(text, limit, at(2))
    assert goal.result is not None and goal.result.outcome == Outcome.REJECTED
    assert goal.result.reason and desk.text is None


def test_canceling_withdraws_the_command(desk):
    goal = desk.execute("open the drawer", 0.0, at(1))
    assert desk.cancel(goal, at(2))
    assert desk.text is None and goal.phase == Phase.COMING_TO_REST
    desk.safety_status(False, "", True, at(3))
    assert not desk.cancel(goal, at(4))
    assert goal.result is not None and goal.result.outcome == Outcome.CANCELED


def test_a_latched_stop_ends_the_command_and_refuses_the_next(desk):
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.safety_status(True, "stop service", False, at(2))
    assert desk.text is None
    desk.speak(Utterance("open the drawer"), at(3))
    assert goal.result is not None and goal.result.outcome == Outcome.STOPPED
    desk.check(at(3 + RESET_GRACE + 0.01))
    assert desk.text is None and "call the reset service" in desk.said[-1]
    refused = desk.execute("open the drawer", 0.0, at(5))
    desk.check(at(5 + RESET_GRACE + 0.01))
    desk.safety_status(True, "stop service", True, at(6))
    assert refused.result is not None and refused.result.outcome == Outcome.STOPPED


def test_a_command_may_come_before_the_news_of_the_reset(desk):
    desk.safety_status(True, "stop service", True, at(1))
    goal = desk.execute("open the drawer", 0.0, at(2))
    assert desk.text is None
    desk.safety_status(False, "", True, at(2.02))
    assert desk.text == "open the drawer" and goal.phase == Phase.RUNNING
    assert desk.hold.current is not None and goal.command_id == desk.hold.current.command_id


def test_a_goal_that_nobody_serves_fails(desk):
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.check(at(11.1))
    assert desk.text is None and goal.phase == Phase.COMING_TO_REST
    desk.check(at(17))
    assert goal.result is not None and goal.result.outcome == Outcome.FAILED
    assert "action_chunk" in goal.result.reason


def test_a_stop_word_as_a_goal_stops(desk):
    running = desk.execute("open the drawer", 0.0, at(1))
    stop = desk.execute("stop", 0.0, at(2))
    assert desk.text is None
    assert running.result is not None and running.result.outcome == Outcome.STOPPED
    desk.safety_status(False, "", True, at(2.5))
    assert stop.result is not None and stop.result.outcome == Outcome.STOPPED


def test_a_clock_that_jumps_back_ends_everything(desk):
    goal = desk.execute("open the drawer", 0.0, at(100))
    desk.clock_jumped(Moment(0, 101.0, 0))
    assert desk.text is None and goal.phase == Phase.COMING_TO_REST


def test_in_lock_step_time_counts_from_the_first_tick():
    desk = Desk(lock_step=True)
    goal = desk.execute("open the drawer", 10.0, Moment(0, 0.0, 5))
    desk.clock_started(at(1000))
    desk.check(at(1009.9))
    assert desk.text == "open the drawer" and goal.elapsed(1001.0) == pytest.approx(1.0)
    desk.check(at(1010))
    assert desk.text is None


def test_a_repeated_id_is_refused(desk):
    desk.speak(Utterance("open the drawer", command_id=5, given=7), at(1))
    assert desk.hold.current is not None and desk.hold.current.given == 7
    desk.speak(Utterance("close the drawer", command_id=5), at(2))
    assert desk.text is None and "command_id 5" in desk.language_fault


def test_an_action_fault_that_holds_is_a_question_until_it_is_over(desk):
    desk.action_fault("no progress")
    assert desk.said == []  # nothing is being done
    desk.action_fault("")
    desk.speak(Utterance("open the drawer"), at(1))
    desk.action_fault("no progress for 10 s")
    desk.action_fault("no progress for 10 s")
    assert desk.said[-1] == "I cannot go on (no progress for 10 s). What shall I do?"
    assert sum("cannot" in text for text in desk.said) == 1
    desk.action_fault("")
    assert desk.said[-1] == "" and desk.text == "open the drawer"


def test_where_the_node_goes_command_and_goal_end_at_once(desk):
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.abandon("perception was deactivated", at(3.5))
    assert desk.text is None and "perception was deactivated" in desk.logged[-1]
    assert goal.phase == Phase.ENDED
    assert goal.result.outcome == Outcome.FAILED and goal.result.duration == 2.5
    assert goal.result.reason == "perception was deactivated"
    idle = Desk()
    idle.abandon("perception was deactivated", at(1))
    assert idle.logged == [] and idle.execution is None


def test_in_lock_step_what_safety_tells_of_stop_words_decides_nothing():
    desk = Desk(lock_step=True)
    desk.speak(Utterance("open the drawer"), at(1))
    desk.stop_word_obeyed(at(2).ros, at(3))
    assert desk.text == "open the drawer"


def test_a_chunk_counts_for_the_goal_it_serves(desk):
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.chunk(goal.command_id, False, 0.4, at(10))
    desk.safety_status(False, "", False, at(10))
    assert goal.progress == 0.4
    desk.check(at(19.9))
    assert goal.phase == Phase.RUNNING, "served 9.9 s ago"
    desk.speak(Utterance("open the drawer"), at(20))
    assert desk.execution is None
    desk.chunk(desk.hold.current.command_id, False, 0.4, at(21))
    assert desk.text == "open the drawer"


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (lambda desk, goal: desk.cancel(goal, at(2)), "canceled by the client"),
        (
            lambda desk, goal: (
                desk.command_served(goal.command_id),
                desk.chunk(goal.command_id, True, 1.0, at(2)),
            ),
            "the policy reports that it is done",
        ),
        (lambda desk, goal: desk.stop_word_obeyed(at(1.5).ros, at(2)), "safety obeys a stop word"),
        (lambda desk, goal: desk.check(at(1000)), "its time, 60 s, is over"),
        (lambda desk, goal: desk.clock_jumped(at(2)), "the clock jumped back"),
        (lambda desk, goal: desk.safety_status(True, "", False, at(2)), "no cause given"),
    ],
)
def test_the_log_and_the_result_say_what_ended_a_command(desk, end, line):
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.execution = goal
    end(desk, goal)
    assert line in desk.logged[-1] or line in desk.logged[-2]
    desk.abandon("gone", at(2000))
    desk.safety_status(False, "", True, at(2001))
    assert goal.phase == Phase.ENDED


def test_a_goal_that_is_not_the_one_in_force_cannot_be_canceled_as_if_it_were(desk):
    old = desk.execute("open the drawer", 0.0, at(1))
    old.phase = Phase.RUNNING
    desk.execute("close the drawer", 0.0, at(2))
    old.phase = Phase.RUNNING
    assert desk.cancel(old, at(3))
    assert desk.text == "close the drawer", "the newer goal's command stays"


@pytest.mark.parametrize(("heard", "obeyed"), [(1.999, False), (2.0, False), (2.001, True)])
def test_a_stop_word_ends_what_was_said_before_it(desk, heard, obeyed):
    desk.speak(Utterance("open the drawer"), at(2))
    desk.stop_word_obeyed(at(heard).ros, at(2.001))
    assert (desk.text is None) is obeyed


def test_a_stop_word_that_was_heard_at_the_same_time_is_obeyed(desk):
    desk.speak(Utterance("stop"), at(3))
    desk.stop_word_obeyed(at(3).ros, at(3))
    assert desk.unanswered_stop is None


def test_a_stop_that_finds_a_goal_at_its_end_does_not_end_it_once_more(desk):
    goal = desk.execute("open the drawer", 0.0, at(1))
    desk.cancel(goal, at(2))
    logged = list(desk.logged)
    desk.safety_status(True, "stop service", False, at(2.1))
    assert desk.logged == logged


def test_what_is_refused_because_of_a_stop_is_counted_and_told(desk):
    desk.safety_status(True, "stop service", True, at(1))
    for number in (1, 2):
        goal = desk.execute("open the drawer", 0.0, at(10 * number))
        desk.check(at(10 * number + RESET_GRACE))
        assert desk.refused == number - 1, "the news of a reset may still come"
        desk.check(at(10 * number + RESET_GRACE + 0.001))
        assert desk.refused == number
        desk.check(at(10 * number + 1))
        assert desk.refused == number, "refused once"
    assert desk.said[-1] == (
        "I am stopped (stop service); call the reset service, then say it again"
    )
    assert "safety is stopped (stop service)" in desk.logged[-1]
    desk.safety_status(True, "", True, at(21.5))
    assert goal.result.reason == "safety is stopped (stop service); reset it first"
    desk.speak(Utterance("open the drawer"), at(30))
    desk.check(at(31))
    assert "stopped (no cause given)" in desk.said[-1]


def test_a_goal_that_is_not_understood_tells_why_and_took_no_time(desk):
    desk.speak(Utterance("open the drawer"), at(1))
    goal = desk.execute("xyzzy", 0.0, at(2))
    assert "'xyzzy'" in goal.result.reason and goal.result.duration == 0.0
    assert goal.phase == Phase.ENDED
    assert "the next was not understood" in desk.logged[-2]
    assert desk.logged[-1] == desk.language_fault


def test_a_stop_word_as_a_goal_preempts_the_one_that_comes_to_rest(desk):
    running = desk.execute("open the drawer", 0.0, at(1))
    stop = desk.execute("stop", 0.0, at(2))
    assert desk.execution is stop
    assert running.result.reason.endswith("a newer command came before the robot stood still")


def test_in_lock_step_no_news_of_a_reset_is_waited_for():
    desk = Desk(lock_step=True)
    desk.safety_status(True, "stop service", True, at(1))
    goal = desk.execute("open the drawer", 0.0, at(2))
    assert goal.phase == Phase.COMING_TO_REST and desk.refused == 1
    desk.safety_status(True, "stop service", True, at(2))
    assert goal.result.outcome == Outcome.STOPPED


def test_the_news_of_a_reset_has_its_time():
    desk = Desk()
    desk.safety_status(True, "stop service", True, at(1))
    desk.speak(Utterance("open the drawer"), at(2))
    desk.check(at(2 + RESET_GRACE / 2))
    desk.safety_status(False, "", True, at(2 + RESET_GRACE / 2))
    assert desk.text == "open the drawer"
    assert desk.logged[-1].endswith("'open the drawer', for 60 s")


@pytest.mark.parametrize(("courtesies", "text"), [((), None), (("Now",), "now open the drawer")])
def test_courtesies_are_those_of_the_parameter(courtesies, text):
    desk = Desk(courtesies=courtesies, min_known_fraction=0.1)
    desk._vocabulary = Vocabulary(VOCABULARY.words, VOCABULARY.wordings, frozenset({"open"}))
    desk.speak(Utterance("now open the drawer"), at(1))
    assert desk.text == text
