"""Training in two processes: one result, saved once, and errors before any process is started."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")

from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.train import distributed
from vla_learning.train.distributed import train_in_processes
from vla_learning.train.training_runs import TrainingError, read_run


def test_errors_come_before_any_process(settings, space, data, tmp_path):
    with pytest.raises(DemonstrationError, match="is no LeRobot dataset"):
        train_in_processes(settings, space, tmp_path / "none", tmp_path, print)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "training.safetensors").write_bytes(b"not a run")
    with pytest.raises(TrainingError, match="training.safetensors cannot be read"):
        train_in_processes(settings, space, data, tmp_path / "run", print)


@pytest.mark.parametrize(
    ("train", "architecture", "text"),
    [
        ({"landmark_weight": 0.5}, {}, "landmark_weight is 0.5; accepted: 0, because the dataset"),
        ({"batch_size": 64}, {}, "batch_size is 64; accepted: at most 52"),
        ({}, {"layers": 3}, "architecture of the learning config: .*layers"),
        ({}, {"backbone": "resnet5"}, "backbone is 'resnet5'; accepted"),
        ({}, {"heads": 5}, "hidden is 16; accepted: a multiple of heads"),
        ({}, {"stage_widths": 4}, "architecture of the learning config: "),
    ],
)
def test_what_does_not_fit_is_told_before_any_process(
    settings, space, data, tmp_path, monkeypatch, train, architecture, text
):
    monkeypatch.setattr(distributed, "mp", None)
    changed = replace(
        settings,
        train=replace(settings.train, processes=2, **train),
        architecture={**settings.architecture, **architecture},
    )
    with pytest.raises(TrainingError, match=text):
        train_in_processes(changed, space, data, tmp_path, print)


@pytest.mark.slow
def test_two_processes(settings, space, data, tmp_path):
    two = replace(settings, train=replace(settings.train, processes=2))
    seen = []
    train_in_processes(two, space, data, tmp_path, lambda step, losses: seen.append(step))
    assert seen == [6]
    metadata = read_run(tmp_path, two)
    assert metadata is not None and metadata["step"] == "6"
    assert (tmp_path / "losses.png").stat().st_size > 1000


def wait_for(condition):
    end = time.monotonic() + 120.0
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.mark.slow
def test_who_kills_the_command_kills_its_workers(settings, data, tmp_path):
    config = {**settings.source, "train": {**settings.source["train"], "processes": 2}}
    config["train"]["steps"] = 1_000_000
    path = tmp_path / "learning" / "long.yaml"
    path.write_text(yaml.safe_dump(config))
    words = ["train", "--config", path, "--data", data, "--out", tmp_path / "run"]
    command = subprocess.Popen([sys.executable, "-m", "vla_learning", *words])
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")

    def workers():
        found = [Path("/proc") / pid for pid in children.read_text().split()]
        return [p for p in found if b"spawn_main" in (p / "cmdline").read_bytes()]

    try:
        wait_for(lambda: (tmp_path / "run" / "training.safetensors").exists())
        started = workers()
        assert len(started) == 2
    finally:
        command.kill()
        command.wait()
    wait_for(lambda: not any(process.exists() for process in started))
