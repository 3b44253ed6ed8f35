"""`ros2 run vla_safety compile_limiter`: compile the motion limiter with mypyc. Free of ROS.

Results are those of the interpreted modules to the last bit. See `compiled`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vla_safety.limits.compiled import LIBRARY, MODULES, PACKAGE, SUFFIX, digests, folder, present

# Earlier ones do not compile arithmetic with floats to that of the processor.
LEAST_MYPY = (1, 11)
BUILT = "built"  # the folder of the stage that holds what was compiled
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

made = mypycify({arguments!r}, group_name="vla_safety", opt_level="3")
for extension in made:
    # Products are rounded before they are added, as the interpreter does it, on every machine.
    extension.extra_compile_args.append("-ffp-contract=off")
setup(name="vla_safety", ext_modules=made)
"""


class CompileError(RuntimeError):
    """The modules cannot be compiled here; the message says what is missing."""


def compile_modules() -> None:
    """Compile them; takes about half a minute.

    Raises:
        CompileError: no mypy that is new enough, no setuptools, no compiler, or no right to write
            the folder.
    """
    _require_tools()
    target = folder()
    with tempfile.TemporaryDirectory(prefix="vla_safety_") as stage:
        build = Path(stage)
        _stage(build)
        # Not --inplace: mypyc's way of it takes a setuptools newer than that of Ubuntu 22.04.
        made = subprocess.run(
            [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", BUILT],
            cwd=build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env={**os.environ, "MYPY_CACHE_DIR": str(build / "cache")},
        )  # fmt: skip
        if made.returncode:
            raise CompileError(f"the motion limiter was not compiled: {_cause(made.stdout)}")
        try:
            _install(build, target)
        except OSError as error:
            raise CompileError(f"cannot write {target}: {error.strerror}") from error


def _require_tools() -> None:
    least = ".".join(map(str, LEAST_MYPY))
    for name, accepted in (("mypy", f"{least} or newer"), ("setuptools", "any")):
        try:
            found = version(name)
        except PackageNotFoundError:
            raise CompileError(
                f"{name} is not installed; accepted: {accepted}: python3 -m pip install {name}"
            ) from None
        if name == "mypy" and tuple(int(part) for part in found.split(".")[:2]) < LEAST_MYPY:
            raise CompileError(f"mypy is {found}; accepted: {accepted}")


def _cause(output: str) -> str:
    """Why the build failed, in one line; what it takes where that is the compiler."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it says nothing"]
    if not lines[-1].startswith("error: command"):  # setuptools' word for a compiler that failed
        return f"{lines[-1]} (mypy {version('mypy')}, setuptools {version('setuptools')})"
    said = next((line for line in lines if " error: " in line), lines[-1])
    return f"{said}; it takes g++ and Python's headers (python3-dev)"


def _stage(build: Path) -> None:
    """Lay the sources out so that mypy finds them under their names."""
    sources = build / "vla_safety"
    ignored = shutil.ignore_patterns(folder().parent.name, "__pycache__")
    shutil.copytree(PACKAGE, sources, ignore=ignored)
    arguments = ["--ignore-missing-imports", "--follow-imports=silent"]
    arguments += [f"vla_safety/{name}.py" for name in MODULES]
    (build / "setup.py").write_text(_SETUP.format(arguments=arguments))


def _install(build: Path, target: Path) -> None:
    """Put the new modules in the place of the old ones at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="new_", dir=target.parent))
    try:
        (fresh / "vla_safety").mkdir()
        shutil.copy(build / BUILT / f"{LIBRARY}{SUFFIX}", fresh)
        for name in MODULES:
            compiled = fresh / "vla_safety" / f"{name}{SUFFIX}"
            compiled.parent.mkdir(exist_ok=True)
            shutil.copy(build / BUILT / "vla_safety" / f"{name}{SUFFIX}", compiled)
        of = digests(build / "vla_safety")
        (fresh / "sources.json").write_text(json.dumps(of, indent=1) + "\n")
        fresh.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def main() -> int:
    """Compile what is not compiled yet. 0: it is there; 1: it cannot be made, one line says why."""
    parser = argparse.ArgumentParser(description="Compile the motion limiter with mypyc.")
    parser.add_argument("--check", action="store_true", help="only say whether it is compiled")
    chosen = parser.parse_args()
    if not present():
        if chosen.check:
            print("the motion limiter is not compiled: the interpreter runs it")
            return 1
        try:
            compile_modules()
        except CompileError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"the motion limiter is compiled: {folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
