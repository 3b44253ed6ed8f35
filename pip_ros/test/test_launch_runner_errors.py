"""Whatever is wrong with a launch file is said in one line, with the file and the line."""

import pytest
from launch_cases import Case, environment, make_prefix

launch_runner = pytest.importorskip("launch_runner")

# what stands on line 2 of the file, and what the error says of it
WRONG = {
    "unknown tag": ("<nodes/>", "unknown tag <nodes> in <launch>"),
    "nested tag": ("<node exec='true'><remaps/></node>", "unknown tag <remaps> in <node>"),
    "unknown attribute": ("<node exec='true' package='x'/>", "unknown attribute 'package'"),
    "missing attribute": ("<node pkg='demo'/>", "the attribute 'exec' is missing"),
    "both conditions": ("<let name='a' value='1' if='1' unless='1'/>", "exclude each other"),
    "condition": ("<let name='a' value='1' if='maybe'/>", "'maybe' is no condition"),
    "variable": (
        "<let name='a' value='$(var nothing)'/>",
        "argument or variable 'nothing' does not exist",
    ),
    "environment": (
        "<let name='a' value='$(env NO_SUCH_THING)'/>",
        "environment variable 'NO_SUCH_THING'",
    ),
    "substitution": ("<let name='a' value='$(command ls)'/>", "unknown substitution $(command)"),
    "count": ("<let name='a' value='$(dirname x)'/>", "$(dirname) takes 0 arguments, got 1"),
    "open": ("<let name='a' value='$(var x'/>", "the closing ')' is missing"),
    "open quote": ("<let name='a' value='$(var \"x)'/>", 'the closing " is missing'),
    "parenthesis": ("<let name='a' value='$(env HOME a(b)'/>", "( needs a backslash"),
    "quote": ("<let name='a' value='$(env HOME a&quot;b)'/>", '" needs a backslash'),
    "empty command": ("<executable cmd=''/>", "'cmd' begins with an empty word"),
    "blank command": ("<executable cmd=' $(env HOME)'/>", "'cmd' begins with an empty word"),
    "shell": (
        "<executable cmd='true' shell='$(env HOME)'/>",
        "'shell' takes true or false, no substitution",
    ),
    "scoped": (
        "<group scoped='$(env HOME)'/>",
        "'scoped' takes true or false, no substitution",
    ),
    "package": ("<node pkg='nowhere' exec='x'/>", "package 'nowhere' is not found"),
    "executable": ("<node pkg='demo' exec='singer'/>", "which has: listener, talker"),
    "node name": ("<node exec='true' name='a b'/>", "'a b' is no node name"),
    "namespace": ("<node exec='true' namespace='1x'/>", "'/1x' is no namespace"),
    "pushed": ("<push-ros-namespace namespace='a//b'/>", "'/a//b' is no namespace"),
    "delay": ("<node exec='true' respawn_delay='-1'/>", "expected 0 or more seconds"),
    "output": ("<node exec='true' output='printer'/>", "output 'printer' is unknown"),
    "respawn": ("<node exec='true' respawn='1'/>", "'1' is no boolean"),
    "parameter file": (
        "<node exec='true'><param from='/no/file'/></node>",
        "'/no/file' does not exist",
    ),
    "parameter": ("<node exec='true'><param value='1'/></node>", "needs either 'name' or 'from'"),
    "no value": ("<node exec='true'><param name='a'/></node>", "needs a 'value'"),
    "mapping": (
        "<node exec='true'><param name='a' value='{b: 1}'/></node>",
        "is a dict, which no parameter can be",
    ),
    "null": ("<node exec='true'><param name='a' value='null'/></node>", "is a NoneType"),
    "type": ("<node exec='true'><param name='a' value='x' type='int'/></node>", "'x' is no int"),
    "unknown type": (
        "<node exec='true'><param name='a' value='1' type='num'/></node>",
        "unknown type 'num'",
    ),
    "include": ("<include file='$(dirname)/no.launch.xml'/>", "no.launch.xml' does not exist"),
    "itself": ("<include file='$(filename)'/>", "includes itself"),
    "required": (
        "<arg name='robot' description='which one'/>",
        "'robot' (which one) has no default; pass robot:=",
    ),
    "choice": (
        "<arg name='a' default='x'><choice value='y'/></arg>",
        "argument 'a' is 'x', expected one of: y",
    ),
    "expression": (
        "<let name='a' value=\"$(eval '__import__(1)')\"/>",
        "'__import__' is not supported in $(eval",
    ),
    "method": ("<let name='a' value=\"$(eval '[1].clear()')\"/>", "cannot be called in $(eval"),
    "dangerous": (
        "<let name='a' value=\"$(eval '(1).__class__')\"/>",
        "is not supported in $(eval",
    ),
}


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    prefix = make_prefix(tmp_path / "prefix")
    monkeypatch.setenv("AMENT_PREFIX_PATH", environment(prefix, Case(""))["AMENT_PREFIX_PATH"])
    return prefix


@pytest.mark.parametrize("case", WRONG)
def test_names_the_line(case, tmp_path, prefix):
    content, message = WRONG[case]
    file = tmp_path / "wrong.launch.xml"
    file.write_text(f"<launch>\n{content}\n</launch>\n", encoding="utf-8")
    with pytest.raises(launch_runner.LaunchError) as error:
        launch_runner.interpret(file, {})
    text = str(error.value)
    assert text.startswith(f"{file}:2: ")
    assert message in text
    assert "\n" not in text


def test_what_is_not_taken_must_still_be_well_formed(tmp_path):
    file = tmp_path / "wrong.launch.xml"
    file.write_text("<launch><group if='false'><knot/></group></launch>", encoding="utf-8")
    with pytest.raises(launch_runner.LaunchError, match="unknown tag <knot>"):
        launch_runner.interpret(file, {})


def test_dirname_after_an_include_is_refused(tmp_path):
    (tmp_path / "inner.launch.xml").write_text("<launch/>", encoding="utf-8")
    file = tmp_path / "outer.launch.xml"
    include = "<include file='$(dirname)/inner.launch.xml'/>"
    file.write_text(
        f"<launch>\n{include}\n<let name='a' value='$(dirname)'/></launch>", encoding="utf-8"
    )
    with pytest.raises(
        launch_runner.LaunchError, match=r"outer.launch.xml:3: .*<let> before the include"
    ):
        launch_runner.interpret(file, {})


def test_an_error_in_an_included_file_names_that_file(tmp_path):
    (tmp_path / "inner.launch.xml").write_text(
        "<launch>\n\n<arg name='x'/></launch>", encoding="utf-8"
    )
    file = tmp_path / "outer.launch.xml"
    file.write_text(
        "<launch><include file='$(dirname)/inner.launch.xml'/></launch>", encoding="utf-8"
    )
    with pytest.raises(
        launch_runner.LaunchError, match=r"inner.launch.xml:3: .*'x' has no default"
    ):
        launch_runner.interpret(file, {})


@pytest.mark.parametrize(
    "content, message",
    [("<launch", "not well-formed XML"), ("<robot/>", "the root"), ("", "not well-formed XML")],
)
def test_no_launch_file(content, message, tmp_path):
    file = tmp_path / "wrong.launch.xml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(launch_runner.LaunchError, match=message):
        launch_runner.interpret(file, {})


def test_missing_file(tmp_path):
    with pytest.raises(
        launch_runner.LaunchError, match="cannot read the launch file: No such file"
    ):
        launch_runner.interpret(tmp_path / "no.launch.xml", {})


def test_unknown_argument_is_refused(tmp_path):
    file = tmp_path / "a.launch.xml"
    file.write_text("<launch><arg name='speed' default='1'/></launch>", encoding="utf-8")
    with pytest.raises(
        launch_runner.LaunchError,
        match="unknown argument 'sped', did you mean speed\\? --show-args lists all",
    ):
        launch_runner.interpret(file, {"sped": "2"})
