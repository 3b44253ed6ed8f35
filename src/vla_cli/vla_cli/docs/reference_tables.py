"""The tables of the READMEs, generated from the code.

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`. `./vla reference` writes them
anew; a test fails where one is out of date.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import textwrap
from pathlib import Path

from vla_contract import topics
from vla_contract.node import parameters
from vla_contract.node.parameters import Config

BLOCK = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)

# Config class of each node; a camera's parameters are declared once for each camera.
CONFIGS: dict[str, tuple[str, str]] = {
    "perception": ("vla_perception.perception_config", "PerceptionConfig"),
    "camera": ("vla_perception.perception_config", "CameraConfig"),
    "policy": ("vla_policy.policy_config", "PolicyConfig"),
    "safety": ("vla_safety.config.safety_config", "SafetyConfig"),
    "console": ("vla_console.console_config", "ConsoleConfig"),
    "simulator": ("vla_sim.node.simulator_config", "SimulatorConfig"),
    "obstacle_source": ("vla_safety.config.obstacle_config", "SourceConfig"),
    "obstacle_zone": ("vla_safety.config.obstacle_config", "ZoneConfig"),
    "arm_point_source": ("vla_safety.arm.points.point_source", "PointSourceConfig"),
    "speed_zone": ("vla_safety.surroundings.measured_pose", "SpeedZoneConfig"),
    "teleop_input": ("vla_safety.plan.teleoperation", "TeleopConfig"),
    "teleop_lock": ("vla_safety.plan.teleoperation", "LockConfig"),
}
# Parameter that lists names → whose parameters each of them has, as `<name>.<parameter>`.
LISTS = {
    "cameras": "camera",
    "obstacle_sources": "obstacle_source",
    "arm_point_sources": "arm_point_source",
    "obstacle_zones": "obstacle_zone",
    "speed_zones": "speed_zone",
    "teleop_inputs": "teleop_input",
    "teleop_locks": "teleop_lock",
}

LINE = 99  # columns
NAMES = Path("src/vla_contract/vla_contract/node/parameter_names.py")
# Row of the QoS table → who publishes, who subscribes.
TOPICS: dict[str, tuple[str, str]] = {
    topics.CAMERA: ("cameras", "perception"),
    topics.JOINT_STATES: ("robot", "perception, safety"),
    topics.END_EFFECTOR_POSE: ("robot", "perception, safety"),
    topics.ROBOT_DESCRIPTION: ("robot", "safety"),
    topics.COMMAND: ("user", "perception, safety"),
    topics.COMMAND_STAMPED: ("user", "perception, safety"),
    topics.EMERGENCY_STOP: ("robot", "safety"),
    topics.OBSERVATION: ("perception", "policy"),
    topics.PROMPT: ("perception", "user"),
    topics.ACCEPTED_COMMAND: ("perception", "user"),
    topics.KNOWN_COMMANDS: ("perception", "user"),
    topics.ATTENTION: ("policy, on demand", "user"),
    topics.ACTION_CHUNK: ("policy", "safety, perception"),
    topics.FAULT: ("perception, policy, safety", "safety, user"),
    topics.SAFE_ACTION: ("safety", "user, simulator (lock-step)"),
    topics.SAFETY_STATUS: ("safety", "perception, user"),
    topics.ROBOT_COMMAND: ("safety", "robot"),
    topics.TICK: ("simulator", "perception, safety (lock-step)"),
    topics.TASK_STATE: ("simulator", "perception, user"),
}
# Of the rows that have several types.
SEVERAL_TYPES = {
    topics.CAMERA: "sensor_msgs/Image or CompressedImage",
    topics.ROBOT_COMMAND: "as the action space says",
}

# Name → type, who serves it, what it does.
SERVICES: dict[str, tuple[str, str, str]] = {
    topics.EXECUTE_COMMAND_ACTION: (
        "vla_interfaces/ExecuteCommand (action)",
        "perception",
        "does a command until it is done, canceled, preempted or out of time",
    ),
    topics.STOP_SERVICE: (
        "std_srvs/Trigger",
        "safety",
        "brakes with the emergency limits and latches the stop",
    ),
    topics.RESET_SERVICE: (
        "std_srvs/Trigger",
        "safety",
        "leaves the latched stop; refused while its cause lasts",
    ),
    topics.ARM_SERVICE: (
        "std_srvs/SetBool",
        "safety",
        "connects (true) or, after braking, disconnects (false) the robot's outputs",
    ),
    topics.HOME_SERVICE: (
        "std_srvs/Trigger",
        "safety",
        "moves to the start pose, within every limit; `safety_status` tells how it ends",
    ),
    topics.RESET_EPISODE_SERVICE: (
        "vla_interfaces/ResetEpisode",
        "simulator",
        "chooses task and seed and starts a new episode",
    ),
    topics.RUN_EPISODE_SERVICE: (
        "vla_interfaces/RunEpisode",
        "simulator",
        "lets a simulator in lock-step run",
    ),
}


def config_class(node: str) -> type[Config]:
    """Config class of a node, or of a "camera"; KeyError where there is none."""
    module, name = CONFIGS[node]
    found: type[Config] = getattr(importlib.import_module(module), name)
    return found


def topics_table() -> str:
    """Every topic of the graph with its type, ends and quality of service."""
    lines = ["| topic | type | from | to | QoS | why |", "|" + "---|" * 6]
    for name, (source, target) in TOPICS.items():
        message_type = SEVERAL_TYPES.get(name) or topics.TYPES[name].replace("/msg/", "/")
        row = topics.qos(name)
        reliability = "reliable" if row.reliable else "best effort"
        durability = ", transient local" if row.transient_local else ""
        lines.append(
            f"| `{name}` | {message_type} | {source} | {target} "
            f"| {reliability}{durability}, {row.depth} | {row.reason} |"
        )
    return "\n".join(lines)


def services_table() -> str:
    """Every service and action of the graph."""
    lines = ["| name | type | served by | what it does |", "|" + "---|" * 4]
    for name, (service_type, server, what) in SERVICES.items():
        lines.append(f"| `{name}` | {service_type} | {server} | {what} |")
    return "\n".join(lines)


def interfaces(root: Path) -> str:
    """Every message, service and action, as its file says it."""
    sources = root / "src" / "vla_interfaces"
    lines = []
    for kind in ("msg", "srv", "action"):
        for path in sorted((sources / kind).glob(f"*.{kind}")):
            text = path.read_text(encoding="utf-8").rstrip()
            lines += [f"## vla_interfaces/{kind}/{path.stem}", "", "```text", text, "```", ""]
    return "\n".join(lines).rstrip()


def parameter_names() -> str:
    """Every node's parameters, and those of each element of a list, as `parameter_names` reads."""
    lists = {owner: f"{key}.*" for key, owner in LISTS.items()}
    lines = []
    for owner in CONFIGS:
        names = (name for name, _, _ in parameters.fields(config_class(owner)))
        text = f"{lists.get(owner, owner)}: {' '.join(names)};"
        lines += textwrap.wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def generate(name: str, root: Path = Path()) -> str:
    """The text of a generated block.

    Raises:
        ValueError: there is no block of that name.
    """
    if name == "topics":
        return topics_table()
    if name == "services":
        return services_table()
    if name == "interfaces":
        return interfaces(root)
    if name == "parameter names":
        return parameter_names()
    kind, _, node = name.partition(" ")
    if kind == "parameters" and node in CONFIGS:
        return parameters.table(config_class(node))
    named = ("topics", "services", "interfaces", "parameter names")
    accepted = [*named, *(f"parameters {node}" for node in CONFIGS)]
    raise ValueError(f"no generated block {name!r}; accepted: {', '.join(accepted)}")


def updated(text: str, root: Path = Path()) -> str:
    """The text with every generated block as the code, and the interfaces below `root`, have it."""
    return BLOCK.sub(
        lambda match: f"{match[1]}{generate(match['name'], root)}\n{match[3]}",
        text,
    )


def documents(root: Path) -> list[Path]:
    """Markdown files of the tree that may have generated blocks."""
    folders = (root, root / "docs", root / "docs" / "reference", *sorted((root / "src").glob("*")))
    return [path for folder in folders for path in sorted(folder.glob("*.md"))]


def generated(root: Path) -> list[Path]:
    """Files of the tree that may have generated blocks."""
    return [root / NAMES, *documents(root)]


def main(arguments: list[str] | None = None) -> int:
    """Write the blocks anew, or with --check only name the files that are out of date."""
    parser = argparse.ArgumentParser(prog="vla reference", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the source tree")
    options = parser.parse_args(arguments)
    stale = []
    for path in generated(options.root):
        text = path.read_text(encoding="utf-8")
        new = updated(text, options.root)
        if new != text:
            stale.append(path)
            if not options.check:
                path.write_text(new, encoding="utf-8")
    for path in stale:
        print(f"{'out of date' if options.check else 'written'}: {path}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
