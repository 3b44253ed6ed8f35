"""Tests of the stand-ins; where ROS itself is installed, of the packages they stand in for."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
