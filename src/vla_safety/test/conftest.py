import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Examples share the machine with everything else: a slow one is no failure.
settings.register_profile("vla_safety", deadline=None, derandomize=True)
settings.load_profile("vla_safety")

sys.path.insert(0, str(Path(__file__).parent))  # for core_rig


@pytest.fixture
def space_file(tmp_path):
    path = tmp_path / "action_space.yaml"
    from node_rig import SPACE

    path.write_text(SPACE)
    return path


@pytest.fixture
def parameters(space_file, tmp_path):
    return {
        "action_space": str(space_file),
        "armed_on_start": True,
        "required_inputs": ["joint_states"],
        "heartbeat_sources": ["policy"],
        "heartbeat_timeout": 2.0,
        "chunk_timeout": 1.0,
        "loop_timeout": 0.5,  # a loaded machine is late; no driver stops here
        "state_file": str(tmp_path / "state.json"),
        "workspace_required": False,
        "recording_folder": str(tmp_path / "recordings"),
        **{f"recovery_{kind}": 0.0 for kind in ("action", "communication", "robot_state", "clock")},
    }


@pytest.fixture
def graph():
    from node_rig import Graph

    made = []

    def make(**options):
        made.append(Graph(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()
