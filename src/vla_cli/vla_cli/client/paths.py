"""Where the installed files are, and where results go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from vla_cli.client.command_errors import CommandError


def share() -> Path:
    """The share folder of vla_bringup: launch/, config/ and models/.

    Raises:
        CommandError: vla_bringup is not built or not sourced.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        return Path(get_package_share_directory("vla_bringup"))
    except PackageNotFoundError as error:
        raise CommandError(
            "package vla_bringup is not found; build with ./vla build, or source install/setup.bash"
        ) from error


def cameras(robot: str = "metaworld") -> dict[str, str]:
    """Name → topic of a simulated robot's cameras, from its cameras file."""
    content = yaml.safe_load((share() / "config" / "cameras" / f"{robot}.yaml").read_text())
    values: dict[str, Any] = next(iter(content.values()))["ros__parameters"]
    return {name: values[name]["topic"] for name in values["cameras"]}


def launch_file(name: str) -> Path:
    """A launch file by path, or by name in vla_bringup ("sim", "sim.launch.xml").

    Raises:
        CommandError: there is none.
    """
    folder = share() / "launch"
    root = Path(os.environ.get("VLA_ROOT", "."))
    if "." not in name:  # a bare name; ./vla itself is no launch file
        name = f"{name}.launch.xml"
    for path in (Path(name), root / name, folder / name):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.name for path in folder.glob("*.launch.xml")))
    raise CommandError(f"no launch file {name!r}; accepted: a path, or one of {known}")


def checkpoint(folder: str | None = None, robot: str = "metaworld") -> Path:
    """A checkpoint folder; without one the shipped checkpoint of the robot.

    Raises:
        CommandError: it is no checkpoint.
    """
    path = Path(folder).resolve() if folder else share() / "models" / robot
    if not folder and not path.is_dir():
        raise CommandError(
            f"no checkpoint of the robot {robot} is shipped; accepted: --checkpoint FOLDER of one "
            f"that was trained with config/learning/{robot}.yaml (docs/training.md)"
        )
    if not (path / "config.yaml").is_file():
        raise CommandError(f"{path} is not a checkpoint: it has no config.yaml")
    return path


def output_folder(folder: str | None = None) -> Path:
    """The folder for results, made where it is missing; without one `out/` of the source tree.

    Raises:
        CommandError: it cannot be made.
    """
    path = Path(folder) if folder else Path(os.environ.get("VLA_ROOT", ".")) / "out"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot make the folder {path}: {error.strerror}") from error
    return path
