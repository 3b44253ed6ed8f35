"""The servos' driver: positions pass as they are, and it says when they cease."""

import math

import numpy as np
import pytest

from vla_sim.robot.joint_driver import JointDriver

NAMES = ("pan", "lift")


@pytest.fixture
def driver():
    return JointDriver(NAMES, command_timeout=0.1)


def test_without_a_command_the_servos_stay(driver):
    assert driver.action(5.0, 0.02) is None
    assert not driver.braking


def test_positions_go_to_the_joints_that_they_name(driver):
    assert driver.target(("lift", "pan"), (0.2, 0.1), 5.0)
    np.testing.assert_array_equal(driver.action(5.02, 0.02), (0.1, 0.2))


def test_the_last_position_stays_when_commands_cease_and_that_is_told(driver):
    driver.target(NAMES, (0.1, 0.2), 5.0)
    driver.action(5.1 - 1e-9, 0.02)
    assert not driver.braking and not driver.counters.watchdog_stops
    for now in (5.11, 5.2):
        np.testing.assert_array_equal(driver.action(now, 0.02), (0.1, 0.2))
    assert driver.braking and driver.counters.watchdog_stops == 1
    assert driver.greatest_age == pytest.approx(0.2)
    driver.target(NAMES, (0.1, 0.2), 5.3)
    assert not driver.braking


@pytest.mark.parametrize(
    ("names", "positions", "reason"),
    [
        (("pan",), (0.1,), "joints pan; accepted: each of pan, lift once"),
        (("pan", "pan"), (0.1, 0.1), "joints pan, pan"),
        (NAMES, (0.1,), "joints pan, lift"),
        (NAMES, (0.1, math.nan), "accepted: finite numbers"),
    ],
)
def test_what_is_wrong_is_refused_and_counted(driver, names, positions, reason):
    assert not driver.target(names, positions, 5.0)
    assert driver.counters.refused == 1 and reason in driver.counters.last_refusal
    assert driver.action(5.0, 0.02) is None


def test_a_reset_forgets_the_command(driver):
    driver.target(NAMES, (0.1, 0.2), 5.0)
    driver.reset()
    assert driver.action(5.0, 0.02) is None
