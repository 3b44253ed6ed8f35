"""Our names and units, and a server's."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace
from vla_policy.remote.mapping.joint_units import UNITS, JointUnit
from vla_policy.remote.openpi_wire import pack, unpack
from vla_policy.remote.remote_mapping import MappingError, RemoteMapping

FOLDER = Path(__file__).parents[4] / "config" / "remote"
MAPPING = {
    "images": [{"camera": "corner2", "key": "image", "height": 8, "width": 8, "fit": "pad"}],
    "state": {"key": "state", "names": ["x", "y"]},
    "prompt": "prompt",
    "constants": {"robot": "arm"},
    "actions": {"key": "actions", "columns": [2, 0, 1, 3], "units": "si", "period": 0},
}
IMAGE = np.full((4, 8, 3), 200, np.uint8)


def mapping(tmp_path, **changes):
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump({**MAPPING, **changes}))
    return RemoteMapping.load(file)


def actions(**changes):
    return {"actions": {**MAPPING["actions"], **changes}}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.name)
def test_the_shipped_files_can_be_read(file):
    assert RemoteMapping.load(file).images


def test_a_request(tmp_path):
    request = mapping(tmp_path).request({"corner2": IMAGE}, {"y": 2.0, "x": 1.0, "z": 3.0}, "open")
    assert request["prompt"] == "open" and request["robot"] == "arm"
    assert request["state"].tolist() == [1.0, 2.0] and request["state"].dtype == np.float32
    image = request["image"]
    assert image.shape == (8, 8, 3) and image.dtype == np.uint8
    assert not image[:2].any() and not image[6:].any() and (image[2:6] == 200).all()


def test_stretched_masked_and_as_it_comes(tmp_path):
    images = [
        {"camera": "corner2", "key": "wide", "height": 8, "width": 8, "fit": "stretch"},
        {"camera": "corner2", "key": "same"},
        {"camera": "gone", "key": "gone", "height": 2, "width": 2, "mask": "gone_valid"},
    ]
    request = mapping(tmp_path, images=images, state=None).request({"corner2": IMAGE}, {}, "open")
    assert (request["wide"] == 200).all() and request["same"].shape == IMAGE.shape
    assert not request["gone"].any() and not request["gone_valid"]
    assert request["gone"].shape == (2, 2, 3) and request["gone"].dtype == np.uint8
    assert isinstance(request["gone_valid"], np.bool_)
    masked = [
        {"camera": "corner2", "key": "a", "mask": "m"},
        {"camera": "b", "key": "b", "mask": "n"},
    ]
    request = mapping(tmp_path, images=masked, state=None).request({"corner2": IMAGE}, {}, "open")
    assert request["m"] and not request["n"] and request["b"].shape == (1, 1, 3)
    assert "state" not in request


@pytest.mark.parametrize(
    ("shape", "size", "box"),
    [
        ((4, 8), (8, 8), (2, 6, 0, 8)),
        ((8, 4), (8, 8), (0, 8, 2, 6)),
        ((2, 4), (8, 16), (0, 8, 0, 16)),
        ((8, 2), (4, 10), (0, 4, 4, 5)),
        ((2, 400), (10, 20), (4, 5, 0, 20)),
        ((6, 2), (6, 9), (0, 6, 3, 5)),
    ],
)
def test_a_padded_image_keeps_its_aspect_in_the_middle(tmp_path, shape, size, box):
    image = {"camera": "a", "key": "image", "height": size[0], "width": size[1], "fit": "pad"}
    mapped = mapping(tmp_path, images=[image], state=None)
    fitted = mapped.request({"a": np.full((*shape, 3), 200, np.uint8)}, {}, "open")["image"]
    top, bottom, left, right = box
    expected = np.zeros((*size, 3), np.uint8)
    expected[top:bottom, left:right] = 200
    assert np.array_equal(fitted, expected)


@pytest.mark.parametrize(("rows", "factor", "expected"), [(3, 2.0, 5), (5, 0.5, 3), (4, 0.5, 2)])
def test_another_period_gives_as_many_rows_as_fit_in_its_time(space, rows, factor, expected):
    mapped = RemoteMapping((), (), "p", "actions", (0, 1, 2, 3), False, factor * space.chunk_period)
    assert len(mapped.answer({"actions": np.zeros((rows, 4))}, space)[0]) == expected


@pytest.mark.parametrize("sure", [0.0, 1.0])
def test_no_and_full_confidence_are_accepted(tmp_path, space, sure):
    mapped = mapping(tmp_path, **actions(confidence="sure"))
    assert mapped.answer({"actions": np.zeros((2, 4)), "sure": sure}, space)[1] == sure


def test_several_states_as_openpi_s_droid_policies_take_them(tmp_path):
    state = [
        {"key": "observation/joint_position", "names": ["x", "y"]},
        {"key": "observation/gripper_position", "names": ["z"]},
    ]
    mapped = mapping(tmp_path, state=state)
    assert mapped.state_names == ("x", "y", "z")
    request = mapped.request({"corner2": IMAGE}, {"z": 3.0, "y": 2.0, "x": 1.0}, "open")
    assert request["observation/joint_position"].tolist() == [1.0, 2.0]
    assert request["observation/gripper_position"].tolist() == [3.0]
    with pytest.raises(MappingError, match="lacks z; it has: y, x"):
        mapped.request({"corner2": IMAGE}, {"y": 2.0, "x": 1.0}, "open")


def test_maps_in_one_another_as_openpi_s_aloha_policies_take_them(tmp_path):
    images = [
        {"camera": "corner2", "key": ["images", "cam_high"], "layout": "chw"},
        {"camera": "gone", "key": ["images", "cam_low"], "mask": ["valid", "cam_low"]},
    ]
    constants = {"images": {"fixed": 1}}
    mapped = mapping(tmp_path, images=images, constants=constants)
    image = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    request = mapped.request({"corner2": image}, {"x": 1.0, "y": 2.0}, "open")
    assert set(request) == {"images", "valid", "state", "prompt"}
    assert (request["images"]["cam_high"] == image.transpose(2, 0, 1)).all()
    sent = unpack(pack(request))["images"]
    assert sent["cam_high"].shape == (3, 4, 8) and sent["cam_high"][2, 3, 7] == image[3, 7, 2]
    assert sent["fixed"] == 1 and not request["valid"]["cam_low"]
    assert mapped.constants == constants


def test_what_is_missing_is_refused_and_not_filled_in(tmp_path):
    mapped = mapping(tmp_path)
    with pytest.raises(MappingError, match="corner2 is not valid"):
        mapped.request({"corner2": None}, {"x": 0.0, "y": 0.0}, "open")
    with pytest.raises(MappingError, match="lacks y; it has: x"):
        mapped.request({"corner2": IMAGE}, {"x": 0.0}, "open")


def test_an_answer_in_si_and_normalised(tmp_path, space):
    rows = np.tile([0.1, 0.2, 0.3, 0.5, 9.0], (40, 1)).astype(np.float32)
    found, confidence = mapping(tmp_path).answer({"actions": rows}, space)
    assert found.shape == (space.chunk_length, 4) and found.dtype == np.float64
    assert found[0] == pytest.approx([0.3, 0.1, 0.2, 0.5]) and math.isnan(confidence)
    normalised = mapping(tmp_path, **actions(units="normalised", confidence="sure"))
    found, confidence = normalised.answer({"actions": rows, "sure": 0.25}, space)
    assert found[0, 0] == pytest.approx(space.to_si([0.3, 0.1, 0.2, 0.5])[0])
    assert confidence == 0.25


@given(st.integers(1, 60), st.floats(0.002, 0.2))
def test_another_period_is_resampled_and_never_longer(space, length, period):
    mapped = RemoteMapping((), (), "prompt", "actions", (0, 1, 2, 3), False, period)
    ramp = np.repeat(np.arange(length)[:, None] * period, 4, axis=1)
    found, _ = mapped.answer({"actions": ramp}, space)
    assert 1 <= len(found) <= space.chunk_length
    assert found[:, 0] == pytest.approx(np.arange(len(found)) * space.chunk_period, abs=1e-6)
    assert found[-1, 0] <= (length - 1) * period + 1e-6


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({}, "accepted: actions"),
        ("text", "accepted: actions"),
        ({"actions": [[1, 2, 3, 4]]}, "actions is list"),
        ({"actions": np.zeros((3, 3))}, r"actions is \(3, 3\); accepted: rows of at least 4"),
        ({"actions": np.zeros((0, 4))}, "not finite"),
        ({"actions": np.full((2, 4), np.nan)}, "not finite"),
        ({"actions": np.full((2, 4), np.inf)}, "not finite"),
    ],
)
def test_answers_that_do_not_fit(tmp_path, space, reply, words):
    with pytest.raises(MappingError, match=words):
        mapping(tmp_path).answer(reply, space)


@pytest.mark.parametrize("sure", [None, 1.5, math.nan, "x", [0.1, 0.2]])
def test_a_confidence_that_is_none(tmp_path, space, sure):
    with pytest.raises(MappingError, match="sure is"):
        mapping(tmp_path, **actions(confidence="sure")).answer(
            {"actions": np.zeros((2, 4)), "sure": sure}, space
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": {}}, "images or prompt"),
        ({"images": [{"camera": "a"}]}, r"images\[0\]: unknown or missing key"),
        ({"images": [{"camera": "a", "key": "b", "fit": "crop"}]}, "accepted: pad, stretch"),
        ({"images": [{"camera": "a", "key": "b", "height": 3}]}, "both 0"),
        ({"images": [{"camera": "a", "key": "b", "layout": "cwh"}]}, "accepted: hwc, chw"),
        ({"images": [{"camera": "a", "key": ["b", 1]}]}, r"images\[0\]: key is \['b', 1\]"),
        ({"images": [{"camera": "a", "key": []}]}, r"images\[0\]: key is \[\]; accepted: text"),
        ({"images": [{"camera": "a", "key": ["prompt", "b"]}]}, "prompt, which is no map"),
        (
            {"images": [{"camera": "a", "key": k} for k in (["b", "c"], "b")]},
            r"the key \['b'\] is a map of other keys",
        ),
        ({"state": [{"key": "a"}]}, r"state\[0\]: unknown or missing names"),
        ({"state": "a"}, "state is no map; accepted: key, names"),
        ({"constants": 3}, "constants"),
        ({"constants": True}, "the file.constants is True; accepted: text, a list or a map"),
        ({"state": {"key": 1, "names": []}}, "state.key is 1; accepted: text or a list"),
        ({"more": 3}, "unknown or missing more"),
        (actions(columns=[]), "actions.columns"),
        (actions(columns=[-1]), "actions.columns"),
        (actions(units="degrees"), "accepted: si, normalised"),
        (actions(period=-1), "actions.period"),
        (actions(period=True), "actions.period"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, changes, words):
    with pytest.raises(MappingError, match=words) as refused:
        mapping(tmp_path, **changes)
    assert "remote mapping" in str(refused.value) and "\n" not in str(refused.value)


def test_no_file_and_another_width(tmp_path, space):
    with pytest.raises(MappingError, match="No such file"):
        RemoteMapping.load(tmp_path / "none.yaml")
    (tmp_path / "code.yaml").write_text("!!python/object/apply:os.system [true]")
    with pytest.raises(MappingError, match="code.yaml"):
        RemoteMapping.load(tmp_path / "code.yaml")
    with pytest.raises(MappingError, match="has 2 entries; accepted: 4, for linear_x"):
        mapping(tmp_path, **actions(columns=[0, 1])).require_width(space)


def test_joints_are_converted_both_ways(tmp_path, space):
    joints = {
        "x": {"unit": "deg", "sign": -1, "offset": 90},
        space.dimension_names[0]: {"unit": "normalised", "range": [0.0, 0.5]},
        space.dimension_names[3]: {"unit": "percent", "range": [-1.0, 1.0]},
    }
    made = mapping(tmp_path, joints=joints, **actions(columns=[0, 1, 2, 3]))
    made.require_width(space)
    request = made.request({"corner2": IMAGE}, {"x": math.pi / 6, "y": 2.0}, "open")
    assert request["state"].tolist() == pytest.approx([60.0, 2.0])
    rows, _ = made.answer({"actions": np.array([[-1.0, 0.3, 0.2, 75.0], [1.0, 0, 0, 0]])}, space)
    assert rows == pytest.approx(np.array([[0.0, 0.3, 0.2, 0.5], [0.5, 0, 0, -1.0]]))


@pytest.mark.parametrize("unit", UNITS)
@given(value=st.floats(-10, 10), sign=st.sampled_from([1, -1]), offset=st.floats(-100, 100))
def test_a_unit_can_be_inverted(unit, value, sign, offset):
    span = [-0.3, 1.7] if unit in ("percent", "fraction", "normalised") else None
    made = JointUnit(unit, sign, offset, span)
    assert made.to_si(made.to_policy(value)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("relative", "expected"), [("chunk", [11.0, 12.0, 13.0]), ("step", [11.0, 13.0, 16.0])]
)
def test_relative_actions_are_added_to_the_state_of_their_observation(
    tmp_path, space, relative, expected
):
    first = space.dimension_names[0]
    made = mapping(
        tmp_path,
        state={"key": "state", "names": [first]},
        joints={first: {"unit": "deg"}},
        **actions(
            columns=[0, 1, 2, 3], relative=relative, absolute=list(space.dimension_names[1:])
        ),
    )
    made.require_width(space)
    rows, _ = made.answer(
        {"actions": np.array([[1.0, 5, 5, 5], [2.0, 5, 5, 5], [3.0, 5, 5, 5]])},
        space,
        {first: math.radians(10.0)},
    )
    assert np.degrees(rows[:, 0]) == pytest.approx(expected)
    assert (rows[:, 1:] == 5).all()


def test_a_gripper_is_binarised_with_hysteresis_from_its_state(tmp_path, space):
    name = space.dimension_names[3]
    made = mapping(tmp_path, **actions(columns=[0, 1, 2, 3], binarise={name: [0.4, 0.6]}))
    dimension = space.dimensions[3]
    given = np.zeros((6, 4))
    given[:, 3] = [0.5, 0.7, 0.5, 0.3, 0.5, 0.6]
    rows, _ = made.answer({"actions": given}, space, {name: 0.0})
    low, high = dimension.low, dimension.high
    assert rows[:, 3].tolist() == [low, high, high, low, low, high]
    rows, _ = made.answer({"actions": given}, space, {name: 1.0})
    assert rows[0, 3] == high
    inverted = {name: {"unit": "fraction", "sign": -1, "offset": 1, "range": [0.0, 1.0]}}
    made = mapping(
        tmp_path, joints=inverted, **actions(columns=[0, 1, 2, 3], binarise={name: [0.4, 0.6]})
    )
    rows, _ = made.answer({"actions": given}, space, {name: 0.0})  # which is 1 to the policy
    assert rows[:, 3].tolist() == [low, low, low, high, high, low]


def test_images_are_cropped_flipped_and_given_their_colour(tmp_path):
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    for entry, expected in (
        ({"crop": [1, 2, 3, 4]}, image[1:4, 2:6]),
        ({"flip": "horizontal"}, image[:, ::-1]),
        ({"flip": "vertical"}, image[::-1]),
        ({"flip": "both"}, image[::-1, ::-1]),
        ({"colour": "bgr"}, image[..., ::-1]),
    ):
        images = [{"camera": "corner2", "key": "image", **entry}]
        made = mapping(tmp_path, images=images, state=None)
        assert np.array_equal(made.request({"corner2": image}, {}, "open")["image"], expected)
        made.trial_request()
    images = [{"camera": "corner2", "key": "image", "crop": [2, 0, 3, 3]}]
    with pytest.raises(MappingError, match="corner2 is 6x4; accepted for its crop"):
        mapping(tmp_path, images=images, state=None).request({"corner2": image}, {}, "open")


def test_a_prompt_has_what_is_put_around_it(tmp_path):
    made = mapping(tmp_path, prompt_prefix="In: ", prompt_suffix="?\nOut:", state=None)
    assert made.request({"corner2": IMAGE}, {}, "open")["prompt"] == "In: open?\nOut:"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joints": {"x": {"unit": "grad"}}}, "joints.x.unit is 'grad'; accepted: si, deg"),
        ({"joints": {"x": {"sign": 2}}}, "joints.x.sign is 2; accepted: 1 or -1"),
        ({"joints": {"x": {"unit": "percent"}}}, "joints.x.range is None; accepted: .low, high."),
        ({"joints": {"x": {"unit": "deg", "range": [0, 1]}}}, "accepted: none for the unit deg"),
        ({"joints": {"x": {"units": "deg"}}}, "joints.x: unknown units; accepted: unit, sign"),
        ({"joints": {"x": {"offset": math.nan}}}, "joints.x.offset is nan; accepted: a finite"),
        ({"images": [{"camera": "a", "key": "b", "flip": "up"}]}, "flip is 'up'; accepted: none"),
        ({"images": [{"camera": "a", "key": "b", "colour": "yuv"}]}, "colour is 'yuv'; accepted"),
        ({"images": [{"camera": "a", "key": "b", "crop": [0, 0, 0, 4]}]}, "crop is .0, 0, 0, 4.;"),
        (actions(relative="row"), "actions.relative is 'row'; accepted: none, chunk, step"),
        (actions(units="normalised", relative="step"), "accepted with joints, rotat"),
        (actions(binarise={"gripper": [2, 1]}), r"binarise.gripper is \[2, 1\]; accepted"),
    ],
)
def test_what_else_cannot_be_mapped_is_named(tmp_path, changes, words):
    with pytest.raises(MappingError, match=words):
        mapping(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joints": {"elbow": {"unit": "deg"}}}, "joints names elbow; accepted: "),
        (actions(absolute=["elbow"]), "actions.absolute names elbow; accepted: "),
        (actions(relative="chunk"), "and the state has no .*; accepted: a state of each relat"),
    ],
)
def test_names_that_the_robot_has_not_are_told(tmp_path, space, changes, words):
    with pytest.raises(MappingError, match=words):
        mapping(tmp_path, **changes).require_width(space)


POSE_SPACE = FOLDER.parent / "action_spaces" / "arm_pose.yaml"


def turned(policy, **changes):
    """The mapping of a pose's action space, whose rotation the policy writes so."""
    names = ["rotation_x", "rotation_y", "rotation_z"]
    width = {"euler_xyz": 3, "quaternion_wxyz": 4, "rotation_6d_rows": 6}[policy]
    return RemoteMapping.from_dict(
        {
            "images": [],
            "state": {"key": "state", "names": ["x", "y", "z", *names, "gripper"]},
            "prompt": "prompt",
            "rotations": [{"names": names, "policy": policy}],
            "actions": {
                "key": "actions",
                "columns": list(range(4 + width)),
                "units": "si",
                "period": 0,
                **changes,
            },
        }
    )


@pytest.fixture(scope="module")
def pose_space():
    return ActionSpace.load(POSE_SPACE)


def pose(turn=(0.0, 0.0, 0.0)):
    names = ["x", "y", "z", "rotation_x", "rotation_y", "rotation_z", "gripper"]
    return dict(zip(names, [0.3, 0.0, 0.2, *turn, 0.5], strict=True))


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("euler_xyz", [0.0, 0.0, math.pi / 2]),
        ("quaternion_wxyz", [math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]),
        ("rotation_6d_rows", [0.0, -1.0, 0.0, 1.0, 0.0, 0.0]),
    ],
)
def test_a_rotation_is_written_as_the_policy_has_it(pose_space, policy, numbers):
    made = turned(policy)
    made.require_width(pose_space)
    state = made.request({}, pose((0.0, 0.0, math.pi / 2)), "turn")["state"]
    assert state == pytest.approx([0.3, 0.0, 0.2, *numbers, 0.5], abs=1e-6)
    assert state.dtype == np.float32 and made.state_width == 4 + len(numbers)
    rows, _ = made.answer({"actions": np.array([[0.4, 0.1, 0.2, *numbers, 1.0]])}, pose_space)
    assert rows == pytest.approx(np.array([[0.4, 0.1, 0.2, 0.0, 0.0, math.pi / 2, 1.0]]))


def test_rotations_between_two_rows_go_the_shorter_way(pose_space):
    made = turned("euler_xyz", period=2 * pose_space.chunk_period)
    given = np.zeros((2, 7))
    given[:, 5] = 3.0, -3.0
    rows, _ = made.answer({"actions": given}, pose_space)
    assert len(rows) == 3 and abs(rows[1, 5]) == pytest.approx(math.pi)


@pytest.mark.parametrize(("relative", "expected"), [("chunk", [0.6, 0.6]), ("step", [0.6, 0.7])])
def test_relative_rotations_turn_the_state(pose_space, relative, expected):
    made = turned("euler_xyz", relative=relative, absolute=["gripper"])
    made.require_width(pose_space)
    given = np.zeros((2, 7))
    given[:, 5] = 0.1
    rows, _ = made.answer({"actions": given}, pose_space, pose((0.0, 0.0, 0.5)))
    assert rows[:, 5] == pytest.approx(expected)
    assert rows[:, 0] == pytest.approx(0.3) and (rows[:, 6] == 0).all()
    assert len(made.answer({"actions": given}, pose_space)[0]) == 2  # a trial, without a state


def test_relative_to_a_state_of_another_name(pose_space):
    made = RemoteMapping.load(FOLDER / "openvla_widowx.yaml")
    made.require_width(pose_space)
    state = dict.fromkeys(made.state_names, 0.0) | {"end_effector.x": 0.3}
    row = np.array([[0.1, 0.0, 0.0, 0.0, 0.0, 0.2, 0.9]])
    rows, _ = made.answer({"actions": row}, pose_space, state)
    assert rows[0] == pytest.approx([0.4, 0, 0, 0, 0, 0.2, 1.0])


@pytest.mark.parametrize("name", ["gr00t_so101", "lerobot_so101_act", "lerobot_so101_smolvla"])
def test_the_files_for_the_so101_fit_its_action_space(name):
    space = ActionSpace.load(FOLDER.parent / "action_spaces" / "so101.yaml")
    RemoteMapping.load(FOLDER / f"{name}.yaml").require_width(space)


def test_an_answer_without_a_rotation_is_told(pose_space):
    given = {"actions": np.zeros((1, 8))}
    with pytest.raises(MappingError, match="rotation_x, .*: .* is no quaternion_wxyz; accepted"):
        turned("quaternion_wxyz").answer(given, pose_space)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rotations": 3}, "rotations is 3; accepted: a list"),
        ({"rotations": [{"names": ["y", "x", "z"], "policy": "euler_xyz"}]}, "not one after the"),
        (
            {
                "rotations": [{"names": ["a", "b", "c"], "policy": "euler_xyz"}],
                "joints": {"a": {"unit": "deg"}},
            },
            "joints names a; accepted: names that rotations has not",
        ),
        (
            {
                "rotations": [{"names": ["a", "b", "c"], "policy": "euler_xyz"}],
                **actions(absolute=["a"]),
            },
            r"actions.absolute is \['a'\]; accepted: all of a, b, c, or none",
        ),
        ({"state": {"key": "s", "names": ["x"], "frames": -1}}, "state.frames is -1; accepted"),
        ({"state": {"key": "s", "names": ["x"], "frames": 99}}, "whole numbers from 0 to 64"),
        ({"state": {"key": "s", "names": ["x"], "stride": 0}}, "state.stride is 0; accepted"),
        ({"images": [{"camera": "a", "key": "b", "frames": 1.5}]}, "frames is 1.5; accepted"),
    ],
)
def test_rotations_and_frames_that_cannot_be_used_are_named(tmp_path, changes, words):
    with pytest.raises(MappingError, match=words):
        mapping(tmp_path, **changes)


def test_a_rotation_of_dimensions_is_in_a_form_of_action_spaces(pose_space):
    names = ["x", "y", "z", "rotation_x"]
    data = {"names": names, "ours": "quaternion_xyzw", "policy": "rotation_vector"}
    made = RemoteMapping.from_dict(
        {**MAPPING, "state": None, "rotations": [data], **actions(columns=[*range(6)])}
    )
    with pytest.raises(MappingError, match="has quaternion_xyzw for x; accepted for dimensions"):
        made.require_width(pose_space)


def test_an_embodiment_s_id_is_a_constant(tmp_path):
    made = mapping(tmp_path, constants={"domain_id": 3}, state=None)
    assert made.request({"corner2": IMAGE}, {}, "open")["domain_id"] == 3
