import math

import pytest
from core_rig import ARM, SPACE

from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit, LimitViolation
from vla_safety.watch.motion_detectors import Detectors, Lasting, Period
from vla_safety.watch.safety_states import FaultKind, Reason

PERIOD = 20_000_000
CONFIG = SafetyConfig(limited_timeout=1.0, progress_timeout=2.0, tracking_timeout=0.5)
JERK = (LimitViolation(Limit.JERK, "x", 1.0, 0.5),)
SLOWED = (LimitViolation(Limit.SPEED_SCALE, "x", 1.0, 0.5),)


class Rig:
    def __init__(self, space=SPACE, config=CONFIG):
        self.detectors = Detectors(space)
        self.config = config
        self.steady = 10**12

    def run(self, seconds, **changes):
        """Reasons found in the last of these periods."""
        values = {
            "acting": True,
            "by_policy": True,
            "safe": [0.4] * len(self.detectors._space.dimensions),
            "violations": (),
            "measured": {},
        }
        for _ in range(round(seconds * 1e9) // PERIOD):
            self.steady += PERIOD
            self.detectors.update(Period(**{**values, **changes}), self.config, self.steady)
        return [cause.reason for cause in self.detectors.causes()]


def test_limited_in_every_period_for_too_long():
    rig = Rig()
    assert rig.run(1.0, violations=JERK) == []
    assert rig.run(0.04, violations=JERK) == [Reason.LIMITED]
    (cause,) = rig.detectors.causes()
    assert (cause.kind, cause.emergency) == (FaultKind.ACTION, False)
    assert rig.run(0.02) == []
    for _ in range(3):
        assert rig.run(0.9, violations=JERK) == []
        assert rig.run(0.02) == []


@pytest.mark.parametrize(
    "changes", [{"violations": SLOWED}, {"by_policy": False}, {"acting": False}]
)
def test_slow_on_purpose_a_person_and_nobody_are_not_limited(changes):
    assert Rig().run(3.0, **{"violations": JERK, **changes}) == []


def test_progress_that_does_not_rise():
    rig = Rig()
    assert rig.run(1.9, progress=0.5) == []
    assert rig.run(0.2, progress=0.51) == [Reason.PROGRESS]
    assert rig.run(0.1, progress=0.6) == []
    assert rig.run(1.9, progress=0.6, command_id=7) == []
    assert rig.run(3.0, progress=0.6, command_id=7, acting=False) == []


def test_without_a_told_progress_the_place_must_change_while_motion_is_commanded():
    rig = Rig()
    here, there = (0.0, 0.0, 0.0), (0.02, 0.0, 0.0)
    assert rig.run(2.1, position=here) == [Reason.PROGRESS]
    assert rig.run(0.1, position=there) == []
    assert rig.run(3.0, position=there, safe=[0.0, 0.9]) == []
    assert rig.run(3.0) == [], "nothing is measured"


def test_a_velocity_that_differs_from_its_command():
    rig = Rig()
    assert rig.run(0.5, measured={"x": 0.05}) == []
    assert rig.run(0.04, measured={"x": 0.05}) == [Reason.TRACKING]
    (cause,) = rig.detectors.causes()
    assert cause.text == "measured x differs from its command for over 0.5 s"
    assert cause.emergency
    assert rig.run(0.02, measured={"x": 0.2}) == []


def test_a_joint_that_differs_and_a_gripper_that_may():
    rig = Rig(ARM)
    assert rig.run(0.6, measured={"joint": 0.1}) == [Reason.TRACKING]
    rig = Rig()
    assert rig.run(0.6, measured={"grip": -0.4}) == []
    assert rig.run(0.6, measured={"x": 0.0}, acting=False) == []


@pytest.mark.parametrize("name", ["limited_timeout", "progress_timeout", "tracking_timeout"])
def test_each_can_be_switched_off(name):
    changes = {"violations": JERK, "progress": 0.5, "measured": {"x": 0.0}}
    times = {"limited_timeout": 1.0, "progress_timeout": 2.0, "tracking_timeout": 0.5}
    rig = Rig(config=SafetyConfig(**{**times, name: 0.0}))
    assert len(rig.run(4.0, **changes)) == 2
    assert rig.detectors.status(rig.config)[name.removesuffix("_timeout")] == "off"


def test_an_open_loop_switches_all_off_and_says_so():
    rig = Rig(config=SafetyConfig(closed_loop=False))
    assert rig.run(30.0, violations=JERK, progress=0.5, measured={"x": 0.0}) == []
    assert set(rig.detectors.status(rig.config).values()) == {"off: closed_loop is false"}
    rig.detectors.restart()


def test_a_time_of_0_is_never():
    lasting = Lasting()
    assert not any(lasting.feed(True, k * PERIOD, 0.0) for k in range(1000))
    assert lasting.duration(10**12) == pytest.approx(1000.0)
    assert math.isclose(Lasting().duration(5), 0.0)
