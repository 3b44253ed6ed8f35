"""What the robot asks back, and yes and no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_perception.command.command_desk import CommandDesk, Moment, Utterance
from vla_perception.command.command_vocabulary import Vocabulary
from vla_perception.command.goal_execution import Outcome
from vla_perception.command.open_question import NO, YES, OpenQuestion, QuestionError
from vla_perception.perception_config import PerceptionConfig

KNOWN = Vocabulary(
    frozenset({"open", "close", "the", "drawer"}),
    {"drawer-open": ("open the drawer",), "drawer-close": ("close the drawer",)},
    frozenset({"open", "close"}),
)


def at(seconds):
    return Moment(int(seconds * 1e9), seconds, int(seconds * 1e9))


@pytest.fixture
def desk():
    said = []
    config = PerceptionConfig(question_timeout=20.0)
    made = CommandDesk(config, KNOWN, lambda _: None, said.append, lambda _: None)
    made.said = said
    return made


def in_force(desk):
    return desk.hold.current.text if desk.hold.current else None


def test_a_slip_of_the_fingers_is_asked_about_and_yes_gives_the_command(desk):
    desk.speak(Utterance("opne teh drawr"), at(1))
    assert in_force(desk) is None
    assert desk.said[-1].endswith("Did you mean: open the drawer? Say yes, or another command")
    desk.speak(Utterance("Yes!", 7), at(5))
    assert in_force(desk) == "open the drawer" and desk.hold.current.command_id == 7
    assert desk.said[-1] == "" and not desk.language_fault


@pytest.mark.parametrize("no", ["no", "Nein.", "não"])
def test_no_drops_it_and_the_robot_says_what_it_knows(desk, no):
    desk.speak(Utterance("opne teh drawr"), at(1))
    desk.speak(Utterance(no), at(2))
    assert in_force(desk) is None and not desk.language_fault
    assert desk.said[-1] == "What shall I do? I know: open the drawer | close the drawer"
    desk.speak(Utterance("yes"), at(3))
    assert in_force(desk) is None and "asked nothing" in desk.said[-1]


def test_after_its_time_a_question_is_no_longer_answered(desk):
    desk.speak(Utterance("opne teh drawr"), at(1))
    desk.speak(Utterance("yes"), at(21.1))
    assert in_force(desk) is None and "too long ago" in desk.said[-1]


@pytest.mark.parametrize("other", ["close the drawer", "defenestrate it", "stop"])
def test_anything_else_takes_the_questions_place(desk, other):
    desk.speak(Utterance("opne teh drawr"), at(1))
    desk.speak(Utterance(other), at(2))
    desk.speak(Utterance("yes"), at(3))
    assert in_force(desk) is None and "asked nothing" in desk.said[-1]


def test_a_goal_is_refused_and_nothing_answers_for_it(desk):
    execution = desk.execute("opne teh drawr", 0.0, at(1))
    assert execution.result.outcome is Outcome.REJECTED and "Say yes" not in desk.said[-1]
    desk.speak(Utterance("yes"), at(2))
    assert in_force(desk) is None


def test_a_word_that_may_forbid_is_not_guessed_away(desk):
    desk.speak(Utterance("nevr open the drawer"), at(1))
    assert in_force(desk) is None and "Say yes" not in desk.said[-1]


@pytest.mark.parametrize(
    "event",
    [
        lambda desk: desk.abandon("deactivated", at(2)),
        lambda desk: desk.clock_jumped(at(2)),
        lambda desk: [desk.safety_status(stopped, "pressed", True, at(2)) for stopped in (1, 0)],
        lambda desk: desk.stop_word_obeyed(int(1.5e9), at(2)),
    ],
)
def test_whatever_stops_the_robot_ends_the_question(desk, event):
    desk.speak(Utterance("opne teh drawr"), at(1))
    event(desk)
    desk.speak(Utterance("yes"), at(3))
    assert in_force(desk) is None and "asked nothing" in desk.said[-1]


def test_an_older_stop_word_that_safety_keeps_telling_ends_no_question(desk):
    desk.speak(Utterance("opne teh drawr"), at(5))
    desk.stop_word_obeyed(int(1e9), at(6))
    desk.speak(Utterance("yes"), at(7))
    assert in_force(desk) == "open the drawer"


SAID = st.sampled_from(["ask", "late", *YES, *NO, "open the drawer", "other", "drop"])


@given(st.lists(SAID, max_size=12))
def test_only_a_yes_to_an_open_question_gives_its_guess(said):
    question, guess, until, now = OpenQuestion(), "", 0.0, 0.0
    for text in said:
        now += 1.0
        if text == "ask":
            guess, until = "open the drawer", now + 3.0
            question.ask(guess, until)
        elif text == "late":
            now += 10.0
        elif text == "drop":
            guess = ""
            question.drop()
        elif text in YES + NO:
            if guess and now <= until:
                assert question.answer(text, now) == (guess if text in YES else "")
            else:
                with pytest.raises(QuestionError):
                    question.answer(text, now)
            guess = ""
        else:
            assert question.answer(text, now) is None
