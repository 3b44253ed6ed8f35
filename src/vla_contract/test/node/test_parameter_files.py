"""Parameters files, and parameters in them, that a node would never read."""

import pytest

from vla_contract.node.parameter_files import files_of_others, unread

NODE = "/vla/safety"


def told(tmp_path, text):
    file = tmp_path / "robot.yaml"
    file.write_text(text)
    return files_of_others(["safety", "--ros-args", "--params-file", str(file)], NODE)


@pytest.mark.parametrize(
    "key",
    ["/**", "/**/safety", "/vla/safety", "vla/safety", "/vla/*", "/*/safety", "vla: {safety"],
)
def test_a_file_that_is_for_the_node_is_not_told(tmp_path, key):
    end = "}" if "{" in key else ""
    assert told(tmp_path, f"{key}: {{ros__parameters: {{speed_scale: 0.1}}}}{end}\n") == []


@pytest.mark.parametrize("key", ["safety", "/safety", "/vla/perception", "/*", "/vla/safety/*"])
def test_a_file_for_another_node_is_told_with_what_is_accepted(tmp_path, key):
    (line,) = told(tmp_path, f"{key}:\n  ros__parameters:\n    speed_scale: 0.1\n")
    shown = "/" + key.strip("/")
    assert line == (
        f"parameters file {tmp_path}/robot.yaml has nothing for /vla/safety, only for {shown}; "
        "accepted: /vla/safety or /**/safety"
    )


@pytest.mark.parametrize("text", ["", "- 1\n", "/**: [", "safety:\n  speed_scale: 1.0\n"])
def test_a_file_that_rcl_judges_is_left_to_it(tmp_path, text):
    assert told(tmp_path, text) == []


def test_one_node_of_several_is_enough(tmp_path):
    words = "{ros__parameters: {a: 1}}"
    assert told(tmp_path, f"/vla/perception: {words}\n/**/safety: {words}\n") == []


def test_a_parameter_that_there_is_not_is_told_with_the_nearest_one():
    declared = ["speed_scale", "slop"]
    assert unread(["speed_scale", "slop"], declared) == ""
    assert unread(["qos_overrides./scan.subscription.depth"], declared) == ""
    assert unread(["xyz", "speed_scal"], declared) == (
        "given, but no parameters of this node: speed_scal (is speed_scale meant?), xyz"
    )
    assert unread(map(str, range(10)), declared).endswith("6, 7 and 2 more")
