"""A tiny task: two tasks, small images, random demonstrations."""

from pathlib import Path

import pytest
import yaml

from vla_contract.action_space import ActionSpace
from vla_learning.demonstrations import demonstration_path
from vla_learning.settings import Settings
from vla_learning.testing import demonstration, tiny_config

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
def data(tmp_path):
    folder = tmp_path / "data"
    for index, task in enumerate(("one", "two")):
        for seed in range(2):
            episode = demonstration(task, 10 * index + seed)
            episode.save(demonstration_path(folder, task, seed))
    return folder
