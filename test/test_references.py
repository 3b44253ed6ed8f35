"""What docstrings, comments and documents point to is there: files, tests, modules."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROSE = {".md", ".rst", ".yaml", ".yml", ".xml", ".toml"}
# Of other projects, or written by a command or a reader.
ELSEWHERE = {
    *("directed.py", "enumerants.py", "rs_launch.py"),
    *("test_approxsync", "test_buffer", "test_listener_and_broadcaster"),
    "test_message_filters_cache",
    "test_depend",
    *("config/action_spaces/mine.yaml", "config/learning/yours.yaml", "examples/libero/main.py"),
}
WORKSPACE = "src/vla/"  # where a checkout lies in a ROS workspace
FILE = re.compile(r"(?<![\w/.*{}<$-])(?:[\w.-]+/)*[\w-]+\.py\b(?![*{<])")
PLACE = r"(?<![\w/.*{}<$-])(?:\./)?((?:%s)/[\w./-]*\w)(?![\w*{<…])"
TEST = re.compile(r"\btest_[a-z0-9_]+\b(?!/)(?!\*)")
COMMENT = re.compile(r"(?:^|\s)# .*$", re.MULTILINE)
MODULE = re.compile(r"\b(vla_[a-z]+(?:\.\w+)+)\b")


@cache
def tracked() -> tuple[str, ...]:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return tuple(name for name in names if (ROOT / name).is_file())


def sources() -> list[str]:
    return [
        name
        for name in tracked()
        if name.endswith(".py") or (Path(name).suffix in PROSE and "CHANGELOG" not in name)
    ]


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def definitions(node: Any) -> Iterator[Any]:
    """The module, its classes and functions, and those within them."""
    yield node
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from definitions(child)


@cache
def places() -> frozenset[str]:
    """Every file and folder."""
    return frozenset(
        str(place) for name in tracked() for place in (Path(name), *Path(name).parents)
    )


@cache
def endings() -> frozenset[str]:
    """Every file as it may be named: with its folders, or with the last of them alone."""
    parts = [name.split("/") for name in tracked()]
    return frozenset("/".join(each[i:]) for each in parts for i in range(len(each)))


@cache
def place_pattern() -> re.Pattern[str]:
    """What begins with a folder of the project."""
    return re.compile(
        PLACE % "|".join(re.escape(top) for top in places() - {"."} if "/" not in top)
    )


@cache
def homes(package: str) -> tuple[Path, ...]:
    return tuple(Path(p).parent for p in tracked() if p.endswith(f"/{package}/__init__.py"))


@cache
def known_tests() -> frozenset[str]:
    """Names of test modules and functions, and of folders of tests."""
    found = {Path(place).stem for place in places()}
    for name in tracked():
        if name.endswith(".py") and "test" in name:
            found |= {node.name for node in definitions(tree(name)) if node is not tree(name)}
    return frozenset(found)


def texts(name: str) -> Iterator[str]:
    """What is written for people: the whole file, or a program's docstrings and comments."""
    content = (ROOT / name).read_text(encoding="utf-8")
    if not name.endswith(".py"):
        yield content
        return
    yield "\n".join(COMMENT.findall(content))
    for node in definitions(tree(name)):
        yield ast.get_docstring(node) or ""


@cache
def is_module(words: str) -> bool:
    """A module, or what one defines; a package of our prefix that has no folder is not ours."""
    package, *rest = words.split(".")
    return not homes(package) or any(_leads(home, rest) for home in homes(package))


def _leads(folder: Path, rest: list[str]) -> bool:
    for index, part in enumerate(rest):
        if str(folder / part) in places():
            folder = folder / part
            continue
        file = f"{folder / part}.py"
        name = rest[index + 1 :] if file in places() else rest[index:]
        owner = file if file in places() else f"{folder}/__init__.py"
        return not name or (owner in places() and name[0] in names_in(owner))
    return True


@cache
def names_in(name: str) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
    return frozenset(found)


def dangling(name: str) -> set[str]:
    """What a file points to and is not there."""
    beside = Path(name).parent
    found = set()
    for text in texts(name):
        found |= set(FILE.findall(text)) - endings()
        found |= set(TEST.findall(text)) - known_tests()
        found |= {module for module in MODULE.findall(text) if not is_module(module)}
        found |= {
            place
            for place in place_pattern().findall(text)
            if not {place, str(beside / place)} & (places() | endings()) and place.islower()
        }
    return {
        word
        for word in found
        if not word.startswith(WORKSPACE)
        and not {word, Path(word).stem, Path(word).name} & ELSEWHERE
    }


def test_what_is_pointed_to_is_there():
    found = {name: words for name in sources() if (words := dangling(name))}
    assert not found
