"""Obstacles: the most restrictive demand wins and is named, and nothing old or lost is trusted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.config.obstacle_config import ObstacleParameters, SourceConfig, ZoneConfig, build
from vla_safety.surroundings.obstacles.base_kinematics import Twist2D
from vla_safety.surroundings.obstacles.obstacle_monitor import (
    MINIMUM_DISTANCE,
    Finding,
    ObstacleMonitor,
    Reading,
)
from vla_safety.surroundings.obstacles.protective_zones import Action

SECOND = 10**9
NOW = 100 * SECOND
AHEAD = Twist2D(0.5)
# Half a metre long, so its front is 0.25 m ahead of the origin.
FRONT = 0.25


def monitor(*, sources=("scan",), zones=None, source=None, **parameters):
    zones, source = zones or {}, source or SourceConfig()
    config = ObstacleParameters(
        obstacle_sources=tuple(sources), obstacle_zones=tuple(zones), **parameters
    )
    return ObstacleMonitor(build(config, dict.fromkeys(sources, source), zones))


def seen(*points, now=NOW, age=0.0, **options):
    made = monitor(**options)
    for source in options.get("sources", ("scan",)):
        made.accept_reading(source, Reading(np.array(points, dtype=float).reshape(-1, 2)), now, age)
    return made


def judged(*points, velocity=AHEAD, moving=None, **options):
    return seen(*points, **options).evaluate(velocity, NOW, moving)


def test_free():
    verdict = judged()
    assert verdict.action is Action.NONE
    assert verdict.ratio == 1.0
    assert verdict.distance is None
    assert verdict.boundaries == verdict.violations == verdict.warnings == ()
    assert not verdict.stop


# Sources.


def test_a_source_that_was_never_heard_stops():
    verdict = monitor().evaluate(AHEAD, NOW)
    assert verdict.stop
    assert verdict.ratio == 0.0
    assert verdict.name == "invalid source scan"
    assert verdict.cause == "invalid source scan: was never received"
    assert verdict.clears_when == "scan is received"


def test_a_source_that_falls_silent_stops_after_its_timeout():
    made = seen()
    assert not made.evaluate(AHEAD, NOW + SECOND // 2).stop
    verdict = made.evaluate(AHEAD, NOW + SECOND // 2 + 1)
    assert verdict.stop
    assert verdict.cause == "invalid source scan: nothing newer than 0.5 s"
    assert verdict.invalid_sources[0].age == pytest.approx(0.5)


def test_what_was_old_when_it_came_is_old():
    assert seen(age=0.6).evaluate(AHEAD, NOW).name == "invalid source scan"


def test_one_of_two_sources_is_enough_to_stop_and_all_are_named():
    made = monitor(sources=("scan", "sonar"))
    made.accept_reading("scan", Reading(np.empty((0, 2))), NOW)
    assert made.evaluate(AHEAD, NOW).name == "invalid source sonar"
    cause = monitor(sources=("scan", "sonar")).evaluate(AHEAD, NOW).cause
    assert "invalid source scan" in cause
    assert "invalid source sonar" in cause


def test_a_bad_message_does_not_hide_the_last_good_one_for_longer_than_its_timeout():
    made = seen((1.0, 0.0))
    made.accept_reading(
        "scan", Reading.unusable("none of a scan's 8 beams is a measurement"), NOW + 10
    )
    assert made.evaluate(AHEAD, NOW + 20).distance == pytest.approx(0.75, abs=1e-6)
    verdict = made.evaluate(AHEAD, NOW + SECOND)
    assert verdict.stop
    assert "none of a scan's 8 beams" in verdict.cause


def test_an_older_message_is_not_taken():
    made = seen((1.0, 0.0))
    made.accept_reading("scan", Reading(np.empty((0, 2))), NOW - 10)
    assert made.evaluate(AHEAD, NOW).distance is not None


def test_forget():
    made = seen((1.0, 0.0))
    made.forget()
    assert made.evaluate(AHEAD, NOW).name == "invalid source scan"


def test_a_source_that_there_is_not():
    with pytest.raises(KeyError):
        monitor().accept_reading("radar", Reading(np.empty((0, 2))), NOW)


# Minimum distance.


def test_too_near_and_nearer_still_stops():
    verdict = judged((FRONT + 0.1, 0.0))
    assert verdict.stop
    assert verdict.name == MINIMUM_DISTANCE
    assert verdict.distance == pytest.approx(0.1)
    (found,) = verdict.violations
    assert (found.name, found.bound) == (MINIMUM_DISTANCE, 0.15)
    assert found.value == pytest.approx(0.1)
    assert verdict.cause == "an obstacle is 0.10 m away, too near to go on"


@pytest.mark.parametrize(
    ("velocity", "stops"),
    [
        (Twist2D(-0.5), False),
        (Twist2D(vy=0.5), False),
        (Twist2D(), False),
        (Twist2D(0.01, -0.5), True),
    ],
)
def test_to_leave_an_obstacle_is_free(velocity, stops):
    assert judged((FRONT + 0.1, 0.0), velocity=velocity).stop is stops


def test_what_still_moves_towards_it_stops_too():
    assert judged((FRONT + 0.1, 0.0), velocity=Twist2D(-0.5), moving=AHEAD).stop


def test_turning_towards_a_point_beside_the_front_stops():
    beside = (0.2, 0.25)
    assert judged(beside, velocity=Twist2D(wz=1.0)).stop
    assert not judged(beside, velocity=Twist2D(wz=-1.0)).stop


def test_a_warning_below_the_soft_threshold():
    assert judged((FRONT + 0.29, 0.0)).warnings == (Finding("obstacle", pytest.approx(0.29), 0.3),)
    assert judged((FRONT + 0.31, 0.0)).warnings == ()


def test_distances_change_at_run_time():
    made = seen((FRONT + 0.1, 0.0))
    made.configure(monitor(obstacle_distance=0.05).config)
    assert not made.evaluate(AHEAD, NOW).stop


def test_the_robots_own_body_can_be_masked():
    arm = (0.1, 0.0)
    assert judged(arm).stop
    masked = judged(arm, (1.0, 0.0), source=SourceConfig(mask_body=True))
    assert not masked.stop
    assert masked.distance == pytest.approx(0.75)


# Boundaries.


def test_the_boundary_towards_what_is_ahead():
    (found,) = judged((1.0, 0.0)).boundaries
    assert (found.x, found.y, found.w) == pytest.approx((1.0, 0.0, 0.0), abs=1e-12)
    assert found.remaining == pytest.approx(0.75 - 0.15)


def test_boundaries_of_the_nearest_and_of_what_each_motion_meets_first():
    points = ((0.0, 0.5), (1.0, 0.0), (-1.5, 0.0))
    found = judged(*points, velocity=AHEAD, moving=Twist2D(-0.5)).boundaries
    assert sorted(round(one.x) for one in found) == [-1, 0, 1]


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=8),
    st.floats(-math.pi, math.pi),
)
def test_a_straight_way_within_the_boundary_keeps_the_distance(points, direction):
    """Of one obstacle at a time: the boundary is exact for a convex footprint."""
    for point in points:
        made = seen(point)
        shape = made.config.footprint
        if shape.signed_distance(np.array([point]))[0] < 0.16:
            continue
        velocity = Twist2D(math.cos(direction), math.sin(direction))
        for bound in made.evaluate(velocity, NOW).boundaries:
            closing = bound.x * velocity.vx + bound.y * velocity.vy
            if closing <= 1e-6:
                continue
            way = min(bound.remaining / closing, 10.0)
            moved = np.array(point) - way * np.array((velocity.vx, velocity.vy))
            assert shape.signed_distance(moved[None])[0] >= 0.15 - 1e-6


# Age.


def test_what_was_seen_a_while_ago_is_nearer_by_the_way_since():
    made = seen((1.0, 0.0))
    for tick in range(11):
        verdict = made.evaluate(AHEAD, NOW + tick * SECOND // 50)
    assert verdict.distance == pytest.approx(0.75 - 0.5 * 0.2)


def test_the_way_is_what_was_driven_and_not_the_present_speed_times_the_age():
    made = seen((1.0, 0.0))
    for tick in range(11):
        verdict = made.evaluate(AHEAD, NOW + tick * SECOND // 50, Twist2D(0.5 - 0.05 * tick))
    driven = sum(0.02 * (0.5 - 0.05 * tick) for tick in range(1, 11))
    assert verdict.distance == pytest.approx(0.75 - driven)


def test_age_on_arrival_counts_at_the_present_speed_before_anything_is_known():
    verdict = seen((1.0, 0.0), age=0.1).evaluate(AHEAD, NOW)
    assert verdict.distance == pytest.approx(0.75 - 0.05)


def test_each_source_has_its_own_age():
    made = monitor(sources=("near", "far"))
    made.evaluate(AHEAD, NOW - SECOND)
    made.accept_reading("far", Reading(np.array([[2.0, 0.0]])), NOW, 0.4)
    made.accept_reading("near", Reading(np.array([[1.0, 0.0]])), NOW, 0.1)
    made.evaluate(AHEAD, NOW)
    assert made.evaluate(AHEAD, NOW).distance == pytest.approx(0.75 - 0.05)


# Zones.

ZONES = {
    "limit": ZoneConfig(
        action="limit", shape="polygon", points=(3, 3, 3, -3, -3, -3, -3, 3),
        linear_limit=0.4, angular_limit=0.09,
    ),
    "slow": ZoneConfig(
        action="slowdown", shape="polygon", points=(2, 2, 2, -2, -2, -2, -2, 2),
        slowdown_ratio=0.7,
    ),
    "stop": ZoneConfig(action="stop", shape="polygon", points=(1, 1, 1, -1, -1, -1, -1, 1)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("distance", "action", "name", "ratio"),
    [
        (4.5, Action.NONE, "", 1.0),
        (2.9, Action.LIMIT, "limit", 0.4 / math.hypot(0.5, 0.2)),
        (1.5, Action.SLOWDOWN, "slow", 0.7),
        (0.5, Action.STOP, "stop", 0.0),
    ],
)
def test_stop_slowdown_limit_as_nav2_expects_them(distance, action, name, ratio):
    """collision_monitor_node_test.cpp, testProcessStopSlowdownLimit."""
    angles = np.radians(np.arange(360))
    ring = distance * np.column_stack((np.cos(angles), np.sin(angles)))
    verdict = judged(*ring, velocity=Twist2D(0.5, 0.2, 0.1), zones=ZONES)
    assert (verdict.action, verdict.name) == (action, name)
    assert verdict.ratio == pytest.approx(ratio)


def test_an_approach_slows_down_and_tells_the_time():
    zones = {"ahead": ZoneConfig(action="approach", time_before_collision=2.0)}
    verdict = judged((FRONT + 0.5, 0.0), zones=zones)
    assert (verdict.action, verdict.name) == (Action.APPROACH, "ahead")
    assert verdict.time_to_collision == pytest.approx(0.9)
    assert verdict.ratio == pytest.approx(0.45)
    assert verdict.violations == (Finding("ahead", pytest.approx(0.9), 2.0),)
    assert judged((FRONT + 0.5, 0.0), zones=zones, velocity=Twist2D(-0.5)).ratio == 1.0


def test_the_most_restrictive_wins_and_the_others_are_listed_after_it():
    zones = {
        "slow": ZoneConfig(action="slowdown", margin=1.0, slowdown_ratio=0.8),
        "ahead": ZoneConfig(action="approach"),
    }
    verdict = judged((FRONT + 0.5, 0.0), zones=zones)
    assert [one.name for one in verdict.violations] == ["ahead", "slow"]
    assert judged((FRONT + 0.99, 0.3), zones=zones, velocity=Twist2D(0.1)).name == "slow"


def test_a_zone_by_margin_is_the_same_as_its_outline():
    near = {"zone": ZoneConfig(action="stop", margin=0.3)}
    assert judged((FRONT + 0.29, 0.0), zones=near).name == "zone"
    assert judged((FRONT + 0.31, 0.0), zones=near).name == ""
    corner = (FRONT + 0.25, 0.2 + 0.25)  # the corner is round
    assert judged(corner, zones=near).name == ""


def test_a_zone_counts_points_and_only_those_of_its_sources():
    zones = {"zone": ZoneConfig(action="stop", margin=1.0, min_points=2, sources=("sonar",))}
    made = monitor(sources=("scan", "sonar"), zones=zones)
    two = np.array([[1.0, 0.1], [1.0, -0.1]])
    made.accept_reading("scan", Reading(two), NOW)
    made.accept_reading("sonar", Reading(two[:1]), NOW)
    assert made.evaluate(AHEAD, NOW).name == ""
    made.accept_reading("sonar", Reading(two), NOW)
    assert made.evaluate(AHEAD, NOW).name == "zone"


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_request_that_is_not_finite_is_judged_as_none(broken):
    verdict = judged((FRONT + 0.1, 0.0), velocity=Twist2D(broken), moving=Twist2D())
    assert not verdict.stop
    assert judged((FRONT + 0.1, 0.0), velocity=Twist2D(broken), moving=AHEAD).stop


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), max_size=12),
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    st.builds(Twist2D, *[st.floats(-1, 1)] * 3),
)
def test_one_more_obstacle_never_allows_more(points, another, velocity):
    zones = {
        "slow": ZoneConfig(action="slowdown", margin=0.5),
        "ahead": ZoneConfig(action="approach", margin=0.05),
        "limit": ZoneConfig(action="limit", shape="circle", radius=1.0, linear_limit=0.3),
    }
    before = judged(*points, velocity=velocity, zones=zones)
    after = judged(*points, another, velocity=velocity, zones=zones)
    assert after.ratio <= before.ratio
    assert after.distance <= (before.distance if before.distance is not None else math.inf)
