"""The compiled motion limiter: the same motion, and only for the very sources that are there."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from vla_safety.limits import compile_limiter, compiled

HERE = Path(__file__).parents[1]
PLAY = "import json, test_golden_motion as g; print(json.dumps([g.play(k) for k in range(99)]))"
WHICH = "import vla_safety, vla_safety.limits.braking as b; print(vla_safety.COMPILED, b.__file__)"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mypyc") is None, reason="mypy is not installed: nothing is compiled"
)


def python(code, package=compiled.PACKAGE, **variables):
    """What this code prints, with the package from this folder."""
    path = [str(package.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **variables},
        capture_output=True, text=True, check=True, timeout=240,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def modules():
    """Compiled, whoever runs the tests."""
    if not compiled.present():
        compile_limiter.compile_modules()


@pytest.fixture
def package(tmp_path):
    """A copy of the package that may be changed."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(compiled.PACKAGE, tmp_path / "vla_safety", ignore=ignored))


def test_both_move_alike_to_the_last_bit():
    by_compiler = python(PLAY, **{compiled.VARIABLE: "1"})
    by_interpreter = python(PLAY, **{compiled.VARIABLE: "0"})
    assert len(json.loads(by_compiler)) == 99
    assert by_compiler == by_interpreter


def test_a_variable_leaves_it_unused():
    assert python(WHICH).startswith("True")
    assert python(WHICH, **{compiled.VARIABLE: "0"}).startswith("False")


@pytest.mark.parametrize("name", compiled.MODULES)
def test_an_edited_module_is_interpreted(package, name):
    assert compiled.SUFFIX in python(WHICH, package)
    with (package / f"{name}.py").open("a") as file:
        file.write("# edited\n")
    assert python(WHICH, package).split() == ["False", str(package / "limits" / "braking.py")]


def test_what_cannot_be_loaded_is_interpreted(package):
    folder = package / compiled.folder().relative_to(compiled.PACKAGE)
    (folder / f"{compiled.LIBRARY}{compiled.SUFFIX}").write_bytes(b"not a library")
    assert python(WHICH, package).startswith("False")


def test_a_missing_or_old_mypy_is_named(monkeypatch):
    def missing(_):
        raise PackageNotFoundError

    monkeypatch.setattr(compile_limiter, "version", missing)
    with pytest.raises(compile_limiter.CompileError, match="mypy is not installed; accepted: 1.11"):
        compile_limiter.compile_modules()
    monkeypatch.setattr(compile_limiter, "version", lambda _: "0.942")
    with pytest.raises(compile_limiter.CompileError, match="mypy is 0.942; accepted: 1.11"):
        compile_limiter.compile_modules()


def test_a_compiler_that_fails_is_named(monkeypatch):
    monkeypatch.setenv("CC", "false")
    with pytest.raises(compile_limiter.CompileError, match=r"not compiled: .*g\+\+"):
        compile_limiter.compile_modules()
    assert compiled.present()


def test_the_compiler_is_blamed_for_nothing_else(monkeypatch):
    """The tools may not fit each other, as an old setuptools and a new mypy."""
    monkeypatch.setattr(compile_limiter, "_SETUP", "raise AttributeError('an_old_name')")
    with pytest.raises(compile_limiter.CompileError) as refused:
        compile_limiter.compile_modules()
    words = r"not compiled: AttributeError: an_old_name \(mypy \d.*, setuptools \d.*\)"
    assert re.search(words, str(refused.value))
    assert "g++" not in str(refused.value)
