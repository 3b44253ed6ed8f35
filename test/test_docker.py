"""The container files: hadolint's rules, and that everything they name exists in the tree."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / "docker"
FILES = sorted(DOCKER.glob("*.Dockerfile"))
IGNORE = (ROOT / ".dockerignore").read_text().splitlines()
# Where the images differ from requirements/: NumPy 1 and the last torch of CUDA 11.8 and of Orin.
OTHER_VERSION = {"numpy", "torch", "torchvision"}
IMAGE_ONLY = {"torch-tensorrt"}


def instructions(path: Path) -> list[tuple[str, str]]:
    """(instruction, the rest) with continued lines joined and comments left out."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def in_context(path: Path) -> bool:
    """Whether .dockerignore lets a path of the tree through; the last rule that fits decides."""
    names = [str(p) for p in (path, *path.parents) if str(p) != "."]
    kept = True
    for rule in (line for line in IGNORE if line and not line.startswith("#")):
        pattern = rule.lstrip("!").removeprefix("**/")
        anywhere = rule.startswith("**/")
        if any(fnmatch.fnmatch(Path(n).name if anywhere else n, pattern) for n in names):
            kept = rule.startswith("!")
    return kept


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_there_are_two_images():
    assert [path.name for path in FILES] == ["desktop.Dockerfile", "jetson.Dockerfile"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_hadolint(path):
    tool = Path(sys.executable).with_name("hadolint")
    command = str(tool) if tool.exists() else shutil.which("hadolint")
    if command is None:
        pytest.skip("hadolint is not installed (requirements/test.txt)")
    result = subprocess.run(
        [command, "--no-color", "--failure-threshold", "info", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_copied_exists_and_is_in_the_context(path):
    copies = [rest for name, rest in instructions(path) if name == "COPY" and "--from" not in rest]
    assert copies
    for rest in copies:
        *sources, _ = [word for word in rest.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), f"{path.name}: COPY {source}"
            assert in_context(Path(source)), f"{path.name}: .dockerignore leaves {source} out"


def test_the_context_holds_no_tests_and_no_results():
    for name in (".git", ".venv", "out", "build", "README.md", "src/vla_safety/test"):
        assert not in_context(Path(name)), name
    assert in_context(Path("src/vla_safety/vla_safety/node/node.py"))
    assert in_context(Path("models/metaworld/policy.onnx"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_images_are_pinned_staged_and_not_root(path):
    steps = instructions(path)
    stages, values = set(), dict(re.findall(r"^ARG (\w+)=(\S+)", path.read_text(), re.MULTILINE))
    for rest in (rest for name, rest in steps if name == "FROM"):
        image, _, stage = rest.split()
        image = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], image)
        assert image in stages or re.search(r":[\w.-]*\d", image), f"{image} has no version"
        assert "latest" not in image
        stages.add(stage)
    assert stages == {"base", "build", "run"}
    assert [rest for name, rest in steps if name == "USER"] == ["1000:1000"]
    assert {"HEALTHCHECK", "ENTRYPOINT", "CMD"} <= {name for name, _ in steps}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_command_launches_a_file_that_exists(path):
    (command,) = [yaml.safe_load(rest) for name, rest in instructions(path) if name == "CMD"]
    assert command[:3] == ["ros2", "launch", "vla_bringup"]
    assert (ROOT / "launch" / command[3]).is_file()
    for name, rest in instructions(path):
        if name in ("ENTRYPOINT",):
            assert (DOCKER / yaml.safe_load(rest)[0]).is_file()
    assert 'CMD ["healthy.sh"]' in path.read_text() and (DOCKER / "healthy.sh").is_file()


@pytest.mark.parametrize("name", ["entrypoint.sh", "healthy.sh"])
def test_scripts_are_executable_bash(name):
    assert os.access(DOCKER / name, os.X_OK)
    subprocess.run(["bash", "-n", str(DOCKER / name)], check=True)


def test_pins_are_exact_and_agree_with_the_requirements():
    ours: dict[str, str] = {}
    for path in (ROOT / "requirements").glob("*.txt"):
        if path.name == "jammy.txt":  # Ubuntu 22.04's own versions
            continue
        ours |= {k.lower(): v for k, v in re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.M)}
    for path in DOCKER.glob("*-requirements.txt"):
        for name, version in pins(path).items():
            if name not in OTHER_VERSION | IMAGE_ONLY:
                assert ours[name] == version, f"{path.name}: {name}"
        assert pins(path)["numpy"].startswith("1."), "Humble's cv_bridge is built against NumPy 1"
    jetson = pins(DOCKER / "jetson-requirements.txt")
    assert jetson["torch"] == jetson["torch-tensorrt"], "torch-tensorrt is of torch's release"
    # An index beside NVIDIA's would give PyPI's torch, which has no CUDA on a Jetson.
    text = (DOCKER / "jetson.Dockerfile").read_text()
    assert "extra-index-url" not in text and "--no-deps" in text and "assert cuda" in text
    minor = {k: v.split(".")[1] for k, v in jetson.items()}
    assert int(minor["torchvision"]) == int(minor["torch"]) + 15, (
        "torchvision is of torch's release"
    )


def test_what_the_nodes_need_is_installed():
    """Every rosdep key of the nodes is in the apt list, a requirement or ROS's base."""
    text = "".join(path.read_text() for path in (*FILES, *DOCKER.glob("*.txt")))
    base = {"builtin_interfaces", "rclpy", "rcl_interfaces", "std_msgs", "ament_index_python"}
    base |= {"action_msgs", "rosidl_default_runtime", "python3-numpy"}  # of ros-base; of pip
    for package in ("vla_interfaces", "vla_perception", "vla_policy", "vla_safety", "vla_bringup"):
        root = ElementTree.parse(ROOT / "src" / package / "package.xml").getroot()
        for element in (*root.iter("depend"), *root.iter("exec_depend")):
            key = element.text or ""
            apt = f"ros-humble-{key.replace('_', '-')}"
            pip = re.sub(r"^python3-(.*)-pip$", r"\1==", key)
            if key not in base and not key.startswith("vla_"):
                assert key in text or apt in text or pip in text, f"{package} needs {key}"


def test_compose(compose):
    assert set(compose["services"]) == {"jetson", "desktop"}
    for name, service in compose["services"].items():
        build = service["build"]
        assert ROOT.samefile(DOCKER / build["context"])
        assert (ROOT / build["dockerfile"]).is_file() and name in build["dockerfile"]
        assert service["network_mode"] == service["ipc"] == "host"
        assert service["user"] == "1000:1000" and service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][1] == "healthy.sh"
        assert service["command"][3] in {path.name for path in (ROOT / "launch").iterdir()}
        models = next(v for v in service["volumes"] if ":/models" in v)
        assert models.endswith(":ro")
        named = {v.split(":")[0] for v in service["volumes"] if not v.startswith(("$", ".", "/"))}
        assert named <= set(compose["volumes"])


def test_the_arguments_that_compose_gives_exist(compose):
    launch = ElementTree.parse(ROOT / "launch" / "vla.launch.xml").getroot()
    known = {element.attrib["name"] for element in launch.findall("arg")}
    for service in compose["services"].values():
        assert {word.split(":=")[0] for word in service["command"][4:]} <= known


def test_the_health_check_asks_for_nodes_that_are_launched(compose):
    launch = ElementTree.parse(ROOT / "launch" / "vla.launch.xml").getroot()
    names = [element.get("name") for element in launch.iter("node")]
    # Not that of both, which names none, nor what the robot does without: markers and the page.
    nodes = [f"/vla/{name}" for name in names if name not in (None, "markers", "console")]
    for service in compose["services"].values():
        assert service["healthcheck"]["test"][2:] == nodes
    assert all(node in (DOCKER / "healthy.sh").read_text() for node in nodes)
