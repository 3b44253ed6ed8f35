"""The model of nav2's collision monitor against nav2_collision_monitor/test/*.cpp.

Each test or case has the name of the original. Left out is what is about parameters, topics,
markers, TF, polygon and costmap sources.
"""

import math

import numpy as np
import pytest

from vla_proof.peers.collision_monitor import (
    INVALID_SOURCE,
    ActionType,
    Circle,
    CollisionMonitor,
    Polygon,
    SubPolygon,
    VelocityPolygon,
    project_state,
    transform_points,
)
from vla_proof.peers.nav2_sources import Cloud, RangeFinder, Scan

FLOAT = float(np.finfo(np.float32).eps)
MOUNT = (0.1, 0.1, 0.0)
SQUARE = ((0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5))
ARBITRARY = ((1.0, 1.0), (1.0, 0.0), (2.0, 0.0), (2.0, -1.0), (-1.0, -1.0), (-1.0, 1.0))
COMMON = {
    "min_points": 2,
    "slowdown_ratio": 0.7,
    "linear_limit": 0.4,
    "angular_limit": 0.09,
    "time_before_collision": 1.0,
    "simulation_time_step": 0.01,
}
STEP = 0.01


def near(value, tolerance=FLOAT):
    return pytest.approx(value, abs=tolerance)


# kinematics_test.cpp


def test_transform_points():
    first, second = transform_points((2.0, 1.0, math.pi / 6), [(3.0, 2.0), (0.0, 0.0)])
    angle = math.pi / 4 - math.pi / 6
    assert first == near((math.sqrt(2) * math.cos(angle), math.sqrt(2) * math.sin(angle)))
    angle = math.pi + math.atan(0.5) - math.pi / 6
    assert second == near((math.sqrt(5) * math.cos(angle), math.sqrt(5) * math.sin(angle)))


def test_project_state():
    pose, velocity = project_state(1.0, (2.0, 1.0, math.pi / 4), (0.0, 1.0, math.pi / 4))
    assert pose == near((2.0, 2.0, math.pi / 2))
    angle = math.pi / 2 + math.pi / 4
    assert velocity == near((math.cos(angle), math.sin(angle), math.pi / 4))


# polygons_test.cpp


def polygon(action=ActionType.STOP, vertices=SQUARE, name="Polygon", **changes):
    return Polygon(name, action, vertices=vertices, **{**COMMON, **changes})


def circle(radius, action=ActionType.APPROACH, name="Approach"):
    return Circle(name, action, radius=radius, **COMMON)


def box(size, action, name):
    return polygon(action, ((size, size), (size, -size), (-size, -size), (-size, size)), name)


def test_polygon_get_points_inside():
    points = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)]
    assert polygon().points_inside(points) == 0
    assert polygon().points_inside([*points, (-0.1, 0.3)]) == 1


def test_polygon_get_points_inside_edge():
    points = [(x, y) for x in (-2.0, 3.0) for y in (-1.0, 0.0, 1.0)]
    assert polygon(vertices=ARBITRARY).points_inside(points) == 0
    assert polygon(vertices=ARBITRARY).points_inside([*points, (0.0, 0.0)]) == 1


def test_circle_get_points_inside():
    assert circle(0.5).points_inside([(1.0, 0.0)]) == 0
    assert circle(0.5).points_inside([(1.0, 0.0), (-0.1, 0.3)]) == 1


@pytest.mark.parametrize(
    ("velocity", "points", "time", "tolerance"),
    [
        ((0.5, 0.0, 0.0), [(0.7, -0.01), (0.7, 0.01)], 0.4, STEP),
        ((-0.5, 0.0, 0.0), [(-0.7, -0.01), (-0.7, 0.01)], 0.4, STEP),
        ((0.0, 0.5, 0.0), [(-0.01, 0.6), (0.01, 0.6)], 0.2, STEP),
        # The original's 45 / 180 * pi is a whole number's division: 0.
        ((0.0, 0.0, 1.0), [(0.49, -0.01), (0.49, 0.01)], 0.0, FLOAT),
        ((0.5, 0.0, 0.0), [(0.1, -0.01), (0.1, 0.01)], 0.0, FLOAT),
    ],
)
def test_polygon_get_collision_time(velocity, points, time, tolerance):
    shape = polygon(ActionType.APPROACH)
    assert shape.collision_time(points, velocity) == near(time, tolerance + 1e-12)


def test_polygon_get_collision_time_without_a_collision():
    shape = polygon(ActionType.APPROACH)
    assert shape.collision_time([(1.1, -0.01), (1.1, 0.01)], (0.5, 0.0, 0.0)) < 0.0


def test_polygon_debounce_default_behavior():
    shape = polygon()
    hits = [shape.is_triggered([(0.0, 0.0)] * count) for count in (1, 2, 1)]
    assert hits == [False, True, False]


def test_polygon_debounce_consecutive_trigger_release():
    shape = polygon(trigger_consecutive=3, release_consecutive=3)
    hits = [shape.is_triggered([(0.0, 0.0)] * count) for count in (2, 2, 2, 1, 1, 1)]
    assert hits == [False, False, True, True, True, False]


# velocity_polygons_test.cpp and collision_monitor_node_test.cpp


def test_velocity_polygon_stop():
    def part(size, low, high):
        return SubPolygon(box(size, ActionType.STOP, "").vertices, low, high, 0.0, 1.0)

    shape = VelocityPolygon(
        "VelocityPolygon",
        ActionType.STOP,
        parts=(part(4.0, 0.0, 0.5), part(2.0, -0.5, 0.0)),
        **COMMON,
    )
    cloud = Cloud(min_height=0.1, max_height=1.0)
    monitor = CollisionMonitor([shape], {"PointCloud": cloud})

    def process(distance, command):
        cloud.cloud, cloud.stamp = ((distance, 0.01, 0.2), (distance, -0.01, 0.2)), 0.0
        return monitor.process(0.0, command)

    assert process(4.5, (0.4, 0.0, 0.1)).velocity == (0.4, 0.0, 0.1)
    stopped = process(3.0, (0.4, 0.0, 0.1))
    assert (stopped.action, stopped.polygon) == (ActionType.STOP, "VelocityPolygon")
    assert stopped.velocity == (0.0, 0.0, 0.0)
    assert process(3.0, (-0.4, 0.0, 0.1)).action is ActionType.DO_NOTHING
    assert process(-1.5, (-0.4, 0.0, 0.1)).action is ActionType.STOP


def scan(distance, stamp=0.0):
    return Scan(
        timeout=5.0,
        stamp=stamp,
        ranges=[float(np.float32(distance))] * 360,
        angle_increment=math.pi / 180,
        range_min=0.1,
        range_max=distance + 1.0,
    )


def range_finder(distance):
    return RangeFinder(
        timeout=5.0,
        stamp=0.0,
        range=float(np.float32(distance)),
        field_of_view=math.pi / 10,
        min_range=0.1,
        max_range=distance + 0.1,
        obstacles_angle=math.pi / 200,
    )


def point_cloud(distance):
    points = ((distance, 0.01, 0.2), (distance, -0.01, 0.2))
    return Cloud(timeout=5.0, stamp=0.0, cloud=points, min_height=0.1, max_height=1.0)


def processed(shapes, command, **sources):
    return CollisionMonitor(shapes, sources).process(0.0, command)


def test_process_stop_slowdown_limit():
    shapes = [
        box(3.0, ActionType.LIMIT, "Limit"),
        box(2.0, ActionType.SLOWDOWN, "SlowDown"),
        box(1.0, ActionType.STOP, "Stop"),
    ]
    command = (0.5, 0.2, 0.1)
    limit = min(0.4 / math.hypot(0.5, 0.2), 0.09 / 0.1)
    for distance, action, name, ratio in (
        (4.5, ActionType.DO_NOTHING, "", 1.0),
        (3.0, ActionType.LIMIT, "Limit", limit),
        (1.5, ActionType.SLOWDOWN, "SlowDown", 0.7),
        (0.5, ActionType.STOP, "Stop", 0.0),
        (4.5, ActionType.DO_NOTHING, "", 1.0),
    ):
        found = processed(shapes, command, Scan=scan(distance))
        assert (found.action, found.polygon) == (action, name)
        assert found.velocity == near([v * ratio for v in command], 1e-5)


def test_process_approach():
    shapes = [circle(1.0)]
    command = (0.5, 0.2, 0.0)
    assert processed(shapes, command, Scan=scan(3.0)).velocity == near(command, 1e-5)
    found = processed(shapes, command, Scan=scan(1.2))
    ratio = 0.2 / 0.538516481
    assert (found.action, found.polygon) == (ActionType.APPROACH, "Approach")
    assert found.velocity[0] == near(0.5 * ratio, 0.5 * STEP)
    assert found.velocity[1] == near(0.2 * ratio, 0.2 * STEP)
    found = processed(shapes, (1e9, 0.2, 0.0), Scan=scan(0.5))
    assert found.velocity == near((0.0, 0.0, 0.0), 1e-5)


def test_process_approach_rotation():
    shapes = [box(1.0, ActionType.APPROACH, "Approach")]
    command = (0.0, 0.0, math.pi / 4)
    for distance, turn, tolerance in (
        (2.0, math.pi / 4, 1e-5),
        (1.4, math.pi / 5, math.pi / 4 * STEP),
        (0.5, 0.0, 1e-5),
        (2.5, math.pi / 4, 1e-5),
    ):
        found = processed(shapes, command, Range=range_finder(distance))
        assert found.velocity[:2] == near((0.0, 0.0), 1e-5)
        assert found.velocity[2] == near(turn, tolerance)


def test_cross_over():
    shapes = [box(2.0, ActionType.SLOWDOWN, "SlowDown"), circle(1.0)]
    found = processed(shapes, (3.0, 0.0, 0.0), PointCloud=point_cloud(2.5), Range=range_finder(2.5))
    assert found.action is ActionType.APPROACH
    assert found.velocity[0] == near(3.0 * 1.5 / 3.0, 3.0 * STEP)
    near_range = {"PointCloud": point_cloud(2.5), "Range": range_finder(1.5)}
    found = processed(shapes, (0.1, 0.0, 0.0), **near_range)
    assert (found.action, found.polygon) == (ActionType.SLOWDOWN, "SlowDown")
    assert found.velocity == near((0.07, 0.0, 0.0), 1e-5)
    found = processed(shapes, (1.0, 0.0, 0.0), **near_range)
    assert found.action is ActionType.APPROACH
    assert found.velocity[0] == near(0.5, STEP)


def test_source_timeout():
    shapes = [box(2.0, ActionType.SLOWDOWN, "SlowDown"), circle(1.0)]
    found = processed(
        shapes, (3.0, 3.0, 3.0), PointCloud=point_cloud(2.5), Range=RangeFinder(timeout=5.0)
    )
    assert (found.action, found.polygon) == (ActionType.STOP, INVALID_SOURCE)
    assert found.velocity == (0.0, 0.0, 0.0)


def test_source_timeout_override():
    shapes = [box(2.0, ActionType.SLOWDOWN, "SlowDown"), circle(1.0)]
    found = processed(
        shapes, (3.0, 0.0, 0.0), PointCloud=point_cloud(2.5), Range=RangeFinder(timeout=0.0)
    )
    assert found.action is ActionType.APPROACH
    assert found.velocity[0] == near(3.0 * 1.5 / 3.0, 3.0 * STEP)


def test_polygon_not_enabled_and_source_not_enabled():
    shape = box(1.0, ActionType.STOP, "Stop")
    source = scan(0.5)
    assert processed([shape], (0.5, 0.2, 0.1), Scan=source).action is ActionType.STOP
    shape.enabled = False
    assert processed([shape], (0.5, 0.2, 0.1), Scan=source).velocity == (0.5, 0.2, 0.1)
    shape.enabled, source.enabled = True, False
    assert processed([shape], (0.5, 0.2, 0.1), Scan=source).velocity == (0.5, 0.2, 0.1)


def test_a_command_with_nan_is_ignored():
    assert processed([], (math.nan, 0.0, 0.0)) is None


# sources_test.cpp


def four_beams(distance, stamp=0.0):
    return Scan(
        5.0, True, MOUNT, stamp, [distance] * 4, 0.0, math.pi / 2, range_min=0.1, range_max=1.1
    )


def one_range(distance, stamp=0.0, view=math.pi / 10):
    return RangeFinder(5.0, True, MOUNT, stamp, distance, view, 0.1, 1.1, math.pi / 199)


def test_get_data_of_a_scan():
    points = [(1.1, 0.1), (0.1, 1.1), (-0.9, 0.1), (0.1, -0.9)]
    assert np.allclose(four_beams(1.0).points(0.0), points, rtol=0.0, atol=FLOAT)


def test_get_data_of_a_point_cloud():
    points = ((0.5, 0.5, 0.2), (-0.5, -0.5, 0.3), (1.0, 1.0, 10.0))
    cloud = Cloud(5.0, True, MOUNT, 0.0, points, 0.1, 1.0)
    assert np.allclose(cloud.points(0.0), [(0.6, 0.6), (-0.4, -0.4)], rtol=0.0, atol=FLOAT)


def test_get_data_of_a_range():
    found = one_range(1.0).points(0.0)
    angles = [-math.pi / 20 + i * math.pi / 199 for i in range(20)] + [math.pi / 20]
    wanted = [(math.cos(a) + 0.1, math.sin(a) + 0.1) for a in angles]
    assert len(found) == 21
    assert np.allclose(found, wanted, rtol=0.0, atol=FLOAT)


def test_get_outdated_data():
    assert four_beams(1.0, stamp=-6.0).points(0.0) is None
    assert one_range(1.0, stamp=-6.0).points(0.0) is None
    assert Cloud(5.0, stamp=-6.0).points(0.0) is None


def test_incorrect_data():
    assert four_beams(2.0).points(0.0) == []
    assert one_range(2.0).points(0.0) is None


def test_range_message_validation():
    assert one_range(1.0, view=0.0).points(0.0) is None
    assert one_range(1.0).points(0.0)


def test_point_cloud_min_range():
    points = ((0.05, 0.0, 0.15), (0.15, 0.0, 0.15), (0.2, 0.0, 0.15), (0.5, 0.0, 0.15))
    cloud = Cloud(5.0, True, MOUNT, 0.0, points, 0.1, 1.0, min_range=0.16)
    wanted = [(0.25, 0.1), (0.3, 0.1), (0.6, 0.1)]
    assert np.allclose(cloud.points(0.0), wanted, rtol=0.0, atol=FLOAT)
