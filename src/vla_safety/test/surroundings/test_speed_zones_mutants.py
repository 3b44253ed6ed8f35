"""Cases that a changed line of the speed zones would get wrong."""

import math

import pytest

from vla_contract.action_space import Limits
from vla_safety.surroundings.speed_zones import SpeedZone, approach_speed, speed_cap

LIMITS = Limits(1.0, 2.0, 20.0, 1.5)
TRIANGLE = ((1.0, 0.5), (3.0, 1.0), (1.5, 3.0))
BOX = SpeedZone.box("box", (1.0, 2.0), (3.0, 5.0), 0.2)


@pytest.mark.parametrize("polygon", [TRIANGLE, TRIANGLE[::-1]])
def test_three_corners_are_enough_in_either_sense(polygon):
    zone = SpeedZone("z", polygon, 0.2)
    assert zone.distance(1.8, 1.5) == 0.0
    assert zone.distance(1.0, -0.5) == pytest.approx(1.0)
    along = (0.5 / math.hypot(2.0, 0.5), -2.0 / math.hypot(2.0, 0.5))
    assert zone.distance(2.0 + along[0], 0.75 + along[1]) == pytest.approx(1.0)
    assert zone.distance(1.0, 0.5) == 0.0  # a corner
    assert zone.distance(2.0, 0.75) == pytest.approx(0.0, abs=1e-12)


def test_a_box_has_its_corners_and_its_distances():
    box = SpeedZone.box("box", (1.0, 2.0), (3.0, 5.0), 0.2)
    assert box.polygon == ((1.0, 2.0), (3.0, 2.0), (3.0, 5.0), (1.0, 5.0))
    for x, y, distance in ((2.0, 3.0, 0.0), (0.5, 3.0, 0.5), (2.0, 6.0, 1.0), (4.0, 6.0, 2**0.5)):
        assert box.distance(x, y) == pytest.approx(distance)
    assert box.distance(math.nan, 3.0) == 0.0


@pytest.mark.parametrize(
    "polygon",
    [
        TRIANGLE[:2],
        (),
        ((0.0, 0.0), (1.0, 0.0), (math.nan, 1.0)),
        ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0)),  # in a line
        ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (2.0, 4.0), (0.0, 4.0)),  # a corner in a line
        ((0.0, 0.0), (0.0, 4.0), (2.0, 4.0), (2.0, 2.0), (2.0, 0.0)),
        ((0.0, 0.0), (4.0, 0.0), (1.0, 1.0), (0.0, 4.0)),  # not convex
        ((0.0, 0.0), (0.2, 0.0), (0.05, 0.05), (0.0, 0.2)),
        tuple((math.cos(4 * math.pi * k / 5), math.sin(4 * math.pi * k / 5)) for k in range(5)),
    ],
)
def test_what_is_no_convex_polygon_is_refused(polygon):
    with pytest.raises(ValueError, match="accepted: at least"):
        SpeedZone("z", polygon, 0.2)


@pytest.mark.parametrize("shift", [-5.0, 0.0, 5.0])
@pytest.mark.parametrize("count", [3, 4, 5, 8, 12])
def test_convex_polygons_are_taken_wherever_they_are(count, shift):
    angles = [0.2 + math.tau * k / count for k in range(count)]
    polygon = tuple((shift + 0.3 * math.cos(a), shift + 0.3 * math.sin(a)) for a in angles)
    for order in (polygon, polygon[::-1], polygon[1:] + polygon[:1]):
        assert SpeedZone("z", order, 0.2).distance(shift, shift) == 0.0


@pytest.mark.parametrize(
    "polygon",
    [
        ((0.0, 0.0), (1.0, 0.5), (0.0, 1.0)),
        ((0.0, 0.5), (1.0, 0.0), (1.0, 1.0)),
        ((0.0, 0.0), (2.0, 0.5), (2.0, 1.0), (0.0, 2.0)),
    ],
)
def test_convex_polygons_with_upright_sides_are_taken(polygon):
    for order in (polygon, polygon[::-1]):
        for first in range(len(order)):
            turned = order[first:] + order[:first]
            assert SpeedZone("z", turned, 0.2).distance(0.7, 0.5) == 0.0


def test_a_place_not_to_enter_and_one_that_is_no_place():
    assert SpeedZone("z", TRIANGLE, 0.0).maximum == 0.0
    for maximum in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="accepted: at least 0 m/s"):
            SpeedZone("z", TRIANGLE, maximum)


def test_the_strictest_zone_is_named_the_first_of_equals():
    other = SpeedZone.box("other", (1.0, 2.0), (3.0, 5.0), 0.2)
    slower = SpeedZone.box("slower", (1.0, 2.0), (3.0, 5.0), 0.1)
    assert speed_cap((BOX, other), (2.0, 3.0), LIMITS).name == "box"
    found = speed_cap((BOX, slower), (2.0, 3.0), LIMITS)
    assert (found.name, found.value) == ("slower", 0.1)
    as_fast = SpeedZone.box("free", (1.0, 2.0), (3.0, 5.0), LIMITS.velocity)
    assert speed_cap((as_fast,), (2.0, 3.0), LIMITS) is None
    assert speed_cap((BOX,), (50.0, 3.0), LIMITS) is None


def test_a_moving_robot_is_as_near_as_it_may_have_come():
    here = speed_cap((BOX,), (0.6, 3.0), LIMITS)
    nearer = speed_cap((BOX,), (0.5, 3.0), LIMITS, speed=0.5, latency=0.2)
    assert here is not None and here.value > 0.2
    assert speed_cap((BOX,), (0.5, 3.0), LIMITS).value > here.value
    assert nearer.value == pytest.approx(speed_cap((BOX,), (0.6, 3.0), LIMITS).value)


@pytest.mark.parametrize("maximum", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("distance", [0.05, 0.2, 0.7, 3.0])
@pytest.mark.parametrize("reaction", [0.0, 0.02])
def test_the_speed_is_one_that_half_the_deceleration_brakes_in_time(maximum, distance, reaction):
    speed = approach_speed(maximum, distance, LIMITS, reaction)
    lag = reaction + LIMITS.deceleration / LIMITS.jerk
    assert speed >= maximum
    way = speed * lag + (speed**2 - maximum**2) / LIMITS.deceleration
    if speed > maximum:
        assert way == pytest.approx(distance)
    else:
        assert maximum * lag >= distance - 1e-12
