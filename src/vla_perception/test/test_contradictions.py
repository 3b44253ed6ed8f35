"""Commands that cannot be followed, and those that only look so."""

import json
from dataclasses import replace

import pytest
import yaml

from vla_perception.contradictions import (
    NEGATIONS,
    OPPOSITE_ACTIONS,
    OPPOSITE_DIRECTIONS,
    Contradictions,
    table,
)

KNOWN = {
    "drawer-open": ("open the drawer", "pull the drawer open"),
    "drawer-close": ("close the drawer", "push the drawer closed"),
    "window-close": ("close the window", "push and close a window"),
    "push": ("push a puck to a goal",),
    "push-wall": ("bypass a wall and push a puck to a goal",),
}


def contradictions(wordings=None):
    return Contradictions(
        frozenset(NEGATIONS),
        table(OPPOSITE_ACTIONS),
        table(OPPOSITE_DIRECTIONS),
        KNOWN if wordings is None else wordings,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("open and close the drawer", '"open" and "close" contradict'),
        ("Open drawer, CLOSE drawer", '"open" and "close" contradict'),
        ("push and pull the door", '"push" and "pull"'),
        ("do not open the drawer", '"not"'),
        ("don\N{RIGHT SINGLE QUOTATION MARK}t open the drawer", '"don\'t"'),
        ("never open the drawer", '"never"'),
        ("move left and right", '"left" and "right"'),
        ("push it to the left and to the right", '"left" and "right"'),
        ("go up and down", '"up" and "down"'),
        ("turn it clockwise and counter-clockwise", '"clockwise" and "counterclockwise"'),
        ("open the drawer and close the window", "one at a time"),
        ("open the drawer then close the drawer", '"open the drawer" and "close the drawer"'),
    ],
)
def test_what_contradicts_itself(text, words):
    assert words in contradictions().find(text)


WORDS = frozenset(
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
)


@pytest.mark.parametrize("apostrophe", "'\u2019\u2018\u00b4\u0060\u02bc\u2032\uff07")
@pytest.mark.parametrize("verb", ["don{}t", "Can{}t", "shouldn{}t you", "DO N{}T", "mustn{} t"])
def test_a_negation_in_any_spelling(apostrophe, verb):
    assert "asks me not to" in contradictions().find(f"{verb.format(apostrophe)} open the drawer")


@pytest.mark.parametrize("verb", ["dont", "cannot", "do n t", "doesnt", "wouldnt", "d\u00adont"])
def test_a_negation_without_an_apostrophe(verb):
    assert "asks me not to" in contradictions().find(f"{verb} open the drawer")


@pytest.mark.parametrize(
    "strange", ["d0nt", "dom't", "nit", "ne pas", "aldrig", "禁止", "refrain from"]
)
def test_an_unknown_word_before_the_action_may_be_a_negation(strange):
    known = replace(contradictions(), known=WORDS)
    assert known.find(f"please {strange} open the drawer")


@pytest.mark.parametrize(
    "text",
    [
        "could you please open the drawer",
        "hey robot, open the drawer quickly",
        "the robot should now open the drawer",
        "bitte open the drawer",
        "defenestrate it",
        "open the wooden drawer",
    ],
)
def test_courtesies_before_the_action_and_other_words_behind_it(text):
    assert replace(contradictions(), known=WORDS).find(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "move from left to right",
        "move the arm from the left to the right",
        "push the green block to the left",
        "push the right block to the left",
        "push the block to the left of the red one",
        "close the open drawer",
        "open the closed door",
        "push the drawer closed",
        "pull the drawer open",
        "pick up the nut and put it down",
        "push the stop button",
        "open the drawer, please open the drawer",
        "bypass a wall and push a puck to a goal",
        "rotate the lock counter-clockwise",
        "",
    ],
)
def test_what_only_looks_so(text):
    assert contradictions().find(text) == ""
    assert contradictions({}).find(text) == ""


def test_what_the_policy_was_trained_with_is_never_refused():
    odd = {"odd": ("open and close the drawer", "do not move left and right")}
    for text in odd["odd"]:
        assert contradictions(odd).find(text.upper()) == ""
        assert contradictions({}).find(text)


def test_no_command_of_the_shipped_checkpoint_contradicts_itself(request):
    file = request.config.rootpath / "models" / "metaworld" / "config.yaml"
    shipped = yaml.safe_load(file.read_text())["commands"]
    assert shipped
    for text in (text for texts in shipped.values() for text in texts):
        assert contradictions({}).find(text) == "", text


def test_no_instruction_of_meta_world_contradicts_itself():
    for text in (
        "push and open a window", "pick and place a puck to a goal", "unplug a peg sideways",
        "lock the door by rotating the lock clockwise", "pull a handle up sideways",
        "unlock the door by rotating the lock counter-clockwise", "press a handle down sideways",
        "grasp a stick and pull a box with the stick", "rotate the faucet clockwise",
        "pick up a nut and place it onto a peg", "press a button from the top",
    ):  # fmt: skip
        assert contradictions({}).find(text) == "", text


@pytest.mark.parametrize("line", ["open", "open|close|shut", "|close", "open shut|shut", ""])
def test_a_table_that_makes_no_sense_is_refused(line):
    with pytest.raises(ValueError, match="accepted: two lists of words"):
        table([line])


def test_no_sentence_that_is_held_out_from_training_is_refused(request):
    grounding = pytest.importorskip("vla_sim.grounding")
    folder = request.config.rootpath / "models" / "metaworld"
    words = frozenset(json.loads((folder / "tokenizer.json").read_text())["words"][2:])
    shipped = yaml.safe_load((folder / "config.yaml").read_text())["commands"]
    finder = replace(contradictions(shipped), known=words)
    for task in (task for task in shipped if task.startswith("ground-")):
        for text in grounding.wordings(task, held_out=True):
            assert finder.find(text) == "", text
