"""Matching cameras with message_filters."""

import numpy as np
from std_msgs.msg import Header

from vla_contract.stamps import to_time
from vla_perception.observe.camera_matcher import Matcher
from vla_perception.observe.stamped_streams import DropCounter
from vla_perception.perception_conversions import Frame

MS = 1_000_000


def frame(camera: str, milliseconds: int) -> Frame:
    stamp = milliseconds * MS
    pixels = np.zeros((1, 1, 3), np.uint8)
    return Frame(camera, stamp, Header(stamp=to_time(stamp)), pixels, False)


def stamps(sets) -> list[dict[str, int]]:
    return [{camera: each.stamp // MS for camera, each in found.items()} for found in sets]


def matcher(*cameras: str, queue_size: int = 10) -> tuple[Matcher, DropCounter]:
    drops = DropCounter()
    made = Matcher(queue_size, 0.1, drops)
    made.rebuild(cameras)
    return made, drops


def test_one_camera_waits_for_nothing():
    single, drops = matcher("front")
    for time in (1, 34, 67):
        assert stamps(single.add(frame("front", time))) == [{"front": time}]
    assert drops.values() == {}


def test_two_cameras_are_paired_with_the_nearest():
    pair, drops = matcher("front", "side")
    assert pair.add(frame("front", 1000)) == []
    assert pair.add(frame("front", 1033)) == []
    assert stamps(pair.add(frame("side", 1030))) == [{"front": 1033, "side": 1030}]
    assert drops.values()["dropped.front.unmatched"] == 1


def test_a_set_never_goes_back_in_time():
    pair, drops = matcher("front", "side")
    pair.add(frame("front", 1000))
    pair.add(frame("front", 1050))
    assert len(pair.add(frame("side", 1055))) == 1
    assert pair.add(frame("side", 1060)) == [], "it would be paired with the image of 1000"
    assert drops.values()["dropped.front.unmatched"] == 1
    assert stamps(pair.add(frame("front", 1100)) + pair.add(frame("side", 1101))) != []


def test_beyond_the_slop_nothing_matches_and_the_oldest_goes():
    pair, drops = matcher("front", "side", queue_size=3)
    for time in range(0, 2000, 200):
        assert pair.add(frame("front", 1000 + time)) == []
        assert pair.add(frame("side", 1100 + time)) == []
    assert drops.values()["dropped.front.queue_full"] == 7


def test_a_rebuilt_set_matches_the_cameras_left_and_ignores_others():
    pair, drops = matcher("front", "side")
    pair.add(frame("front", 1000))
    pair.rebuild(("front",))
    assert drops.values()["dropped.front.unmatched"] == 1
    assert pair.add(frame("side", 1001)) == []
    assert stamps(pair.add(frame("front", 1033))) == [{"front": 1033}]
    pair.rebuild(())
    assert pair.add(frame("front", 1066)) == []
