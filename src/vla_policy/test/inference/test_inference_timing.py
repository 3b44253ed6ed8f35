import math

from vla_policy.inference.inference_timing import Times


def test_percentiles_in_milliseconds_of_the_last_ones():
    times = Times(size=3)
    assert math.isnan(times.percentile(50))
    for seconds in (9.0, 0.001, 0.002, 0.003):
        times.add(seconds)
    assert math.isclose(times.percentile(50), 2.0)
    assert str(times) == "p50 2.00 p99 2.98"


def test_a_thousand_durations_are_kept():
    times = Times()
    for seconds in (5.0, *[0.001] * 1000):
        times.add(seconds)
    assert math.isclose(times.percentile(100), 1.0)
