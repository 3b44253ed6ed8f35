"""The fifty tasks, their commands, and what is said of one that does not exist."""

import pytest

from vla_sim.tasks.task_list import (
    TIERS,
    TaskError,
    check_seed,
    check_task,
    instruction,
    parse_seeds,
    tasks,
)


def test_there_are_fifty_tasks_and_each_has_a_command_of_its_own():
    assert len(tasks()) == 50
    assert list(tasks()) == sorted(tasks())
    assert len({instruction(task) for task in tasks()}) == 50
    assert instruction("drawer-open") == "Open a drawer"


def test_they_are_those_of_metaworld():
    environments = pytest.importorskip("metaworld.env_dict").ALL_V3_ENVIRONMENTS
    assert {f"{task}-v3" for task in tasks()} == set(environments)


@pytest.mark.parametrize("wrong", ["drawer_opn", "drawer-open-v3", "Drawer-Open"])
def test_a_name_that_is_nearly_right_is_corrected(wrong):
    with pytest.raises(TaskError, match="did you mean .*drawer-open") as error:
        check_task(wrong)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", ["", "make coffee for everybody", None, 3])
def test_any_other_name_gets_the_list(wrong):
    with pytest.raises(TaskError, match="window-open"):
        check_task(wrong)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_seeds(seed):
    check_seed(seed)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "1", True, None])
def test_wrong_seeds(seed):
    with pytest.raises(TaskError, match="accepted: a whole number from 0"):
        check_seed(seed)


def test_lists_of_seeds():
    assert parse_seeds("100-102, 7") == [100, 101, 102, 7]
    for bad in ("", "a", "5-3", "1,,2", "-1", "1-2-3"):
        with pytest.raises(TaskError, match="accepted: e.g. 100-109"):
            parse_seeds(bad)
    with pytest.raises(TaskError, match="'1-9999999999'; accepted: at most 100000 at once"):
        parse_seeds("7, 1-9999999999")
    with pytest.raises(TaskError, match="accepted: a whole number from 0 to"):
        parse_seeds("9223372036854775808")


def test_every_task_is_in_one_tier():
    assert {name: len(tier) for name, tier in TIERS.items()} == {
        "easy": 28,
        "medium": 11,
        "hard": 6,
        "very-hard": 5,
    }
    assert sorted(task for tier in TIERS.values() for task in tier) == list(tasks())
