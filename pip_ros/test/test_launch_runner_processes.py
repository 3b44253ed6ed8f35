"""The processes that the runner starts: watched, started again, and all gone in the end."""

import os
import signal
import subprocess
import sys
import time

import pytest

launch_runner = pytest.importorskip("launch_runner")

# Says "ready", and again what it gets; leaves when it gets the signal it obeys.
CHILD = """
import signal, sys, time
def got(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    if signal.Signals(number).name == sys.argv[1]:
        sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, got)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


class Lines(list):
    """The runner's output, and waiting for it."""

    def wait_for(self, text, count=1, seconds=15.0):
        end = time.monotonic() + seconds
        while sum(text in line for line in self) < count:
            assert time.monotonic() < end, f"no '{text}' in {self}"
            time.sleep(0.01)


@pytest.fixture
def launch(tmp_path):
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    started = []

    def make(content, **options):
        file = tmp_path / "some.launch.xml"
        child = f"{sys.executable} {tmp_path}/child.py"
        file.write_text(f"<launch>{content.replace('CHILD', child)}</launch>", encoding="utf-8")
        lines = Lines()
        runner = launch_runner.LaunchRunner(file, print_line=lines.append, **options)
        started.append(runner)
        return runner, lines

    yield make
    for runner in started:
        runner.terminate()


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ends_with_sigint(launch):
    runner, lines = launch('<executable cmd="CHILD SIGINT" name="a" output="screen"/>' * 2)
    runner.start()
    lines.wait_for("ready", 2)
    pids = list(runner.pids().values())
    assert len(pids) == 2
    assert runner.terminate() == 0
    assert "[a-1] got SIGINT" in lines
    assert "[a-2] got SIGINT" in lines
    assert not any(map(exists, pids))
    assert runner.pids() == {}


def test_escalates_to_sigterm_and_sigkill(launch):
    runner, lines = launch(
        '<executable cmd="CHILD SIGTERM" name="deaf" output="screen"/>'
        '<executable cmd="CHILD nothing" name="stubborn" output="screen"/>',
        sigterm_timeout=0.3,
        sigkill_timeout=0.3,
    )
    runner.start()
    lines.wait_for("ready", 2)
    assert runner.terminate() == 1  # one had to be killed
    assert "[deaf-1] got SIGTERM" in lines
    assert "[stubborn-2] got SIGTERM" in lines
    assert runner.process("stubborn-2").returncode == -signal.SIGKILL
    assert runner.process("deaf-1").returncode == 0


def test_exit_code_of_what_ends_by_itself(launch):
    runner, lines = launch('<executable cmd="true"/><executable cmd="sh -c \'exit 3\'"/>')
    runner.start()
    assert runner.wait(10.0) == 1
    assert any("process has died" in line and "exit code 3" in line for line in lines)
    runner, lines = launch('<executable cmd="true"/>')
    runner.start()
    assert runner.wait(10.0) == 0
    assert any("finished cleanly" in line for line in lines)


def test_the_last_line_says_why_what_cannot_start_has_ended_the_launch(tmp_path):
    program = tmp_path / "node.py"
    program.write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the launch sends on\n"
        "print('[FATAL] [1.0] [vla.policy]: cannot configure: no model', file=sys.stderr)\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "sys.exit(78)\n",
        encoding="utf-8",
    )
    file = tmp_path / "some.launch.xml"
    other = '<executable cmd="sleep 100" name="other"/>'
    node = f'<executable cmd="{sys.executable} {program}" name="policy" output="screen"/>'
    file.write_text(f"<launch>{other}{node}</launch>", encoding="utf-8")
    ended = subprocess.run(
        command_line(file), capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 78
    assert ended.stdout.splitlines()[-1] == (
        "[ERROR] [launch]: ended, because of [policy-2] [FATAL] [1.0] [vla.policy]: "
        "cannot configure: no model"
    )
    assert "process has ended by SIGINT" in next(
        line for line in ended.stdout.splitlines() if "[INFO] [other-1]: process has ended" in line
    )
    died = [line for line in ended.stdout.splitlines() if "process has died" in line]
    assert len(died) == 1 and "[policy-2]" in died[0]


def test_wait_gives_up_at_its_timeout(launch):
    runner, lines = launch('<executable cmd="sleep 30"/>')
    runner.start()
    lines.wait_for("started")
    assert runner.wait(0.05) is None
    assert runner.running()


def test_respawns_after_its_delay_and_not_after_the_end(launch):
    runner, lines = launch(
        '<executable cmd="CHILD SIGINT" name="a" output="screen"'
        ' respawn="true" respawn_delay="0.2"/>'
    )
    runner.start()
    lines.wait_for("ready")
    first = runner.pids()["a-1"]
    os.kill(first, signal.SIGKILL)
    lines.wait_for("process has died")
    died = time.monotonic()
    lines.wait_for("ready", 2)
    assert time.monotonic() - died > 0.15
    assert runner.pids()["a-1"] != first
    assert runner.process("a-1").starts == 2
    assert runner.terminate() == 0
    assert sum("process started" in line for line in lines) == 2


def test_output_log_shows_errors_only(launch):
    runner, lines = launch('<executable cmd="sh -c \'echo out; echo err &gt;&amp;2\'" name="a"/>')
    runner.start()
    runner.wait(10.0)
    assert "[a-1] err" in lines
    assert "[a-1] out" not in lines


def test_a_program_that_does_not_exist(launch):
    runner, lines = launch('<executable cmd="/no/such/program" respawn="true"/>')
    runner.start()
    assert runner.wait(10.0) == 1
    assert any("cannot start /no/such/program: No such file or directory" in line for line in lines)


def test_grandchildren_are_killed_too(launch):
    runner, lines = launch(
        "<executable cmd=\"sh -c 'trap true INT TERM; sleep 100 &amp; echo pid $!; "
        "while true; do wait; done'\""
        ' name="a" output="screen"/>',
        sigterm_timeout=0.3,
        sigkill_timeout=0.3,
    )
    runner.start()
    lines.wait_for("] pid ")
    grandchild = int(next(line for line in lines if "] pid " in line).split()[-1])
    runner.terminate()
    end = time.monotonic() + 5.0
    while exists(grandchild):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_names_of_nodes(launch):
    runner, lines = launch(
        '<node exec="sleep" args="30" name="one" namespace="vla"/>'
        '<node exec="sleep" args="30" name="two" namespace="a"/>'
        '<node exec="sleep" args="30" name="two" namespace="b"/>'
        '<node exec="sleep" args="30" name="bare"/>'
    )
    names = {spec.node for spec in runner.specs}
    assert names == {"/vla/one", "/a/two", "/b/two", "/bare"}
    assert runner.process("one") is runner.process("/vla/one") is runner.process("sleep-1")
    with pytest.raises(launch_runner.LaunchError, match="'two' names 2 processes"):
        runner.process("two")


def command_line(*words):
    return [sys.executable, "-m", "launch_runner", *map(str, words)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line_ends_all_on_a_signal(number, tmp_path):
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    file = tmp_path / "some.launch.xml"
    file.write_text(
        f'<launch><executable cmd="{sys.executable} {tmp_path}/child.py SIGINT" output="screen"/>'
        "</launch>",
        encoding="utf-8",
    )
    with subprocess.Popen(command_line(file), stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        seen = []
        for line in runner.stdout:
            seen.append(line)
            if "ready" in line:
                runner.send_signal(number)
        assert runner.wait(10.0) == 0
    assert any("got SIGINT" in line for line in seen)


def test_a_killed_runner_takes_its_processes_along(tmp_path):
    file = tmp_path / "some.launch.xml"
    file.write_text('<launch><executable cmd="sleep 100" name="a"/></launch>', encoding="utf-8")
    with subprocess.Popen(command_line(file), stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        pid = int(runner.stdout.readline().split("[")[-1].rstrip("]\n"))
        assert exists(pid)
        runner.kill()
        runner.wait()
        end = time.monotonic() + 5.0
        while exists(pid):
            assert time.monotonic() < end, "the process outlives its killed runner"
            time.sleep(0.02)


def test_command_line_words(tmp_path):
    file = tmp_path / "some.launch.xml"
    file.write_text(
        '<launch><arg name="x" default="1" description="a number"/>'
        '<executable cmd="echo $(var x)"/></launch>',
        encoding="utf-8",
    )

    def run(*words):
        return subprocess.run(
            command_line(*words), capture_output=True, text=True, check=False, timeout=30
        )

    assert run(file, "x:=a b", "--print").stdout == "[echo-1] echo 'a b'\n"
    shown = run("--show-args", file).stdout
    assert "    'x':\n        a number\n        (default: '1')\n" in shown
    wrong = run(file, "y:=1")
    assert wrong.returncode == 2
    assert wrong.stderr == f"launch_runner: {file}: unknown argument 'y', expected one of: x\n"
    empty = run(file, "x:=")
    assert empty.returncode == 2
    expected = "malformed argument 'x:=', expected name:=value with a value"
    assert empty.stderr == f"launch_runner: {expected}\n"
    assert "malformed argument 'second.xml'" in run(file, "second.xml").stderr
    assert "expected FILE or PACKAGE FILE, then name:=value, got: x:=1" in run("x:=1", file).stderr
    assert "does not exist" in run(tmp_path / "no.launch.xml").stderr
    assert "package 'nowhere' is not found" in run("nowhere", "a.launch.xml").stderr
