"""What a demo's words ask for, and what its verdict is worth where that is another task."""

from pathlib import Path

import pytest

from vla_cli.episodes import demo_command
from vla_cli.episodes.asked_task import asked_task
from vla_cli.episodes.graph_episodes import EpisodeResult
from vla_sim.tasks.task_list import ROBOTS

MODEL = Path(__file__).resolve().parents[4] / "models" / "metaworld"


@pytest.mark.parametrize(
    ("words", "task"),
    [
        ("Open a drawer", "drawer-open"),
        ("please OPEN the window", "window-open"),
        ("push the puck", "push"),
        ("touch the red block", "ground-touch-red"),
        ("make me a coffee", ""),
        ("Open a window, please", "window-open"),
    ],
)
def test_the_words_of_a_task_are_known(words, task):
    assert asked_task(words, ROBOTS["metaworld"], MODEL) == task


def test_words_of_several_tasks_ask_for_none(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "commands: {drawer-open: [open it], door-open: [open it]}"
    )
    assert asked_task("open it", ROBOTS["metaworld"], tmp_path) == ""
    (tmp_path / "config.yaml").write_text("commands: [")
    assert asked_task("open it", ROBOTS["metaworld"], tmp_path) == ""


def test_a_demo_runs_the_task_that_is_asked_for():
    assert demo_command.parse(["--command", "Push and close a drawer"]).task == "drawer-close"
    unknown = demo_command.parse(["--command", "make me a coffee"])
    assert (unknown.task, unknown.said_task) == ("drawer-open", demo_command.NO_TASK)
    own = demo_command.parse(["--task", "door-open", "--command", "get that door out of my way"])
    assert (own.task, own.said_task) == ("door-open", "")
    both = demo_command.parse(["--task", "door-open", "--command", "Push and close a drawer"])
    assert (both.task, both.said_task) == ("door-open", "drawer-close")


def test_another_task_s_success_is_none_of_the_words():
    result = EpisodeResult("door-open", 1, "close it", True, 90, "", "", 1.0, 1, "drawer-close")
    said = demo_command.table([result])
    assert "unasked" in said and "0 of 1" in said
    assert "the words ask for drawer-close, and what is judged is door-open" in said
