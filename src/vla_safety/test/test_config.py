import dataclasses
from pathlib import Path

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_contract.parameters import ParameterError, table
from vla_safety.config import SafetyConfig, check_space

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
    readme = Path(__file__).parents[1] / "README.md"
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
