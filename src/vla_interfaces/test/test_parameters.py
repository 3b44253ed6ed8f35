"""Configs as parameters: checks, tables and changes at run time, without a node."""

from dataclasses import dataclass

import pytest

from vla_contract import parameters
from vla_contract.parameters import Config, ParameterError, parameter


@dataclass(frozen=True)
class Example(Config):
    slop: float = parameter(0.1, "Slop.", "s", minimum=0.0, maximum=1.0, runtime=True)
    count: int = parameter(3, "Count.", minimum=1)
    backend: str = parameter("onnxruntime", "Backend.", choices=("onnxruntime", "torch"))
    cameras: tuple[str, ...] = parameter(("front",), "Cameras.")
    words: tuple[str, ...] = parameter((), "Words.")
    enabled: bool = parameter(True, "Enabled.", runtime=True)


@dataclass(frozen=True)
class Related(Config):
    low: float = parameter(0.0, "Low.")
    high: float = parameter(1.0, "High.", runtime=True)

    def check(self) -> None:
        if self.low >= self.high:
            raise ParameterError(f"parameter high is {self.high}; accepted: above low, {self.low}")


def test_a_whole_number_is_a_float():
    assert Example(slop=1).slop == 1.0
    assert isinstance(Example(slop=1).slop, float)


def test_arrays_become_tuples():
    assert Example(cameras=["a", "b"]).cameras == ("a", "b")
    assert Example(words=[]).words == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"slop": 1.5}, "parameter slop is 1.5; accepted: float, 0.0 to 1.0 [s]"),
        ({"slop": float("nan")}, "parameter slop is nan"),
        ({"slop": "fast"}, "parameter slop is 'fast'"),
        ({"slop": True}, "parameter slop is True"),
        ({"count": 0}, "accepted: int, at least 1"),
        ({"count": 1.0}, "parameter count is 1.0"),
        ({"backend": "gpu"}, "one of onnxruntime, torch"),
        ({"cameras": "front"}, "accepted: array of str"),
        ({"cameras": [1]}, "parameter cameras is 1"),
        ({"enabled": "yes"}, "parameter enabled is 'yes'"),
    ],
)
def test_a_refused_value_is_named_with_what_is_accepted(values, words):
    with pytest.raises(ParameterError) as error:
        Example(**values)
    assert words in str(error.value)


def test_a_change_at_run_time():
    config = parameters.updated(Example(), {"slop": 0.2}, active=True)
    assert config.slop == 0.2
    with pytest.raises(ParameterError, match="count is fixed while the node is active"):
        parameters.updated(config, {"count": 4}, active=True)
    assert parameters.updated(config, {"count": 4}, active=False).count == 4


def test_a_change_is_checked_against_the_other_fields():
    with pytest.raises(ParameterError, match="above low"):
        parameters.updated(Related(), {"high": -1.0}, active=True)


def test_the_table_has_a_row_for_each():
    rows = parameters.table(Example).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [n for n, _, _ in parameters.fields(Example)]
    assert '| `backend` | `"onnxruntime"` |' in parameters.table(Example)
