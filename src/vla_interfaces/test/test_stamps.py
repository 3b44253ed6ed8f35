from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.stamps import to_nanoseconds, to_time


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_times_go_both_ways(nanoseconds):
    assert to_nanoseconds(to_time(nanoseconds)) == nanoseconds


def test_what_a_stamp_cannot_hold_is_cut():
    assert to_time(-5) == Time()
    assert to_time(2**40 * 10**9) == Time(sec=2**31 - 1, nanosec=10**9 - 1)
