"""Won and lost episodes of the grounding scene."""

import numpy as np
import pytest

from vla_sim.tasks.grounding_tasks import TASKS
from vla_sim.tasks.grounding_verdict import Moment, Verdict

START = {
    "red": np.array([0.0, 0.6, 0.03]),
    "green": np.array([0.2, 0.6, 0.03]),
    "blue": np.array([0.1, 0.75, 0.03]),
}


def moment(touched=(), **moved):
    places = {c: p + np.array([*moved.get(c, (0.0, 0.0)), 0.0]) for c, p in START.items()}
    return Moment(places, frozenset(touched))


def judged(task, *moments):
    verdict = Verdict(TASKS[task], START)
    for each in moments:
        verdict.judge(each)
    return verdict.success, verdict.failure


def test_nothing_yet():
    assert judged("ground-touch-red", moment(), moment(red=(0.005, 0.0))) == (False, "")


def test_touch():
    assert judged("ground-touch-red", moment(["red"])) == (True, "")
    # However far the named block is moved: it was touched.
    assert judged("ground-touch-red", moment(red=(0.1, 0.0)), moment(["red"])) == (True, "")


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        (moment(["blue"]), "touched the blue block"),
        (moment(["red", "blue"]), "touched the blue block"),
        (moment(green=(0.0, 0.011)), "moved the green block"),
        (moment(["red"], blue=(-0.02, 0.0)), "moved the blue block"),
    ],
)
@pytest.mark.parametrize("task", ["ground-touch-red", "ground-push-red-right"])
def test_the_wrong_block_is_a_failure_that_stays(task, lost, why):
    won = moment(["red"], red=(0.07, 0.0))
    assert judged(task, lost, won, won) == (False, why)


def test_what_happens_after_the_success_does_not_matter():
    assert judged("ground-touch-red", moment(["red"]), moment(["blue"])) == (True, "")


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_push(side, sign):
    task = f"ground-push-red-{side}"
    touching = moment(["red"], red=(sign * 0.059, 0.0))
    assert judged(task, touching) == (False, "")
    assert judged(task, touching, moment(["red"], red=(sign * 0.061, 0.03))) == (True, "")
    why = "pushed the red block the wrong way"
    assert judged(task, moment(red=(-sign * 0.031, 0.0))) == (False, why)
    assert judged(task, moment(red=(sign * 0.07, 0.061))) == (False, why)
    assert (
        judged(task, moment(red=(-sign * 0.031, 0.0)), moment(red=(sign * 0.07, 0.0)))[0] is False
    )
