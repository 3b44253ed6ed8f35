"""Training in two processes: one result, saved once, and errors before any process is started."""

from dataclasses import replace

import pytest

from vla_learning.demonstrations import DemonstrationError
from vla_learning.launching import train_in_processes
from vla_learning.runs import TrainingError, read_run


def test_errors_come_before_any_process(settings, space, data, tmp_path):
    with pytest.raises(DemonstrationError, match="no demonstrations of one"):
        train_in_processes(settings, space, tmp_path / "none", tmp_path, print)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "training.safetensors").write_bytes(b"not a run")
    with pytest.raises(TrainingError, match="training.safetensors cannot be read"):
        train_in_processes(settings, space, data, tmp_path / "run", print)


@pytest.mark.slow
def test_two_processes(settings, space, data, tmp_path):
    two = replace(settings, train=replace(settings.train, processes=2))
    seen = []
    train_in_processes(two, space, data, tmp_path, lambda step, losses: seen.append(step))
    assert seen == [6]
    metadata = read_run(tmp_path, two)
    assert metadata is not None and metadata["step"] == "6"
    assert (tmp_path / "losses.png").stat().st_size > 1000
