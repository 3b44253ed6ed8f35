"""`./vla` itself: what it says where something is missing, what it remembers, what it chooses."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vla_cli.client import domains

ROOT = Path(__file__).resolve().parents[1]
TOOLS = (
    "bash cat chmod dirname env flock grep head id ldconfig ls mkdir mv readlink rm sha256sum sort "
    "stat tail true uname"
)
COMMANDS = [
    "demo",
    "launch",
    "say",
    "stop",
    "reset",
    "home",
    "status",
    "build",
    "test",
    "bench",
    "learn",
    "doctor",
]


class Copy:
    """A copy of the script alone, with a PATH of its own that has only what is put there."""

    def __init__(self, folder):
        self.root = folder / "copy"
        self.bin = folder / "bin"
        self.home = folder / "home"
        for path in (self.root, self.bin, self.home):
            path.mkdir()
        shutil.copy(ROOT / "vla", self.root)
        for tool in TOOLS.split():
            path = shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
            if path:
                (self.bin / tool).symlink_to(path)

    def put(self, name, body):
        """Make a command of this PATH a shell script."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, *words, source=None, **environment):
        """Run the script, or a piece of bash after sourcing it."""
        command = [str(self.root / "vla"), *words]
        if source is not None:
            command = ["bash", "-c", f"source {self.root}/vla; {source}"]
        return subprocess.run(
            command,
            env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def with_system_packages(copy):
    """Let nothing of the system be missing."""
    for name in ("g++", "cmake", "make"):
        copy.put(name, "exit 0")
    copy.put("ldconfig", "echo libEGL.so.1 libGL.so.1 libEGL_mesa.so.0")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["demo", "--help"]])
def test_help_needs_nothing_and_leaves_nothing(words, copy):
    done = copy.run(*words)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./vla COMMAND")
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
    assert os.listdir(copy.root) == ["vla"]


@pytest.mark.parametrize(
    ("words", "groups", "threads"),
    [
        ("evaluate", "run build", "1"),
        ("evaluate --tasks mt10 --in-process", "run build learn", "7"),
        ("learn evaluate", "run build learn", "7"),
        ("metrics a.json", "run build evaluate", "1"),
        ("eval a.json", "run build evaluate", "1"),
        ("learn --help", "run build", "1"),
        ("learn train -h", "run build", "1"),
        ("evaluate --in-process --help", "run build", "1"),
    ],
)
def test_each_way_to_evaluate_is_set_up_for_what_it_needs(copy, words, groups, threads):
    copy.put("nproc", "echo 7")
    copy.put("python", 'echo "$*"')
    stand_ins = (
        'choose_environment() { PYTHON=python; }; set_up() { echo "$*"; }; '
        'export_environment() { :; }; export_threads() { echo "$1"; };'
    )
    (copy.root / ".vla").mkdir()
    (copy.root / ".vla" / "env.sh").touch()
    done = copy.run(source=f"{stand_ins} main {words}")
    assert done.stdout.splitlines() == [groups, threads, f"-m vla_cli {words}"], done.stderr


def test_a_demo_says_that_it_starts_before_anything_else(copy):
    stand_ins = (
        "choose_environment() { PYTHON=python; }; set_up() { echo set-up >&2; }; "
        "export_environment() { :; }; export_threads() { :; };"
    )
    copy.put("python", "echo python >&2")
    done = copy.run(source=f"{stand_ins} main demo")
    assert done.stderr.split("\n") == ["vla: starting the demo", "set-up", "python", ""]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("fly", ""),
        ("nonsense", ""),
        ("demo launch", ""),
        ("stopp", "did you mean stop? "),
        ("lauhcn", "did you mean launch? "),
        ("sai", "did you mean say? "),
    ],
)
def test_an_unknown_command_is_named_and_the_one_that_was_meant(word, near, copy):
    done = copy.run(word)
    assert done.returncode == 2
    assert done.stderr == f"vla: no such command: {word}; {near}./vla --help lists them\n"
    assert os.listdir(copy.root) == ["vla"]


def test_a_machine_without_wheels_needs_ros(copy):
    copy.put("uname", "echo Linux aarch64")
    done = copy.run("build")
    assert done.returncode == 1
    assert done.stderr == (
        "vla: missing: ROS 2 (there are wheels for Linux on x86-64 only); "
        "mend it with: source /opt/ros/humble/setup.bash\n"
    )


def test_a_user_without_sudo_gets_the_command(copy):
    copy.put("id", "echo 1000")
    copy.put("sudo", "exit 1")
    copy.put("apt-get", "exit 1")
    copy.put("ldconfig", "true")
    done = copy.run("build")
    assert done.returncode == 1
    packages = "g++ cmake make libegl1 libgl1 libgl1-mesa-dri"
    assert done.stderr.splitlines() == [
        f"vla: missing: the system packages {packages}; mend it with: "
        f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}"
    ]


def test_a_user_with_sudo_and_root_install(copy):
    with_system_packages(copy)
    (copy.bin / "cmake").unlink()
    copy.put("apt-get", f'echo "$@" >>{copy.home}/calls; exit 0')
    copy.put("sudo", f'[[ $1 == -n ]] && shift; echo sudo "$@" >>{copy.home}/calls; exec "$@"')
    for user in ("1000", "0"):
        copy.put("id", f"echo {user}")
        copy.run("build", VLA_PYTHON="/bin/false")  # which ends it after this step
        calls = (copy.home / "calls").read_text(encoding="utf-8")
        assert "install -y --no-install-recommends cmake" in calls
        assert ("sudo apt-get update" in calls) == (user == "1000")
        (copy.home / "calls").unlink()


@pytest.mark.parametrize(
    ("user", "command", "installs"),
    [("0", "test", True), ("0", "build", False), ("1000", "test", False)],
)
def test_a_test_run_by_root_gets_what_a_second_host_needs(copy, user, command, installs):
    with_system_packages(copy)
    copy.put("id", f"echo {user}")
    copy.put("apt-get", f'echo "$@" >>{copy.home}/calls; exit 1')  # which is no reason to end
    done = copy.run(command, VLA_PYTHON="/bin/false")
    called = (copy.home / "calls").exists()
    assert called == installs
    assert ("the test of the network is left out" in done.stderr) == installs
    assert "VLA_PYTHON=/bin/false" in done.stderr


@pytest.mark.parametrize(
    ("system", "words", "installs"),
    [
        ("debian", ["test"], True),
        ("debian", ["build"], False),
        ("ubuntu", ["test"], False),
    ],
)
def test_a_test_run_gets_a_browser_where_there_is_a_package(copy, system, words, installs):
    with_system_packages(copy)
    copy.put("ip", "exit 0")
    copy.put("id", "echo 0")
    copy.put("apt-get", f'echo "$@" >>{copy.home}/calls; exit 1')
    release = copy.home / "os-release"
    release.write_text(f"ID={system}\n", encoding="utf-8")
    done = copy.run(*words, VLA_PYTHON="/bin/false", OS_RELEASE=str(release))
    assert (copy.home / "calls").exists() == installs
    assert ("the test of the report's page is left out" in done.stderr) == (words == ["test"])
    assert ("Google Chrome" in done.stderr) == (system == "ubuntu")
    copy.put("chromium", "exit 0")
    done = copy.run(*words, VLA_PYTHON="/bin/false", OS_RELEASE=str(release))
    assert "browser" not in done.stderr


def test_no_python_is_said(copy):
    with_system_packages(copy)
    copy.put("id", "echo 1000")
    copy.put("sudo", "exit 1")
    done = copy.run("build", VLA_PYTHON="/bin/false")
    assert done.stderr.splitlines()[-1] == (
        "vla: missing: Python 3.10 to 3.13 with venv and headers at VLA_PYTHON=/bin/false; "
        "mend it with: unset VLA_PYTHON"
    )
    copy.put("apt-get", "exit 1")
    done = copy.run(
        "build", source="has_python() { :; }; find_python() { return 1; }; require_python"
    )
    assert "missing: the system packages python3 python3-venv python3-dev" in done.stderr


def test_without_python_310_ubuntus_versions_are_one_line(copy):
    copy.put("uname", "echo Linux x86_64")
    done = copy.run("test", "--jammy", "-q", VLA_PYTHON="/bin/false")
    assert done.returncode == 1
    assert done.stderr == (
        "vla: missing: Python 3.10 with venv and headers, for the versions of Ubuntu 22.04; "
        "mend it with: VLA_PYTHON=/path/to/python3.10 ./vla test --jammy\n"
    )
    assert os.listdir(copy.root) == ["vla"]


def test_ubuntus_versions_have_folders_of_their_own_and_hear_of_no_other_environment(copy):
    names = ("WORK", "VENV", "STATE", "BUILD_LOG", "PYTHON", "MODE")
    script = "find_python() { :; }; choose_jammy; "
    script += "".join(f'echo "${{{name}}}"; ' for name in (*names, "PYTHONPATH:-", "ROS_DISTRO:-"))
    copy.put("uname", "echo Linux x86_64")
    done = copy.run(source=script, PYTHONPATH="/theirs", ROS_DISTRO="humble")
    work = copy.root / ".jammy"
    paths = [f"{work}{rest}" for rest in ("", "/.venv", "/.vla", "/.vla/build.log")]
    assert done.stdout.splitlines() == [*paths, f"{work}/.venv/bin/python", "wheels", "", ""]


def test_the_build_is_told_its_python_under_both_names(copy):
    """With several Pythons, parts of ROS 2 look for one, parts for the other."""
    copy.put("colcon", 'echo "$@"')
    copy.put("nproc", "echo 1")
    (copy.root / ".vla").mkdir()
    copy.run(source="MODE=ros PYTHON=/a/python KEY=k; colcon_build some")
    words = (copy.root / ".vla/build.log").read_text(encoding="utf-8").split()
    assert {"-DPython3_EXECUTABLE=/a/python", "-DPYTHON_EXECUTABLE=/a/python"} <= set(words)


def test_one_sets_up_at_a_time(copy):
    (copy.root / ".vla").mkdir()
    with open(copy.root / ".vla/lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begin = time.monotonic()
        nothing = "MODE=none PYTHON=python; build_packages() { :; }; compile_limiter() { :; }"
        with subprocess.Popen(
            ["bash", "-c", f"source {copy.root}/vla; {nothing}; set_up"],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "waiting for another ./vla" in line
            time.sleep(0.3)
            assert process.poll() is None
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert process.wait(10.0) == 0
        assert time.monotonic() - begin < 10.0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_check_that_a_signal_ended_is_no_check_that_failed(copy, number, status):
    """Python answers Ctrl-C with an ordinary status; what follows would make .venv anew."""
    program = (
        "import signal, sys, time; [signal.signal(n, lambda *_: sys.exit(1)) for n in (2, 15)]"
    )
    program += "; print(0, flush=True); time.sleep(30)"
    check = f"choose_environment() {{ {sys.executable} -c '{program}' || echo made anew; }}"
    with subprocess.Popen(
        ["bash", "-c", f"source {copy.root}/vla; {check}; main status"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Of a test that runs in the background, SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "0\n"
        os.killpg(process.pid, number)
        assert (process.wait(20.0), process.stdout.read()) == (status, "")


def test_what_is_said_to_a_running_graph_looks_for_changes_only(copy):
    """A whole set-up once; another where something has changed, and none at all for a stop."""
    for folder in ("src/some/__pycache__", "launch", "config", "models", "pip_ros", "requirements"):
        (copy.root / folder).mkdir(parents=True)
    (copy.root / ".vla").mkdir()
    (copy.root / ".vla/env.sh").touch()
    copy.put("find", 'exec /usr/bin/find "$@"')
    copy.put("python", 'echo "$*"')
    stand_ins = (
        f"choose_environment() {{ MODE=ros PYTHON={copy.bin}/python; }}; "
        "build_packages() { echo looked; }; compile_limiter() { :; }; "
        "export_environment() { :; };"
    )

    def looks(*words, **environment):
        source = f"{stand_ins} main {' '.join(words)}"
        done = copy.run(source=source, ROS_DISTRO="humble", **environment).stdout.splitlines()
        assert done[-1] == f"-m vla_cli {' '.join(words)}"
        return done[:-1] == ["looked"]

    assert looks("say", "go")
    assert not looks("say", "go") and not looks("status") and not looks("reset")
    (copy.root / "src/some/__pycache__/core.pyc").touch()
    assert not looks("status")
    (copy.root / "src/some/core.py").touch()
    assert not looks("stop")
    assert looks("status") and not looks("status")
    assert looks("say", "go", VLA_PYTHON="/another"), "of another Python"
    assert looks("launch", "sim"), "what starts a graph looks always"


def test_a_sourced_ros_is_used_as_it_is(copy):
    copy.put("python3", "exit 0")  # `import rclpy` works
    done = copy.run(source='choose_environment; echo "$MODE $PYTHON"', ROS_DISTRO="humble")
    assert done.stdout == f"ros {copy.bin}/python3\n"


def test_a_ros_that_cannot_be_imported_is_named(copy):
    copy.put("python3", "exit 1")
    if (
        subprocess.run(["/usr/bin/python3", "-c", "import rclpy"], capture_output=True).returncode
        == 0
    ):
        pytest.skip("ROS is installed")
    copy.put("uname", "echo Linux x86_64")
    done = copy.run(source='choose_environment; echo "$MODE"', ROS_DISTRO="humble")
    assert done.stdout == "wheels\n"
    assert "ROS_DISTRO=humble is set but no python3 can import rclpy" in done.stderr


def test_what_makes_a_package_stale(copy):
    package = copy.root / "src/some"
    (package / "some").mkdir(parents=True)
    (package / "package.xml").write_text("<package/>", encoding="utf-8")
    (package / "some/core.py").write_text("x = 1\n", encoding="utf-8")
    copy.put("find", 'exec /usr/bin/find "$@"')
    copy.put("xargs", 'exec /usr/bin/xargs "$@"')

    def stamp(key="k"):
        return copy.run(source=f"KEY={key}; package_stamp {package}").stdout

    first = stamp()
    assert len(first) > 60
    (package / "some/core.py").write_text("x = 2\n", encoding="utf-8")
    (package / "some/__pycache__").mkdir()
    (package / "some/__pycache__/core.pyc").touch()
    assert stamp() == first  # linked, so an edit needs no build
    (package / "some/new.py").touch()
    second = stamp()
    assert second != first
    (package / "package.xml").write_text("<package></package>", encoding="utf-8")
    assert stamp() not in (first, second)
    assert stamp("another environment") != stamp()


def test_the_packages_are_looked_at_again_only_after_a_change(copy):
    package = copy.root / "src/some"
    (package / "some").mkdir(parents=True)
    (package / "package.xml").write_text("<package/>", encoding="utf-8")
    for folder in ("launch", "config", "models", ".vla", "build/some", "install/some"):
        (copy.root / folder).mkdir(parents=True)
    for tool in ("find", "xargs", "mv", "basename"):
        copy.put(tool, f'exec /usr/bin/{tool} "$@"')

    def looks(key="k") -> list[str]:
        """What is stamped and built by a call, with colcon's part left out."""
        parts = (
            'eval "$(declare -f package_stamp | sed "1s/package_stamp/whole_stamp/")"',
            'package_stamp() { echo "stamped" >&2; whole_stamp "$@"; }',
            'run_colcon() { echo "built" >&2; }; write_env() { : >"$STATE/env.sh"; }',
        )
        copy.put("sed", 'exec /bin/sed "$@"')
        done = copy.run(source=f"{'; '.join(parts)}; MODE=ros KEY={key}; build_packages")
        assert done.returncode == 0, done.stderr
        return done.stderr.split()

    assert looks() == ["stamped", "built"]
    assert looks() == []
    (package / "some/__pycache__").mkdir()
    assert looks() == ["stamped"] and looks() == []  # the folder that has it was changed
    (package / "some/__pycache__/core.pyc").touch()
    assert looks() == []
    (package / "package.xml").write_text("<package></package>", encoding="utf-8")
    os.utime(package / "package.xml", (0, 0))  # as of a file that is older than the build
    assert looks() == ["stamped", "built"] and looks() == []
    assert looks("another") == ["stamped", "built"] and looks("another") == []
    (copy.root / "models/new").touch()
    assert looks("another") == ["stamped"]
    shutil.rmtree(copy.root / "install/some")
    assert looks("another") == ["stamped", "built"]


def test_a_test_run_gets_a_domain_that_nobody_uses(copy):
    def domain():
        return int(copy.run(source="take_domain; echo $DOMAIN").stdout)

    assert 1 <= domain() <= 101
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 7400 + 250 * 50))
        script = "$(declare -f take_domain | sed 's/[$][$] % 101 + 1/50/')"
        copy.put("sed", 'exec /bin/sed "$@"')
        done = copy.run(source=f'eval "{script}"; take_domain; echo $DOMAIN')
        assert 50 < int(done.stdout) <= 101


def test_who_chooses_a_domain_at_once_gets_another_one(tmp_path):
    """Here and in Python alike; they start at the same domain, and keep theirs until they end."""
    assert f"\nDOMAINS={domains.LOCKS}\n" in (ROOT / "vla").read_text(encoding="utf-8")
    shell = f"""source {ROOT}/vla; DOMAINS={tmp_path}
        eval "$(declare -f take_domain | sed 's/[$][$] % 101/7/')"
        take_domain; echo $DOMAIN; exec cat"""
    python = f"""if True:
        import pathlib, sys
        from vla_cli.client import domains
        domains.LOCKS = pathlib.Path("{tmp_path}")
        print(domains.free(7), flush=True)
        sys.stdin.read()"""

    def start(*command):
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def chosen(*choosers):
        return {int(chooser.stdout.readline()) for chooser in choosers}

    commands = [("bash", "-c", shell), (sys.executable, "-c", python)]
    running = [start(*command) for _ in range(8) for command in commands]
    try:
        first = chosen(*running)
        assert len(first) == len(running)
    finally:
        for chooser in running:
            chooser.communicate()
    late = [start(*command) for command in commands]
    assert chosen(*late) <= first, "what has ended still holds its domain"
    for chooser in late:
        chooser.communicate()


def test_environment_is_added_to_the_users(copy):
    (copy.root / ".vla").mkdir()
    (copy.root / ".vla/env.sh").write_text("prepend PYTHONPATH /ours\n", encoding="utf-8")
    names = ("PYTHONPATH", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")

    def exported(mode, **environment):
        script = f"MODE={mode}; export_environment; set +u; "
        script += "".join(f'echo "${name}"; ' for name in names)
        return copy.run(source=script, **environment).stdout.splitlines()

    with_user_path = exported("wheels", PYTHONPATH="/theirs")
    assert with_user_path == [f"/ours:{copy.root}/pip_ros:/theirs", "LOCALHOST", ""]
    # The stand-ins stay away where ROS is installed.
    assert exported("ros", ROS_DISTRO="humble") == ["/ours", "", "1"]
    assert exported("ros", ROS_DISTRO="jazzy") == ["/ours", "LOCALHOST", ""]
    assert exported("wheels", ROS_AUTOMATIC_DISCOVERY_RANGE="SUBNET")[1:] == ["SUBNET", ""]


def test_a_middleware_that_the_wheels_lack_is_named_once(copy):
    """Each node would end with rcl's line, and a launch start it again every second."""
    result = copy.run(
        source="MODE=wheels; STATE=/tmp; export_environment",
        RMW_IMPLEMENTATION="rmw_cyclonedds_cpp",
    )
    assert result.returncode == 1
    assert result.stderr == (
        "vla: RMW_IMPLEMENTATION is rmw_cyclonedds_cpp; accepted without a ROS install: "
        "rmw_fastrtps_cpp, or none\n"
    )


def test_messages_that_a_ros_install_has_are_built_for_the_wheels_only(copy):
    for folder in ("src/some", "pip_ros/interfaces/tf2_msgs"):
        (copy.root / folder).mkdir(parents=True)
        (copy.root / folder / "package.xml").touch()

    def packages(mode):
        lines = copy.run(source=f"MODE={mode}; package_files").stdout.split()
        return [line.split("/")[-2] for line in lines]

    assert packages("wheels") == ["some", "tf2_msgs"]
    assert packages("ros") == ["some"]
