"""The period of a whole arm as `bench` measures it. Free of ROS."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from vla_proof.arms.hostile_arms import ARMS, make_arm, robots_folder
from vla_proof.bench.core_bench_cases import Step
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.arm_model import ArmModel
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import MotionLimiter

# Name of a figure → greatest p99, µs.
TARGETS = {f"whole arm, {name}": 2500.0 if name == "two_pandas" else 1000.0 for name in ARMS}
_ROWS = 2048


def whole_arms() -> dict[str, Step]:
    """Limits, shape and speed of each arm; none where example-robot-data is not installed."""
    if robots_folder() is None:
        return {}
    return {f"whole arm, {name}": _whole_arm(name) for name in ARMS}


def _whole_arm(name: str) -> Step:
    with tempfile.TemporaryDirectory(prefix="vla_arm_") as folder:
        arm = make_arm(name, Path(folder) / "pairs.yaml")
        guard = ArmGuard(arm.space, SafetyConfig(), ArmModel(arm.urdf, arm.geometry), arm.geometry)
    limiter, source = MotionLimiter(arm.space), random.Random(0)
    rows, goal = [], [0.0]
    for k in range(_ROWS):
        if k % 50 == 0:
            goal = [source.uniform(d.low, d.high) for d in arm.space.dimensions]
        rows.append([value + source.gauss(0.0, 0.005) for value in goal])
    return lambda k: (guard.limit_command(limiter, rows[k % _ROWS], {}), None)[1]
