"""Whatever a command of `./vla` is given, it begins its work or ends with a line that says why."""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import multiprocessing.util
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_runner import cli as launch_runner
from vla_cli import __main__ as cli
from vla_cli.client import domains, graph_client
from vla_cli.client.command_errors import CommandError
from vla_contract import terminal
from vla_learning import learn_cli
from vla_proof import prove_command
from vla_proof.bench import bench_command

ROOT = Path(__file__).resolve().parents[1]
set_handler = signal.signal  # the commands' own calls of it are replaced
LONGEST = 0.2  # s of processor time, in which every input is looked at
ALONE = {"bench", "prove", "launch", "learn"}  # without options of their own
COMMANDS = [
    *([name] for name in cli.COMMANDS if name not in ALONE),
    ["replay", "compare"],
    *(["bench", name] for name in bench_command.BENCHMARKS),
    *(["prove", name] for name in prove_command.PROOFS),
]
MEMORY = 2_000_000_000  # bytes more than there are


# What is raised while Python collects garbage goes no further than a warning.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Begun(BaseException):
    """A command has accepted its input, and would start a process or reckon for long."""


class Parsed(BaseException):
    """A command has made its parser."""


def begin(*_, **__):
    raise Begun


def run(words: list[str]) -> int:
    if words[0] == "learn":
        return learn_cli.main(words[1:])
    if words[0] == "launch" and "ROS_DISTRO" not in os.environ:
        return launch_runner.main([*words[1:], "--print"])
    return cli.main(words)


def parser_of(words: list[str]) -> argparse.ArgumentParser:
    def capture(parser, *_):
        raise Parsed(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["vla"])
        patch.setattr(argparse.ArgumentParser, "parse_args", capture)
        try:
            run(words)
        except Parsed as parsed:
            return parsed.args[0]
    raise AssertionError(f"{words} has no parser")


def options() -> dict[tuple[str, ...], list[argparse.Action]]:
    """Command → its options and positional arguments."""
    found = {tuple(words): parser_of(words)._actions for words in COMMANDS}
    for action in parser_of(["learn"])._actions:
        for name, parser in (action.choices or {}).items():
            found["learn", name] = parser._actions
    found["launch",] = [argparse.Action([], "file", nargs="+")]
    return found


# --- What they are given -------------------------------------------------------------------------

DEEP = "[" * 3000 + "]" * 3000
FILES = {
    "empty.yaml": b"",
    "broken.yaml": b"a: [1, {b: c",
    "list.yaml": b"- 1\n- {a: 2}\n",
    "tag.yaml": b"a: !!python/object:os.system {}\n",
    "deep.yaml": DEEP.encode(),
    "space.yaml": b"name: x\ncontrol_rate: .nan\ndimensions: 3\nchunk: []\n",
    "latin.yaml": "grün: \xff".encode("latin-1"),
    "broken.json": b'{"records": [',
    "numbers.json": b'{"kind": "latency", "records": [{"hop": 1, "latency": 1e999}]}',
    "episodes.json": b'{"episodes": [{"task": ["t"], "success": "perhaps"}]}',
    "result.json": b'{"mode": 3, "latency_ms": [], "ticks": "many"}',
    "deep.json": DEEP.encode(),
    "broken.parquet": b"PAR1\0\0",
    "broken.mcap": b"\x89MCAP0\r\n\x01\xff\xff\xff\xff\xff\xff\xff\xff",
    "broken.db3": b"SQLite format 3\0" + bytes(100),
    "broken.bag": b"#ROSBAG V2.0\n\xff\xff\xff\xff",
    "broken.urdf": b"<robot><joint type='revolute'/>",
    "robot.urdf": b"<robot name='r'><joint name='j' type='revolute'><limit lower='nan' upper='x' "
    b"velocity='-1' effort='inf'/></joint></robot>",
    "broken.launch.xml": b"<launch><node pkg='no",
    "odd.launch.xml": b"<launch><include file=''/><node/><arg/></launch>",
    "\u00f6dd name": b"\xff\xfe",
    "model/config.yaml": b"name: 3\nfiles: [1]\n",
    "empty_model/config.yaml": b"",
    "result/result.json": b"[]",
    "result/actions.mcap": b"",
    "rosbag/metadata.yaml": b"rosbag2_bagfile_information: {relative_file_paths: [7]}\n",
    "rosbag/x.db3": b"",
    "folder/empty": b"",
}
PATHS = [*FILES, "model", "empty_model", "result", "rosbag", "folder", "missing",
         "empty.yaml/below", "/proc/none/here", "/dev/full", "/dev/null", "."]  # fmt: skip
TEXTS = ["", " ", "-", "--", "nan", "inf", "-inf", "-1", "0", "1", "2.5", "1e308", "9" * 40,
         "9" * 5000, "0x10", "\u0663", "\u00b2", "\udcff", "\u2603" * 300, "a=b", "a:=b", "a.b:=[",
         "a=" + DEEP, "safety.period:=.nan", "/a:=camera/", "drawer-open", "mt10", "1-99999999999",
         "3-1", "1,,2", "static", "10/1000", "all", "%s", "{}", "../..", "[/]", "~",
         "$HOME"]  # fmt: skip
VALUES = st.sampled_from([*PATHS, *TEXTS]) | st.text(
    st.characters(exclude_characters="\0"), max_size=5
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """A folder of files that no command can use."""
    made = tmp_path_factory.mktemp("pool")
    for name, content in FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(content)
    return made


@pytest.fixture(scope="module")
def known():
    return options()


@contextlib.contextmanager
def nothing_starts(folder: Path):
    """The commands look at what they are given, and start nothing; they write into the folder."""

    def no_graph(*_, **__):
        raise CommandError("no graph")

    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.chdir(folder)
        patch.setenv("VLA_ROOT", str(folder))
        patch.setenv("ROS_HOME", str(folder))
        patch.setattr(subprocess, "Popen", begin)
        patch.setattr(os, "execv", begin)
        patch.setattr(multiprocessing.util, "spawnv_passfds", begin)
        patch.setattr(graph_client.Graph, "__init__", no_graph)
        patch.setitem(sys.modules, "torch", None)  # its import alone takes longer than all the rest
        patch.setattr(sys, "argv", ["vla"])
        patch.setattr(domains, "free", lambda: 1)  # else those of the machine are soon all in use
        patch.setattr(signal, "signal", lambda *_: None)
        stack.enter_context(contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")))
        yield


@contextlib.contextmanager
def at_most(seconds: float):
    """Begun where it takes longer; a MemoryError where it takes more than MEMORY."""
    before = set_handler(signal.SIGVTALRM, begin)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        set_handler(signal.SIGVTALRM, before)


def words_of(data: st.DataObject, actions: list[argparse.Action]) -> list[str]:
    words = []
    usable = [action for action in actions if action.dest != "help"]
    given = [action for action in usable if not action.option_strings]
    for action in given + data.draw(st.lists(st.sampled_from(usable), unique=True, max_size=3)):
        if action.option_strings:
            words.append(action.option_strings[0])
        values = VALUES | st.sampled_from(list(action.choices)) if action.choices else VALUES
        if action.nargs != 0:
            words += data.draw(st.lists(values, min_size=1, max_size=2 if action.nargs else 1))
    return words


def check(words: list[str], folder: Path) -> None:
    """Run the command in the folder; it ends by no defect, and says why where it cannot go on."""
    told = io.StringIO()
    with nothing_starts(folder), contextlib.redirect_stderr(told):
        try:
            with at_most(LONGEST):
                status = run(words)
        except SystemExit as ended:
            status = ended.code
        except Begun:
            return
    assert status != terminal.DEFECT, (words, told.getvalue())
    assert status == 0 or told.getvalue(), (words, status)


@settings(max_examples=200, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_no_input_of_a_command_is_a_defect(data, pool, known, tmp_path_factory):
    command = data.draw(st.sampled_from(sorted(known)))
    folder = tmp_path_factory.mktemp("folder") / "copy"
    shutil.copytree(pool, folder)
    check([*command, *words_of(data, known[command])], folder)


def test_no_value_of_an_option_alone_is_a_defect(pool, known):
    """Else the others are given too little, or too much, for it to be looked at."""
    for command, actions in known.items():
        for action in actions:
            if not action.option_strings or action.nargs == 0 or action.dest == "help":
                continue
            required = ["missing" for other in actions if not other.option_strings]
            for value in ("", "nan", "-1"):
                check([*command, *required, action.option_strings[0], value], pool)


# --- What is in the files that they are given ----------------------------------------------------

SCALARS = [None, True, -1, 0, 1, 1e308, float("nan"), float("inf"), 10**30, "", "x", "\u0663",
           "\udcff", [], {}, [1], {"a": 1}, [[[]]], "../x", [None], {1: 2}]  # fmt: skip
RESULT = "src/vla_replay/test/data/golden"
BAG = "src/vla_replay/test/data/drawer_open.mcap"
# Command → the real file that {file} is a changed copy of, or that {folder} has one of.
READERS = [
    ("replay {root}/" + BAG + " --checkpoint {folder}", "models/metaworld/config.yaml"),
    ("demo --checkpoint {folder}", "models/metaworld/config.yaml"),
    ("evaluate --jobs 1 --checkpoint {folder}", "models/metaworld/config.yaml"),
    ("build-engine --checkpoint {folder}", "models/metaworld/config.yaml"),
    ("metrics {folder}", f"{RESULT}/result.json"),
    ("metrics {folder}", f"{RESULT}/actions.mcap"),
    ("metrics {file} --kind action", f"{RESULT}/result.json"),
    ("replay compare {folder} {root}/" + RESULT, f"{RESULT}/result.json"),
    ("replay compare {root}/" + RESULT + " {folder}", f"{RESULT}/actions.mcap"),
    ("replay {file}", BAG),
    ("why {file}", BAG),
    ("metrics {file}", BAG),
    ("doctor --limits {file}", BAG),
    ("learn train --config {file}", "config/learning/metaworld.yaml"),
    ("learn export --config {file}", "config/learning/metaworld.yaml"),
    ("learn from-bag --config {file} {root}/" + BAG, "config/learning/metaworld.yaml"),
    ("launch {file}", "launch/sim.launch.xml"),
    ("launch {file}", "launch/vla.launch.xml"),
]  # fmt: skip


def places(value: object, here: tuple = ()) -> list[tuple]:
    """Where a document has values: their keys and indices."""
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        pairs = list(enumerate(value)) if isinstance(value, list) else []
    return [here, *(place for key, each in pairs for place in places(each, (*here, key)))]


def changed_document(data: st.DataObject, document: object) -> object:
    """A document with one value, or one name, another."""
    place = data.draw(st.sampled_from(places(document)))
    value = data.draw(st.sampled_from(SCALARS))
    if not place:
        return value
    document = copy.deepcopy(document)
    owner = document
    for key in place[:-1]:
        owner = owner[key]
    if data.draw(st.booleans()) or isinstance(owner, list):
        owner[place[-1]] = value
    else:
        owner.pop(place[-1])
    return document


def changed_bytes(data: st.DataObject, content: bytes) -> bytes:
    """Cut short, or with other bytes somewhere."""
    at = data.draw(st.integers(0, len(content) - 1))
    new = data.draw(st.sampled_from([None, b"", b"\xff", b"\0\0\0\0", b'"', b"9" * 30]))
    return content[:at] if new is None else content[:at] + new + content[at + len(new) :]


def changed_copy(data: st.DataObject, words: str, original: Path, folder: Path) -> Path:
    """The copy; beside it links to what is beside the original, where the whole folder is read."""
    if "{folder}" in words:
        for path in original.parent.iterdir():
            (folder / path.name).symlink_to(path)
    file = folder / original.name
    file.unlink(missing_ok=True)
    content = original.read_bytes()
    if original.suffix in (".json", ".yaml") and data.draw(st.booleans()):
        document = changed_document(data, yaml.safe_load(content))
        text = json.dumps(document) if original.suffix == ".json" else yaml.safe_dump(document)
        content = text.encode(errors="surrogatepass")
    else:
        content = changed_bytes(data, content)
    file.write_bytes(content)
    return file


@settings(max_examples=100, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_no_content_of_a_file_is_a_defect(data, tmp_path_factory):
    words, original = data.draw(st.sampled_from(READERS))
    folder = tmp_path_factory.mktemp("changed")
    file = changed_copy(data, words, ROOT / original, folder)
    check([word.format(root=ROOT, file=file, folder=folder) for word in words.split()], folder)
