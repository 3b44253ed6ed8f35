"""A tiny task: two tasks, small images, random demonstrations."""

from pathlib import Path

import pytest
import yaml

from vla_contract.action_space import ActionSpace
from vla_learning.learning_settings import Settings
from vla_learning.tiny_learning import demonstration, tiny_config, write_dataset

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root():
    return ROOT


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "learning" / "tiny.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(tiny_config(ROOT)))
    return Settings.load(path)


@pytest.fixture
def space(settings):
    return ActionSpace.load(settings.action_space)


@pytest.fixture
def dataset_libraries():
    """What writing and reading a dataset needs."""
    pytest.importorskip("av")
    pytest.importorskip("pyarrow")


@pytest.fixture
def data(tmp_path, settings, dataset_libraries):
    folder = tmp_path / "data"
    tasks = enumerate(("one", "two"))
    episodes = [demonstration(t, 10 * i + seed) for i, t in tasks for seed in range(2)]
    write_dataset(folder, settings, episodes)
    return folder
