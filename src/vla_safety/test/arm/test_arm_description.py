"""URDF, geometry file, pairs and joints: what is read, and what is refused in one line."""

import subprocess
import sys

import numpy as np
import pytest
import yaml

from vla_contract.action_space import ActionSpace, Kind
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry
from vla_safety.arm.urdf_text import read_urdf

pytest.importorskip("pinocchio", reason="pip install pin coal")

from arm_rig import BAR, BASE, ONE, ONE_ARM, TWO_ARMS, dimension, guard, joint, link

from vla_safety.arm import link_pairs
from vla_safety.arm.arm_guard import make_guard
from vla_safety.arm.arm_model import ArmModel
from vla_safety.config.safety_config import SafetyConfig


def robot(*parts):
    return f'<robot name="r">{"".join(parts)}</robot>'


def one_joint(**joint_arguments):
    return robot(BASE, link("a", BAR), joint("j", "base", "a", "0 0 0.2", **joint_arguments))


SPACE = ActionSpace("s", 50.0, 50, 0.02, 1.0, (dimension("j"),))


def refused(urdf, tmp_path, space=SPACE, **arguments):
    with pytest.raises(ArmError) as caught:
        guard(tmp_path, urdf, space, **arguments)
    text = str(caught.value)
    assert "\n" not in text and "accepted" in text
    return text


@pytest.mark.parametrize(
    "urdf, reason",
    [
        ("<robot", "not XML"),
        ("<sdf/>", "its root is <sdf>; accepted: <robot>"),
        (one_joint(limit=None), "joint j has no limits; accepted: <limit> with lower and upper"),
        (one_joint(limit=("x", 1)), "could not convert string to float: 'x'"),
        (one_joint(limit=(1, -1)), "joint j has limits 1.0 and -1.0; accepted: the lower one"),
        (one_joint(kind="floating"), "joint j is 'floating'; accepted: fixed, revolute"),
        (one_joint(more='<mimic joint="k"/>'), "joint j mimics 'k'; accepted: one of the joints"),
        (robot(BASE, link("a"), joint("j", "base", "a", "0 0 1")), "no link with <collision>"),
        (
            robot(BASE, link("a", '<mesh filename="package://p/a.stl"/>'),
                  joint("j", "base", "a", "0 0 1")),
            "mesh 'package://p/a.stl' of link a is not there; accepted: a file, or package://",
        ),
    ],
)  # fmt: skip
def test_a_urdf_that_cannot_be_used_is_refused(urdf, reason, tmp_path):
    with pytest.raises(ArmError) as caught:
        guard(tmp_path, urdf, SPACE)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_a_library_that_is_not_installed_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "coal", None)
    assert "coal is not installed; accepted: pip install pin coal" in refused(
        ONE_ARM, tmp_path, ONE
    )


def test_the_libraries_are_imported_only_for_a_urdf():
    code = (
        "import sys, vla_safety.core, vla_safety.arm.arm_guard\n"
        "assert not {'coal', 'pinocchio', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArmError, match="arm_urdf .*none.urdf: No such file or directory"):
        read_urdf(str(tmp_path / "none.urdf"), ())


def test_a_joint_that_the_action_space_does_not_name(tmp_path):
    text = refused(TWO_ARMS, tmp_path, ONE)
    assert "action space arms does not command joint right_pan of arm_urdf" in text
    assert "its name in required_joints" in text and "joints of arm_geometry" in text


def test_a_dimension_that_the_urdf_does_not_know(tmp_path):
    space = ActionSpace("s", 50.0, 50, 0.02, 1.0, (dimension("j"), dimension("k")))
    text = refused(one_joint(), tmp_path, space)
    assert "dimension k of action space s commands joint k; accepted of arm_urdf: j" in text


def test_a_dimension_that_commands_a_joint_that_follows(tmp_path):
    names = [d for d in ONE.dimensions if d.name != "left_grip"]
    space = ActionSpace("s", 50.0, 50, 0.02, 1.0, (*names, dimension("left_follow")))
    assert "commands joint left_follow" in refused(ONE_ARM, tmp_path, space)


def test_a_velocity_has_no_place_in_the_geometry(tmp_path):
    moving = dimension("x", -1.0, 1.0, Kind.LINEAR_VELOCITY, "m/s")
    space = ActionSpace("s", 50.0, 50, 0.02, 1.0, (moving,))
    assert "dimension x of action space s is a linear_velocity" in refused(
        one_joint(), tmp_path, space
    )


def test_a_range_beyond_the_limits_of_the_urdf(tmp_path):
    text = refused(one_joint(limit=(-1.0, 1.0)), tmp_path)
    assert "range of j is [-2.5, 2.5]; accepted by joint j of arm_urdf: within [-1.0, 1.0]" in text


def test_a_continuous_joint_turns_without_end(tmp_path):
    space = ActionSpace("s", 50.0, 50, 0.02, 1.0, (dimension("j", -20.0, 20.0),))
    made = guard(tmp_path, one_joint(kind="continuous", limit=None), space)
    assert made._joints.matrix.tolist() == [[1.0]]


def test_a_finger_that_follows_is_where_its_joint_puts_it(tmp_path):
    made = guard(tmp_path)
    command = np.array([0.1, 0.2, 0.3, 0.02])
    found = made._joints.matrix @ command + made._joints.resting({})
    model = made._clearance._model
    assert dict(zip(model.joints, found.tolist(), strict=True)) == {
        "left_pan": 0.1, "left_lift": 0.2, "left_elbow": 0.3, "left_grip": 0.02,
        "left_follow": 0.02,
    }  # fmt: skip


def test_a_joint_may_be_fixed_by_the_geometry(tmp_path):
    names = [d for d in ONE.dimensions if d.name != "left_grip"]
    space = ActionSpace("s", 50.0, 50, 0.02, 1.0, tuple(names))
    made = guard(tmp_path, ONE_ARM, space, joints={"left_grip": 0.01})
    resting = dict(zip(made._clearance._model.joints, made._joints.resting({}), strict=True))
    assert resting["left_grip"] == resting["left_follow"] == 0.01
    assert "joints of arm_geometry has left_pan" in refused(
        ONE_ARM, tmp_path, space, joints={"left_pan": 0.0}
    )


# Pairs.


def test_links_that_a_joint_connects_are_not_kept_apart_and_no_other_is_left_out(tmp_path):
    made = guard(tmp_path)
    kept = {pair.links for pair in made._clearance.pairs}
    assert ("left_forearm", "left_upper") not in kept
    assert ("left_shoulder", "left_upper") not in kept
    # Never near in any sample, or nearly: kept all the same.
    assert {("base", "left_forearm"), ("base", "left_upper"), ("left_forearm", "left_shoulder"),
            ("left_finger", "left_thumb")} <= kept  # fmt: skip


def test_what_touches_always_is_left_out_and_written_to_a_file(tmp_path):
    # A collar around the upper arm, fixed to the shoulder before the upper arm's joint.
    collar = link("collar", '<sphere radius="0.06"/>', "0 0 0")
    fixed = joint("f", "left_shoulder", "collar", "0 0 0", kind="fixed", limit=None)
    urdf = ONE_ARM.replace("</robot>", collar + fixed + "</robot>")
    made = guard(tmp_path, urdf)
    content = yaml.safe_load((tmp_path / "pairs.yaml").read_text())
    assert content["always_touching"] == [["collar_0", "left_upper_0"]]
    assert ("collar", "left_upper") not in {pair.links for pair in made._clearance.pairs}
    assert ("collar", "left_forearm") in {pair.links for pair in made._clearance.pairs}
    # Read again: a pair that is taken out of the file counts.
    content["always_touching"] = []
    (tmp_path / "pairs.yaml").write_text(yaml.safe_dump(content))
    made = guard(tmp_path, urdf)
    assert ("collar", "left_upper") in {pair.links for pair in made._clearance.pairs}


def test_pairs_of_another_urdf_are_refused(tmp_path):
    guard(tmp_path)
    urdf = ONE_ARM.replace('radius="0.05"', 'radius="0.04"')
    text = refused(urdf, tmp_path, ONE)
    assert "is of another URDF; accepted: delete it to have it made anew" in text


@pytest.mark.parametrize("content", ["[]", "always_touching: 3", "{", "always_touching: [[a]]"])
def test_pairs_that_cannot_be_read_are_refused(content, tmp_path):
    (tmp_path / "pairs.yaml").write_text(content)
    with pytest.raises(ArmError, match="pairs .* cannot be read") as caught:
        guard(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_srdf_leaves_out_what_it_disables(tmp_path):
    srdf = tmp_path / "arm.srdf"
    srdf.write_text('<robot><disable_collisions link1="left_forearm" link2="base"/></robot>')
    geometry = ArmGeometry(srdf=srdf)
    model = ArmModel(read_urdf(ONE_ARM, ()), geometry)
    found = {pair.links for pair in link_pairs.choose(model, geometry, 0.01).pairs}
    assert ("base", "left_forearm") not in found and ("base", "left_finger") in found


def test_neither_srdf_nor_pairs_is_refused():
    geometry = ArmGeometry()
    model = ArmModel(read_urdf(ONE_ARM, ()), geometry)
    with pytest.raises(ArmError, match="names neither srdf nor pairs; accepted: one of them"):
        link_pairs.choose(model, geometry, 0.01)


# The geometry file.

PAYLOAD = {"link": "left_forearm", "size": [0.1, 0.1, 0.1], "gripper": "left_grip",
           "held_between": [0.0, 0.01]}  # fmt: skip


def written(tmp_path, content):
    path = tmp_path / "geometry.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_geometry_is_read(tmp_path):
    solids = [
        {"name": "table", "type": "plane", "normal": [0, 0, 2], "offset": -0.1},
        {
            "name": "wall",
            "type": "box",
            "size": [0.1, 2, 2],
            "at": [-0.5, 0, 1],
            "rpy": [0, 0, 0.2],
        },
        {"name": "post", "type": "cylinder", "radius": 0.05, "length": 1.0, "at": [0.5, 0, 0.5]},
    ]
    content = {"pairs": "p.yaml", "surroundings": solids, "payload": PAYLOAD}
    found = ArmGeometry.load(written(tmp_path, content))
    assert found.pairs == tmp_path / "p.yaml"
    assert [solid.sizes for solid in found.surroundings] == [
        (0.0, 0.0, 1.0, -0.1), (0.1, 2.0, 2.0), (0.05, 1.0),
    ]  # fmt: skip
    config = SafetyConfig(arm_urdf=ONE_ARM, arm_geometry=str(tmp_path / "geometry.yaml"))
    assert make_guard(ONE, config) is not None
    assert (tmp_path / "p.yaml").is_file()


@pytest.mark.parametrize(
    "content, reason",
    [
        ("{", "not YAML"),
        ({"walls": []}, "the file has 'walls'; accepted: srdf, pairs"),
        ({"surroundings": {}}, "package_folders, surroundings or touch_links is no list"),
        ({"joints": [1]}, "joints is no mapping"),
        ({"joints": {"a": "b"}}, "joints.a is 'b'; accepted: a finite number"),
        (
            {"surroundings": [{"name": "a", "type": "box", "size": [0.1, 0.0, 0.1]}]},
            "size of surroundings[0] is [0.1, 0.0, 0.1] m; accepted: above 0, each",
        ),
        (
            {"surroundings": [{"name": "a", "type": "cylinder", "radius": 0, "length": 1}]},
            "radius, length of surroundings[0] is [0.0, 1.0] m; accepted: above 0, each",
        ),
        (
            {"surroundings": [{"name": "a", "type": "plane", "normal": [0, 0, 0], "offset": 0}]},
            "normal of surroundings[0] is [0.0, 0.0, 0.0]; accepted: a direction",
        ),
        ({"surroundings": [{"name": "a", "type": "mesh"}]}, "type of surroundings[0] is 'mesh'"),
        (
            {"surroundings": [{"name": "a", "type": "box", "size": [1, 1, 1]}] * 2},
            "names of surroundings are ['a', 'a']; accepted: each once",
        ),
        ({"payload": {**PAYLOAD, "size": [1, 1]}}, "size of payload is [1, 1]; accepted: 3"),
        ({"payload": {**PAYLOAD, "held_between": [1, 0]}}, "held_between of payload is [1.0, 0.0]"),
    ],
)  # fmt: skip
def test_a_geometry_that_cannot_be_used_is_refused(content, reason, tmp_path):
    with pytest.raises(ArmError) as caught:
        ArmGeometry.load(written(tmp_path, content))
    text = str(caught.value)
    assert reason in text and "\n" not in text and text.startswith("arm_geometry ")


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"link": "none"}, "payload is on link 'none'; accepted: a link of arm_urdf"),
        ({"gripper": "none"}, "gripper of payload is 'none'; accepted: left_pan"),
    ],
)
def test_a_payload_of_another_robot_is_refused(change, reason, tmp_path):
    content = {"pairs": "p.yaml", "payload": {**PAYLOAD, **change}}
    path = str(written(tmp_path, content))
    with pytest.raises(ArmError, match=reason):
        make_guard(ONE, SafetyConfig(arm_urdf=ONE_ARM, arm_geometry=path))


# Meshes.


def stl(path, points, triangles):
    """An ASCII mesh."""
    faces = []
    for triangle in triangles:
        corners = "".join(f"vertex {x} {y} {z}\n" for x, y, z in (points[i] for i in triangle))
        faces.append(f"facet normal 0 0 0\nouter loop\n{corners}endloop\nendfacet\n")
    path.write_text(f"solid a\n{''.join(faces)}endsolid a\n")


def sphere_mesh(path, rings, radius=0.1):
    """A ball of 2 * rings * rings triangles."""
    angles = np.linspace(0.0, np.pi, rings + 1)
    around = np.linspace(0.0, 2.0 * np.pi, rings, endpoint=False)
    points = [
        (radius * np.sin(a) * np.cos(b), radius * np.sin(a) * np.sin(b), radius * np.cos(a))
        for a in angles for b in around
    ]  # fmt: skip
    triangles = []
    for i in range(rings):
        for j in range(rings):
            a, b = i * rings + j, i * rings + (j + 1) % rings
            triangles += [(a, b, a + rings), (b, b + rings, a + rings)]
    stl(path, points, triangles)


def with_mesh(name):
    return robot(
        BASE, link("a", BAR), link("b", f'<mesh filename="{name}"/>', "0 0 0.1"),
        joint("j", "base", "a", "0 0 0.2"), joint("k", "a", "b", "0 0 0.3"),
    )  # fmt: skip


TWO_JOINTS = ActionSpace("s", 50.0, 50, 0.02, 1.0, (dimension("j"), dimension("k")))


def test_a_mesh_counts_as_a_polyhedron_around_its_hull(tmp_path):
    package = tmp_path / "some_robot"
    package.mkdir()
    sphere_mesh(package / "ball.stl", 24)
    urdf = tmp_path / "some_robot" / "r.urdf"
    urdf.write_text(with_mesh("package://some_robot/ball.stl"))
    made = guard(tmp_path, str(urdf), TWO_JOINTS)
    clearance = made._clearance
    pair = [p.links for p in clearance.pairs].index(("b", "base"))
    model = clearance._model
    model.move_to(np.array([0.0, 0.0]))
    exact = 0.2 + 0.3 + 0.1 - 0.1 - 0.12  # from the base's upper face to the ball
    assert exact - 0.01 < model.distance(pair) <= exact + 1e-6


def test_a_mesh_of_a_million_triangles_is_a_few_faces_afterwards(tmp_path):
    rows = 708  # of a ball in binary STL, written at once
    angle, around = np.linspace(0.0, np.pi, rows), np.linspace(0.0, 2.0 * np.pi, rows)
    a, b = np.meshgrid(angle, around, indexing="ij")
    ball = 0.1 * np.stack((np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)), axis=-1)
    corners = (ball[:-1, :-1], ball[1:, :-1], ball[1:, 1:], ball[:-1, 1:])
    triangles = np.concatenate(
        [np.stack([corners[i] for i in three], axis=2).reshape(-1, 9)
         for three in ((0, 1, 2), (0, 2, 3))]
    )  # fmt: skip
    facets = np.zeros(len(triangles), [("normal", "<f4", 3), ("corners", "<f4", 9), ("end", "<u2")])
    facets["corners"] = triangles
    assert len(facets) > 999_000
    head = bytes(80) + len(facets).to_bytes(4, "little")
    (tmp_path / "ball.stl").write_bytes(head + facets.tobytes())
    made = guard(tmp_path, with_mesh(f"file://{tmp_path}/ball.stl"), TWO_JOINTS)
    shape = made.model._shapes.geometryObjects[made.model.bodies[2].index].geometry
    assert made.model.bodies[2].link == "b" and len(shape.points()) < 100
    radii = np.linalg.norm(np.array(shape.points()), axis=1)
    assert radii.min() > 0.0999 and radii.max() < 0.13


def test_a_mesh_without_volume_is_refused(tmp_path):
    stl(tmp_path / "flat.stl", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)], [(0, 1, 2), (1, 3, 2)])
    text = refused(with_mesh(f"file://{tmp_path}/flat.stl"), tmp_path, TWO_JOINTS)
    assert "flat.stl has no volume; accepted: a mesh with a convex hull" in text


def test_a_mesh_that_is_no_mesh_is_refused(tmp_path):
    (tmp_path / "bad.stl").write_text("solid nothing")
    with pytest.raises(ArmError) as caught:
        guard(tmp_path, with_mesh(f"file://{tmp_path}/bad.stl"), TWO_JOINTS)
    assert "bad.stl" in str(caught.value) and "\n" not in str(caught.value)
