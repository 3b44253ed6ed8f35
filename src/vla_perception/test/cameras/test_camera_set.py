"""Which cameras are alive."""

from hypothesis import given
from hypothesis import strategies as st

from vla_perception.cameras.camera_set import CameraSet, CameraState, Change


def cameras() -> CameraSet:
    return CameraSet(("front", "side"), timeout=0.5, startup_timeout=2.0, now=0.0)


def test_a_camera_that_never_comes_is_left_out_after_the_start_up_time():
    live = cameras()
    assert live.image("front", 0.1) == Change("front", CameraState.WAITED_FOR, CameraState.LIVE)
    for i in range(20):
        live.image("front", 0.1 * i)
        assert live.check(0.1 * i) == []
    live.image("front", 2.0)
    assert live.members == ("front", "side")
    assert live.check(2.1) == [Change("side", CameraState.WAITED_FOR, CameraState.MISSING)]
    assert live.members == ("front",)


def test_a_missing_camera_joins_with_its_first_image():
    live = cameras()
    live.check(2.1)
    change = live.image("side", 3.0)
    assert change is not None and change.rebuilds
    assert live.members == ("side",)


def test_a_dead_camera_returns_with_good_images_within_its_timeout():
    live = cameras()
    live.image("front", 0.0)
    live.image("side", 0.0)
    live.image("front", 0.5)
    assert [change.camera for change in live.check(0.6)] == ["side"]
    assert live.image("side", 1.0) is None
    assert live.members == ("front",)
    assert live.image("side", 2.0) is None, "slower than its timeout: the first one again"
    assert live.image("side", 2.3) is None
    change = live.image("side", 2.4)
    assert change is not None and change.rebuilds
    assert live.members == ("front", "side")


def test_so_many_bad_images_in_a_row_are_a_camera_that_has_failed():
    live = cameras()
    live.image("side", 0.0)
    assert live.bad_image("side") is None
    assert live.bad_image("side") is None
    live.image("side", 0.1)
    assert [live.bad_image("side") for _ in range(2)] == [None, None], "not in a row"
    assert live.bad_image("side") == Change("side", CameraState.LIVE, CameraState.FAILED)
    assert live.members == ("front",)
    assert live.bad_image("side") is None, "told once"
    assert live.check(9.0)[0].camera == "front", "a failed camera does not die as well"
    for now in (9.0, 9.1):
        assert live.image("side", now) is None
    assert live.bad_image("side") is None
    for now in (9.2, 9.3):
        assert live.image("side", now) is None, "a bad one between starts the count anew"
    assert live.image("side", 9.4) == Change("side", CameraState.FAILED, CameraState.LIVE)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.0)), max_size=60))
def test_a_camera_is_in_the_set_only_after_good_images_and_before_bad_ones(events):
    live, now, good, bad = cameras(), 0.0, 0, 0
    live.image("side", now)
    for is_good, pause in events:
        now += pause
        live.check(now)
        if is_good:
            live.image("side", now)
            good, bad = good + 1, 0
        else:
            live.bad_image("side")
            good, bad = 0, bad + 1
        if bad >= 3:
            assert live.state("side") is not CameraState.LIVE
        if live.state("side") is CameraState.LIVE:
            assert bad < 3


def test_all_dead_is_an_empty_set():
    live = cameras()
    live.image("front", 0.0)
    live.image("side", 0.0)
    assert len(live.check(1.0)) == 2
    assert live.members == ()
    assert live.check(2.0) == [], "told once"


def test_the_time_outs_themselves_are_in_time():
    live = CameraSet(("a",), timeout=0.5, startup_timeout=2.0, now=0.0)
    assert live.check(2.0) == []
    live.image("a", 2.0)
    assert live.check(2.5) == [] and live.silence("a", 2.5) == 0.5
    assert [change.after for change in live.check(2.75)] == [CameraState.DEAD]
    for now in (3.0, 3.5):
        assert live.image("a", now) is None
    assert live.image("a", 4.0) is not None, "each within the timeout of the one before"


def test_a_camera_that_dies_again_needs_as_many_good_images_again():
    live = CameraSet(("a",), timeout=0.5, startup_timeout=2.0, now=0.0)
    live.image("a", 0.0)
    for begin in (1.0, 3.0):
        assert live.check(begin) != []
        images = [live.image("a", begin + 0.1 * i) for i in range(1, 4)]
        assert [image is not None for image in images] == [False, False, True]


def test_a_camera_that_fails_for_certain_needs_as_many_good_images():
    live = CameraSet(("a",), timeout=0.5, startup_timeout=2.0, now=0.0)
    live.image("a", 0.0)
    assert live.bad_image("a", certain=True).after is CameraState.FAILED
    images = [live.image("a", 0.1 * i) for i in range(1, 4)]
    assert [image is not None for image in images] == [False, False, True]
