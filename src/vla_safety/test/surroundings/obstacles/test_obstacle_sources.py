"""Messages of scanners, range finders and depth cameras as obstacles."""

import array
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.surroundings.obstacles.obstacle_sources import (
    SourceReader,
    mount_from_message,
    stamp_problem,
    thin_out,
)
from vla_safety.surroundings.obstacles.point_clouds import CloudError, cloud_points
from vla_safety.surroundings.transforms import Transform

INF, NAN = math.inf, math.nan
TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def scan(*ranges, low=0.1, high=10.0, start=0.0, step=math.pi / 2):
    return SimpleNamespace(
        ranges=array.array("f", ranges),
        range_min=low,
        range_max=high,
        angle_min=start,
        angle_increment=step,
    )


def sonar(value, low=0.1, high=4.0, view=0.5):
    return SimpleNamespace(range=value, min_range=low, max_range=high, field_of_view=view)


def read(message, kind="scan", at=None, **options):
    return SourceReader(SourceConfig(type=kind, **options)).read(message, at)


def points(message, *arguments, **options):
    reading = read(message, *arguments, **options)
    assert not reading.problem
    return reading.points


# LaserScan.


def test_beams_lie_where_their_angles_say():
    found = points(scan(1.0, 2.0, 3.0, 4.0))
    assert np.allclose(found, [(1, 0), (0, 2), (-3, 0), (0, -4)], atol=1e-6)


def test_what_ranges_mean():
    """REP 117: +inf free, -inf too near, NaN nothing; out of [min, max] is no obstacle."""
    found = points(scan(INF, -INF, NAN, 11.0, low=0.2))
    assert np.allclose(found, [(0.0, 0.2)], atol=1e-6)
    assert len(points(scan(INF, INF))) == 0
    assert len(points(scan(0.05, 1.0))) == 1
    assert len(points(scan(0.0, INF))) == 0
    assert len(points(scan(1.0, INF, -INF, high=INF))) == 2
    assert len(points(scan(0.1, 10.0, low=0.125))) == 1  # the limits themselves are obstacles
    assert len(points(scan(0.125, 10.5, low=0.125))) == 1


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (scan(NAN, NAN), "none of a scan's 2 beams is a measurement"),
        (scan(0.0, NAN), "none of a scan's 2 beams is a measurement"),
        (scan(), "a scan has 0 beams"),
        (scan(1.0, low=5.0, high=1.0), "a scan's range is 5 to 1 m"),
        (scan(1.0, low=NAN), "a scan's range is nan"),
        (scan(1.0, 1.0, step=0.0), "a scan's angle_min and angle_increment are 0 and 0"),
        (scan(1.0, start=NAN), "a scan's angle_min and angle_increment are nan"),
    ],
)
def test_a_scan_that_cannot_be_used(message, problem):
    reading = read(message)
    assert problem in reading.problem
    assert "\n" not in reading.problem
    assert len(reading.points) == 0


def test_mounting_by_parameters_and_by_transform():
    """A scanner 0.1 m ahead and 0.1 m to the left: sources_test.cpp, testGetData."""
    wanted = [(1.1, 0.1), (0.1, 1.1), (-0.9, 0.1), (0.1, -0.9)]
    message = scan(1.0, 1.0, 1.0, 1.0, high=1.1)
    by_parameters = points(message, use_tf=False, mount=(0.1, 0.1, 0.3, 0.0, 0.0, 0.0))
    assert np.allclose(by_parameters, wanted, atol=1e-6)
    by_transform = read(message, at=Transform.from_rpy((0.1, 0.1, 0.3), (0, 0, 0))).points
    assert np.allclose(by_transform, wanted, atol=1e-6)


def test_a_scanner_upside_down_and_turned():
    turned = Transform.from_rpy((0.5, 0.0, 0.0), (math.pi, 0.0, math.pi / 2))
    found = read(scan(1.0, 2.0), at=turned).points
    assert np.allclose(found, [(0.5, 1.0), (2.5, 0.0)], atol=1e-6)


def test_a_reader_follows_a_scanner_that_changes():
    reader = SourceReader(SourceConfig())
    assert np.allclose(reader.read(scan(1.0)).points, [(1, 0)])
    assert np.allclose(reader.read(scan(1.0, start=math.pi)).points, [(-1, 0)])
    assert len(reader.read(scan(1.0, 1.0)).points) == 2
    moved = Transform.from_rpy((0, 0, 0), (0, 0, math.pi / 2))
    assert np.allclose(reader.read(scan(1.0), moved).points, [(0, 1)], atol=1e-9)


@given(
    st.lists(
        st.one_of(st.floats(0.0, 12.0, width=32), st.sampled_from([INF, -INF, NAN])),
        min_size=1,
        max_size=30,
    )
)
def test_every_beam_against_its_own_rule(ranges):
    message = scan(*ranges, low=0.5, high=10.0, step=0.2)
    reading = read(message)
    wanted = []
    for i, value in enumerate(message.ranges):
        if value == -INF:
            value = 0.5
        if 0.5 <= value <= 10.0:
            wanted.append((value * math.cos(0.2 * i), value * math.sin(0.2 * i)))
    if reading.problem:
        assert not wanted
        assert not any(value > 10.0 for value in message.ranges)
    else:
        assert np.allclose(reading.points, np.array(wanted).reshape(-1, 2), atol=1e-6)


# Range.


def test_a_range_is_an_arc():
    found = points(sonar(1.0), "range")
    angles = np.arctan2(found[:, 1], found[:, 0])
    assert np.allclose(np.hypot(*found.T), 1.0)
    assert (angles[0], angles[-1]) == pytest.approx((-0.25, 0.25))
    assert np.diff(angles).max() <= math.radians(1.0) + 1e-9


@pytest.mark.parametrize(
    ("value", "distance"), [(INF, None), (5.0, None), (-INF, 0.1), (0.1, 0.1), (4.0, 4.0)]
)
def test_what_a_range_means(value, distance):
    found = points(sonar(value), "range")
    if distance is None:
        assert len(found) == 0
    else:
        assert np.allclose(np.hypot(*found.T), distance)


def test_a_fixed_distance_ranger_tells_by_infinities_only():
    assert len(points(sonar(INF, 0.8, 0.8), "range")) == 0
    assert np.allclose(np.hypot(*points(sonar(-INF, 0.8, 0.8), "range").T), 0.8)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (sonar(NAN), "a range is nan m"),
        (sonar(0.01), "a range is 0.01 m; accepted: at least min_range, 0.1 m"),
        (sonar(1.0, 2.0, 1.0), "a range's limits are 2 to 1 m"),
        (sonar(1.0, view=NAN), "a range's field_of_view is nan"),
        (sonar(1.0, view=7.0), "a range's field_of_view is 7"),
    ],
)
def test_a_range_that_cannot_be_used(message, problem):
    assert problem in read(message, "range").problem


# PointCloud2.


def cloud(rows, kind="f4", order="<", offsets=(0, 4, 8), step=16, pad=0, names="xyz"):
    """rows: shape (height, width, 3)."""
    rows = np.array(rows, dtype=float)
    height, width = rows.shape[:2]
    dtype = np.dtype(
        {"names": list(names), "formats": [order + kind] * 3, "offsets": offsets, "itemsize": step}
    )
    data = b""
    for row in rows:
        packed = np.zeros(width, dtype)
        for i, name in enumerate(names):
            packed[name] = row[:, i]
        data += packed.tobytes() + b"\xff" * pad
    fields = [
        SimpleNamespace(name=name, offset=offset, datatype=TYPES[kind], count=1)
        for name, offset in zip(names, offsets, strict=True)
    ]
    return SimpleNamespace(
        width=width,
        height=height,
        point_step=step,
        row_step=width * step + pad,
        is_bigendian=order == ">",
        fields=fields,
        data=array.array("B", data),
    )


POINTS = [[(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (-1, -2, -3)]]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("pad", [0, 5])
def test_any_layout(kind, order, pad):
    rows = np.abs(POINTS) if kind.startswith("u") else POINTS
    size = int(kind[1])
    message = cloud(rows, kind, order, (3 + 2 * size, 3, 3 + size), 4 * size + 5, pad)
    assert np.array_equal(cloud_points(message), np.array(rows, dtype=float).reshape(-1, 3))


def test_fields_in_any_order_and_others_between():
    message = cloud([[(1, 2, 3)]], names="zxy")
    assert cloud_points(message).tolist() == [[2.0, 3.0, 1.0]]


def test_points_that_are_not_finite_are_left_out():
    message = cloud([[(1, 2, 3), (NAN, 0, 0), (0, INF, 0)]])
    assert cloud_points(message).tolist() == [[1.0, 2.0, 3.0]]
    beyond = cloud([[(1, 2, 3), (0, -1e300, 0), (1e9, 0, 0)]], "f8", "<", (0, 8, 16), 24)
    assert cloud_points(beyond).tolist() == [[1.0, 2.0, 3.0], [1e9, 0.0, 0.0]]


def test_a_cloud_without_points_is_free():
    empty = cloud(np.empty((1, 0, 3)))
    assert len(points(empty, "pointcloud")) == 0
    empty.fields = []
    assert len(points(empty, "pointcloud")) == 0


def damaged(**changes):
    message = cloud(POINTS)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (damaged(data=array.array("B", b"123")), "a cloud of 2 x 2 points"),
        (damaged(row_step=8), "has row_step 8"),
        (damaged(point_step=6), "ends at byte 8 of a point of 6 bytes"),
        (damaged(fields=[]), "a cloud has fields none; accepted: x, y and z"),
        (damaged(width=10**6, height=10**6), "accepted: at most"),
        (
            cloud([[(NAN, NAN, NAN)]]),
            "none of a cloud's 1 points is a measurement: they are not finite, or 0",
        ),
    ],
)
def test_a_cloud_that_cannot_be_used(message, problem):
    with pytest.raises(CloudError, match="accepted|finite") as caught:
        cloud_points(message)
    assert problem in str(caught.value)
    assert problem in read(message, "pointcloud").problem


def test_an_unknown_datatype():
    message = cloud(POINTS)
    message.fields[1].datatype = 9
    assert "field y has datatype 9" in read(message, "pointcloud").problem


def test_the_slice_is_cut_in_the_base_frame():
    """sources_test.cpp, testGetData: of three points one is too high."""
    message = cloud([[(0.5, 0.5, 0.2), (-0.5, -0.5, 0.3), (1.0, 1.0, 10.0)]])
    mount = Transform.from_rpy((0.1, 0.1, 0.0), (0, 0, 0))
    found = points(message, "pointcloud", mount, min_height=0.1, max_height=1.0)
    assert np.allclose(found, [(0.6, 0.6), (-0.4, -0.4)], atol=1e-6)
    raised = Transform.from_rpy((0.0, 0.0, 0.75), (0, 0, 0))
    assert len(points(message, "pointcloud", raised, min_height=0.1, max_height=1.0)) == 1
    # A camera's optical frame looks along z.
    optical = Transform.from_rpy((0.0, 0.0, 0.5), (-math.pi / 2, 0.0, -math.pi / 2))
    ahead = points(cloud([[(0.1, 0.2, 3.0)]]), "pointcloud", optical)
    assert np.allclose(ahead, [(3.0, -0.1)], atol=1e-6)


# All.


def test_of_too_many_points_the_nearest_of_each_direction_stay():
    generator = np.random.default_rng(0)
    many = generator.normal(size=(5000, 2))
    few = thin_out(many, 100)
    assert len(few) <= 100
    sector = lambda p: ((np.arctan2(p[:, 1], p[:, 0]) + math.pi) * 50 / math.pi).astype(int) % 100  # noqa: E731
    for number, point in zip(sector(few), few, strict=True):
        assert np.hypot(*point) == pytest.approx(np.hypot(*many[sector(many) == number].T).min())
    assert thin_out(few, 100) is few


def test_of_points_as_near_in_one_direction_the_first_stays():
    many = np.array([[0.0, 2.0], [-1.0, 0.0], [1.0, 0.1], [0.1, 1.0], [0.1, 1.0], [-1.0, -0.0]])
    # Directions are counted from straight back; both ends of the circle are one of them.
    assert thin_out(many, 2).tolist() == [[-1.0, 0.0], [1.0, 0.1]]


def test_a_mount_from_a_message():
    message = SimpleNamespace(
        transform=SimpleNamespace(
            translation=SimpleNamespace(x=1.0, y=2.0, z=3.0),
            rotation=SimpleNamespace(x=0.0, y=0.0, z=1.0, w=0.0),
        )
    )
    assert np.allclose(mount_from_message(message).apply(np.array([[1.0, 0, 0]])), [[0, 2, 3]])


def test_nothing_that_came_back_is_no_obstacle_at_the_sensor():
    """Drivers give 0 where there was no echo, also with a minimum of 0."""
    assert len(points(scan(0.0, 0.0, 2.0, low=0.0))) == 1
    assert read(scan(0.0, 0.0, low=0.0)).problem == "none of a scan's 2 beams is a measurement"
    assert read(sonar(0.0, low=0.0), "range").problem == "a range is 0 m; accepted: above 0 m"
    some = cloud([[(0.0, 0.0, 0.0), (1.0, 0.0, 0.5), (0.0, 0.0, 0.7)]])
    assert cloud_points(some).shape == (2, 3)
    with pytest.raises(CloudError, match="none of a cloud's 2 points is a measurement"):
        cloud_points(cloud([[(0.0, 0.0, 0.0), (NAN, NAN, NAN)]]))


def test_a_range_without_limits_says_nothing():
    """Every distance is beyond a maximum that nobody set, and would be free."""
    assert read(sonar(1.0, low=0.0, high=0.0), "range").problem == (
        "a range's limits are 0 to 0 m; accepted: 0 <= min <= max, max above 0"
    )


def test_bytes_that_no_size_counts_are_no_free_way():
    message = damaged(height=0)
    with pytest.raises(
        CloudError, match="a cloud of 2 x 0 points has 64 bytes; accepted: a height"
    ):
        cloud_points(message)


@pytest.mark.parametrize(
    ("age", "words"),
    [(0.0, ""), (0.5, ""), (-0.5, ""), (9.0, "9 s behind"), (-2.0, "2 s ahead")],
)
def test_a_stamp_of_another_clock_is_named(age, words):
    problem = stamp_problem(age, 0.5)
    assert bool(problem) is bool(words) and words in problem
