"""Start at boot and log rotation: what the unit and its settings name exists."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd" / "vla.service")
    return parser


def settings() -> dict[str, str]:
    lines = (DEPLOY / "systemd" / "vla.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_unit_launches_a_file_that_exists():
    service = unit()["Service"]
    package, file = re.search(r"ros2 launch (\S+) (\S+)", service["ExecStart"]).groups()
    assert package == "vla_bringup" and (ROOT / "launch" / file).is_file()
    assert service["KillSignal"] == "SIGINT", "which brakes first"
    assert service["User"] not in ("", "root") and service["Restart"] == "on-failure"
    assert unit()["Install"]["WantedBy"] == "multi-user.target"


def test_every_setting_that_the_unit_uses_is_given():
    used = set(re.findall(r"\$\$\{(\w+)\}", unit()["Service"]["ExecStart"]))
    assert used <= set(settings())
    launch = (ROOT / "launch" / "vla.launch.xml").read_text()
    for word in shlex.split(settings()["VLA_ARGUMENTS"].strip('"')):
        assert f'<arg name="{word.split(":=")[0]}"' in launch


def test_the_rotated_logs_are_those_that_the_unit_writes():
    folder = re.search(r"ROS_LOG_DIR=(\S+)", unit()["Service"]["Environment"])[1]
    text = (DEPLOY / "logrotate" / "vla").read_text()
    assert f"{folder}/*.log" in text and text.count("{") == text.count("}") == 1
    for words in ("rotate ", "compress", "copytruncate", "missingok"):
        assert words in text
