from pathlib import Path

import pytest
import yaml

from vla_contract.action_space import ActionSpace
from vla_learning.learning_settings import Settings
from vla_learning.tiny_learning import tiny_config

ROOT = Path(__file__).resolve().parents[5]


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
