"""The requirement files: exact, consistent; and the repair of the wheels' CMake files."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
KEYS = yaml.safe_load((ROOT / "test/data/rosdep_keys.yaml").read_text(encoding="utf-8"))
# Names that differ between Ubuntu and pip.
OTHER_NAMES = {
    "opencv": "opencv-python-headless",
    "pil": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
GROUPS = ("run", "build", "arm", "learn", "evaluate", "docs", "test", "prove", "serve")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file):
    lines = (REQUIREMENTS / f"{file}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    return [line for line in wanted if line and not line.startswith(("-c ", "-r "))]


def versions(*files):
    """Normal name → version of what these files pin."""
    named = (line.split(" ;")[0].split("==") for file in files for line in pins(file))
    return {normal(name): version for name, version in named}


@pytest.mark.parametrize("file", [*GROUPS, "constraints", "jammy"])
def test_every_version_is_exact(file):
    assert pins(file)
    for line in pins(file):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.]*( ;.*)?", line), line


def test_a_package_has_one_version():
    versions = {}
    for file in (*GROUPS, "constraints"):
        for line in pins(file):
            name, version = line.split("==")
            assert versions.setdefault(normal(name), version) == version, line


def test_running_needs_no_torch():
    names = {normal(line.split("==")[0]) for file in ("run", "build") for line in pins(file)}
    assert not names & {"torch", "torchvision", "onnx", "onnxscript"}


def test_ubuntu_2204_differs_in_what_is_not_of_ros_alone():
    jammy, ours = versions("jammy"), versions("run", "build", "constraints")
    for name in jammy:
        if name.startswith(("ros-", "colcon-", "catkin-")):
            assert jammy[name] == ours[name], name


def test_ubuntu_2204_has_an_older_version_of_all_that_rosdep_takes_from_it():
    jammy, ours = versions("jammy"), versions(*GROUPS, "constraints")
    for key, (target, _) in KEYS.items():
        if key.startswith("python3-") and not target.startswith("pip "):
            name = key.split("-", 1)[1]
            name = OTHER_NAMES.get(name, name)
            assert Version(jammy[name]) < Version(ours[name]), name


def test_the_docs_say_which_releases_of_what_pip_takes_were_tried():
    """From what is pinned here; up to the newest, as in the tests with Ubuntu 22.04's versions."""
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    run, jammy = versions("run", "constraints"), versions("jammy")
    for name in {t[4:] for targets in KEYS.values() for t in targets if t.startswith("pip ")}:
        row = re.search(rf"^\| `{name}` \| ([\d.]+) \| ([\d.]+)\b", text, re.MULTILINE)
        assert row, f"{name}: docs/deploy.md has no row of releases"
        assert row[1] == run[name], name
        assert Version(row[1]) <= Version(jammy[name]) <= Version(row[2]), name


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
