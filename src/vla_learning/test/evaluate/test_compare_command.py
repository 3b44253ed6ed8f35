"""The verdict over two checkpoints follows from the interval of their paired difference."""

import pytest

from vla_learning.evaluate.compare_command import lines, verdict
from vla_learning.evaluate.paired_evaluation import Pairing


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        (Pairing(5, 0, 15, 0), "better"),
        (Pairing(5, 15, 0, 0), "worse"),
        (Pairing(10, 2, 3, 5), "no difference shown"),
        (Pairing(20, 0, 0, 0), "no difference shown"),
    ],
)
def test_the_verdict_needs_an_interval_without_zero(pairing, expected):
    assert verdict(pairing) == expected
    assert lines(pairing)[-1] == f"verdict: {expected}"


def test_the_difference_is_of_the_new_one():
    assert "+50.0 points" in lines(Pairing(5, 0, 10, 5))[3]
