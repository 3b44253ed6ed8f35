"""What releasing and building with plain ROS needs: versions, changelogs, keys, tests of colcon."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in (ROOT / "src").glob("*/package.xml"))
KEYS = yaml.safe_load((ROOT / "test" / "data" / "rosdep_keys.yaml").read_text())
OURS = {path.name for path in PACKAGES}

by_name = pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)


def manifest(package: Path) -> ElementTree.Element:
    return ElementTree.parse(package / "package.xml").getroot()


def test_every_package_has_the_version_of_vla_interfaces():
    """catkin_prepare_release changes them together; the setup files read package.xml."""
    versions = {path.name: manifest(path).findtext("version") for path in PACKAGES}
    assert set(versions.values()) == {versions["vla_interfaces"]}, versions
    assert re.fullmatch(r"\d+\.\d+\.\d+", versions["vla_interfaces"] or "")


@by_name
def test_setup_files_repeat_no_version(package):
    setup = package / "setup.py"
    if setup.exists():
        assert 'version=ElementTree.parse("package.xml").findtext("version")' in setup.read_text()


@by_name
def test_the_changelog_is_what_release_tools_read(package):
    lines = (package / "CHANGELOG.rst").read_text().splitlines()
    title = f"Changelog for package {package.name}"
    assert lines[:3] == ["^" * len(title), title, "^" * len(title)]
    version = manifest(package).findtext("version") or ""
    assert lines[4] == "Forthcoming" or lines[4].startswith(f"{version} (")
    assert lines[5] == "-" * len(lines[4]) and lines[6].startswith("* ")


@by_name
def test_every_dependency_is_a_rosdep_key(package):
    for element in manifest(package):
        if element.tag.endswith("depend") and element.text not in OURS:
            assert element.text in KEYS, f"{package.name}: look {element.text} up in rosdistro"


def test_the_key_list_holds_nothing_that_is_unused():
    used = {e.text for p in PACKAGES for e in manifest(p) if e.tag.endswith("depend")}
    assert set(KEYS) <= used, f"unused: {set(KEYS) - used}"


def test_what_rosdep_leaves_to_pip_is_documented():
    text = (ROOT / "docs" / "deploy.md").read_text()
    for target in {name for names in KEYS.values() for name in names if name.startswith("pip ")}:
        assert f"`{target.split()[1]}`" in text, target


@pytest.mark.parametrize(
    "package",
    [path for path in PACKAGES if path.name != "vla_interfaces"],  # messages alone
    ids=lambda path: path.name,
)
def test_colcon_test_runs_the_tests(package):
    assert list(package.glob("test/**/test_*.py")), f"{package.name} has no tests"
    test_depends = {element.text for element in manifest(package).iter("test_depend")}
    assert {"python3-pytest", "python3-hypothesis"} <= test_depends, "conftest.py needs both"
    if (package / "setup.py").exists():
        assert 'extras_require={"test": ["pytest"]}' in (package / "setup.py").read_text()
    else:
        assert "ament_add_pytest_test(" in (package / "CMakeLists.txt").read_text()
        assert "ament_cmake_pytest" in test_depends


def test_conftest_files_work_with_the_pytest_of_ubuntu_2204():
    """6.2 calls a hook's path `path`, and refuses to start with an argument that it has not."""
    for path in ROOT.glob("**/conftest.py"):
        if not {".venv", "out", "install", "build"} & set(path.parts):
            assert "collection_path" not in path.read_text(), path


@by_name
def test_the_ament_index_finds_it(package):
    """ament_cmake writes its marker itself."""
    if (package / "setup.py").exists():
        text = (package / "setup.py").read_text()
        assert "share/ament_index/resource_index/packages" in text
        assert (package / "resource" / package.name).is_file()
        config = (package / "setup.cfg").read_text()
        assert f"$base/lib/{package.name}" in config, "ros2 run looks for executables there"


def test_the_licence_is_there():
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    for package in PACKAGES:
        assert manifest(package).findtext("license") == "Apache-2.0"
        assert manifest(package).find("maintainer") is not None
