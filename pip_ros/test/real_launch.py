"""What launch itself makes of the cases of launch_cases.py.

    python pip_ros/test/real_launch.py            writes launch/expected.json
    python pip_ros/test/real_launch.py --case CASE PREFIX

The second, which the first and the tests run, prints exit code and processes of one case as JSON. A
CASE is a name, or the path of a launch file. Needs launch, launch_xml, launch_ros and ros2launch to
be importable, and on AMENT_PREFIX_PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from launch_cases import (
    CASES,
    EXPECTED,
    REFUSED,
    WORDS,
    Case,
    Started,
    describe,
    environment,
    make_prefix,
)


def start(file: Path, arguments: dict[str, str]) -> tuple[int, list[Started]]:
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
    return code, [
        Started(e.process_name, list(e.cmd), dict(e.env), e.cwd, e.action.shell) for e in ordered
    ]


def run_apart(name: str, prefix: Path) -> dict[str, Any]:
    """Return what launch does in a case, in a process of its own: launch counts its processes.

    Raises:
        RuntimeError: launch failed to say anything.
    """
    done = subprocess.run(
        [sys.executable, __file__, "--case", name, str(prefix)],
        env=environment(prefix, CASES.get(name, Case(name))),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(lines[0].removeprefix("RESULT "))


def takes(content: str) -> bool:
    """Return whether launch takes a file with this in it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "some.launch.xml"
        file.write_text(f"<launch>{content}</launch>", encoding="utf-8")
        return run_apart(str(file), make_prefix(Path(folder) / "prefix"))["code"] == 0


def argument(word: str) -> list[str] | None:
    """Return the name and value that ``ros2 launch`` finds in a word, or None if it refuses it."""
    from ros2launch.api.api import parse_launch_arguments

    try:
        return list(next(iter(parse_launch_arguments([word]))))
    except RuntimeError:
        return None


def processes(name: str) -> list[dict[str, Any]]:
    """Return the processes of a case.

    Raises:
        RuntimeError: launch refuses it.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = run_apart(name, make_prefix(Path(folder)))
    if answer["code"]:
        raise RuntimeError(f"{name}: {answer}")
    return answer["processes"]


def write() -> None:
    """Write what launch does in every case, a process on a line."""
    result = {
        "processes": {name: processes(name) for name in CASES},
        "taken": {name: takes(content) for name, content in REFUSED.items()},
        "arguments": {word: argument(word) for word in WORDS},
    }
    lines = []
    for part, content in result.items():
        lines.append(f'"{part}": {{')
        for name, value in content.items():
            items = value if part == "processes" else None
            text = ",\n  ".join(map(json.dumps, items)) if items else json.dumps(value)
            lines.append(f" {json.dumps(name)}: " + (f"[\n  {text}]" if items else text) + ",")
        lines[-1] = lines[-1][:-1] + "},"
    lines[-1] = lines[-1][:-1]
    EXPECTED.write_text("{\n" + "\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Do what the module says."""
    if len(sys.argv) == 1:
        write()
        return
    name, prefix = sys.argv[2], Path(sys.argv[3])
    case = CASES.get(name)
    file = case.path(prefix) if case else Path(name)
    base = dict(os.environ)
    code, started = start(file, case.arguments if case else {})
    answer = {"code": code, "processes": describe(started, prefix, base)}
    print("RESULT " + json.dumps(answer))


if __name__ == "__main__":
    main()
