"""How the graph is set up for a replay: its parameters, and what the result says of them."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vla_cli.client import paths
from vla_cli.client.command_errors import CommandError
from vla_contract.stamps import NANOSECONDS
from vla_policy.checkpoint.checkpoint import END_EFFECTOR_STATES
from vla_policy.policy_config import PolicyConfig
from vla_replay.bags.message_codec import Codec
from vla_replay.play.joint_parts import JointMerger
from vla_replay.play.period_timeline import Layout, Timeline
from vla_replay.play.replay_session import Session
from vla_replay.play.topic_selection import Needs, Selection, camera_topic, observed

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph
    from vla_replay.bags.bag_reader import Bag
    from vla_replay.play.bag_messages import Part
    from vla_replay.play.player import Player

DEFAULT_SLOP = 0.1  # s
NOWHERE = "replay/disconnected"  # where the robot's commands would go, in the replay's own domain
OBSERVED = {
    "observed_joint_states": observed("joint_states"),
    "observed_end_effector_pose": observed("end_effector_pose"),
    "observed_tick": observed("tick"),
}
FIXED = ("shadow", "armed_on_start", "lock_step", "use_sim_time")
# Parameters that follow from an option of the replay.
OPTIONS = {
    "backend": "--backend",
    "checkpoint": "--checkpoint",
    "action_space": "--checkpoint",
    "vocabulary": "--checkpoint",
}
OUTPUTS = (
    "cmd_vel",
    "end_effector_twist",
    "gripper_command",
    "gripper_effort",
    "joint_trajectory",
)
INPUTS = ("joint_states", "end_effector_pose", "odom", "scan", "range", "emergency_stop")
# Off in a replay; what a bag has no data for must not hold the robot that is not there.
OPEN_LOOP_PARAMETERS = ("closed_loop", "workspace_required", "obstacle_source_required")
# Without the robot's position; the safety node would wait for it.
OPEN_PLACE = {
    "workspace_low": [-1000.0] * 3,
    "workspace_high": [1000.0] * 3,
    "speed_zones": [""],
}
NO_PLACE = "the bag does not tell where the robot is: workspace and speed zones are not judged"
OPEN_LOOP = (
    "detectors that compare what was commanded with what the robot did (no progress, tracking "
    "error) are off: nothing that is decided here moves the robot in the bag; a workspace and "
    "obstacles are judged only where they are configured"
)
TOLERANCE = (
    "on another machine decisions are the same and actions agree within 1e-4 of each range; "
    "on the same machine they are identical"
)


def forward_threads() -> int:
    """Threads of a forward pass in lock-step, where throughput counts and not latency.

    The nodes work at the same time. With two cores a second thread would take from them what it
    gains, and more.
    """
    return max(1, min(PolicyConfig().threads, len(os.sched_getaffinity(0)) // 2))


def needs(checkpoint: Any) -> Needs:
    """What a checkpoint wants of a bag."""
    states = set(checkpoint.state_names)
    pose = set(END_EFFECTOR_STATES)
    return Needs(tuple(checkpoint.cameras), bool(states - pose), bool(states & pose))


def knows_place(checkpoint: Any, selection: Selection) -> bool:
    """The bag tells where the robot is, which a workspace and speed zones are judged by."""
    from vla_safety.surroundings.measured_pose import RobotKind, robot_kind

    base = robot_kind(checkpoint.action_space) is RobotKind.BASE
    return ("odom" if base else "end_effector_pose") in selection.states


@dataclass(frozen=True)
class Setup:
    """One replay. checkpoint: vla_policy's Checkpoint. safety_config: a file, or the default."""

    checkpoint: Any
    selection: Selection
    lock_step: bool
    safety_config: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def cameras(self) -> dict[str, bool]:
        """Every camera of the graph → its images are compressed."""
        names = self.checkpoint.cameras or tuple(self.selection.cameras)
        have = self.selection.compressed
        return {name: have.get(name, False) for name in names}

    def session(self) -> Session:
        """What collects the result."""
        space = self.checkpoint.action_space
        spans = tuple(max(d.high - d.low, 1e-9) for d in space.dimensions)
        velocities = tuple(d.kind.is_velocity for d in space.dimensions)
        return Session(velocities, spans, space.period)

    def timeline(self) -> Timeline:
        """What lays the bag onto control periods."""
        period = round(self.checkpoint.action_space.period * NANOSECONDS)
        cameras = tuple(self.selection.cameras)
        roles = self.selection.roles()
        return Timeline(Layout(period, round(DEFAULT_SLOP * NANOSECONDS), cameras, roles))

    def arguments(self, folder: Path) -> dict[str, Any]:
        """Arguments of vla.launch.xml; the files that they name are written into `folder`."""
        state = self.selection.states
        return {
            "model": self.checkpoint.folder,
            "cameras": _write(folder / "cameras.yaml", {"/**": self._cameras()}),
            "perception_config": self._perception(folder),
            "policy_config": self._policy(folder),
            "safety_config": self._safety(folder),
            "use_sim_time": True,
            "lock_step": self.lock_step,
            "armed": False,
            "shadow": True,
            "respawn": False,
            "network": False,
            "use_end_effector_pose": "end_effector_pose" in state,
            **{name: name for name in INPUTS},
            **(OBSERVED if self.lock_step else {}),
            **{name: f"{NOWHERE}/{name}" for name in OUTPUTS},
            **self._set_arguments(),
        }

    def _set_arguments(self) -> dict[str, Any]:
        """Arguments for the settings that the launch file would overrule in a parameters file."""
        return {
            argument: self.settings[node][parameter]
            for node in self.settings
            for parameter, argument in launch_arguments(node).items()
            if parameter in self.settings[node]
        }

    def _file_settings(self, node: str) -> dict[str, Any]:
        passed = launch_arguments(node)
        return {n: v for n, v in self.settings.get(node, {}).items() if n not in passed}

    def _cameras(self) -> dict[str, Any]:
        size = {"width": self.checkpoint.image_width, "height": self.checkpoint.image_height}
        each = {
            name: {
                "topic": camera_topic(name, compressed),
                "compressed": compressed,
                "required": False,
                "absent": name not in self.selection.cameras,
                **size,
            }
            for name, compressed in self.cameras.items()
        }
        return {"ros__parameters": {"cameras": list(each), **each}}

    def _perception(self, folder: Path) -> str:
        used = {"use_joint_states": "joint_states" in self.selection.states}
        used.update(self._file_settings("perception"))
        return _changed([paths.share() / "config" / "perception.yaml"], folder, used)

    def policy_parameters(self) -> dict[str, Any]:
        """Parameters of the policy node that are not those of a robot."""
        chosen: dict[str, Any] = {"threads": forward_threads()} if self.lock_step else {}
        return {**chosen, **self._file_settings("policy")}

    def _policy(self, folder: Path) -> str:
        config = paths.share() / "config" / "policy.yaml"
        return _changed([config], folder, self.policy_parameters())

    def _safety(self, folder: Path) -> str:
        from vla_safety.config.safety_config import SafetyConfig

        changes: dict[str, Any] = {
            "state_file": "none",
            "recording_folder": "none",  # the bag is there already
            "required_inputs": self._required(),
        }
        known = {each.name for each in dataclasses.fields(SafetyConfig)}
        changes.update({name: False for name in OPEN_LOOP_PARAMETERS if name in known})
        if not knows_place(self.checkpoint, self.selection):
            changes.update(OPEN_PLACE)
        changes.update(self._file_settings("safety"))
        config = paths.share() / "config"
        own = config / "safety" / f"{self.checkpoint.action_space.name}.yaml"
        chosen = Path(self.safety_config) if self.safety_config else own
        if self.safety_config and not chosen.is_file():
            raise CommandError(f"--safety-config {chosen}: there is no such file")
        files = [config / "safety.yaml", *([chosen] if chosen.is_file() else [])]
        return _changed(files, folder, changes)

    def _required(self) -> list[str]:
        # With none at all the parameter's type would be lost in YAML: "" is no input.
        return ["joint_states"] if "joint_states" in self.selection.states else [""]

    def document(
        self,
        bag: Bag,
        session: Session,
        timeline: Timeline,
        wall: float,
        chosen: argparse.Namespace,
    ) -> dict[str, Any]:
        """The whole of result.json."""
        selection = self.selection
        lost = {f"{topic}: {why}": n for (topic, why), n in bag.losses.messages.items()}
        dropped = {f"{topic}: {why}": n for (topic, why), n in timeline.drops.items()}
        summary = session.summary()
        summary["drops"] = {**lost, **dropped, **summary["drops"]}
        space = self.checkpoint.action_space
        return {
            "format": 1,
            "bag": str(chosen.bag),
            "bag_messages": bag.count,
            "bag_sha256": bag.fingerprint(),
            "topics": selection.roles(),
            "skipped": selection.skipped,
            "notes": [*bag.losses.lines, *selection.notes, *dict.fromkeys(timeline.notes)],
            "lost_bytes": bag.losses.lost_bytes,
            "mode": _mode(chosen),
            "command": chosen.command,
            "checkpoint": self.checkpoint.name,
            "checkpoint_sha256": self.checkpoint.fingerprint,
            "backend": chosen.backend,
            "threads": self.policy_parameters().get("threads", PolicyConfig().threads),
            "settings": {node: dict(values) for node, values in self.settings.items()},
            "outputs": "disconnected (shadow), in a ROS domain of its own",
            "off": OPEN_LOOP,
            "tolerance": TOLERANCE,
            "dimensions": [
                {"name": d.name, "unit": d.unit, "low": d.low, "high": d.high}
                for d in space.dimensions
            ],
            "period": space.period,
            "images": timeline.images,
            "wall_seconds": round(wall, 3),
            **summary,
        }


def launch_arguments(node: str) -> dict[str, str]:
    """Parameter → the argument of vla.launch.xml that the node gets it from."""
    root = ElementTree.parse(paths.launch_file("vla")).getroot()
    found = {}
    for each in root.findall(f"node[@name='{node}']/param[@value]"):
        if argument := re.fullmatch(r"\$\(var (\w+)\)", each.attrib["value"]):
            found[each.attrib["name"]] = argument[1]
    return found


def parse_settings(words: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Node → parameter → value, from words like policy.done_count:=0.

    Raises:
        CommandError: a word of another form, of no such node, or one that would connect outputs.
    """
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        name, sign, text = word.partition(":=" if ":=" in word else "=")
        node, dot, parameter = name.partition(".")
        if not sign or not dot or node not in ("perception", "policy", "safety"):
            raise CommandError(
                f"--set {word!r}; accepted: perception.PARAMETER:=VALUE, policy.… or safety.…"
            )
        if parameter in FIXED:
            raise CommandError(f"--set {word!r}: a replay decides on {', '.join(FIXED)} itself")
        if parameter in OPTIONS:
            raise CommandError(
                f"--set {word!r}: accepted is {OPTIONS[parameter]}, which decides on it"
            )
        try:
            found.setdefault(node, {})[parameter] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise CommandError(f"--set {word!r}: the value is no YAML") from error
    return found


def lock_step(
    bag: Bag,
    setup: Setup,
    player: Player,
    graph: Graph,
    check: Callable[[], None],
    timeline: Timeline,
    chosen: argparse.Namespace,
    waits_for: Callable[[], str],
) -> None:
    """Play in lock-step. waits_for: what the nodes say that they lack."""
    from vla_replay.play.lock_step_replay import LockStepReplay

    seeds = first_states(bag, setup)
    replay = LockStepReplay(
        player,
        graph.spin,
        check,
        waits_for,
        seeds=seeds,
        command=chosen.command,
        ahead=bool(chosen.as_fast_as_possible),
    )
    replay.run(timeline.periods(bag.messages(setup.selection.roles())))


def first_states(bag: Bag, setup: Setup) -> dict[str, Part]:
    """The first good message of each input that the graph waits for before it answers.

    Of joint states: what the messages tell together until a driver tells for the second time.
    """
    wanted = {topic.name: role for role, topic in setup.selection.states.items()}
    wanted = {
        name: role for name, role in wanted.items() if role in ("joint_states", "end_effector_pose")
    }
    found: dict[str, Part] = {}
    probe = setup.timeline()  # counts of its own
    merger = JointMerger(Codec())
    drivers: set[tuple[str, ...]] = set()
    for message in bag.messages(set(wanted)):
        role = wanted.get(message.topic)
        part = probe.part(message, role) if role else None
        if role == "joint_states" and part is not None:
            driver, _, together = merger.merge_message(part, first=True)
            if driver in drivers:
                del wanted[message.topic]
                continue
            drivers.add(driver)
            found[role] = together
        elif role and part is not None:
            found[role] = part
            del wanted[message.topic]
        if not wanted:
            break
    return found


def at_rate(
    bag: Bag,
    setup: Setup,
    player: Player,
    graph: Graph,
    check: Callable[[], None],
    timeline: Timeline,
    chosen: argparse.Namespace,
    waits_for: Callable[[], str],
) -> None:
    """Play in real time, or at a rate."""
    from vla_replay.play.free_running_replay import FreeRunningReplay

    replay = FreeRunningReplay(
        player,
        graph.spin,
        check,
        rate=chosen.rate or 1.0,
        command=chosen.command,
        timeline=timeline,
    )
    roles = setup.selection.roles()
    replay.run(bag.messages(roles), roles)


def _mode(chosen: argparse.Namespace) -> str:
    if chosen.as_fast_as_possible:
        return "as fast as possible (lock-step)"
    return "lock-step" if chosen.lock_step else f"rate {chosen.rate or 1.0:g}"


def _changed(files: list[Path], folder: Path, changes: dict[str, Any]) -> str:
    """Parameters files, the later ones on top, with other values; written into `folder`."""
    merged: dict[str, Any] = {}
    for file in files:
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            for section in content.values():
                merged.update(section["ros__parameters"])
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise CommandError(f"{file} is no parameters file: {error}") from error
    merged.update(changes)
    return _write(folder / files[0].name, {"/**": {"ros__parameters": merged}})


def _write(path: Path, content: Any) -> str:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return str(path)
