"""What runner and launch are compared on, and how processes are written down.

The launch files are those of `launch/` beside this file, made to be difficult, and the project's.
"""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent / "launch"
PROJECT = Path(__file__).parents[2]
EXPECTED = HERE / "expected.json"
# What the environment must not bring along: a case has its own.
OWN_VARIABLES = ("ROS_", "VLA_", "MALLOC_", "FASTRTPS_", "RMW_")


@dataclass(frozen=True)
class Case:
    """A launch file with its arguments and what its environment has beside the usual."""

    file: str  # a name in launch/ beside this file; a path below the project with a folder in it
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def path(self, prefix: Path) -> Path:
        """Where the file is, with the project's own as they are installed below `prefix`."""
        return (prefix / "share/vla_bringup" if "/" in self.file else HERE) / self.file


def project(name: str, ros: str = "humble", **arguments: str) -> Case:
    """One of the project's launch files, under a ROS distribution's name."""
    return Case(f"launch/{name}.launch.xml", arguments, {"ROS_DISTRO": ros})


def robot(name: str, ros: str = "humble", **arguments: str) -> Case:
    """The same without respawn: what ends at once would start for ever."""
    return project(name, ros, respawn="false", **arguments)


CASES = {
    "nodes": Case("nodes.launch.xml"),
    "nodes, an argument": Case("nodes.launch.xml", {"who": "alice"}),
    "parameters": Case("parameters.launch.xml"),
    "parameters, others": Case(
        "parameters.launch.xml",
        {"number": "6.5", "text": "'7'", "truth": "false", "list": "[3, 4, 5]"},
    ),
    "scopes": Case("scopes.launch.xml"),
    "scopes, absolute": Case("scopes.launch.xml", {"ns": "/other/robot"}),
    "conditions": Case("conditions.launch.xml"),
    "conditions, others": Case(
        "conditions.launch.xml", {"on": "false", "mode": "slow", "rate": "3"}
    ),
    "quoting": Case("quoting.launch.xml"),
    "quoting, others": Case("quoting.launch.xml", {"one": "a 'b", "two": ""}),
    "prefix": Case("prefix.launch.xml"),
    "shell": Case("shell.launch.xml"),
    "shell, several words": Case("shell.launch.xml", {"words": "a b  c", "path": "/a path"}),
    "robot": robot("vla"),
    "robot, Jazzy": robot("vla", "jazzy"),
    "robot, network": robot("vla", network="true"),
    "robot, network, Jazzy": robot("vla", "jazzy", network="true"),
    "robot, security": robot("vla", security="true", keystore="/keys"),
    "robot, namespace": robot("vla", namespace="one/vla"),
    "robot, its topics": robot(
        "vla", joint_states="/arm/joint_states", cmd_vel="/base/cmd_vel", image="/front/image"
    ),
    "robot, no checkpoint": robot("vla", backend="constant", checkpoint="none", shadow="true"),
    "robot, a server": robot(
        "vla",
        backend="remote",
        remote_url="wss://far:1",
        remote_mapping="/a mapping.yaml",
        fallback_checkpoint="/a/model",
    ),
    "robot, composed": robot("vla", composed="true", namespace="one/vla"),
    "simulation": robot("sim"),
    "simulation, composed": robot("sim", composed="true"),
    "simulation, lock-step": robot("sim", lock_step="true", task="door-open", seed="3"),
    "simulation, namespace": robot("sim", namespace="two", speed_scale="0.5", log_level="debug"),
    "simulation, network, Jazzy": robot("sim", "jazzy", network="true"),
    "simulation, security": robot("sim", security="true", keystore="/keys"),
    "replay": project("replay"),
    "replay, Jazzy": project("replay", "jazzy", bag="/a 'bag'", rate="0.5", domain="5"),
    "replay, one topic": project("replay", topics="/joint_states"),
    "replay, several topics": project("replay", topics="/a /b/c /d", command="/words"),
}

# Within <launch>: what launch refuses.
REFUSED = {
    "quotes around a substitution": '<executable cmd="true &quot;$(env HOME)&quot;"/>',
    "a quote in an argument": '<let name="a" value="$(env NOWHERE a&quot;b)"/>',
    "a parenthesis in an argument": '<let name="a" value="$(env NOWHERE a(b)"/>',
    "quotes within quotes": "<let name=\"a\" value=\"$(env NOWHERE '$(env NOWHERE \\'a b\\')')\"/>",
    "an argument that no include passes": '<let name="given" value="1"/><let name="x" value="2"/>'
    f'<include file="{HERE}/included.launch.xml"/>',
}

# Arguments of a command line, of which launch refuses some.
WORDS = ("a:=1", "a:=b c", "a:=b:=c", "a:=:=", "a:= ", "a:=", ":=1", ":=", "a", "a=1", "a:1", "")


def make_prefix(root: Path) -> Path:
    """Make an install space of `demo` and this project's packages; what they run ends at once."""
    for package, executables in {"demo": {"talker", "listener"}, **_own_nodes()}.items():
        index = root / "share/ament_index/resource_index/packages"
        index.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
        (root / "share" / package).mkdir()
        for name in executables:
            _make_executable(root / "lib" / package / name)
    for folder in ("launch", "config", "models"):
        (root / "share/vla_bringup" / folder).symlink_to(PROJECT / folder)
    _make_executable(root / "bin/ros2")
    (root / "included.launch.xml").write_bytes((HERE / "included.launch.xml").read_bytes())
    return root


def _own_nodes() -> dict[str, set[str]]:
    packages: dict[str, set[str]] = {"vla_bringup": set()}
    for file in (PROJECT / "launch").glob("*.launch.xml"):
        for node in ElementTree.parse(file).iter("node"):
            packages.setdefault(node.attrib["pkg"], set()).add(node.attrib["exec"])
    return packages


def _make_executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    path.chmod(0o755)


def environment(prefix: Path, case: Case) -> dict[str, str]:
    """Return the environment that a case runs in."""
    usual = {k: v for k, v in os.environ.items() if not k.startswith(OWN_VARIABLES)}
    packages = [str(prefix), *filter(None, [os.environ.get("AMENT_PREFIX_PATH")])]
    return {
        **usual,
        "AMENT_PREFIX_PATH": os.pathsep.join(packages),
        "PATH": f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}",
        **case.environment,
    }


@dataclass(frozen=True)
class Started:
    """One process, by the runner or by launch."""

    label: str
    command: Iterable[str]
    environment: Mapping[str, str]
    cwd: str | None
    shell: bool


def describe(
    processes: Iterable[Started], prefix: Path, base: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Write processes down without what differs between machines: prefix, temporary files."""
    return [
        {
            "label": process.label,
            "command": [_word(word, prefix) for word in process.command],
            "environment": _changes(process.environment, base, prefix),
            "cwd": process.cwd,
            "shell": process.shell,
        }
        for process in processes
    ]


def _changes(
    environment: Mapping[str, str], base: Mapping[str, str], prefix: Path
) -> dict[str, str | None]:
    names = sorted({*environment, *base})
    changed = {name: environment.get(name) for name in names}
    return {
        name: None if value is None else value.replace(str(prefix), "PREFIX")
        for name, value in changed.items()
        if value != base.get(name)
    }


def _word(word: str, prefix: Path) -> Any:
    is_file = Path(word).name.startswith("launch_params_")
    text = Path(word).read_text(encoding="utf-8") if is_file else word
    text = text.replace(str(prefix), "PREFIX").replace(str(HERE), "HERE")
    return yaml.safe_load(text) if is_file else text


def expected() -> dict[str, Any]:
    """Return what launch itself did in each case, as real_launch.py wrote it down."""
    return json.loads(EXPECTED.read_text(encoding="utf-8"))
