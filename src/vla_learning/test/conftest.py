"""A tiny task: two tasks, small images, random demonstrations."""

import contextlib
from pathlib import Path

import pytest

with contextlib.suppress(ImportError):  # before any test renders: where Mesa's LLVM is loaded
    import torch._dynamo  # noqa: F401 - first, importing that of Triton ends the process

from vla_contract.action_space import ActionSpace
from vla_learning.tiny_learning import demonstration, tiny_settings, write_dataset

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root():
    return ROOT


@pytest.fixture
def settings(tmp_path):
    return tiny_settings(ROOT, tmp_path)


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
