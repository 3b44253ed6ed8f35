import pytest

from vla_safety.loop.loop_timing import WINDOW, LoopTiming


def test_jitter_duration_and_overruns():
    timing = LoopTiming(0.01)
    for begin in (0.0, 0.01, 0.021, 0.051):
        timing.begin(begin)
        timing.end(begin + 0.001)
    # Of 0, 1 and 20 ms, interpolated between the last two.
    assert timing.jitter_p99 == pytest.approx(0.001 + 0.98 * 0.019)
    assert timing.duration_p50 == pytest.approx(0.001)
    assert timing.duration_p99 == pytest.approx(0.001)
    assert timing.overruns == 2


def test_nothing_measured_is_zero():
    timing = LoopTiming(0.01)
    timing.end(1.0)
    assert (timing.jitter_p99, timing.duration_p99, timing.overruns) == (0.0, 0.0, 0)


def test_only_the_last_thousand_count():
    timing = LoopTiming(1.0)
    timing.begin(-100.0)
    for k in range(WINDOW + 1):
        timing.begin(float(k))
    assert timing.jitter_p99 == 0.0


def test_a_loop_that_misses_its_periods_tells_of_the_machine():
    timing = LoopTiming(0.01)
    assert timing.overload == "", "in lock-step no timer rings"
    for k in range(200):
        timing.begin(0.03 * k)
    assert "this machine is too slow" in timing.overload
    assert "of 10 ms missed" in timing.overload
    timing.restart()
    assert timing.overload == ""
