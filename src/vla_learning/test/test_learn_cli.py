import importlib
import json
import sys
from importlib.util import find_spec

import pytest
import yaml

from vla_learning.evaluate import closed_loop
from vla_learning.evaluate.success_report import Episode
from vla_learning.learn_cli import main
from vla_learning.learn_commands import REFUSALS
from vla_learning.tiny_learning import tiny_config
from vla_proof.test_support.tiny_checkpoints import write_checkpoint
from vla_sim.tasks.task_list import TaskError, parse_seeds

COMMANDS = {"window-open": ["open the window"]}


def test_seeds():
    assert parse_seeds("3,5-7") == [3, 5, 6, 7]
    for text in ("", "7-3", "a", "1-2-3"):
        with pytest.raises(TaskError, match="seeds are"):
            parse_seeds(text)


@pytest.mark.parametrize("module", REFUSALS)
def test_every_error_that_may_end_a_command_is_there(module):
    if module in (
        "vla_learning.confidence.confidence_training",
        "vla_learning.export.exporting",
        "vla_learning.train.training_runs",
    ):
        pytest.importorskip("torch")
    assert issubclass(getattr(importlib.import_module(module), REFUSALS[module]), Exception)


NOT_OF_THE_CHECKPOINT = "task 'assembly' is not one of the checkpoint's"


def needs(library, *values):
    """A case of a command that needs a library which a robot may lack."""
    lacks = find_spec(library) is None
    return pytest.param(
        *values, marks=pytest.mark.skipif(lacks, reason=f"{library} is not installed")
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["collect", "--config", "none.yaml"], "learning config none.yaml: No such file"),
        (["collect", "--tasks", "fly"], "task 'fly' is not one of the config's; accepted: reach"),
        needs(
            "torch",
            ["train", "--action-space", "no.yaml"],
            "no.yaml; accepted: the path of a file, relative",
        ),
        (["evaluate", "--checkpoint", "none"], "checkpoint none: no such folder"),
        (["evaluate", "--backend", "foo", "--jobs", "2"], "backend 'foo' is unknown; accepted"),
        (["evaluate", "--mask", "corner2,nosuch"], "mask has 'nosuch', which is no camera"),
        (["evaluate", "--command", ""], "--command is empty; accepted: words"),
        (["evaluate", "--command", "go", "--shuffle-commands"], "--command says what is said"),
        (["evaluate", "--command", "go", "--wording", "1"], "--command says what is said"),
        (["evaluate", "--wording", "1", "--wordings", "held-out"], "--wording says what is said"),
        (["confidence", "--tasks", "mt50"], NOT_OF_THE_CHECKPOINT),
        needs("onnx", ["quantize", "--tasks", "mt50"], NOT_OF_THE_CHECKPOINT),
        (["limits", "--limits", "fast"], "limits has 'fast'; accepted: acceleration/jerk"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, text, capsys, monkeypatch, root):
    monkeypatch.chdir(root)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and text in error


def robot_of_ones_own(folder, root):
    """A checkpoint and a learning config with a task and a camera that the simulator lacks."""
    pytest.importorskip("onnx")
    path = root / "config/action_spaces/metaworld.yaml"
    checkpoint = write_checkpoint(folder / "own", path, cameras=("front",))
    entries = yaml.safe_load((checkpoint / "config.yaml").read_text())
    (checkpoint / "config.yaml").write_text(
        yaml.safe_dump({**entries, "commands": {"reach": ["go"], "one": ["go"]}})
    )
    config = folder / "own.yaml"
    config.write_text(yaml.safe_dump({**tiny_config(root), "cameras": ["corner2"]}))
    return checkpoint, config


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["collect", "--config", "CONFIG"], "task is 'one', which the simulator does not have"),
        (["limits", "--config", "CONFIG"], "task is 'one', which the simulator does not have"),
        (["evaluate", "--checkpoint", "OWN", "--tasks", "reach"], "camera is 'front'; accepted"),
        (["attention", "--checkpoint", "OWN", "--task", "reach"], "camera is 'front'; accepted"),
        (["quantize", "--checkpoint", "OWN", "--tasks", "reach"], "camera is 'front'; accepted"),
        (["attention", "--checkpoint", "OWN", "--task", "one"], "task is 'one', which"),
        (["limits", "--limits", "0/0"], "limits has '0/0': "),
        (["attention", "--task", "door-open", "--out", "."], ". cannot be written: Is a directory"),
        (["limits", "--limits", "1.2.3/4"], "limits has '1.2.3/4'; accepted: acceleration/jerk"),
        (["evaluate", "--tasks", "reach", "--out", "/proc/x/y.json"], "/proc/x/y.json cannot be"),
    ],
)
def test_what_the_simulator_or_the_disk_lacks_is_found_first(
    arguments, text, tmp_path, capsys, monkeypatch, root
):
    monkeypatch.chdir(root)
    monkeypatch.setattr(closed_loop, "evaluate", None)
    checkpoint, config = robot_of_ones_own(tmp_path, root)
    named = {"CONFIG": str(config), "OWN": str(checkpoint)}
    assert main([named.get(each, each) for each in arguments]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and text in error


def test_what_was_said_is_told_with_the_results(tmp_path, monkeypatch, root):
    monkeypatch.setattr(
        closed_loop,
        "evaluate",
        lambda folder, settings, todo, jobs: iter([Episode(*todo[0], True, 9)]),
    )
    path = tmp_path / "results.json"
    said = ["--tasks", "drawer-open", "--seeds", "1", "--wording", "-1", "--done-count", "3"]
    checkpoint = ["--checkpoint", str(root / "models/metaworld")]
    assert main(["evaluate", *checkpoint, *said, "--out", str(path)]) == 0
    told = json.loads(path.read_text())
    assert (told["wording"], told["done_count"], told["threads"]) == (-1, 3, 2)
    assert (told["wordings"], told["shuffle_commands"], told["command"]) == ("training", None, None)


def test_an_evaluation_goes_on_where_it_was_stopped(tmp_path, monkeypatch, root, capsys):
    ran, stops = [], iter((True, True, False))

    def run(folder, settings, todo, jobs):
        stop = next(stops)
        for each in todo:
            if each[1] == 2 and stop:
                raise KeyboardInterrupt
            ran.append(each[1])
            yield Episode(*each, True, 9)

    monkeypatch.setattr(closed_loop, "evaluate", run)
    path, log = tmp_path / "results.json", tmp_path / "results.episodes.jsonl"
    words = ["evaluate", "--checkpoint", str(root / "models/metaworld"), "--tasks", "reach"]
    words += ["--seeds", "1-3"]
    assert main(words) == main([*words, "--out", str(path)]) == 130
    shown = capsys.readouterr().err
    assert shown.count("interrupted\n") == shown.count("interrupted; the same command cont") == 1
    assert main([*words, "--out", str(path)]) == 0
    assert ran == [1, 1, 2, 3] and not log.exists()
    assert [each["seed"] for each in json.loads(path.read_text())["episodes"]] == [1, 2, 3]


def test_an_evaluation_of_a_config_is_of_its_tasks_and_keeps_it(
    tmp_path, monkeypatch, root, capsys
):
    monkeypatch.chdir(root)
    monkeypatch.setattr(
        closed_loop,
        "evaluate",
        lambda folder, settings, todo, jobs: iter([Episode(*todo[0], True, 9)]),
    )
    _, config = robot_of_ones_own(tmp_path, root)
    config.write_text(yaml.safe_dump({**tiny_config(root), "name": "nobody", "commands": COMMANDS}))
    words = ["evaluate", "--config", str(config), "--seeds", "1"]
    assert main(words) == 1
    assert "checkpoint out/models/nobody: no such folder" in capsys.readouterr().err
    path = tmp_path / "results.json"
    checkpoint = ["--checkpoint", str(root / "models/metaworld")]
    assert main([*words, *checkpoint, "--out", str(path)]) == 0
    told = json.loads(path.read_text())
    assert [each["task"] for each in told["episodes"]] == ["window-open"]
    assert told["config"]["path"] == str(config) and told["config"]["content"]["name"] == "nobody"


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "usage: vla learn" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["collect", "--jobs", "0"],
        ["evaluate", "--jobs", "-1"],
        ["evaluate", "--threads", "-1"],
        ["evaluate", "--done-count", "-1"],
        ["quantize", "--jobs", "0"],
        ["quantize", "--frames", "many"],
    ],
)
def test_numbers_that_cannot_be_are_refused_at_once(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert f"{arguments[1]}: is '{arguments[2]}'; accepted: a wh" in capsys.readouterr().err


def test_a_missing_library_is_one_line(capsys, monkeypatch, root):
    monkeypatch.chdir(root)
    monkeypatch.setitem(sys.modules, "vla_learning.train.distributed", None)  # as without PyTorch
    assert main(["train"]) == 1
    error = capsys.readouterr().err
    assert (
        error.count("\n") == 1
        and "vla_learning.train.distributed" in error
        and "deploy.md" in error
    )


def test_options_stand_in_for_the_entries_of_the_config(monkeypatch, capsys, root, tmp_path):
    from vla_learning.collect import demonstration_collection

    monkeypatch.chdir(root)
    jobs = []
    monkeypatch.setattr(
        demonstration_collection, "collect_all", lambda job, *_: jobs.append(job) or 0
    )
    space = "config/action_spaces/metaworld_fast.yaml"
    words = ["--tasks", "drawer-open", "--episodes", "3", "--action-space", space]
    assert main(["collect", *words, "--out", str(tmp_path / "data")]) == 0
    assert main(["collect"]) == 0
    assert main(["collect", "--data", str(tmp_path / "old")]) == 0
    changed, usual, old = jobs
    assert changed.folder == tmp_path / "data" and old.folder == tmp_path / "old"
    assert "vla learn collect: --data is now called --out" in capsys.readouterr().err
    assert changed.settings.tasks == ("drawer-open",)
    assert changed.episodes == changed.settings.source["collect"]["episodes"] == 3
    assert changed.space.name == "metaworld_fast"
    assert changed.settings.commands["drawer-open"] == usual.settings.commands["drawer-open"]
    assert len(usual.settings.tasks) > 10 and usual.episodes == 100


def test_a_run_takes_its_steps_and_names_the_export_that_goes_with_it(
    monkeypatch, capsys, root, tmp_path
):
    pytest.importorskip("torch")
    from vla_learning.data import dataset
    from vla_learning.train import distributed

    monkeypatch.chdir(root)
    runs = []
    monkeypatch.setattr(dataset, "load_frames", lambda *_: None)
    monkeypatch.setattr(distributed, "train_in_processes", lambda *given: runs.append(given))
    words = ["train", "--tasks", "drawer-open", "--steps", "7", "--out", str(tmp_path)]
    assert main(words) == 0
    assert runs[0][0].train.steps == 7 and runs[0][3] == tmp_path
    out = capsys.readouterr().out
    assert f"next: ./vla learn export --run {tmp_path} --tasks drawer-open\n" in out
