"""The tests' own helpers can be imported; what renders is chosen before a test imports MuJoCo."""

import sys
from pathlib import Path

from vla_sim.robot.graphics import select_backend

sys.path.insert(0, str(Path(__file__).parent))  # for simulated_safety
select_backend(required=False)
