import pytest

from vla_contract.action_space import Kind
from vla_proof.bench import arm_bench_case, core_bench, core_bench_cases


def test_every_figure_is_measured_and_printed():
    report = core_bench.measure(100)
    names = {figure.name for figure in report.figures}
    arms = set(arm_bench_case.TARGETS)
    assert set(core_bench.TARGETS) - arms <= names
    # Where example-robot-data is not installed there are none of real arms.
    assert len(names) == (9 if arms <= names else 6)
    for figure in report.figures:
        assert 0.0 < figure.p50 <= figure.p99 <= figure.worst and figure.steps == 100
    text = "\n".join(core_bench.lines(report))
    assert "r² =" in text and "horizon" in text
    assert len(report.as_dict()["growth"]) == 3


def test_a_line_is_fitted():
    assert core_bench.fit([1, 2, 3], [3.0, 5.0, 7.0]) == pytest.approx((1.0, 2.0, 1.0))


def test_cost_grows_with_the_number_of_dimensions():
    found = core_bench.growth("dimensions", 200)
    assert found.sizes == core_bench.SIZES["dimensions"]
    assert found.slope > 0.0 and found.cpu_p50[-1] > found.cpu_p50[0]


def test_the_cases_do_what_they_are_to_measure():
    monitor = core_bench_cases.obstacle_monitor()
    assert {setting.zone.action.value for setting in monitor.config.zones} == {
        "slowdown", "approach", "stop", "limit",
    }  # fmt: skip
    space = core_bench_cases.arm_space()
    assert space.width == 7 and space.norms.linear_velocity
    assert core_bench_cases.example_space(Kind.GRIPPER, 3).width == 3
    assert len(core_bench_cases.scan_message(720).ranges) == 720
