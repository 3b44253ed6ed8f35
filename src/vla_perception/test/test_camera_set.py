"""Which cameras are alive."""

from vla_perception.camera_set import CameraSet, CameraState, Change


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


def test_a_dead_camera_returns_with_two_images_within_its_timeout():
    live = cameras()
    live.image("front", 0.0)
    live.image("side", 0.0)
    live.image("front", 0.5)
    assert [change.camera for change in live.check(0.6)] == ["side"]
    assert live.image("side", 1.0) is None
    assert live.members == ("front",)
    assert live.image("side", 2.0) is None, "slower than its timeout: still no use"
    change = live.image("side", 2.4)
    assert change is not None and change.rebuilds
    assert live.members == ("front", "side")


def test_all_dead_is_an_empty_set():
    live = cameras()
    live.image("front", 0.0)
    live.image("side", 0.0)
    assert len(live.check(1.0)) == 2
    assert live.members == ()
    assert live.check(2.0) == [], "told once"
