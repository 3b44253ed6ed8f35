"""Builds the parts of the safety core from the node's parameters, each source's among them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_contract.action_space import ActionSpace
from vla_contract.node import parameters
from vla_safety.arm.arm_guard import make_guard
from vla_safety.arm.points.point_source import PointSourceConfig
from vla_safety.arm.singularity import make_singularity_guard
from vla_safety.config import obstacle_config
from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.node.stop_recorder import RecorderSettings
from vla_safety.plan.teleoperation import LockConfig, Resume, TeleopConfig, Teleoperation
from vla_safety.surroundings.environment import Surroundings
from vla_safety.surroundings.measured_pose import TF, SpeedZoneConfig
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor
from vla_safety.watch.input_watch import InputWatch
from vla_safety.watch.state_file import SavedState, default_path


@dataclass(frozen=True)
class Assembly:
    """The core, and the configs of what it listens to by name."""

    core: SafetyCore
    sources: dict[str, SourceConfig]
    inputs: dict[str, TeleopConfig]
    locks: dict[str, LockConfig]

    @property
    def uses_tf(self) -> bool:
        """A position or a mounting comes from TF."""
        arm = self.core.connection.arm
        points = arm.sources.values() if arm is not None else ()
        mounted = any(source.use_tf for source in (*self.sources.values(), *points))
        return mounted or self.core.surroundings.pose.source == TF


def assemble(
    node: Any,
    config: SafetyConfig,
    space: ActionSpace,
    saved: SavedState,
    watch: InputWatch,
) -> Assembly:
    """Read the parameters of every source, zone, input and lock, and build the core.

    Raises:
        ParameterError: a value is refused; the message starts with its full name.
        ArmError: the arm's shape cannot be used.
    """
    sources = {name: obstacle_config.read_source(node, name) for name in config.obstacle_sources}
    places = _read_each(node, config.speed_zones, SpeedZoneConfig)
    inputs = _read_each(node, config.teleop_inputs, TeleopConfig)
    locks = _read_each(node, config.teleop_locks, LockConfig)
    obstacles = None
    if sources:
        zones = {name: obstacle_config.read_zone(node, name) for name in config.obstacle_zones}
        obstacles = obstacle_config.build(config, sources, zones)
    surroundings = Surroundings(
        space,
        config,
        ObstacleMonitor(obstacles) if obstacles else None,
        [place.zone(name) for name, place in places.items()],
    )
    person = None
    if inputs or locks:
        person = Teleoperation(
            inputs,
            locks,
            policy_priority=config.policy_priority,
            resume=Resume(config.teleop_resume),
            frame=next((d.frame for d in space.dimensions if "Twist" in d.output.type), ""),
        )
    points = _read_each(node, config.arm_point_sources, PointSourceConfig)
    arm = make_singularity_guard(space, config) or make_guard(space, config, points)
    core = SafetyCore(space, config, saved, surroundings, person, watch, arm)
    return Assembly(core, sources, inputs, locks)


def state_path(config: SafetyConfig, namespace: str) -> Path | None:
    """Where the state is kept; None: nowhere."""
    if config.state_file == "none":
        return None
    if config.state_file:
        return Path(config.state_file).expanduser()
    return default_path(namespace, os.environ.get("ROS_DOMAIN_ID", "0"))


def recorder_settings(config: SafetyConfig, namespace: str) -> RecorderSettings | None:
    """What is recorded and where; None: nothing."""
    if config.recording_folder == "none":
        return None
    folder = Path(config.recording_folder).expanduser()
    if not config.recording_folder:
        home = os.environ.get("ROS_HOME") or os.path.join(os.path.expanduser("~"), ".ros")
        name = re.sub(r"[^A-Za-z0-9]+", "_", namespace).strip("_") or "root"
        folder = Path(home) / "vla_safety" / "recordings" / name
    return RecorderSettings(
        folder,
        config.recording_duration,
        config.recording_tail,
        large_period=config.recording_large_period,
        keep=config.recording_count,
        keep_bytes=config.recording_bytes,
    )


def _read_each(node: Any, names: tuple[str, ...], config_class: Any) -> dict[str, Any]:
    for name in names:
        parameters.declare_prefixed(node, name, config_class)
    return {name: parameters.read(node, config_class, name) for name in names}
