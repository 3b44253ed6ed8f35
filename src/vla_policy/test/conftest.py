from pathlib import Path

import numpy as np
import pytest

from vla_contract.action_space import ActionSpace
from vla_policy.inference.inference import Observation
from vla_proof.test_support.tiny_checkpoints import CAMERAS, STATE_NAMES, write_checkpoint

ACTION_SPACE = Path(__file__).parents[3] / "config" / "action_spaces" / "metaworld.yaml"


@pytest.fixture(scope="session")
def action_space_file():
    return ACTION_SPACE


@pytest.fixture(scope="session")
def space():
    return ActionSpace.load(ACTION_SPACE)


@pytest.fixture
def checkpoint_folder(tmp_path):
    pytest.importorskip("onnx")
    return write_checkpoint(tmp_path / "tiny", ACTION_SPACE)


@pytest.fixture(scope="session")
def faulty_folder(tmp_path_factory):
    pytest.importorskip("onnx")
    return write_checkpoint(tmp_path_factory.mktemp("faulty"), ACTION_SPACE, faulty=True)


@pytest.fixture
def observation():
    """Makes a valid observation; arguments replace its fields."""

    def make(**changes):
        grey = np.full((96, 96, 3), 90, dtype=np.uint8)
        values = {
            "stamp": 1_000,
            "sequence": 1,
            "camera_names": CAMERAS,
            "images": (grey, grey),
            "state": dict.fromkeys(STATE_NAMES, 0.1),
            "command_id": 1,
            "command": "open the drawer",
        }
        return Observation(**{**values, **changes})

    return make
