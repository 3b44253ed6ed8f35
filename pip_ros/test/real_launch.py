"""Starts launch files with launch itself and writes down which processes it started.

    python pip_ros/test/real_launch.py            writes launch/expected.json
    python pip_ros/test/real_launch.py FILE …     prints the processes of one file as JSON

Needs launch, launch_xml and launch_ros to be importable.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from launch_cases import CASES, EXPECTED, HERE, describe, environment, make_prefix


def start(
    file: Path, arguments: dict[str, str]
) -> tuple[int, list[tuple[str, list[str], dict[str, str], str | None]]]:
    """Run a launch file to its end; return the exit code, and every process as it was started."""
    from launch.actions import IncludeLaunchDescription, RegisterEventHandler
    from launch.event_handlers import OnProcessStart
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    from launch import LaunchDescription, LaunchService

    started: list[Any] = []
    source = AnyLaunchDescriptionSource(str(file))
    service = LaunchService(argv=[], noninteractive=True)
    service.include_launch_description(
        LaunchDescription(
            [
                RegisterEventHandler(
                    OnProcessStart(on_start=lambda event, _context: started.append(event))
                ),
                IncludeLaunchDescription(source, launch_arguments=list(arguments.items())),
            ]
        )
    )
    code = service.run(shutdown_when_idle=True)
    events = {event.process_name: event for event in started}.values()  # by name
    ordered = sorted(events, key=lambda event: int(event.process_name.rsplit("-", 1)[1]))
    return code, [(e.process_name, list(e.cmd), dict(e.env), e.cwd) for e in ordered]


def processes_of(file: Path, arguments: dict[str, str], prefix: Path) -> dict[str, Any]:
    """Return exit code and processes of one launch file; the environment must be set up."""
    base = dict(os.environ)
    code, processes = start(file, arguments)
    return {"code": code, "processes": describe(processes, prefix, base)}


def run_apart(file: Path, arguments: dict[str, str], prefix: Path) -> dict[str, Any]:
    """Do the same in a process of its own, because launch counts its processes.

    Raises:
        RuntimeError: launch failed to say anything.
    """
    import subprocess

    words = [f"{name}:={value}" for name, value in arguments.items()]
    done = subprocess.run(
        [sys.executable, __file__, "--prefix", str(prefix), str(file), *words],
        env=environment(prefix),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(lines[0].removeprefix("RESULT "))


def main() -> None:
    """Do what the module says."""
    if len(sys.argv) > 1:
        prefix, file, *words = sys.argv[2:]
        arguments = dict(word.split(":=", 1) for word in words)
        print("RESULT " + json.dumps(processes_of(Path(file), arguments, Path(prefix))))
        return
    result = {}
    for case, (file, arguments) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            answer = run_apart(HERE / file, arguments, make_prefix(Path(folder)))
            assert answer["code"] == 0, answer
            result[case] = answer["processes"]
    EXPECTED.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
