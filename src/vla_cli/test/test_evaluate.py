"""Lists of tasks and seeds."""

from __future__ import annotations

from argparse import Namespace

import pytest

from vla_cli import evaluate
from vla_cli.episodes import Episode
from vla_cli.errors import CommandError
from vla_sim.grounding import wordings


def test_seeds():
    assert evaluate.parse_seeds("100-102, 7") == [100, 101, 102, 7]
    for bad in ("", "a", "5-3", "1,,2", "-1"):
        with pytest.raises(CommandError, match="accepted: e.g. 100-109"):
            evaluate.parse_seeds(bad)


def test_tasks():
    assert evaluate.parse_tasks("drawer-open, door-open") == ["drawer-open", "door-open"]
    assert len(evaluate.parse_tasks("all")) == 50
    assert len(evaluate.parse_tasks("ground")) == 9 and len(evaluate.parse_tasks("mt10")) == 10
    assert evaluate.parse_tasks("ground-touch, door-open,ground-touch-red") == [
        "ground-touch-red",
        "ground-touch-green",
        "ground-touch-blue",
        "door-open",
    ]
    with pytest.raises(CommandError):
        evaluate.parse_tasks("drawer-open,nonsense")


def chosen(command=None, wordings="training", shuffle_commands=None, **policy):
    return Namespace(
        command=command,
        wordings=wordings,
        shuffle_commands=shuffle_commands,
        tasks="ground-touch",
        seeds="1-2",
        **{"backend": "onnxruntime", **dict.fromkeys(evaluate.REMOTE), **policy},
    )


TASKS = ["ground-touch-red", "ground-touch-blue"]


def test_without_options_the_simulator_chooses_the_words():
    assert evaluate.plan(TASKS, [1, 2], chosen()) == [
        Episode(task, seed) for task in TASKS for seed in (1, 2)
    ]
    assert {e.command for e in evaluate.plan(TASKS, [1], chosen("go"))} == {"go"}


def test_shuffled_and_held_out_commands():
    asked = chosen(wordings="held-out", shuffle_commands=1)
    plan = evaluate.plan(TASKS, [1, 2], asked)
    assert [(e.task, e.seed) for e in plan] == [(task, seed) for task in TASKS for seed in (1, 2)]
    assert sorted(e.said_task for e in plan) == sorted(TASKS * 2)
    for episode in plan:
        assert episode.command in wordings(episode.said_task, held_out=True)
    assert evaluate.told(asked) == "held-out wordings, shuffled by permutation 1"
    assert evaluate._command_line(asked).endswith("--wordings held-out --shuffle-commands 1")


def test_commands_that_cannot_be_chosen():
    with pytest.raises(CommandError, match="--command says what is said"):
        evaluate.plan(TASKS, [1], chosen("go", shuffle_commands=0))
    with pytest.raises(CommandError, match="drawer-open has no held-out wordings"):
        evaluate.plan(["drawer-open"], [1], chosen(wordings="held-out"))
    with pytest.raises(CommandError, match="all episodes are ground-touch-red"):
        evaluate.plan(TASKS[:1], [1, 2], chosen(shuffle_commands=0))


def test_a_policy_server_is_handed_on_to_the_graph(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert evaluate.policy_arguments(chosen()) == {"backend": "onnxruntime"}
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "config.yaml").touch()
    options = {"remote_url": "ws://far:1", "remote_mapping": "a.yaml"}
    asked = chosen(backend="remote", fallback_checkpoint="local", **options)
    assert evaluate.policy_arguments(asked) == {
        "backend": "remote",
        "remote_url": "ws://far:1",
        "remote_mapping": tmp_path / "a.yaml",
        "fallback_checkpoint": tmp_path / "local",
    }
    assert "--remote-url ws://far:1 --remote-mapping a.yaml" in evaluate._command_line(asked)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"backend": "remote"}, "lacks --remote-mapping; accepted: a file"),
        ({"remote_url": "ws://far:1"}, "--remote-url: accepted with --backend remote only"),
        (
            {"backend": "remote", "remote_mapping": "a", "fallback_checkpoint": "/nowhere"},
            "is not a checkpoint",
        ),
    ],
)
def test_options_of_a_policy_server_that_cannot_be_used(policy, words):
    with pytest.raises(CommandError, match=words):
        evaluate.policy_arguments(chosen(**policy))
