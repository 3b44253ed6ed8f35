"""The driver's watchdog: commands pass as they are, and the arm brakes when they cease."""

import math

import numpy as np
import pytest

from vla_sim.robot.arm_driver import Driver

PERIOD = 0.0125


@pytest.fixture
def driver():
    return Driver(command_timeout=0.1, braking_deceleration=10.0)


def speeds(driver, start, steps):
    return [
        float(np.linalg.norm(driver.output(start + i * PERIOD, PERIOD)[0])) for i in range(steps)
    ]


def test_it_is_at_rest_before_the_first_command(driver):
    velocity, effort = driver.output(5.0, PERIOD)
    assert not velocity.any() and effort == 0.0
    assert not driver.braking


def test_a_command_passes_as_it_is_until_the_timeout(driver):
    assert driver.twist((0.1, -0.2, 0.3), "base_link", 5.0)
    assert driver.effort(-0.5)
    velocity, effort = driver.output(5.1 - 1e-9, PERIOD)
    np.testing.assert_array_equal(velocity, (0.1, -0.2, 0.3))
    assert effort == -0.5
    assert not driver.braking


def test_it_brakes_to_zero_within_its_deceleration_and_in_its_direction(driver):
    command = np.array([0.3, 0.4, 0.0])
    driver.twist(tuple(command), "", 0.0)
    driver.effort(1.0)
    last = command
    for i in range(1, 30):
        velocity, effort = driver.output(0.1 + i * PERIOD, PERIOD)
        assert np.linalg.norm(velocity - last) <= 10.0 * PERIOD + 1e-12
        np.testing.assert_allclose(np.cross(velocity, command), 0.0, atol=1e-12)
        assert effort == 1.0, "what is held must not be dropped"
        last = velocity
        if not velocity.any():
            break
    assert i == math.ceil(0.5 / (10.0 * PERIOD))
    assert driver.counters.watchdog_stops == 1
    assert driver.greatest_age == pytest.approx(0.1 + i * PERIOD)


def test_a_new_command_ends_the_braking(driver):
    driver.twist((0.5, 0.0, 0.0), "base_link", 0.0)
    speeds(driver, 0.2, 3)
    assert driver.braking
    driver.twist((0.1, 0.0, 0.0), "base_link", 0.3)
    assert speeds(driver, 0.31, 1) == [0.1]
    assert not driver.braking


def test_silence_at_a_standstill_is_not_a_stop(driver):
    driver.twist((0.0, 0.0, 0.0), "base_link", 0.0)
    assert speeds(driver, 1.0, 3) == [0.0, 0.0, 0.0]
    assert driver.braking and driver.counters.watchdog_stops == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_and_counted(driver, bad):
    driver.twist((0.1, 0.0, 0.0), "base_link", 0.0)
    assert not driver.twist((0.0, bad, 0.0), "base_link", 0.05)
    assert not driver.effort(bad)
    assert driver.counters.refused == 2
    assert "finite" in driver.counters.last_refusal
    # A stream of refused commands is silence.
    assert speeds(driver, 0.15, 1)[0] < 0.1


def test_another_frame_is_refused(driver):
    assert not driver.twist((0.1, 0.0, 0.0), "tool0", 0.0)
    assert "tool0" in driver.counters.last_refusal


def test_reset_forgets_the_command_and_keeps_the_counts(driver):
    driver.twist((0.1, 0.0, 0.0), "base_link", 0.0)
    driver.effort(1.0)
    driver.reset()
    velocity, effort = driver.output(0.01, PERIOD)
    assert not velocity.any() and effort == 0.0 and driver.counters.commands == 1
