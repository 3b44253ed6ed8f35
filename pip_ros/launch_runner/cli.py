"""The command line, which is that of ``ros2 launch``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from .attributes import needed
from .document import Element, load
from .errors import LaunchError
from .interpreter import interpret
from .runner import LaunchRunner, print_line
from .substitutions import Scope
from .template import SubstitutionError


def find_file(package: str, name: str) -> Path:
    """Return the launch file of a package.

    Raises:
        LaunchError: there is no such package or file, or more than one.
    """
    try:
        share = Path(get_package_share_directory(package))
    except (PackageNotFoundError, ValueError) as error:
        raise LaunchError(f"package '{package}' is not found; is it built and sourced?") from error
    found = [file for file in sorted(share.rglob("*")) if file.name == name]
    if len(found) != 1:
        have = ", ".join(sorted(file.name for file in share.rglob("*.launch.xml"))) or "none"
        raise LaunchError(f"{len(found)} files '{name}' in package '{package}', which has: {have}")
    return found[0]


def parse_words(words: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """Return the launch file and the arguments of a command line, by the rules of ``ros2 launch``.

    Raises:
        LaunchError: there is no such file or package, or an argument is malformed.
    """
    if not words or ":=" in words[0]:
        got = words[0] if words else "nothing"
        raise LaunchError(f"expected FILE or PACKAGE FILE, then name:=value, got: {got}")
    if Path(words[0]).is_file():
        return Path(words[0]), dict(map(parse_argument, words[1:]))
    if len(words) == 1 or ":=" in words[1]:
        raise LaunchError(f"the launch file '{words[0]}' does not exist")
    return find_file(words[0], words[1]), dict(map(parse_argument, words[2:]))


def parse_argument(word: str) -> tuple[str, str]:
    """Return the name and the value of a launch argument; of several of a name the last one counts.

    Raises:
        LaunchError: it is malformed. An empty value is, too: ``ros2 launch`` takes none.
    """
    name, mark, value = word.partition(":=")
    if not (name and mark and value):
        raise LaunchError(f"malformed argument '{word}', expected name:=value with a value")
    return name, value


def declared_arguments(root: Element, scope: Scope, seen: tuple[Path, ...] = ()) -> list[Element]:
    """Return the <arg> elements of a file and of what it includes, where that can be told."""
    found = []
    scope.place.file = root.file
    for element in root.children:
        if element.tag == "arg":
            found.append(element)
            scope.variables.setdefault(element.attributes["name"], element.get("default") or "")
        elif element.tag == "group":
            found += declared_arguments(element, scope, seen)
        elif element.tag == "include":
            try:
                file = Path(needed(element, "file", scope)).absolute()
            except SubstitutionError:
                continue
            if file.is_file() and file not in seen:
                found += declared_arguments(load(file), scope.copy(), (*seen, file))
                scope.place.file = None
    return found


def show_arguments(file: Path) -> None:
    """Print the arguments of a launch file as ``ros2 launch --show-args`` does.

    Raises:
        LaunchError: the file is wrong.
    """
    print("Arguments (pass arguments as '<name>:=<value>'):")
    shown = set()
    for element in declared_arguments(load(file.absolute()), Scope()):
        name = element.attributes["name"]
        if name in shown:
            continue
        shown.add(name)
        print(f"\n    '{name}':\n        {element.get('description') or 'no description given'}")
        choices = ", ".join(f"'{choice.attributes['value']}'" for choice in element.children)
        if choices:
            print(f"        Valid choices are: [{choices}]")
        if element.get("default") is not None:
            print(f"        (default: '{element.get('default')}')")
    if not shown:
        print("\n  No arguments.")


def run(file: Path, arguments: dict[str, str]) -> int:
    """Run a launch file to its end, or to a SIGINT or SIGTERM, and return the exit code.

    Raises:
        LaunchError: the file or an argument is wrong.
    """
    runner = LaunchRunner(file, arguments)
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: asked.append(received))
    runner.start()
    while (code := runner.wait(0.1)) is None and not asked:
        pass
    code = runner.terminate() if code is None else code
    if reason := runner.failure():
        print_line(f"[ERROR] [launch]: ended, because of {reason}")
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code."""
    parser = argparse.ArgumentParser(prog="launch_runner", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="FILE | PACKAGE FILE [name:=value…]")
    parser.add_argument(
        "-s", "--show-args", action="store_true", help="show the file's arguments and exit"
    )
    parser.add_argument(
        "-p", "--print", action="store_true", help="show the processes it would start and exit"
    )
    options = parser.parse_intermixed_args(argv)
    try:
        file, arguments = parse_words(options.words)
        if options.show_args:
            show_arguments(file)
        elif options.print:
            for spec in interpret(file, arguments):
                print(f"[{spec.label}] {shlex.join(spec.command)}")
        else:
            return run(file, arguments)
    except LaunchError as error:
        print(f"launch_runner: {error}", file=sys.stderr)
        return 2
    return 0
