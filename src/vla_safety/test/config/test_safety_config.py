import dataclasses
from pathlib import Path

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_contract.node.parameters import ParameterError, table
from vla_safety.config.safety_config import SafetyConfig, check_space, loop_timeout

DIMENSION = Dimension(
    "x",
    Kind.LINEAR_VELOCITY,
    "m/s",
    -1.0,
    1.0,
    -1.0,
    1.0,
    Limits(1.0, 5.0, 50.0),
    Limits(1.0, 5.0, 50.0),
    "f",
    Output("x", "std_msgs/msg/Float64", "data"),
)


def space(length=40, braking_time=0.5):
    return ActionSpace("test", 100.0, length, 0.01, braking_time, (DIMENSION,))


def test_the_readme_has_the_parameters():
    readme = Path(__file__).parents[2] / "README.md"
    assert table(SafetyConfig) in readme.read_text()


def test_a_horizon_that_is_too_short_is_refused_with_the_numbers():
    check_space(SafetyConfig(), space(30))
    with pytest.raises(ParameterError) as error:
        check_space(SafetyConfig(), space(29))
    assert str(error.value) == (
        "a chunk of action space test covers 0.290 s; accepted: at least slop 0.1 + latency_p99 "
        "0.1 + 2 * inference_period 0.05 = 0.300 s"
    )


def test_a_braking_time_that_cannot_be_kept_is_refused_with_the_numbers():
    # From rest of the acceleration it takes 0.3 s; from full acceleration 0.1 s more.
    check_space(SafetyConfig(), space(braking_time=0.45))
    with pytest.raises(ParameterError, match="braking_time of action space test is 0.33 s, but x"):
        check_space(SafetyConfig(), space(braking_time=0.33))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed_scale": 1.5}, "speed_scale is 1.5; accepted: float, 0.0 to 1.0"),
        ({"required_inputs": ("smell",)}, "required_inputs is .*joint_states"),
        ({"stop_words": ("stop", " ")}, "stop_words"),
        ({"chunk_timeout": float("nan")}, "chunk_timeout"),
    ],
)
def test_wrong_values_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        dataclasses.replace(SafetyConfig(), **changes)


def driven(rate, **timeouts):
    """An action space with dimensions on topics whose drivers stop after these times, s."""
    dimensions = tuple(
        dataclasses.replace(
            DIMENSION, name=name, output=Output(name, "std_msgs/msg/Float64", "data", timeout)
        )
        for name, timeout in timeouts.items()
    )
    return ActionSpace("test", rate, 80, 1.0 / rate, 0.9, dimensions)


def test_the_loop_stands_still_after_three_periods_or_once_a_driver_has_stopped():
    assert loop_timeout(SafetyConfig(), driven(50.0, x=None)) == pytest.approx(0.06)
    assert loop_timeout(SafetyConfig(), driven(50.0, x=None, y=0.1)) == pytest.approx(0.06)
    assert loop_timeout(SafetyConfig(), driven(20.0, x=0.5, y=0.1)) == 0.1
    assert loop_timeout(SafetyConfig(loop_timeout=0.08), driven(50.0, x=0.1)) == 0.08


@pytest.mark.parametrize(
    ("chosen", "made", "message"),
    [
        (0.5, driven(50.0, x=0.5, twist=0.1), "parameter loop_timeout is 0.5 s; accepted for "
         "action space test: 0, or 0.04 (two control periods) to 0.1 s, after which the driver "
         "of twist stops"),
        (0.03, driven(50.0, x=None), "parameter loop_timeout is 0.03 s; accepted for action space "
         "test: 0, or 0.04 (two control periods) s"),
        (0.0, driven(10.0, twist=0.1), "the driver of twist stops 0.1 s after a command; accepted "
         "for action space test: at least two of its control periods, 0.2 s"),
    ],
)  # fmt: skip
def test_a_driver_that_stops_before_the_loop_stands_still_is_refused(chosen, made, message):
    with pytest.raises(ParameterError) as error:
        check_space(SafetyConfig(loop_timeout=chosen), made)
    assert str(error.value) == message
