from pathlib import Path

import pytest

from vla_contract.action_space import ActionSpace
from vla_learning.tiny_learning import tiny_settings

ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture
def root():
    return ROOT


@pytest.fixture
def settings(tmp_path):
    return tiny_settings(ROOT, tmp_path)


@pytest.fixture
def space(settings):
    return ActionSpace.load(settings.action_space)
