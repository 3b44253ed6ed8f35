"""Tests of the stand-ins; where ROS itself is installed, those that have a real package test that one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
