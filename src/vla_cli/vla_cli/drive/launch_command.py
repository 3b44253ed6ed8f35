"""`vla launch`: a launch file through `ros2 launch`, or through the runner where there is none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from vla_cli.client import paths

USAGE = """usage: ./vla launch FILE [argument:=value…] [--show-args]

FILE: a path, or "sim" or "vla" for the launch files of vla_bringup."""


def command(file: Path, arguments: list[str]) -> list[str]:
    """The command line that starts a launch file here."""
    ros2 = shutil.which("ros2") if os.environ.get("ROS_DISTRO") else None
    start = [ros2, "launch"] if ros2 else [sys.executable, "-m", "launch_runner"]
    # `ros2 launch` takes an empty value for malformed; the launch files call it "none".
    return [*start, str(file), *(f"{a}none" if a.endswith(":=") else a for a in arguments)]


def main(arguments: list[str]) -> int:
    """Replace this process by the launch."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    line = command(paths.launch_file(arguments[0]), arguments[1:])
    sys.stdout.flush()
    os.execv(line[0], line)
    raise AssertionError("execv does not return")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
