"""`vla launch`: a launch file through `ros2 launch`, or through the runner where there is none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from vla_cli.client import domains, paths

USAGE = """usage: ./vla launch FILE [argument:=value…] [--show-args]

FILE: a path, or "sim" or "vla" for the launch files of vla_bringup."""


GRAPHS = ("sim.launch.xml", "vla.launch.xml")  # those that start it in ROS_DOMAIN_ID
# Of the runner and of `ros2 launch`; with one of them nothing is started.
SHOWING = {"-h", "--help", "-s", "--show-args", "-p", "--print", "--print-description"}


def command(file: Path, arguments: list[str]) -> list[str]:
    """The command line that starts a launch file here."""
    ros2 = shutil.which("ros2") if os.environ.get("ROS_DISTRO") else None
    start = [ros2, "launch"] if ros2 else [sys.executable, "-m", "launch_runner"]
    # `ros2 launch` takes an empty value for malformed; the launch files call it "none".
    return [*start, str(file), *(f"{a}none" if a.endswith(":=") else a for a in arguments)]


def main(arguments: list[str]) -> int:
    """Replace this process by the launch.

    Raises:
        CommandError: there is no such file, or a graph runs already where its graph would.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    file = paths.launch_file(arguments[0])
    line = command(file, arguments[1:])
    if file.name in GRAPHS and SHOWING.isdisjoint(arguments):
        values = dict(word.split(":=", 1) for word in line if ":=" in word)
        domains.lock_graph(values.get("namespace", "vla"))
    sys.stdout.flush()
    os.execv(line[0], line)
    raise AssertionError("execv does not return")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
