"""Configs as parameters: checks, tables and changes at run time, without a node."""

import sys
from dataclasses import dataclass, replace

import pytest

from vla_contract.node import parameters
from vla_contract.node.parameters import Config, ParameterError, parameter


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


DECLARED = {name: (default, spec) for name, default, spec in parameters.fields(Example)}


def test_what_is_fixed_is_refused_while_configured():
    for configured in (False, True):
        parameters.check_set("slop", 0.2, *DECLARED["slop"], configured=configured)
    parameters.check_set("count", 4, *DECLARED["count"], configured=False)
    with pytest.raises(ParameterError) as error:
        parameters.check_set("count", 4, *DECLARED["count"], configured=True)
    line = "parameter count is fixed while the node is configured; deactivate and clean up first"
    assert str(error.value) == line
    with pytest.raises(ParameterError, match="count is 0; accepted: int, at least 1"):
        parameters.check_set("count", 0, *DECLARED["count"], configured=False)


def test_a_change_is_checked_against_the_other_fields():
    with pytest.raises(ParameterError, match="above low"):
        replace(Related(), high=-1.0)


def test_the_list_of_one_empty_text_is_the_empty_list():
    assert Example(words=[""]).words == ()


@dataclass(frozen=True)
class Ranges(Config):
    closed: float = parameter(0.5, "Closed.", "m", minimum=0.0, maximum=1.0)
    at_least: float = parameter(0.5, "Open above.", minimum=0.1)
    at_most: int = parameter(5, "Open below.", maximum=9, runtime=True)
    each: tuple[float, ...] = parameter((1.0,), "Of each element.", minimum=0.0, maximum=2.0)
    free: float = parameter(0.0, "Without bounds.")


@pytest.mark.parametrize(
    ("name", "kind", "low", "high"),
    [
        ("closed", "floating_point_range", 0.0, 1.0),
        ("at_least", "floating_point_range", 0.1, sys.float_info.max),
        ("at_most", "integer_range", -(2**63), 9),
        ("each", "floating_point_range", 0.0, 2.0),
    ],
)
def test_a_descriptor_has_the_range(name, kind, low, high):
    declared = {n: (default, spec) for n, default, spec in parameters.fields(Ranges)}
    described = parameters.descriptor(name, *declared[name], configured=False)
    (found,) = getattr(described, kind)
    assert (found.from_value, found.to_value) == (low, high)
    free = parameters.descriptor("free", *declared["free"], configured=False)
    assert not free.floating_point_range and not free.integer_range


def test_a_descriptor_says_what_is_accepted_now():
    def describe(name, configured):
        return parameters.descriptor(name, *DECLARED[name], configured=configured)

    assert describe("slop", True).additional_constraints == "float, 0.0 to 1.0"
    assert describe("slop", True).description == "Slop. [s]"
    assert not describe("slop", True).read_only
    assert describe("count", True).read_only and not describe("count", False).read_only
    fixed = "int, at least 1; fixed while the node is configured"
    assert describe("count", False).additional_constraints == fixed
    types = {name: describe(name, False).type for name in DECLARED}
    assert types == {"slop": 3, "count": 2, "backend": 4, "cameras": 9, "words": 9, "enabled": 1}


def test_the_table_has_a_row_for_each():
    rows = parameters.table(Example).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [n for n, _, _ in parameters.fields(Example)]
    assert '| `backend` | `"onnxruntime"` |' in parameters.table(Example)
