"""The runner starts what launch itself starts: same command lines, same environments."""

import os

import pytest
import real_launch
from launch_cases import (
    CASES,
    REFUSED,
    WORDS,
    Case,
    Started,
    describe,
    environment,
    expected,
    make_prefix,
)

launch_runner = pytest.importorskip("launch_runner")
cli = pytest.importorskip("launch_runner.cli")

ANEW = "write what launch does anew: pip_ros/README.md, What was compared"


@pytest.fixture
def prefix(tmp_path):
    return make_prefix(tmp_path / "prefix")


@pytest.fixture
def ours(prefix, monkeypatch):
    """What the runner starts in a case."""

    def processes(name):
        case = CASES[name]
        base = environment(prefix, case)
        for variable in ("AMENT_PREFIX_PATH", "PATH"):
            monkeypatch.setenv(variable, base[variable])
        specs = launch_runner.interpret(case.path(prefix), case.arguments, base)
        started = (Started(s.label, s.command, s.environment, s.cwd, s.shell) for s in specs)
        return describe(started, prefix, base)

    return processes


@pytest.mark.parametrize("name", CASES)
def test_same_processes_as_launch_wrote_down(name, ours):
    assert ours(name) == expected()["processes"].get(name), ANEW


def test_what_launch_wrote_down_is_of_these_cases():
    written = expected()
    assert set(written["processes"]) == set(CASES), ANEW
    assert set(written["taken"]) == set(REFUSED), ANEW
    assert set(written["arguments"]) == set(WORDS), ANEW
    assert all(written["processes"].values())
    assert not any(written["taken"].values())


@pytest.mark.parametrize("name", REFUSED)
def test_what_launch_refuses_is_refused(name, tmp_path, prefix, monkeypatch):
    packages = environment(prefix, Case(""))["AMENT_PREFIX_PATH"]
    monkeypatch.setenv("AMENT_PREFIX_PATH", packages)
    file = tmp_path / "some.launch.xml"
    file.write_text(f"<launch>{REFUSED[name]}</launch>", encoding="utf-8")
    with pytest.raises(launch_runner.LaunchError):
        launch_runner.interpret(file, {}, os.environ)


@pytest.mark.parametrize("word", WORDS)
def test_arguments_of_the_command_line_are_taken_or_refused_alike(word):
    told = expected()["arguments"][word]
    if told is not None:
        assert list(cli.parse_argument(word)) == told
        return
    with pytest.raises(launch_runner.LaunchError, match=r"^malformed argument '.*', expected name"):
        cli.parse_argument(word)


@pytest.fixture
def launch():
    for module in ("launch_xml", "launch_ros", "ros2launch"):
        pytest.importorskip(module)


@pytest.mark.parametrize("name", CASES)
def test_same_processes_as_launch(name, launch, prefix, ours):
    assert ours(name) == real_launch.run_apart(name, prefix)["processes"]


@pytest.mark.parametrize("name", REFUSED)
def test_launch_refuses(name, launch):
    assert not real_launch.takes(REFUSED[name])


@pytest.mark.parametrize("word", WORDS)
def test_launch_takes_or_refuses_the_same_arguments(word, launch):
    assert real_launch.argument(word) == expected()["arguments"][word]
