"""Parameters files, and parameters in them, that a node would never read."""

import pytest

from vla_contract.node.parameter_files import (
    Section,
    files_of_others,
    overruled,
    sections_of,
    unknown,
)

NODE = "/vla/safety"


def told(tmp_path, text):
    file = tmp_path / "robot.yaml"
    file.write_text(text)
    return files_of_others(sections_of(["safety", "--params-file", str(file)]), NODE)


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


def refused(tmp_path, text, given=None, declared=("speed_scale", "chunk_timeout", "cameras")):
    """What is said of a file's parameters; given: beside them, by the command line."""
    file = tmp_path / "robot.yaml"
    file.write_text(text)
    sections = sections_of(["safety", "--params-file", str(file)])
    values = {name: value for each in sections for name, value in each.values.items()}
    line = unknown({**values, **(given or {})}, declared, sections, NODE)
    return line.replace(f" in {file}", " in FILE")


def section(key, text):
    return f"{key}: {{ros__parameters: {{{text}}}}}\n"


@pytest.mark.parametrize("key", ["/vla/safety", "/**/safety", "/**", "/vla/*"])
def test_a_name_that_is_misspelt_is_refused_with_its_file_and_the_nearest_one(tmp_path, key):
    assert refused(tmp_path, section(key, "speed_scale: 0.1, chunk_timeout: 0.4")) == ""
    text = section(key, "chunk_timout: 0.5, xyz: 1, speed_scale: 1.0")
    assert refused(tmp_path, text) == (
        "chunk_timout in FILE (did you mean chunk_timeout?), xyz in FILE"
    )


def test_a_name_that_is_misspelt_on_the_command_line_is_refused(tmp_path):
    assert refused(tmp_path, "", {"speed_scal": 0.1}) == "speed_scal (did you mean speed_scale?)"
    assert refused(tmp_path, "", {"checkpoint": "/x"}) == "checkpoint (a parameter of policy)"


def test_many_names_are_counted(tmp_path):
    line = refused(tmp_path, "", {f"xyz{number}": 0 for number in range(10)})
    assert line.endswith("xyz6, xyz7 and 2 more")


@pytest.mark.parametrize("name", ["checkpoint", "real_time_factor", "slop"])
def test_a_name_of_another_node_is_passed_over_where_the_section_is_for_several(tmp_path, name):
    assert refused(tmp_path, section("/**", f"{name}: 1")) == ""
    assert refused(tmp_path, section("/**/safety", f"{name}: 1")).startswith(f"{name} in FILE (a ")


def test_a_file_of_another_node_is_not_judged(tmp_path):
    assert refused(tmp_path, "", {}) == ""
    file = tmp_path / "other.yaml"
    file.write_text(section("/**/policy", "chekpoint: 1"))
    assert unknown({}, (), sections_of(["safety", "--params-file", str(file)]), NODE) == ""


@pytest.mark.parametrize(
    "text",
    [
        "cameras: [front], front: {topic: image, width: 96}",
        "obstacle_sources: [scan], scan: {type: scan}",
    ],
)
@pytest.mark.parametrize("key", ["/**", "/**/safety"])
def test_the_settings_of_what_is_listed_are_known_to_every_node(tmp_path, key, text):
    declared = ("cameras", "obstacle_sources")
    assert refused(tmp_path, section(key, text), declared=declared) == ""
    # An override takes them from the list: their settings are left, and nobody needs them.
    given = {"cameras": [], "obstacle_sources": [""]}
    assert refused(tmp_path, section(key, text), given, declared) == ""


def test_settings_that_are_misspelt_or_of_nothing_listed_are_refused(tmp_path):
    text = section("/**", "cameras: [front], front: {tpic: image}, frnt: {topic: image}")
    assert refused(tmp_path, text) == (
        "frnt.topic in FILE (did you mean front.topic?), "
        "front.tpic in FILE (did you mean front.topic?)"
    )


def test_what_rclpy_has_of_its_own_is_not_refused(tmp_path):
    own = "use_sim_time: true, start_type_description_service: false"
    text = section("/**/safety", f"{own}, qos_overrides: {{/scan: {{subscription: {{depth: 1}}}}}}")
    assert refused(tmp_path, text) == ""


def given(file, key="/**/safety", **values):
    return Section(file, key, values)


LAUNCH = "/tmp/launch_params_x1"
DEFAULTS = {"speed_scale": 1.0, "required_inputs": ("joint_states",), "shadow": False}


def test_what_a_file_asks_for_in_vain_is_told():
    sections = [given("safety.yaml", speed_scale=0.1), given(LAUNCH, NODE, speed_scale=1.0)]
    assert overruled(DEFAULTS, sections, NODE) == (
        "speed_scale is 0.1 in safety.yaml and 1.0 by the launch"
    )


@pytest.mark.parametrize(
    "sections",
    [
        [given("robot.yaml", shadow=True), given(LAUNCH, speed_scale=0.5)],
        [given("copy.yaml", shadow=False, speed_scale=1.0), given(LAUNCH, shadow=True)],
        [given("robot.yaml", speed_scale=0.5), given(LAUNCH, speed_scale=0.5)],
        [given("robot.yaml", shadow=True), given("override.yaml", shadow=False)],
        [given("robot.yaml", "/**/policy", shadow=True), given(LAUNCH, "/**/safety", shadow=False)],
        [given("robot.yaml", required_inputs=["joint_states"]), given(LAUNCH, required_inputs=[])],
    ],
)
def test_what_is_in_force_or_was_not_asked_for_is_not_told(sections):
    assert overruled(DEFAULTS, sections, NODE) == ""
