"""Points of clouds and scans against every link of an arm, and without the robot's own."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.message_enums import Limit
from vla_contract.node.parameters import ParameterError
from vla_safety.arm.arm_geometry import ArmError, Payload, Solid
from vla_safety.arm.points.point_cloud import NEAR, NOTHING, Place, PointCloud, Voxels, occupied
from vla_safety.arm.points.point_source import (
    PointReader,
    PointReading,
    PointSourceConfig,
    PointSources,
    Posture,
)
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import MotionLimiter
from vla_safety.surroundings.transforms import Transform
from vla_safety.watch.safety_states import Severity

pytest.importorskip("coal", reason="pip install pin coal")

import coal
from arm_rig import ONE, guard

from vla_safety.arm import convex_shapes
from vla_safety.arm.points.outlines import outline

CONFIG = PointSourceConfig(use_tf=False)
S = 1_000_000_000


def cloud_message(points):
    """A PointCloud2 of float32 points, read as the node reads it."""
    data = np.asarray(points, dtype="<f4")
    fields = [SimpleNamespace(name=n, offset=4 * i, datatype=7) for i, n in enumerate("xyz")]
    return SimpleNamespace(
        width=len(data), height=1, point_step=12, row_step=12 * len(data), is_bigendian=False,
        fields=fields, data=data.tobytes(),
    )  # fmt: skip


def wall(x, y=(-0.4, 0.4), z=(0.0, 0.9), step=0.01):
    """Points of an upright wall."""
    ys, zs = np.meshgrid(np.arange(*y, step), np.arange(*z, step))
    return np.stack((np.full(ys.size, x), ys.ravel(), zs.ravel()), axis=1)


# Voxels.


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.03]), st.sampled_from([20, 500, 100000]))
@settings(max_examples=60, deadline=None)
def test_every_point_within_reach_is_in_the_ball_of_a_voxel(seed, size, most):
    points = np.random.default_rng(seed).uniform(-0.6, 0.6, (400, 3))
    found = occupied(points, 0.5, size, most)
    within = points[(np.abs(points) < 0.5).all(axis=1)]
    distances = np.linalg.norm(within[:, None] - found.centres, axis=2).min(axis=1)
    assert (distances <= found.radius + 1e-9).all() and len(found.centres) <= most


def test_points_out_of_reach_do_not_count():
    assert not len(occupied(np.array([[2.0, 0.0, 0.0]]), 1.0, 0.01, 100).centres)
    assert not len(occupied(np.empty((0, 3)), 1.0, 0.01, 100).centres)


# Distances from shapes.


def polyhedron():
    corners = np.random.default_rng(3).normal(size=(30, 3)) * (0.1, 0.05, 0.2)
    return convex_shapes.hull(coal, corners, "a mesh")


@pytest.mark.parametrize(
    "shape", [coal.Box(0.1, 0.2, 0.3), coal.Cylinder(0.05, 0.3), coal.Sphere(0.1), polyhedron()]
)
def test_a_distance_from_points_is_never_more_than_that_of_coal(shape):
    random = np.random.default_rng(1)
    points = random.uniform(-0.4, 0.4, (300, 3))
    found = outline(shape).distances(points)
    for point, distance in zip(points, found, strict=True):
        result = coal.DistanceResult()
        here = coal.Transform3s(np.eye(3), point)
        exact = coal.distance(
            coal.Sphere(1e-6), here, shape, coal.Transform3s(), coal.DistanceRequest(), result
        )
        if exact > 1e-5:
            assert distance <= exact + 1e-5
            assert distance > 0.3 * exact
            if not isinstance(shape, coal.ConvexBase):
                assert distance == pytest.approx(exact, abs=1e-5)


def test_a_shape_that_is_none_of_these_is_refused():
    with pytest.raises(TypeError, match="Capsule is no box, cylinder, sphere"):
        outline(coal.Capsule(0.1, 0.2))


def test_the_distance_of_a_cloud_is_exact_where_it_is_near_and_never_too_great():
    shape = outline(coal.Box(0.1, 0.1, 0.4))
    for x in (0.06, 0.09, 0.2, 1.0):
        cloud = PointCloud(Voxels(np.array([[x, 0.0, 0.0], [3.0, 0.0, 0.0]]), 0.005))
        (found,) = cloud.distances([Place(shape, np.eye(3), np.zeros(3))])
        exact = x - 0.05 - 0.005
        assert found == pytest.approx(exact) if exact < NEAR else found <= exact
    nothing = PointCloud(Voxels(np.empty((0, 3)), 0.005))
    assert nothing.distances([Place(shape, np.eye(3), np.zeros(3))]) == [NOTHING]


# The guard.


def see(made, points, name="camera"):
    made.points.accept(name, PointReading(PointCloud(occupied(points, 1.5, 0.01, 5000))), 0, 0.0)


def bend(made, limiter, rows, row):
    commands, names = [], set()
    for _ in range(rows):
        step = made.limit_command(limiter, row, {})
        commands.append(step.safe)
        names |= {(v.limit, v.name) for v in step.violations if v.limit is Limit.OBSTACLE}
    return np.array(commands), names


def test_every_link_is_kept_from_the_points_that_are_seen(tmp_path):
    made, limiter = guard(tmp_path, sources={"camera": CONFIG}), MotionLimiter(ONE)
    see(made, wall(0.4))
    commands, names = bend(made, limiter, 200, [0.0, 1.57, 0.0, 0.0])
    assert names and all(name.endswith("–camera") for _, name in names)
    model, joints = made.model, made._joints
    ends = [model.end_places(joints.matrix @ row + joints.resting({})) for row in commands]
    farthest = max(places[:, 0].max() for places in ends)
    assert 0.2 < farthest < 0.4 - 0.03 - 0.01, "it comes near, and keeps its distance"


def test_a_cloud_that_shows_nothing_lets_the_arm_go_on(tmp_path):
    made, limiter = guard(tmp_path, sources={"camera": CONFIG}), MotionLimiter(ONE)
    see(made, wall(0.4))
    stopped, _ = bend(made, limiter, 100, [0.0, 1.57, 0.0, 0.0])
    see(made, np.empty((0, 3)))
    free, names = bend(made, limiter, 150, [0.0, 1.57, 0.0, 0.0])
    assert stopped[-1][1] < 1.2 and free[-1][1] == pytest.approx(1.57) and not names


def test_what_comes_nearer_by_itself_lets_the_arm_only_move_away(tmp_path):
    made, limiter = guard(tmp_path, sources={"camera": CONFIG}), MotionLimiter(ONE)
    see(made, wall(0.6))
    bend(made, limiter, 60, [0.0, 0.6, 0.0, 0.0])
    start = limiter.values
    see(made, wall(0.44))
    commands, names = bend(made, limiter, 30, [0.0, 1.0, 0.0, 0.0])
    assert np.array_equal(commands[-1], start)
    assert all(name.endswith("(already too near: it may only move away)") for _, name in names)
    commands, names = bend(made, limiter, 100, [0.0, 0.0, 0.0, 0.0])
    assert commands[-1][1] == pytest.approx(0.0) and not names


def test_links_that_may_touch_what_is_seen(tmp_path):
    fingers = ("left_finger", "left_thumb")
    made = guard(tmp_path, sources={"camera": CONFIG}, touch_links=fingers)
    kept = {pair.first.link for pair in made._clearance.pairs if pair.second.source}
    assert kept == {"left_shoulder", "left_upper", "left_forearm"}
    with pytest.raises(ArmError, match="touch_links has 'claw'; accepted: links of arm_urdf"):
        guard(tmp_path, sources={"camera": CONFIG}, touch_links=("claw",))


def test_a_wall_of_points_stops_the_arm_where_a_box_would(tmp_path):
    """No link comes nearer to any point than self_distance and margin, at any command."""
    made = guard(tmp_path, sources={"camera": CONFIG})
    limiter, points = MotionLimiter(ONE), wall(0.35)
    see(made, points)
    source, model, joints = np.random.default_rng(5), made.model, made._joints
    bodies = [body for body in model.bodies if body.joint]
    shapes = [outline(model._shapes.geometryObjects[body.index].geometry) for body in bodies]
    low = np.array([d.low for d in ONE.dimensions])
    high = np.array([d.high for d in ONE.dimensions])
    nearest = np.inf
    for k in range(300):
        if k % 25 == 0:
            row = source.uniform(low, high).tolist()
        step = made.limit_command(limiter, row, {})
        model.move_to(joints.matrix @ step.safe + joints.resting({}))
        for body, shape in zip(bodies, shapes, strict=True):
            place = model._distances.oMg[body.index]
            local = (points - place.translation) @ place.rotation
            nearest = min(nearest, float(shape.distances(local).min()))
    assert 0.04 - 1e-3 < nearest < 0.08


# The robot's own points.


def surface(made, configuration):
    """Points on the robot: of each shape, where a line from its middle leaves it."""
    model, random = made.model, np.random.default_rng(2)
    model.move_to(configuration)
    found = []
    for body in model.bodies:
        if body.surrounding or body.payload:
            continue
        shape, place = outline(model._shapes.geometryObjects[body.index].geometry), None
        place = model._distances.oMg[body.index]
        ways = random.normal(size=(150, 3))
        ways /= np.linalg.norm(ways, axis=1)[:, None]
        low, high = np.zeros(150), np.full(150, 2.0 * shape.radius + 0.01)
        for _ in range(30):
            middle = 0.5 * (low + high)
            inside = shape.distances(shape.centre + ways * middle[:, None]) < 0.0
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        local = shape.centre + ways * high[:, None]
        found.append(local @ place.rotation.T + place.translation)
    return np.concatenate(found)


def test_points_on_the_robot_are_dropped_and_no_others(tmp_path):
    made = guard(tmp_path, sources={"camera": CONFIG})
    configuration = np.array([0.3, 0.7, 0.9, 0.01, 0.01])
    own, other = surface(made, configuration), wall(0.9)
    reader = made.point_readers()["camera"]
    message = cloud_message(np.concatenate((own, other)))
    found = reader.read(message, None, Posture(configuration, False))
    assert not found.problem
    assert len(found.cloud.centres) > 1000, "the wall stays"
    assert (np.abs(found.cloud.centres[:, 0] - 0.9) < 0.02).all(), "the robot does not"
    elsewhere = reader.read(message, None, Posture(np.zeros(5), False))
    assert len(elsewhere.cloud.centres) > len(found.cloud.centres) + 50


def test_points_on_what_is_carried_are_dropped_while_it_is(tmp_path):
    box = Solid("payload", "box", (0.1, 0.1, 0.1), Transform.from_rpy((0, 0, 0.5), (0, 0, 0)))
    carried = Payload("left_forearm", box, "left_grip", (0.0, 0.015))
    made = guard(tmp_path, payload=carried, sources={"camera": CONFIG})
    reader = made.point_readers()["camera"]
    message = cloud_message([[0.05, 0.0, 0.2 + 0.36 + 0.5]])  # on its side, the arm upright
    counts = [len(reader.read(message, None, Posture(np.zeros(5), holding)).cloud.centres)
              for holding in (True, False)]  # fmt: skip
    assert counts == [0, 1]


def test_the_posture_is_what_was_measured_when_the_points_were_seen(tmp_path):
    made, limiter = guard(tmp_path, sources={"camera": CONFIG}), MotionLimiter(ONE)
    assert made.posture(0.0) is None
    for k in range(10):
        made.limit_command(limiter, [0.0] * 4, {}, {"left_lift": 0.01 * k})
    lift = made.model.joints.index("left_lift")
    assert made.posture(0.0).configuration[lift] == pytest.approx(0.09)
    assert made.posture(0.06).configuration[lift] == pytest.approx(0.06)
    assert made.posture(9.0).configuration[lift] == 0.0
    made.forget()
    assert made.posture(0.0) is None


# Messages.


def reader_of(tmp_path, **config):
    made = guard(tmp_path, sources={"camera": PointSourceConfig(use_tf=False, **config)})
    return made.point_readers()["camera"]


NOWHERE = Posture(np.zeros(5), False)


def test_a_cloud_is_placed_by_its_mounting(tmp_path):
    reader = reader_of(tmp_path, mount=(0.5, 0.1, 0.3, 0.0, 0.0, np.pi / 2))
    found = reader.read(cloud_message([[0.2, 0.0, 0.0]]), None, NOWHERE)
    assert found.cloud.centres[0] == pytest.approx([0.5, 0.3, 0.3], abs=0.01)
    by_tf = reader.read(cloud_message([[0.2, 0.0, 0.0]]), Transform.identity(), NOWHERE)
    assert by_tf.cloud.centres[0] == pytest.approx([0.2, 0.0, 0.0], abs=0.01) or not len(
        by_tf.cloud.centres
    )


def test_a_scan_lies_in_the_plane_of_its_scanner(tmp_path):
    reader = reader_of(tmp_path, type="scan", mount=(0.0, 0.0, 0.5, 0.0, 0.0, 0.0))
    scan = SimpleNamespace(
        ranges=[0.6, np.inf, 0.7], range_min=0.1, range_max=5.0, angle_min=0.0,
        angle_increment=np.pi / 4,
    )  # fmt: skip
    found = reader.read(scan, None, NOWHERE)
    rows = sorted(found.cloud.centres.tolist())
    assert rows[0] == pytest.approx([0.0, 0.7, 0.5], abs=0.01)
    assert rows[1] == pytest.approx([0.6, 0.0, 0.5], abs=0.01)


def test_a_message_that_cannot_be_used_says_why(tmp_path):
    found = reader_of(tmp_path).read(cloud_message([[np.nan] * 3]), None, NOWHERE)
    assert found.cloud is None and "none of a cloud's 1 points is a measurement" in found.problem


# Freshness.


def test_a_source_that_is_silent_holds_the_arm_and_says_so():
    sources = PointSources({"camera": PointSourceConfig(timeout=0.5)})
    (cause,) = sources.causes(0)
    assert cause.text == "invalid source camera: was never received"
    assert cause.severity is Severity.HOLD and cause.emergency
    cloud = PointCloud(Voxels(np.empty((0, 3)), 0.01))
    sources.accept("camera", PointReading(cloud), 10 * S, 0.1)
    assert not list(sources.causes(10 * S + S // 3))
    (cause,) = sources.causes(10 * S + S // 2)
    assert cause.text == "invalid source camera: nothing newer than 0.5 s"
    sources.accept("camera", PointReading(None, "no good"), 11 * S, 0.0)
    (cause,) = sources.causes(11 * S)
    assert cause.text == "invalid source camera: no good"
    assert sources.fresh() == {"camera": cloud} and sources.fresh() == {}
    sources.forget()
    assert sources.fresh() == {"camera": None} and len(list(sources.causes(0))) == 1


def test_a_message_older_than_the_last_does_not_count():
    sources = PointSources({"camera": PointSourceConfig()})
    new, old = (PointCloud(Voxels(np.full((1, 3), x), 0.01)) for x in (1.0, 2.0))
    sources.accept("camera", PointReading(new), 10 * S, 0.0)
    sources.accept("camera", PointReading(old), 10 * S, 0.3)
    assert sources.fresh()["camera"] is new


# Parameters.


def test_points_need_a_urdf_and_names():
    with pytest.raises(ParameterError, match="arm_urdf is empty; accepted: a URDF with them"):
        SafetyConfig(arm_point_sources=("camera",))
    with pytest.raises(ParameterError, match="arm_point_sources has 'a b'; accepted: a letter"):
        SafetyConfig(arm_urdf="a.urdf", arm_point_sources=("a b",))
    with pytest.raises(ParameterError, match=r"mount is \[0.0\]; accepted: x, y, z, roll"):
        PointSourceConfig(mount=(0.0,))


def test_a_reader_belongs_to_one_thread(tmp_path):
    made = guard(tmp_path, sources={"camera": CONFIG, "scan": PointSourceConfig(type="scan")})
    first, second = made.point_readers().values()
    assert (
        isinstance(first, PointReader) and first._silhouette._data is not second._silhouette._data
    )
    assert first._silhouette._data is not made.model._data
    assert made.model.root == "base" and made.model.reach() > 0.2 + 0.36 + 0.34
