"""The requirement files: exact, consistent; and the repair of the wheels' CMake files."""

import importlib.util
import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
GROUPS = ("run", "build", "learn", "evaluate", "docs", "test", "prove")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file):
    lines = (REQUIREMENTS / f"{file}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    return [line for line in wanted if line and not line.startswith("-c ")]


@pytest.mark.parametrize("file", [*GROUPS, "constraints"])
def test_every_version_is_exact(file):
    assert pins(file)
    for line in pins(file):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*( ;.*)?", line), line


def test_a_package_has_one_version():
    versions = {}
    for file in (*GROUPS, "constraints"):
        for line in pins(file):
            name, version = line.split("==")
            assert versions.setdefault(normal(name), version) == version, line


def test_running_needs_no_torch():
    names = {normal(line.split("==")[0]) for file in ("run", "build") for line in pins(file)}
    assert not names & {"torch", "torchvision", "onnx", "onnxscript"}


def load_repair():
    spec = importlib.util.spec_from_file_location("repair_cmake", REQUIREMENTS / "repair_cmake.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_builders_paths_are_replaced(tmp_path):
    builder = "/opt/python/cp310-cp310"
    numpy = f"{builder}/lib/python3.10/site-packages/numpy/_core/include"
    folder = tmp_path / "some/cmake"
    folder.mkdir(parents=True)
    file = folder / "export.cmake"
    file.write_text(f'set(X "{builder}/include/python3.10;{numpy};/usr/include")', encoding="utf-8")
    repair = load_repair()
    assert repair.repair_tree(tmp_path) == 1
    text = file.read_text(encoding="utf-8")
    assert "/opt/python" not in text
    python_include, numpy_include, rest = text.split('"')[1].split(";")
    assert (Path(python_include) / "Python.h").is_file()
    assert (Path(numpy_include) / "numpy/arrayobject.h").is_file()
    assert rest == "/usr/include"
    assert repair.repair_tree(tmp_path) == 0
