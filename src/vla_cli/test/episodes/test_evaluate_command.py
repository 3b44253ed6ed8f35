"""Lists of tasks and seeds, and evaluations in which graphs fail: nothing finished is lost."""

from __future__ import annotations

import json
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from vla_cli.client import graph_client, paths
from vla_cli.client.command_errors import CommandError
from vla_cli.episodes import end_frames, evaluate_command, graph_episodes
from vla_cli.episodes.episode_log import EpisodeLog
from vla_cli.episodes.graph_episodes import Episode, EpisodeResult
from vla_sim.tasks.grounding_tasks import wordings


def test_seeds():
    assert evaluate_command.parse_seeds("100-102, 7") == [100, 101, 102, 7]
    for bad in ("", "a", "5-3", "1,,2", "-1"):
        with pytest.raises(CommandError, match="accepted: e.g. 100-109"):
            evaluate_command.parse_seeds(bad)


def test_tasks():
    assert evaluate_command.parse_tasks("drawer-open, door-open") == ["drawer-open", "door-open"]
    assert len(evaluate_command.parse_tasks("all")) == 50
    assert (
        len(evaluate_command.parse_tasks("ground")) == 9
        and len(evaluate_command.parse_tasks("mt10")) == 10
    )
    assert evaluate_command.parse_tasks("ground-touch, door-open,ground-touch-red") == [
        "ground-touch-red",
        "ground-touch-green",
        "ground-touch-blue",
        "door-open",
    ]
    with pytest.raises(CommandError):
        evaluate_command.parse_tasks("drawer-open,nonsense")


def chosen(command=None, wordings="training", shuffle_commands=None, **policy):
    return Namespace(
        command=command,
        wordings=wordings,
        shuffle_commands=shuffle_commands,
        tasks="ground-touch",
        seeds="1-2",
        **{"backend": "onnxruntime", **dict.fromkeys(evaluate_command.REMOTE), **policy},
    )


TASKS = ["ground-touch-red", "ground-touch-blue"]


def test_without_options_the_simulator_chooses_the_words():
    assert evaluate_command.plan(TASKS, [1, 2], chosen()) == [
        Episode(task, seed) for task in TASKS for seed in (1, 2)
    ]
    assert {e.command for e in evaluate_command.plan(TASKS, [1], chosen("go"))} == {"go"}


def test_shuffled_and_held_out_commands():
    asked = chosen(wordings="held-out", shuffle_commands=1)
    plan = evaluate_command.plan(TASKS, [1, 2], asked)
    assert [(e.task, e.seed) for e in plan] == [(task, seed) for task in TASKS for seed in (1, 2)]
    assert sorted(e.said_task for e in plan) == sorted(TASKS * 2)
    for episode in plan:
        assert episode.command in wordings(episode.said_task, held_out=True)
    assert evaluate_command.told(asked) == "held-out wordings, shuffled by permutation 1"
    assert evaluate_command._command_line(asked).endswith(
        "--wordings held-out --shuffle-commands 1"
    )


def test_commands_that_cannot_be_chosen():
    with pytest.raises(CommandError, match="--command says what is said"):
        evaluate_command.plan(TASKS, [1], chosen("go", shuffle_commands=0))
    with pytest.raises(CommandError, match="drawer-open has no held-out wordings"):
        evaluate_command.plan(["drawer-open"], [1], chosen(wordings="held-out"))
    with pytest.raises(CommandError, match="all episodes are ground-touch-red"):
        evaluate_command.plan(TASKS[:1], [1, 2], chosen(shuffle_commands=0))


def test_a_policy_server_is_handed_on_to_the_graph(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert evaluate_command.policy_arguments(chosen()) == {"backend": "onnxruntime"}
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "config.yaml").touch()
    options = {"remote_url": "ws://far:1", "remote_mapping": "a.yaml"}
    asked = chosen(backend="remote", fallback_checkpoint="local", **options)
    assert evaluate_command.policy_arguments(asked) == {
        "backend": "remote",
        "remote_url": "ws://far:1",
        "remote_mapping": tmp_path / "a.yaml",
        "fallback_checkpoint": tmp_path / "local",
    }
    assert "--remote-url ws://far:1 --remote-mapping a.yaml" in evaluate_command._command_line(
        asked
    )


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
        evaluate_command.policy_arguments(chosen(**policy))


class PretendedGraphs:
    """Graphs of which each fails in the episodes of some seeds, or before any.

    started: how many there were. begun: seeds, in the order of their episodes.
    """

    def __init__(self, monkeypatch, tmp_path):
        self.started, self.begun, self.stopped = 0, [], 0
        self.failing: set[int] = set()
        self.dead: set[int] = set()  # graphs, from 1, that never get ready
        monkeypatch.setattr(evaluate_command.processes, "LaunchedGraph", self._launch)
        monkeypatch.setattr(evaluate_command.domains, "free", lambda: 7)
        monkeypatch.setattr(evaluate_command, "ignore_signals", lambda: None)
        monkeypatch.setattr(graph_client, "Graph", self._graph)
        monkeypatch.setattr(graph_client, "stay_on_this_machine", lambda: None)
        monkeypatch.setattr(graph_episodes, "EpisodeRunner", lambda graph: self)
        monkeypatch.setattr(end_frames, "EndFrames", lambda *_: SimpleNamespace(pictures=dict))
        monkeypatch.setattr(paths, "cameras", lambda robot: {"front": "topic"})
        monkeypatch.setattr(
            evaluate_command.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "graph")
        )

    def _launch(self, *_):
        self.started += 1
        return SimpleNamespace(check=lambda: None, stop=self._stop)

    def _stop(self):
        self.stopped += 1

    def _graph(self, **_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def wait_until_ready(self, check):
        if self.started in self.dead:
            raise CommandError("it does not get ready")

    def run(self, episode, check):
        self.begun.append(episode.seed)
        if episode.seed in self.failing:
            raise CommandError("the policy has died")
        words = episode.command or "its own"
        return EpisodeResult(episode.task, episode.seed, words, True, 9, "", "", 0.5)


@pytest.fixture
def graphs(monkeypatch, tmp_path):
    return PretendedGraphs(monkeypatch, tmp_path)


def run(out, seeds="1-4", *more):
    words = ["--tasks", "drawer-open", "--seeds", seeds, "--jobs", "1", *more]
    return evaluate_command.main([*words, "--out", str(out)] if out else words)


def test_a_graph_that_fails_costs_its_episode_alone_and_is_named(graphs, tmp_path, capsys):
    graphs.failing = {2}
    out = tmp_path / "result.json"
    assert run(out) == 1
    assert graphs.begun == [1, 2, 3, 4] and graphs.started == graphs.stopped == 2
    told = capsys.readouterr()
    assert "vla: no result of drawer-open seed 2: the policy has died" in told.err
    assert "1 episodes have no result; the others are in " in told.err
    assert "| all | 3/3 |" in told.out and not out.exists()
    # The same command goes on with what is missing.
    graphs.failing.clear()
    graphs.begun.clear()
    assert run(out) == 0
    assert graphs.begun == [2]
    document = json.loads(out.read_text())
    assert [episode["seed"] for episode in document["episodes"]] == [1, 2, 3, 4]
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_graph_that_fails_again_and_again_is_given_up(graphs, tmp_path, capsys):
    graphs.failing = set(range(1, 9))
    assert run(tmp_path / "result.json", "0-9") == 1
    assert graphs.begun == [0, 1, 2, 3, 4] and graphs.started == evaluate_command.RESTARTS + 1 == 4
    told = capsys.readouterr().err
    assert "no result of drawer-open seed 9: not begun: its graph has failed 4 times" in told
    assert "9 episodes have no result" in told


def test_a_graph_that_never_begins_is_an_error(graphs, tmp_path):
    graphs.dead = {1}
    with pytest.raises(CommandError, match="it does not get ready"):
        run(tmp_path / "result.json")
    assert graphs.started == graphs.stopped == 1


def test_a_graph_that_does_not_begin_again_costs_no_episode(graphs, tmp_path):
    graphs.failing, graphs.dead = {1}, {2}
    assert run(tmp_path / "result.json") == 1
    assert graphs.begun == [1, 2, 3, 4] and graphs.started == 3


def test_of_graphs_side_by_side_one_that_cannot_begin_costs_its_share(monkeypatch, capsys):
    monkeypatch.setattr(
        evaluate_command,
        "ProcessPoolExecutor",
        lambda jobs, context, prepare: ThreadPoolExecutor(jobs),
    )

    def run_share(todo, checkpoint, policy, log):
        if todo[0].seed == 2:
            raise CommandError("it does not get ready")
        return evaluate_command.Outcome(dict.fromkeys(todo, RESULT))

    monkeypatch.setattr(evaluate_command, "run_share", run_share)
    words = ["--tasks", "drawer-open", "--seeds", "1-4", "--jobs", "2"]
    assert evaluate_command.main(words) == 1
    told = capsys.readouterr()
    assert "| all | 2/2 |" in told.out
    for seed in (2, 4):
        reason = f"no result of drawer-open seed {seed}: not begun: it does not get ready"
        assert reason in told.err


def test_what_is_interrupted_is_on_the_disk(graphs, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("vla_cli.episodes.episode_log.os.fsync", synced.append)
    play = graphs.run

    def interrupted(episode, check):
        if episode.seed == 3:
            raise KeyboardInterrupt
        return play(episode, check)

    graphs.run = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "result.json")
    assert len(synced) == 2 and graphs.stopped == 1
    lines = (tmp_path / "result.episodes.jsonl").read_text().splitlines()
    assert [json.loads(line)["result"]["seed"] for line in lines] == [1, 2]


@pytest.mark.parametrize(
    "other",
    [("--backend", "torch"), ("--command", "another"), ("--checkpoint", "models/mt50")],
)
def test_what_was_run_in_another_way_is_run_again(graphs, tmp_path, monkeypatch, other):
    monkeypatch.chdir(Path(__file__).resolve().parents[4])
    graphs.failing = {4}
    assert run(tmp_path / "result.json") == 1
    graphs.begun.clear()
    assert run(tmp_path / "result.json", "1-3", *other) == 0
    assert graphs.begun == [1, 2, 3]


def test_without_a_file_what_is_finished_is_told(graphs, capsys):
    graphs.failing = {2}
    assert run(None) == 1
    told = capsys.readouterr()
    assert "| all | 3/3 |" in told.out and "have no result; no --out" in told.err


RESULT = EpisodeResult("drawer-open", 3, "open", True, 7, "", "", 1.0)


def test_a_log_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path):
    log = EpisodeLog(tmp_path / "log", "a")
    whole, cut = Episode("drawer-open", 3), Episode("drawer-open", 4)
    log.prepare()
    log.add(whole, RESULT)
    log.add(cut, RESULT)
    log.path.write_bytes(log.path.read_bytes()[:-9])
    assert log.read([whole, cut]) == {whole: RESULT}
    log.prepare()  # what comes next is not on the line that was cut
    log.add(cut, RESULT)
    assert log.read([whole, cut]) == {whole: RESULT, cut: RESULT}
    assert not log.read([Episode("drawer-open", 3, "said"), Episode("drawer-open", 5)])
    assert not log.read([Episode("drawer-open", 3, steps=9)])
    assert not EpisodeLog(log.path, "b").read([whole, cut])


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"cannot write .*file/log: File exists"):
        EpisodeLog(tmp_path / "file" / "log").prepare()
