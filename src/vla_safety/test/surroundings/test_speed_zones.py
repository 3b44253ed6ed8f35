"""Speed zones: how far they are, and that a robot is slow when it is in."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped_spaces import shipped_space

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.limits.limiter import Limit, MotionLimiter
from vla_safety.surroundings.speed_zones import SpeedZone, approach_speed, slowing, speed_cap

DOOR = SpeedZone.box("door", (1.0, -1.0), (2.0, 1.0), 0.2)
LIMITS = Limits(1.0, 1.0, 10.0)


@pytest.mark.parametrize(
    ("place", "distance"),
    [
        ((0.0, 0.0), 1.0),
        ((1.5, 0.0), 0.0),
        ((1.0, 1.0), 0.0),
        ((0.0, 2.0), math.sqrt(2.0)),
        ((math.nan, 0.0), 0.0),
    ],
)
def test_the_distance_to_a_zone(place, distance):
    assert DOOR.distance(*place) == pytest.approx(distance)
    assert SpeedZone("z", DOOR.polygon[::-1], 0.2).distance(*place) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("polygon", "maximum", "words"),
    [
        (((0, 0), (1, 0)), 0.2, "at least three corners"),
        (((0, 0), (1, 1), (1, 0), (0, 1)), 0.2, "convex"),
        (((0, 0), (2, 0), (1, 0.1), (0, 2)), 0.2, "convex"),
        (((0, 0), (1, 0), (math.nan, 1)), 0.2, "convex"),
        (DOOR.polygon, -1.0, "at least 0"),
        (DOOR.polygon, math.nan, "at least 0"),
    ],
)
def test_a_zone_that_is_none_is_refused(polygon, maximum, words):
    with pytest.raises(ValueError, match=words):
        SpeedZone("z", polygon, maximum)


def test_a_star_is_no_convex_polygon():
    star = [(math.cos(0.8 * math.pi * k), math.sin(0.8 * math.pi * k)) for k in range(5)]
    with pytest.raises(ValueError, match="convex"):
        SpeedZone("star", tuple(star), 0.2)


def test_the_strictest_zone_is_named_and_none_far_away():
    wide = SpeedZone.box("hall", (0.5, -5.0), (9.0, 5.0), 0.5)
    assert speed_cap([DOOR, wide], (-9.0, 0.0), LIMITS) is None
    near = speed_cap([DOOR, wide], (1.5, 0.0), LIMITS)
    assert (near.value, near.limit, near.name) == (0.2, Limit.SPEED_ZONE, "door")
    assert speed_cap([DOOR, wide], (5.0, 0.0), LIMITS).name == "hall"
    assert speed_cap([DOOR], (math.nan, 0.0), LIMITS).value == 0.2


def test_the_age_of_a_position_brings_a_zone_nearer():
    fresh = speed_cap([DOOR], (0.8, 0.0), LIMITS)
    old = speed_cap([DOOR], (0.8, 0.0), LIMITS, speed=0.5, latency=0.2)
    assert old.value < fresh.value


def test_slowing_down_counts_on_the_weakest_dimension():
    arm = shipped_space("arm_6dof")
    assert slowing(arm).deceleration == 1.0
    assert slowing(arm).velocity == pytest.approx(0.25 * math.sqrt(3.0))
    with pytest.raises(ValueError, match="no linear velocity"):
        slowing(shipped_space("reference_7dof"))


@given(st.floats(0.0, 1.0), st.floats(-1.0, 10.0), st.floats(0.0, 1.0))
def test_the_cap_grows_with_the_distance_from_that_of_the_zone_on(maximum, distance, more):
    near = approach_speed(maximum, distance, LIMITS, 0.02)
    assert maximum <= near <= approach_speed(maximum, distance + more, LIMITS, 0.02) + 1e-12


@given(
    st.floats(0.2, 2.0), st.floats(0.2, 5.0), st.floats(1.0, 100.0), st.floats(0.2, 5.0),
    st.floats(0.05, 1.0),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whoever_follows_the_cap_enters_slowly(velocity, acceleration, jerk, deceleration, share):
    limits, period = Limits(velocity, acceleration, jerk, deceleration), 0.02
    made = Dimension(
        "x", Kind.LINEAR_VELOCITY, "m/s", -2.0, 2.0, -2.0, 2.0, limits, limits, "f",
        Output("out", "geometry_msgs/msg/Twist", "linear.x"),
    )  # fmt: skip
    limiter = MotionLimiter(ActionSpace("t", 1.0 / period, 10, period, 1e3, (made,)))
    zone = SpeedZone.box("z", (0.0, -1.0), (1.0, 1.0), share * velocity)
    x = -1.0 - velocity**2 / deceleration - velocity * deceleration / jerk
    for _ in range(1500):
        cap = speed_cap([zone], (x, 0.0), limits, reaction=period)
        speed = limiter.step([2.0], speed_cap=cap).safe[0]
        x += speed * period
        if x > 1.0:
            return
        assert x < 0.0 or speed <= zone.maximum * (1 + 1e-6)
