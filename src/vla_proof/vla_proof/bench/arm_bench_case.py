"""The period of a whole arm, and clouds for it, as `bench` measures them. Free of ROS."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from vla_proof.arms.hostile_arms import ARMS, Arm, make_arm, robots_folder
from vla_proof.bench.core_bench_cases import Step
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.points.point_source import PointSourceConfig, Posture
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import MotionLimiter

# Name of a figure → greatest p99, µs.
TARGETS = {f"whole arm, {name}": 2500.0 if name == "two_pandas" else 1000.0 for name in ARMS}
_ROWS = 2048
_WIDTH, _HEIGHT = 640, 480
_CLOUDS = 2  # periods from one cloud to the next
_CAMERA = {"camera": PointSourceConfig(use_tf=False)}


def whole_arms() -> dict[str, Step]:
    """Limits, shape and speed of each arm, one of them with a camera; what its clouds cost.

    None where example-robot-data is not installed.
    """
    if robots_folder() is None:
        return {}
    cases = {f"whole arm, {name}": _whole_arm(name) for name in ARMS}
    cases["whole arm, so101, a new cloud every 2nd"] = _with_clouds("so101")
    cases[f"cloud of {_WIDTH} x {_HEIGHT} read, so101"] = _cloud("so101")
    return cases


def _guard(name: str, clouds: bool = False) -> tuple[Arm, ArmGuard]:
    sources = _CAMERA if clouds else {}
    with tempfile.TemporaryDirectory(prefix="vla_arm_") as folder:
        arm = make_arm(name, Path(folder) / "pairs.yaml")
        geometry = arm.geometry
        if clouds:  # the first link turns just above the table that the camera sees
            moved = {joint.child for joint in arm.urdf.joints}
            first = tuple(j.child for j in arm.urdf.joints if j.parent not in moved)
            geometry = replace(geometry, touch_links=first)
        model = ArmModel(arm.urdf, geometry, tuple(sources))
        return arm, ArmGuard(arm.space, SafetyConfig(), model, geometry, sources)


def _requests(arm: Arm) -> list[list[float]]:
    source = random.Random(0)
    rows, goal = [], [0.0]
    for k in range(_ROWS):
        if k % 50 == 0:
            goal = [source.uniform(d.low, d.high) for d in arm.space.dimensions]
        rows.append([value + source.gauss(0.0, 0.005) for value in goal])
    return rows


def _whole_arm(name: str) -> Step:
    arm, guard = _guard(name)
    limiter, rows = MotionLimiter(arm.space), _requests(arm)
    joints = [dimension.output.field for dimension in arm.space.dimensions]
    measured: dict[str, float] = {}

    def step(k: int) -> None:
        # Every joint is measured, a hundredth of a radian off its command.
        safe = guard.limit_command(limiter, rows[k % _ROWS], measured).safe
        measured.update(zip(joints, (safe + 0.01).tolist(), strict=True))

    return step


def _with_clouds(name: str) -> Step:
    """Clouds of a box on a table in the arm's reach, read beforehand."""
    arm, guard = _guard(name, clouds=True)
    limiter, rows = MotionLimiter(arm.space), _requests(arm)
    reader, nowhere = guard.point_readers()["camera"], _posture(guard)
    readings = [reader.read(_cloud_message(seed), None, nowhere) for seed in range(8)]

    def step(k: int) -> None:
        if k % _CLOUDS == 0:
            guard.points.accept("camera", readings[k // _CLOUDS % len(readings)], k, 0.0)
        guard.limit_command(limiter, rows[k % _ROWS], {})

    return step


def _cloud(name: str) -> Step:
    """A message to a cloud without the robot, as it is done aside."""
    _, guard = _guard(name, clouds=True)
    reader, posture, message = guard.point_readers()["camera"], _posture(guard), _cloud_message(0)
    return lambda k: (reader.read(message, None, posture), None)[1]


def _posture(guard: ArmGuard) -> Posture:
    low, high = guard.model.low, guard.model.high
    return Posture(np.clip(np.zeros(len(low)), low, high), False)


def _cloud_message(seed: int) -> SimpleNamespace:
    """What a PointCloud2 of a depth camera holds: a table, and a box on it."""
    x, y = np.meshgrid(np.linspace(-0.4, 0.6, _WIDTH), np.linspace(-0.4, 0.4, _HEIGHT))
    on_box = (np.abs(x - 0.3) < 0.05) & (np.abs(y + 0.2) < 0.05)
    noise = np.random.default_rng(seed).normal(0.0, 0.001, x.shape)
    points = np.stack((x, y, np.where(on_box, 0.1, -0.03) + noise), axis=-1).astype("<f4")
    fields = [SimpleNamespace(name=n, offset=4 * i, datatype=7) for i, n in enumerate("xyz")]
    return SimpleNamespace(
        width=_WIDTH, height=_HEIGHT, point_step=12, row_step=12 * _WIDTH, is_bigendian=False,
        fields=fields, data=points.tobytes(),
    )  # fmt: skip
