import sys
from pathlib import Path

import numpy as np
import pytest

from vla_proof.test_support.tiny_checkpoints import CAMERAS, write_checkpoint

sys.path.insert(0, str(Path(__file__).parent))

ACTION_SPACE = Path(__file__).parents[3] / "config" / "action_spaces" / "metaworld.yaml"


@pytest.fixture(scope="session")
def action_space_file():
    return ACTION_SPACE


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory):
    """Takes several observations at a time, and fails where it is told to."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("tiny")
    return write_checkpoint(folder, ACTION_SPACE, faulty=True, batch="batch", confidence=0.75)


@pytest.fixture
def request_of():
    """Makes a valid request; arguments replace its entries, None takes one out."""

    def make(seed=0, **changes):
        random = np.random.default_rng(seed)
        made = {
            f"observation.images.{name}": random.integers(0, 256, (48, 64, 3), np.uint8)
            for name in CAMERAS
        }
        made["observation.state"] = random.uniform(0.0, 1.0, 4).astype(np.float32)
        made["prompt"] = "open the drawer"
        made.update({key.replace("__", "."): value for key, value in changes.items()})
        return {key: value for key, value in made.items() if value is not None}

    return make
