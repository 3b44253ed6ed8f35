"""Steps due by the wall clock, and what is left of a run in lock-step."""

import pytest

from vla_sim.node.pacing import MAX_CATCH_UP, Pacer, Run


def test_steps_follow_the_clock():
    pacer = Pacer(0.0125, 1.0, 10.0)
    assert pacer.due(10.0124) == 0
    assert pacer.due(10.0126) == 1
    assert pacer.due(10.0126) == 0
    assert pacer.due(10.0376) == 2
    assert pacer.skipped == 0.0


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_the_real_time_factor_holds_over_time(factor):
    pacer = Pacer(0.0125, factor, 0.0)
    steps = sum(pacer.due(0.003 * i) for i in range(1, 1001))
    assert steps == pytest.approx(3.0 / 0.0125 * factor, abs=1)


def test_after_a_long_pause_time_is_given_up():
    pacer = Pacer(0.0125, 1.0, 0.0)
    assert pacer.due(1.0) == MAX_CATCH_UP
    assert pacer.skipped == pytest.approx(1.0 - MAX_CATCH_UP * 0.0125)
    assert pacer.due(1.0) == 0


def test_a_run_counts_down_and_ends_at_success_where_that_is_wanted():
    run = Run(3)
    for left in (2, 1, 0, 0):
        run.step_done(True)
        assert run.steps == left
    run = Run(3, stop_at_success=True)
    run.step_done(False)
    assert run.steps == 2
    run.step_done(True)
    assert run.steps == 0
