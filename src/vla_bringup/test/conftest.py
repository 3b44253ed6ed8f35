"""The tests' own helpers can be imported, and the reader of launch files."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for launched
# Last, so that a ROS 2 install's own packages come before those that stand in for them there.
sys.path.append(str(Path(__file__).parents[3] / "pip_ros"))
