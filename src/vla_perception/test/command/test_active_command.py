"""Texts that are commands, stops, or neither; and the one command in force."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_perception.command.active_command import (
    CommandError,
    CommandHold,
    Refusal,
    check_words,
    clean,
    shown,
)
from vla_perception.command.command_vocabulary import Vocabulary
from vla_perception.perception_config import COURTESIES


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", Refusal.EMPTY),
        (" \n\t ", Refusal.EMPTY),
        ("?!", Refusal.EMPTY),
        ("x" * 100_000, Refusal.TOO_LONG),
        ("open \ufffd\ufffd drawer", Refusal.NOT_UTF8),
        ("open\x07 the drawer", Refusal.CONTROL),
        ("open \u202ethe drawer", Refusal.CONTROL),
        ("\ufdfa" * 40, Refusal.TOO_LONG),  # each becomes 18 characters
        ("open \x1b[2J", Refusal.CONTROL),
    ],
)
def test_refused_texts(text, refusal):
    with pytest.raises(CommandError) as error:
        clean(text, 500)
    assert error.value.refusal == refusal
    assert len(str(error.value)) < 200


def test_a_text_is_made_one_line():
    assert clean("  open\n the\tdrawer ", 500) == "open the drawer"
    assert clean("o\u0308ffne", 500) == "öffne"


@given(st.text(max_size=600))
def test_what_passes_is_printable_and_cleaning_it_again_changes_nothing(text):
    try:
        line = clean(text, 500)
    except CommandError:
        return
    assert line and line.isprintable() and clean(line, 10_000) == line


@given(st.text(max_size=300))
def test_whatever_is_shown_is_one_short_line_that_can_be_printed(text):
    line = shown(text)
    assert line.isprintable() and line.encode()


def test_what_was_typed_is_shown_as_it_was():
    assert shown("öffne 抽屉\n\x1b[2J\ud800") == r"'öffne 抽屉\n\x1b[2J\ud800'"


def test_too_few_known_words_are_named_and_commands_offered():
    known = Vocabulary(frozenset({"open", "the", "drawer"}), {"drawer-open": ("open the drawer",)})
    check_words("please open the drawer", known, 0.6)
    with pytest.raises(CommandError) as error:
        check_words("defenestrate the cat", known, 0.6)
    assert error.value.refusal == Refusal.UNKNOWN_WORDS
    assert str(error.value) == ("I do not know 'defenestrate', 'cat'; I know: open the drawer")
    with pytest.raises(CommandError):
        check_words("wholly unknown", known, 0.0)
    many = Vocabulary(frozenset({"open"}), {str(n): (f"open {n}",) for n in range(17)})
    with pytest.raises(CommandError, match=r"open \d and 12 more: ./vla say --list$"):
        check_words("wholly unknown", many, 0.6)
    check_words("anything", Vocabulary(), 1.0)


DRAWERS = Vocabulary(
    frozenset(
        [
            "open",
            "close",
            "the",
            "drawer",
            "push",
            "pull",
            "window",
            "it",
            "to",
            "left",
            "right",
            "please",
            "button",
        ]
    ),
    {"drawer-open": ("open the drawer",)},
    frozenset({"open", "close", "push", "please"}),
)
FORBIDDEN = [
    *(f"don{apostrophe}t" for apostrophe in "'\u2019\u2018\u00b4\u0060\u02bc\u2032\uff07"),
    "Can't", "DO N'T", "shouldn't you", "mustn t", "dont", "cannot", "do n t", "d\u00adont",
    "do not", "never", "d0nt", "dom't", "nit", "ne pas", "aldrig", "禁止", "refrain from",
    "please nicht", "open不",
]  # fmt: skip


@pytest.mark.parametrize("before", FORBIDDEN)
def test_an_unknown_word_before_an_action_may_forbid_it(before):
    for text in (f"{before} open the drawer", f"close the window, {before} open the drawer"):
        with pytest.raises(CommandError, match="it may forbid what comes after it") as error:
            check_words(clean(text, 500), DRAWERS, 0.0, COURTESIES)
        assert error.value.refusal == Refusal.UNKNOWN_WORDS


def test_a_negation_within_a_word_is_no_known_action():
    with pytest.raises(CommandError, match="'不Open', and it may forbid"):
        check_words("不Open the drawer", DRAWERS, 0.0, COURTESIES)


@pytest.mark.parametrize(
    "text",
    [
        "could you please open the drawer",
        "hey robot, open the drawer quickly",
        "the robot should now open the drawer",
        "bitte open the drawer",
        "open the wooden drawer",
        "close the window and open the wooden drawer",
        "move it to the left",  # there is no action that the checkpoint tells of
    ],
)
def test_courtesies_may_stand_before_it_and_other_words_behind_it(text):
    check_words(text, DRAWERS, 0.0, COURTESIES)


def test_without_courtesies_each_of_them_is_asked_about():
    with pytest.raises(CommandError, match="'could'"):
        check_words("could open the drawer", DRAWERS, 0.0)


def test_no_sentence_of_the_shipped_checkpoint_or_held_out_from_it_is_refused():
    grounding = pytest.importorskip("vla_sim.tasks.grounding_tasks")
    folder = Path(__file__).parents[4] / "models" / "metaworld"
    vocabulary = Vocabulary.load(str(folder / "tokenizer.json"))
    shipped = yaml.safe_load((folder / "config.yaml").read_text())["commands"]
    held_out = [
        text
        for task in shipped
        if task.startswith("ground-")
        for text in grounding.wordings(task, held_out=True)
    ]
    assert held_out and len(vocabulary.actions) > 5
    for text in [text for texts in shipped.values() for text in texts] + held_out:
        check_words(text, vocabulary, 0.6, COURTESIES)


def test_one_command_is_in_force_until_it_ends():
    hold = CommandHold()
    first = hold.give("open the drawer", 100, 2.0, wall=7)
    assert hold.current == first and first.given == first.taken == 100
    assert not hold.expired(100 + 2 * 10**9 - 1)
    assert hold.expired(100 + 2 * 10**9)
    second = hold.give("close it", 200, 2.0, wall=7, given=150)
    assert hold.current == second and (second.given, second.taken) == (150, 200)
    assert hold.withdraw() == second
    assert hold.withdraw() is None and not hold.expired(10**18)


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 30)), max_size=50))
def test_ids_are_never_used_twice_and_new_ones_rise(walls):
    hold, ids, made = CommandHold(), [], []
    for wall, wanted in walls:
        try:
            command = hold.give("x", 1, 1.0, wall=wall, command_id=wanted)
        except CommandError as error:
            assert error.refusal == Refusal.REPEATED_ID and wanted in ids
            continue
        ids.append(command.command_id)
        if not wanted:
            made.append(command.command_id)
    assert len(set(ids)) == len(ids)
    assert made == sorted(made) and 0 not in ids


def test_a_new_id_is_the_next_one_that_nobody_used():
    hold = CommandHold()
    assert hold.give("x", 1, 1.0, wall=5).command_id == 5
    hold.give("x", 1, 1.0, wall=5, command_id=6)
    hold.give("x", 1, 1.0, wall=5, command_id=7)
    assert hold.give("x", 1, 1.0, wall=5).command_id == 8
    assert hold.give("x", 1, 1.0, wall=8).command_id == 9
    assert hold.give("x", 1, 1.0, wall=20).command_id == 20


def test_an_id_is_remembered_for_a_thousand_commands():
    hold = CommandHold()
    for command_id in range(1, 1002):
        hold.give("x", 1, 1.0, wall=1, command_id=command_id)
    hold.give("x", 1, 1.0, wall=1, command_id=1)
    with pytest.raises(CommandError, match="command_id 1001 was used before"):
        hold.give("x", 1, 1.0, wall=1, command_id=1001)


def test_what_is_not_known_is_told_in_short():
    known = Vocabulary(frozenset({"open"}))
    with pytest.raises(CommandError) as error:
        check_words(" ".join(letter * 40 for letter in "abcdefghij"), known, 0.6)
    words = ", ".join(f"'{letter * 30}'..." for letter in "abcdefgh")
    assert str(error.value) == f"I do not know {words}"
    with pytest.raises(CommandError) as error:
        check_words("... " * 20, known, 0.6)
    assert str(error.value) == f"I do not know '{'... ' * 10}'..."
    with pytest.raises(CommandError, match=f"'{'n' * 30}'..., and it may forbid"):
        check_words("n" * 40 + " open the drawer", DRAWERS, 0.0, COURTESIES)


def test_without_commands_to_offer_none_is_offered():
    with pytest.raises(CommandError) as error:
        check_words("xyzzy", Vocabulary(frozenset({"open"})), 0.6)
    assert str(error.value) == "I do not know 'xyzzy'"


def test_ids_go_on_rising_after_a_respawn():
    before = CommandHold().give("x", 5, 1.0, wall=1000)
    after = CommandHold().give("x", 5, 1.0, wall=1001)
    assert after.command_id > before.command_id


def test_a_slip_of_the_fingers_is_asked_back():
    vocabulary = Vocabulary(frozenset(["open", "the", "drawer"]), {}, frozenset(["open"]))
    with pytest.raises(CommandError) as error:
        check_words("opn teh drawr", vocabulary, 0.6)
    assert str(error.value) == "I do not know 'opn', 'teh', 'drawr'; did you mean 'open', 'drawer'?"
