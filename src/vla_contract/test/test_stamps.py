import subprocess
import sys

import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.stamps import to_nanoseconds, to_seconds, to_time


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_times_go_both_ways(nanoseconds):
    assert to_nanoseconds(to_time(nanoseconds)) == nanoseconds
    assert to_seconds(to_time(nanoseconds)) == pytest.approx(nanoseconds * 1e-9, rel=1e-15)


def test_what_a_stamp_cannot_hold_is_cut():
    assert to_time(-5) == Time()
    assert to_time(2**40 * 10**9) == Time(sec=2**31 - 1, nanosec=10**9 - 1)


def test_cores_without_ros_may_use_them():
    program = (
        "import sys; sys.modules['builtin_interfaces'] = None\n"
        "from types import SimpleNamespace\n"
        "from vla_contract.stamps import to_nanoseconds\n"
        "print(to_nanoseconds(SimpleNamespace(sec=1, nanosec=5)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.split() == ["1000000005"], ran.stderr
