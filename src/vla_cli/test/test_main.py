"""The entry, its options and the paths."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vla_cli import __main__ as entry
from vla_cli import learn_command
from vla_cli.client import domains, options, paths
from vla_cli.client.command_errors import CommandError
from vla_cli.drive import launch_command
from vla_cli.episodes import demo_command
from vla_cli.episodes.graph_episodes import EpisodeResult
from vla_contract import terminal


def test_an_unknown_command_is_named(capsys):
    assert entry.main(["dance"]) == 2
    assert "no such command: 'dance'; there are: " in capsys.readouterr().err
    assert entry.main(["stopp"]) == 2
    assert "no such command: 'stopp'; did you mean stop? " in capsys.readouterr().err


def test_a_defect_is_one_line_that_names_its_trace(monkeypatch, capsys):
    monkeypatch.setattr(demo_command, "parse", lambda arguments: {}["nothing"])
    assert entry.main(["demo"]) == terminal.DEFECT == 70
    told = capsys.readouterr().err
    assert told.startswith("vla: a defect of vla: KeyError: 'nothing'; the whole trace is in ")
    assert told.count("\n") == 1
    file = Path(told.split()[-1])
    assert "Traceback" in file.read_text()
    file.unlink()


def test_an_argument_that_is_no_text_is_named(capsys):
    assert entry.main(["say", "open", "\udcff"]) == 2
    assert capsys.readouterr().err == r"vla: argument '\udcff' is not UTF-8; accepted: text" + "\n"


@pytest.mark.parametrize("text", ["a b", "a//b", "1a", "ä", "a-b", "~"])
def test_what_is_no_namespace_is_named(text, capsys):
    for command in (["status"], ["doctor", "--axes"]):
        with pytest.raises(SystemExit) as ended:
            entry.main([*command, "--namespace", text])
        assert ended.value.code == 2
        assert f"{text!r} is no namespace; accepted: letters" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "/", "vla", "/left/arm_2/", "_a/B"])
def test_what_is_a_namespace(text):
    assert options.client("x", "").parse_args(["--namespace", text]).namespace == text


def test_a_reader_that_leaves_early_is_no_error():
    code = "from vla_cli.__main__ import run; run()"
    command = [sys.executable, "-c", code, "metrics", "--kinds"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_the_old_name_of_metrics_still_works_and_names_the_new_one(capsys):
    assert entry.main(["eval", "--kinds"]) == 0
    told = capsys.readouterr()
    assert told.err == "vla: `eval` is now called `metrics`: ./vla metrics\n"
    assert "alignment" in told.out
    assert entry.main(["metrics", "--kinds"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "told"),
    [
        (["evaluate", "--in-process", "--tasks", "mt10"], ""),
        (["evaluate", "--tasks", "mt10", "--in-process"], ""),
        (
            ["learn", "evaluate", "--tasks", "mt10"],
            "vla: `learn evaluate` is now called `evaluate --in-process`: "
            "./vla evaluate --in-process\n",
        ),
    ],
)
def test_episodes_in_this_process_are_those_of_the_learning_package(monkeypatch, capsys, old, told):
    class Replaced(BaseException):
        pass

    def execv(program, words):
        raise Replaced(words[1:])

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(Replaced) as words:
        entry.main(old)
    assert words.value.args[0] == ["-m", "vla_learning", "evaluate", "--tasks", "mt10"]
    assert capsys.readouterr().err == told


def test_other_commands_of_learning_are_not_renamed(monkeypatch, capsys):
    monkeypatch.setattr(os, "execv", lambda program, words: None)
    learn_command.main(["train"])
    assert not capsys.readouterr().err


def test_an_unknown_task_gives_close_matches(capsys):
    assert entry.main(["demo", "--task", "draw-open"]) == 2
    error = capsys.readouterr().err
    assert "drawer-open" in error and error.count("\n") == 1


def test_a_former_command_names_the_one_that_does_its_work(capsys):
    assert entry.main(["keystore", "/keys"]) == 2
    error = capsys.readouterr().err
    assert "ros2 security create_keystore" in error and error.count("\n") == 1


def result(success):
    return EpisodeResult("drawer-open", 1, "open", success, 100, "", "", 3.0)


@pytest.mark.parametrize(
    ("successes", "status"),
    [([True, True], 0), ([True, False], 1), ([False, True], 1), ([False, False], 1), ([], 1)],
)
def test_a_demo_succeeds_only_if_every_episode_did(monkeypatch, tmp_path, successes, status):
    graph = SimpleNamespace(stop=lambda: None)
    monkeypatch.setattr(demo_command.processes, "LaunchedGraph", lambda *words: graph)
    monkeypatch.setattr(demo_command.paths, "checkpoint", lambda *_: tmp_path)
    monkeypatch.setattr(demo_command, "_with_graph", lambda *words: [result(s) for s in successes])
    monkeypatch.setattr(demo_command, "raise_on_signals", lambda: None)
    monkeypatch.setattr(demo_command, "ignore_signals", lambda: None)
    domain = demo_command.domains.free()
    monkeypatch.setattr(demo_command.domains, "free", lambda: domain)
    try:
        assert demo_command.main(["--out", str(tmp_path)]) == status
    finally:
        demo_command.domains.release(domain)


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
def test_demo_wants_at_least_one_episode(value, capsys):
    with pytest.raises(SystemExit) as ended:
        demo_command.parse(["--episodes", value])
    assert ended.value.code == 2
    assert "a whole number of at least 1" in capsys.readouterr().err


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(CommandError, match="is not a checkpoint"):
        paths.checkpoint(str(tmp_path))


def test_an_empty_launch_argument_is_none(monkeypatch):
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    line = launch_command.command(Path("x.launch.xml"), ["checkpoint:=", "armed:=true"])
    assert line[-3:] == ["x.launch.xml", "checkpoint:=none", "armed:=true"]


@pytest.fixture
def other_graph(monkeypatch, tmp_path):
    """Another process that has become the launch of a graph, as far as its lock goes."""
    monkeypatch.setattr(domains, "LOCKS", tmp_path / "locks")
    monkeypatch.setenv("ROS_DOMAIN_ID", "77")
    code = (
        "from pathlib import Path; from vla_cli.client import domains\n"
        "from vla_cli.drive import launch_command\n"
        f"domains.LOCKS = Path({str(domains.LOCKS)!r})\n"
        "become = ['/bin/sh', '-c', 'echo launched; exec sleep 60']\n"
        "launch_command.command = lambda file, arguments: become\n"
        "launch_command.main(['sim'])\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"launched\n"
        yield process
        process.kill()


@pytest.fixture
def launched(monkeypatch):
    """The command lines that this process would have become."""
    found = []

    def execv(program, line):
        found.append(line)
        sys.exit()

    monkeypatch.setattr(os, "execv", execv)

    def launch(*words):
        found.clear()
        with contextlib.suppress(SystemExit):
            assert entry.main(["launch", *words]) == 2
        return bool(found)

    return launch


def test_a_second_graph_is_refused_where_one_runs(other_graph, launched, monkeypatch, capsys):
    for words in (["sim"], ["vla", "namespace:=/vla/"], ["sim.launch.xml", "namespace:=vla"]):
        assert not launched(*words)
        assert capsys.readouterr().err == (
            "vla: a graph runs already in domain 77, namespace /vla; end it, or choose another: "
            "ROS_DOMAIN_ID=… ./vla launch …, or namespace:=…\n"
        )
    assert launched("sim", "--show-args")
    assert launched("vla", "namespace:=vla/left")
    monkeypatch.setenv("ROS_DOMAIN_ID", "78")
    assert launched("sim")
    monkeypatch.setenv("ROS_DOMAIN_ID", "77")
    other_graph.kill()
    other_graph.wait()
    assert launched("sim")


def test_a_graph_starts_where_nothing_can_be_locked(launched, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(domains, "LOCKS", tmp_path / "file" / "locks")
    assert launched("sim")


def test_launch_files_by_name_and_by_path(monkeypatch):
    monkeypatch.setenv("VLA_ROOT", str(Path(__file__).resolve().parents[3]))
    assert paths.launch_file("sim").name == "sim.launch.xml"
    assert paths.launch_file("launch/vla.launch.xml").name == "vla.launch.xml"
    with pytest.raises(CommandError, match="sim.launch.xml, vla.launch.xml"):
        paths.launch_file("nonsense")
