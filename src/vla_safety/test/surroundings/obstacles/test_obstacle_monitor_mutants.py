"""Cases that a changed line of the obstacle monitor and its field would get wrong."""

import math

import numpy as np
import pytest

from vla_safety.config.obstacle_config import ObstacleParameters, SourceConfig, ZoneConfig, build
from vla_safety.surroundings.obstacles.base_kinematics import Pose2D, Twist2D, into_frame, project
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.obstacle_field import Cloud, Field, Memory, Odometer, Seen
from vla_safety.surroundings.obstacles.obstacle_monitor import ObstacleMonitor, Reading
from vla_safety.surroundings.obstacles.protective_zones import Action, time_to_collision

SECOND = 10**9
NOW = 100 * SECOND
BASE = Shape.polygon([0.4, -0.2, 0.5, 0.3, -0.3, 0.25, -0.35, -0.3])
AHEAD = Twist2D(0.5)


def reading(*points):
    return Reading(np.array(points, dtype=float).reshape(-1, 2))


def monitor(zones=None, sources=("scan",), **parameters):
    zones = zones or {}
    config = ObstacleParameters(obstacle_sources=sources, obstacle_zones=tuple(zones), **parameters)
    return ObstacleMonitor(build(config, dict.fromkeys(sources, SourceConfig()), zones))


@pytest.mark.parametrize("motion", [Twist2D(1.0), Twist2D(0.0, 1.0), Twist2D(0.0, 0.0, 1.0)])
def test_distances_close_as_fast_as_the_base_moves(motion):
    points = np.random.default_rng(2).uniform(-1.5, 1.5, (80, 2))
    cloud = Cloud.of(points, BASE)
    outside = cloud.distances > 0.02
    assert outside.sum() > 40 and len(cloud.points) == 80
    step = 1e-6
    later = BASE.signed_distance(into_frame(points, project(Pose2D(), motion, step)))
    measured = (cloud.distances - later) / step
    rates = np.array((motion.vx, motion.vy, motion.wz)) @ cloud.closing
    assert rates[outside] == pytest.approx(measured[outside], abs=1e-4)


def test_a_point_on_the_outline_is_approached_away_from_the_origin():
    square = Shape.polygon([0.5, -0.5, 0.5, 0.5, -0.5, 0.5, -0.5, -0.5])
    cloud = Cloud.of(np.array([[0.5, 0.25], [2.5, 0.0], [0.0, 0.0]]), square)
    assert cloud.distances == pytest.approx([0.0, 2.0, -0.5])
    assert cloud.nearest == cloud.distances.min()
    hardly = Cloud.of(np.array([[0.5 + 4e-10, 0.25]]), square)
    assert hardly.nearest == hardly.distances[0] == 0.0
    assert cloud.closing[0, 0] > 0.0 and cloud.closing[1, 0] > 0.0
    assert np.hypot(*cloud.closing[:2, 0]) == pytest.approx(1.0)
    assert cloud.closing[:, 1] == pytest.approx([1.0, 0.0, 0.0])


def test_a_point_at_the_origin_of_a_circle_and_on_a_corner_is_finite():
    touching = Shape.polygon([0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])  # origin on the outline
    assert np.isfinite(Cloud.of(np.array([[0.0, 0.0]]), touching).closing).all()


def test_the_body_is_masked_only_when_asked_for():
    points = np.array([[0.0, 0.0], [2.0, 0.0]])
    assert len(Cloud.of(points, BASE).points) == 2
    assert Cloud.of(points, BASE, True).points.tolist() == [[2.0, 0.0]]
    square = Shape.polygon([0.5, -0.5, 0.5, 0.5, -0.5, 0.5, -0.5, -0.5])
    assert len(Cloud.of(np.array([[0.5, 0.0]]), square, True).points) == 0
    mixed = np.array([[0.0, 0.0], [1.0, 2.0], [0.1, 0.1], [-2.0, 1.0]])
    masked, alone = Cloud.of(mixed, BASE, True), Cloud.of(mixed[[1, 3]], BASE)
    assert masked.closing == pytest.approx(alone.closing)
    assert (masked.points == alone.points).all() and masked.nearest == alone.nearest


def test_a_memory_takes_what_is_good_and_not_older():
    memory = Memory(SourceConfig())
    assert memory.invalid("s", NOW).reason == "was never received"
    assert memory.invalid("s", NOW).age is None
    assert not memory.accept_reading(Reading.unusable("torn"), 0, BASE)
    assert memory.invalid("s", NOW).reason == "torn"
    assert memory.accept_reading(reading((1.0, 0.0)), 0, BASE)
    assert memory.accept_reading(reading((2.0, 0.0)), NOW, BASE)
    assert not memory.accept_reading(reading((3.0, 0.0)), NOW - 1, BASE)
    assert memory.cloud.points.tolist() == [[2.0, 0.0]] and memory.seen == NOW


def test_the_odometer_adds_up_the_way():
    odometer = Odometer()
    assert odometer.since(NOW - SECOND, 2.0, NOW) == pytest.approx(2.0)  # nothing is known
    for k, speed in enumerate((9.0, 1.0, 2.0)):
        odometer.advance(speed, NOW + k * SECOND)
    end = NOW + 2 * SECOND
    assert odometer.since(end, 5.0, end) == 0.0
    assert odometer.since(end - SECOND // 2, 5.0, end) == pytest.approx(1.0)
    assert odometer.since(NOW + SECOND, 5.0, end) == pytest.approx(2.0)
    assert odometer.since(NOW + SECOND // 2, 5.0, end) == pytest.approx(2.5)
    assert odometer.since(NOW, 5.0, end) == pytest.approx(3.0)
    assert odometer.since(NOW - SECOND, 5.0, end) == pytest.approx(8.0)
    odometer.advance(7.0, end)  # no time has passed
    assert odometer.since(NOW, 5.0, end) == pytest.approx(3.0)


def test_the_odometer_forgets_what_is_over_two_seconds_old():
    odometer = Odometer()
    for k in range(4):
        odometer.advance(1.0, NOW + k * SECOND)
    # Of the last two seconds it knows, before them it takes the speed that it is told.
    assert odometer.since(NOW, 10.0, NOW + 3 * SECOND) == pytest.approx(12.0)
    assert len(odometer._marks) == 3


def field(**clouds):
    memories = {}
    for name, (seen, *points) in clouds.items():
        memories[name] = Memory(SourceConfig())
        memories[name].accept_reading(reading(*points), seen, BASE)
    return Field(memories)


def test_without_a_source_there_is_nothing():
    empty = Field({"scan": Memory(SourceConfig())})
    assert empty.points.shape == (0, 2) and empty.closing.shape == (3, 0)
    seen = empty.aged(Odometer(), 1.0, NOW)
    assert seen.nearest is None and seen.boundaries(0.1, AHEAD) == ()
    assert empty.nearest == math.inf and len(empty.near(9.0, ())) == 0


def test_each_source_is_nearer_by_its_own_age():
    made = field(a=(NOW, (2.0, 0.0)), b=(NOW - SECOND, (2.0, 0.0), (3.0, 0.0)))
    seen = made.aged(Odometer(), 0.5, NOW)
    fresh = made.distances
    assert seen.distances == pytest.approx([fresh[0], fresh[1] - 0.5, fresh[2] - 0.5])
    assert made.of_sources(("b",)).tolist() == [False, True, True]
    assert made.of_sources(("a", "b")) is None and made.of_sources(()) is None
    assert (made.aged(Odometer(), 0.0, NOW).distances == fresh).all()
    three = field(
        a=(NOW - SECOND, (2.0, 0.0)), b=(NOW, (3.0, 0.0), (2.0, 0.0)), c=(NOW - SECOND, (4.0, 0.0))
    )
    aged = three.aged(Odometer(), 0.5, NOW)
    assert three.distances - aged.distances == pytest.approx([0.5, 0.0, 0.0, 0.5])
    assert aged.nearest == aged.distances.min()
    assert three.near(2.0, ("b",)).tolist() == [[2.0, 0.0]]
    alone = field(a=(NOW - SECOND, (2.0, 0.0)))
    assert alone.aged(Odometer(), 0.5, NOW).nearest == pytest.approx(alone.nearest - 0.5)
    assert alone.aged(Odometer(), 0.5, NOW).distances == pytest.approx(alone.distances - 0.5)


def test_boundaries_are_of_the_nearest_and_of_the_first_met():
    made = field(a=(NOW, (0.8, 0.1), (0.0, -0.5), (-3.0, 0.0)))
    seen = made.aged(Odometer(), 0.0, NOW)
    nearest = int(np.argmin(seen.distances))
    only = seen.boundaries(0.1)
    assert [b.remaining for b in only] == pytest.approx([seen.distances[nearest] - 0.1])
    ahead = seen.boundaries(0.1, Twist2D(1.0))
    assert [b.remaining for b in ahead] == pytest.approx(
        [seen.distances[1] - 0.1, seen.distances[0] - 0.1]
    )
    back = seen.boundaries(0.1, Twist2D(-1.0))
    assert back[-1].remaining == pytest.approx(seen.distances[2] - 0.1)
    assert len(seen.boundaries(0.1, Twist2D())) == 1  # standing still meets nothing
    again = seen.rates(AHEAD)
    assert seen.rates(AHEAD) is again and isinstance(seen, Seen)


def test_turning_carries_what_was_seen_nearer_too():
    made = monitor(footprint_radius=0.5, obstacle_distance=0.0)
    made.accept_reading("scan", reading((1.5, 0.0)), NOW, 0.2)
    turning = made.evaluate(Twist2D(0.0, 0.0, 1.0), NOW)
    assert turning.distance == pytest.approx(1.0 - 0.2 * 0.5)
    both = monitor(footprint_radius=0.5, obstacle_distance=0.0)
    both.accept_reading("scan", reading((1.5, 0.0)), NOW, 0.2)
    assert both.evaluate(Twist2D(0.3, 0.0, 1.0), NOW).distance == pytest.approx(1.0 - 0.2 * 0.8)


def test_forgetting_empties_every_source():
    made = monitor()
    made.accept_reading("scan", reading((5.0, 0.0)), NOW)
    assert not made.evaluate(AHEAD, NOW).stop
    made.forget()
    assert made.evaluate(AHEAD, NOW).cause == "invalid source scan: was never received"
    made.accept_reading("scan", reading((4.0, 0.0)), NOW)
    assert not made.evaluate(AHEAD, NOW).stop
    assert made.evaluate(AHEAD, NOW + 2 * SECOND).stop


def test_a_stop_says_why_and_what_clears_it_and_others_say_nothing():
    slow = {"slow": ZoneConfig(action="slowdown", margin=1.0)}
    made = monitor(slow)
    made.accept_reading("scan", reading((0.9, 0.0)), NOW)
    verdict = made.evaluate(AHEAD, NOW)
    assert (verdict.action, verdict.ratio) == (Action.SLOWDOWN, 0.5)
    assert verdict.cause == verdict.clears_when == ""
    finding = verdict.violations[0]
    assert (finding.name, finding.value, finding.bound) == ("slow", 0.5, 0.25)
    turned = made.evaluate(Twist2D(0.0, 0.0, 0.8), NOW).violations[0]
    assert (turned.value, turned.bound) == pytest.approx((0.8, 0.4))
    made.accept_reading("scan", reading((0.3, 0.0)), NOW)
    stopped = made.evaluate(AHEAD, NOW)
    assert stopped.stop and stopped.clears_when == "the obstacle is gone"
    assert stopped.cause == "an obstacle is 0.05 m away, too near to go on"


def test_a_stop_zone_names_itself():
    made = monitor({"halt": ZoneConfig(action="stop", shape="circle", radius=1.0)})
    made.accept_reading("scan", reading((0.9, 0.0)), NOW)
    verdict = made.evaluate(AHEAD, NOW)
    assert verdict.stop and verdict.name == "halt"
    assert verdict.cause == "an obstacle is in zone halt"


def test_of_equal_shares_the_graver_action_is_named():
    zones = {
        "slow": ZoneConfig(action="slowdown", shape="circle", radius=1.0, slowdown_ratio=0.0),
        "halt": ZoneConfig(action="stop", shape="circle", radius=1.0),
    }
    made = monitor(zones)
    made.accept_reading("scan", reading((0.9, 0.0)), NOW)
    assert made.evaluate(AHEAD, NOW).name == "halt"


def test_a_zone_looks_only_at_its_sources():
    for action in ("slowdown", "approach"):
        zone = ZoneConfig(action=action, margin=0.6, sources=("a",))
        made = monitor({"zone": zone}, sources=("a", "b"))
        made.accept_reading("a", reading((9.0, 0.0)), NOW)
        made.accept_reading("b", reading((0.8, 0.0)), NOW)
        assert made.evaluate(AHEAD, NOW).action is Action.NONE
        made.accept_reading("a", reading((0.8, 0.0)), NOW)
        made.accept_reading("b", reading((9.0, 0.0)), NOW)
        assert made.evaluate(AHEAD, NOW).action is Action(action)
    polygon = ZoneConfig(
        action="approach", shape="polygon", points=(0.5, -0.5, 0.5, 0.5, -0.5, 0.5, -0.5, -0.5),
        sources=("a",),
    )  # fmt: skip
    made = monitor({"zone": polygon}, sources=("a", "b"))
    made.accept_reading("a", reading((0.9, 0.0)), NOW)
    made.accept_reading("b", reading((9.0, 0.0)), NOW)
    assert made.evaluate(AHEAD, NOW).action is Action.APPROACH
    made.accept_reading("a", reading((9.0, 0.0)), NOW)
    made.accept_reading("b", reading((0.9, 0.0)), NOW)
    assert made.evaluate(AHEAD, NOW).action is Action.NONE
    circle = ZoneConfig(action="stop", shape="circle", radius=1.0, sources=("a",))
    made = monitor({"zone": circle}, sources=("a", "b"))
    made.accept_reading("a", reading((9.0, 0.0)), NOW)
    made.accept_reading("b", reading((0.9, 0.0)), NOW)
    assert made.evaluate(AHEAD, NOW).action is Action.NONE


def test_a_limit_within_a_margin_keeps_its_caps():
    zone = ZoneConfig(action="limit", margin=0.6, linear_limit=0.2, angular_limit=0.3)
    made = monitor({"zone": zone})
    made.accept_reading("scan", reading((0.8, 0.0)), NOW)
    assert made.evaluate(AHEAD, NOW).ratio == pytest.approx(0.4)
    assert made.evaluate(Twist2D(0.0, 0.0, 0.5), NOW).ratio == pytest.approx(0.6)


def test_a_margin_is_a_distance_from_the_footprint():
    made = monitor({"slow": ZoneConfig(action="slowdown", margin=0.5)}, footprint_radius=0.5)
    for x, action in ((0.99, Action.SLOWDOWN), (1.0, Action.SLOWDOWN), (1.01, Action.NONE)):
        made.accept_reading("scan", reading((x, 0.0)), NOW)
        assert made.evaluate(AHEAD, NOW).action is action


def test_an_approach_sees_as_far_as_the_base_comes():
    # With the zone's margin on both sides, straight on, and by turning.
    zone = ZoneConfig(action="approach", margin=0.3, time_before_collision=2.0)
    made = monitor({"near": zone}, obstacle_distance=0.0)
    for x, hit in ((0.25 + 0.3 + 0.5 * 1.95, True), (0.25 + 0.3 + 0.5 * 2.0 + 0.06, False)):
        made.accept_reading("scan", reading((x, 0.0)), NOW)
        assert (made.evaluate(AHEAD, NOW).time_to_collision is not None) is hit
    turn = Twist2D(0.0, 0.0, 1.2)
    made.accept_reading("scan", reading((0.0, 0.53)), NOW)  # beside it, met by a corner
    assert made.evaluate(turn, NOW).time_to_collision is not None


SHAPES = {
    "circle": {"shape": "circle", "radius": 0.9},
    "around": {"shape": "polygon", "points": (1.5, 1.0, 1.5, -1.0, -0.5, -1.0, -0.5, 1.0)},
    "ahead": {"shape": "polygon", "points": (2.0, 0.3, 2.0, -0.3, 1.2, -0.3, 1.2, 0.3)},
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("footprint", [(0.3, 0.3, -0.3, 0.3, -0.3, -0.3, 0.3, -0.3),
                                       (1.0, 0.2, 0.4, 0.2, 0.4, -0.2, 1.0, -0.2)])  # fmt: skip
def test_no_point_of_a_zone_is_overlooked(name, footprint):
    made = monitor({"z": ZoneConfig(action="slowdown", **SHAPES[name])}, footprint=footprint,
                   obstacle_distance=0.0)  # fmt: skip
    shape = made.config.zones[0].zone.shape
    points = np.random.default_rng(6).uniform(-2.2, 2.2, (150, 2))
    inside = shape.contains(points)
    assert 5 < inside.sum() < 145
    for point, expected in zip(points, inside, strict=True):
        made.accept_reading("scan", reading(point), NOW)
        found = made.evaluate(Twist2D(), NOW)
        assert [one.name for one in found.violations] == (["z"] if expected else [])


def test_the_farthest_point_of_a_zone_counts():
    # Round both, so that nothing of the zone is nearer to its edge than the origin tells.
    zone = ZoneConfig(action="slowdown", shape="circle", radius=0.9)
    made = monitor({"z": zone}, footprint_radius=0.5, obstacle_distance=0.0)
    for x, action in ((0.9 - 1e-7, Action.SLOWDOWN), (0.9 + 1e-7, Action.NONE)):
        made.accept_reading("scan", reading((x, 0.0)), NOW)
        assert made.evaluate(Twist2D(), NOW).action is action


def test_an_approach_sees_what_is_met_in_its_last_step():
    zone = ZoneConfig(
        action="approach", shape="circle", radius=0.9, time_before_collision=2.0,
        simulation_time_step=0.1,
    )  # fmt: skip
    made = monitor({"z": zone}, footprint_radius=0.5, obstacle_distance=0.0)
    for way, time in ((0.5 * 2.0 - 1e-3, 1.9), (0.5 * 2.0 + 1e-3, None)):
        made.accept_reading("scan", reading((0.9 + way, 0.0)), NOW)
        found = made.evaluate(AHEAD, NOW).time_to_collision
        assert found == (None if time is None else pytest.approx(time))


@pytest.mark.parametrize("name", SHAPES)
def test_no_point_ahead_of_a_zone_is_overlooked(name):
    made = monitor({"z": ZoneConfig(action="approach", **SHAPES[name])}, obstacle_distance=0.0)
    zone = made.config.zones[0].zone
    points = np.random.default_rng(7).uniform(-3.0, 3.0, (60, 2))
    for twist in (AHEAD, Twist2D(-0.4, 0.3, 0.9), Twist2D(0.0, 0.0, 1.0)):
        for point in points:
            made.accept_reading("scan", reading(point), NOW)
            found = made.evaluate(twist, NOW).time_to_collision
            expected = time_to_collision(zone, point[None], twist)
            assert found == (None if expected == zone.time_before_collision else expected)


def test_a_warning_is_for_what_is_nearer_than_its_distance():
    made = monitor(footprint_radius=0.5, obstacle_distance=0.0, obstacle_warning=0.5)
    for x, count in ((0.99, 1), (1.0, 0), (1.2, 0)):
        made.accept_reading("scan", reading((x, 0.0)), NOW)
        assert len(made.evaluate(Twist2D(), NOW).warnings) == count


def test_what_goes_away_or_along_at_the_least_distance_is_free():
    made = monitor(footprint_radius=0.5, obstacle_distance=0.5)
    made.accept_reading("scan", reading((1.0, 0.0)), NOW)  # just at it
    assert not made.evaluate(AHEAD, NOW).stop
    made.accept_reading("scan", reading((0.9, 0.0)), NOW)
    assert made.evaluate(AHEAD, NOW).stop
    assert not made.evaluate(Twist2D(-0.5), NOW).stop
    assert not made.evaluate(Twist2D(0.0, 0.5), NOW).stop
    assert made.evaluate(Twist2D(-0.5), NOW, AHEAD).stop
    assert not made.evaluate(Twist2D(), NOW, Twist2D()).stop
    assert math.isclose(made.evaluate(Twist2D(), NOW).distance, 0.4)


@pytest.mark.parametrize("x", [1.0, 1.3])  # at the least distance from the front, and beyond
def test_what_is_far_enough_ahead_does_not_hold_a_base_that_leaves_what_is_too_near(x):
    made = monitor(footprint_radius=0.5, obstacle_distance=0.5)
    made.accept_reading("scan", reading((-0.9, 0.0), (x, 0.0)), NOW)
    assert not made.evaluate(AHEAD, NOW).stop
    assert made.evaluate(Twist2D(-0.5), NOW).stop


def test_what_was_seen_long_ago_counts_as_nearer_in_a_margin_too():
    made = monitor({"slow": ZoneConfig(action="slowdown", margin=0.5)}, footprint_radius=0.5)
    for age, action in ((0.0, Action.NONE), (0.3, Action.SLOWDOWN)):
        made.forget()
        made.accept_reading("scan", reading((1.1, 0.0)), NOW, age)  # 0.6 m away, 0.45 m after 0.3 s
        assert made.evaluate(AHEAD, NOW).action is action
