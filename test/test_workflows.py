"""The workflows: sound, installing as documented, and leaving nothing out silently."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ROBOT = ROOT / ".ci" / "robot"
DEPLOY = (ROOT / "docs" / "deploy.md").read_text()
README = (ROOT / "README.md").read_text()
# To train, of NVIDIA's own index, or for what a robot may leave out: the containers do without.
NOT_IN_THE_CONTAINERS = {
    "torch", "torchvision", "torch-tensorrt", "onnxscript", "av", "pin", "coal",
}  # fmt: skip


def commands(text: str) -> list[str]:
    """The single commands of a shell text, without comments, `sudo` and conditions."""
    joined = re.sub(r"\\\n", " ", text)
    bare = [re.sub(r"\s#.*|^#.*", "", line) for line in joined.splitlines()]
    parts = re.split(r"&&|\n|; then\b|; fi\b", "\n".join(bare))
    plain = (re.sub(r"^(sudo|if .*) ", "", " ".join(part.split())) for part in parts)
    return [re.sub(r"^source ", ". ", part) for part in plain if part]


def block(text: str, words: str) -> str:
    """The first block of shell commands that has these words."""
    return next(b for b in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if words in b)


@pytest.fixture(scope="module")
def job():
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["ros"]


@pytest.fixture(scope="module")
def steps(job):
    """The commands of the containers' job, in order, those of the script that it calls included."""
    text = "\n".join(step.get("run", "") for step in job["steps"])
    assert ".ci/robot" in text
    return commands(text) + commands(ROBOT.read_text())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_sound(path):
    content = yaml.safe_load(path.read_text())
    assert {"push", "pull_request"} <= set(content[True])  # YAML 1.1 reads the key `on` as true
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert "runs-on" in job and job["timeout-minutes"] <= 120
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            if "uses" in step:
                assert re.search(r"@v\d", step["uses"]), f"{step['uses']} has no version"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_is_a_shell_text(path):
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        for step in job["steps"]:
            subprocess.run(["bash", "-n"], input=step.get("run", ""), text=True, check=True)


def test_the_wheels_run_what_a_newcomer_runs():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    (run,) = [step["run"] for step in jobs["wheels"]["steps"] if "run" in step]
    assert os.access(ROOT / run, os.X_OK)
    assert "3.10" in jobs["wheels"]["strategy"]["matrix"]["python"], "Ubuntu 22.04's"


@pytest.mark.parametrize("text", [DEPLOY, README], ids=["docs/deploy.md", "README.md"])
def test_the_containers_are_installed_as_documented(text, steps):
    """Every command, in the same order; the workflow may add options."""
    documented = [
        command
        for command in commands(block(text, "rosdep install"))
        if not re.match(r"(mkdir|cd|git clone|ros2|colcon test) ?", command)
    ]
    assert len(documented) >= 3
    at = 0
    for command in documented:
        found = [n for n in range(at, len(steps)) if f"{steps[n]} ".startswith(f"{command} ")]
        assert found, f"the workflow has no {command!r} after {steps[at - 1]!r}"
        at = found[0] + 1


def test_every_package_of_pip_is_installed_or_only_for_training(steps):
    (line,) = [command for command in steps if command.startswith("pip_only=")]
    installed = set(re.search(r'"(.*)"', line)[1].split("|"))
    table = DEPLOY[DEPLOY.index("| package | for | installed by |") :].split("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    named = [row[1] for row in rows if row[3].strip() != "`rosbags`"]  # which rosdep installs
    documented = {name for names in named for name in re.findall(r"`([\w-]+)`", names)}
    assert installed | NOT_IN_THE_CONTAINERS == documented
    assert not installed & NOT_IN_THE_CONTAINERS
    groups = ("run", "build", "learn", "evaluate", "test", "constraints")
    pins = "".join((ROOT / "requirements" / f"{group}.txt").read_text() for group in groups)
    for name in installed:
        assert re.search(rf"^{name}==", pins, re.MULTILINE), f"{name} is not pinned"


def test_commands_that_move_and_stop_the_robot_are_the_readme_s(steps):
    said = [command for command in commands(README) if command.startswith("ros2 topic pub")]
    assert len(said) == 2
    assert set(said) == {command for command in steps if command.startswith("ros2 topic pub")}


def test_both_distributions_are_tested_from_another_folder(job, steps):
    assert job["container"]["image"] == "ros:${{ matrix.distribution }}"
    assert job["strategy"]["matrix"]["distribution"] == ["humble", "jazzy"]
    (test,) = [n for n, command in enumerate(steps) if command.startswith("colcon test --")]
    assert steps[test - 1].startswith("cd /tmp/")
    for option in ("base-paths", "build-base", "install-base", "return-code-on-test-failure"):
        assert f"--{option} " in steps[test]


def test_what_needs_a_second_host_or_security_can_run(job, steps):
    assert "--privileged" in job["container"]["options"]
    assert any("iproute2" in command and "-sros2" in command for command in steps)


def test_another_python_comes_before_what_vla_builds(job):
    names = [step.get("uses", step.get("run", "")) for step in job["steps"]]
    (python,) = [n for n, name in enumerate(names) if "setup-python" in name]
    assert python < min(n for n, name in enumerate(names) if "./vla" in name)


@pytest.mark.parametrize(
    "launched",
    ["sim.launch.xml task:=", "replay.launch.xml bag:="],
)
def test_launch_files_are_run_by_ros2_launch(launched, steps):
    (command,) = [c for c in steps if c.startswith(f"ros2 launch vla_bringup {launched}")]
    for name in re.findall(r"(\w+):=", command):
        assert f'<arg name="{name}"' in (ROOT / "launch" / command.split()[3]).read_text()


def test_there_are_verdicts_on_demo_replay_and_recording(steps):
    ran = " ".join(command for command in steps if command.startswith("ros2 run vla_cli vla"))
    for words in ("demo --headless", "replay compare", "vla why"):
        assert words in ran


def skipped(reason: str, tmp_path: Path, job) -> bool:
    """Whether the last step lets a test be skipped for this reason."""
    log = tmp_path / "test.log"
    log.write_text(f"SKIPPED [1] test/test_some.py:7: {reason}\n2 passed\n")
    run = re.sub(r"/tmp/\S+\.log", str(log), job["steps"][-1]["run"])
    return subprocess.run(["bash", "-eo", "pipefail", "-c", run], check=False).returncode == 0


@pytest.mark.parametrize(
    "reason",
    [
        "could not import 'torch': No module named 'torch'",
        "ruff 0.17.6 is not installed",
    ],
)
def test_what_no_robot_has_may_be_left_out(reason, tmp_path, job):
    assert skipped(reason, tmp_path, job)


@pytest.mark.parametrize(
    "reason",
    [
        "NOT RUN, no second host: a network namespace needs root",
        "not run: this Fast DDS is built without DDS security",
        "could not import 'metaworld': No module named 'metaworld'",
        "could not import 'launch_xml': No module named 'launch_xml'",
    ],
)
def test_anything_else_fails_the_workflow(reason, tmp_path, job):
    assert not skipped(reason, tmp_path, job)


def test_the_script_is_executable_bash():
    assert os.access(ROBOT, os.X_OK)
    subprocess.run(["bash", "-n", str(ROBOT)], check=True)
