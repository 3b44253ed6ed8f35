"""What Prometheus reads."""

import time

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from vla_console.console_metrics import ConsoleMetrics, number_of
from vla_console.console_state import ConsoleState, FaultView, LimitView, NodeView, SafetyView
from vla_contract.message_enums import Level, State

FIGURES = {"dropped": 3, "refused": 4}


def read(metrics):
    """(name, labels) → value."""
    body, kind = metrics.text(2, FIGURES)
    assert kind.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_the_state_and_the_diagnostics_are_told_at_once():
    state = ConsoleState()
    metrics = ConsoleMetrics("/vla", state)
    robot = ("robot", "vla")
    limit = LimitView("jerk", "linear_x", "")
    fault = FaultView("perception", "vision", Level.ERROR, "dark")
    state.accept_safety(SafetyView(State.NOMINAL), time.monotonic_ns())
    view = SafetyView(State.HOLD, cause="0.5 s old", limits=(limit,), faults=(fault,), overruns=7)
    state.accept_safety(view, time.monotonic_ns())
    state.accept_node(
        NodeView("perception", 1, "", {"drops": "12", "processing_p99": "1.50 ms", "why": "so"})
    )
    metrics.sent = 5
    metrics.shown(0.04)
    metrics.shown(9.0)
    found = read(metrics)
    assert found["vla_safety_state", (robot, ("state", "hold"))] == 1.0
    assert found["vla_safety_state", (robot, ("state", "nominal"))] == 0.0
    assert found["vla_stops_total", (("cause", "# s old"), robot)] == 1.0
    key = ("vla_limit_began_total", (("dimension", "linear_x"), ("limit", "jerk"), robot))
    assert found[key] == 1.0
    assert found["vla_fault_level", (("kind", "vision"), robot, ("source", "perception"))] == 2.0
    assert found["vla_control_overruns_total", (robot,)] == 7.0
    node = ("node", "perception")
    assert found["vla_diagnostic", (("name", "drops"), node, robot)] == 12.0
    p99 = found["vla_diagnostic", (("name", "processing_p99"), node, robot)]
    assert p99 == pytest.approx(0.0015)
    assert ("vla_diagnostic", (("name", "why"), node, robot)) not in found
    assert found["vla_node_level", (node, robot)] == 1.0
    assert found["vla_console_viewers", (robot,)] == 2.0
    assert found["vla_console_dropped_total", (robot,)] == 3.0
    assert found["vla_console_picture_seconds_count", (robot,)] == 2.0
    assert found["vla_console_picture_seconds_bucket", (("le", "0.05"), robot)] == 1.0


def test_while_safety_is_silent_nothing_is_made_up():
    found = read(ConsoleMetrics("/vla", ConsoleState()))
    assert not any(name == "vla_safety_state" for name, _ in found)
    age = found["vla_safety_status_age_seconds", (("robot", "vla"),)]
    assert age != age


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("a", "12", 12.0), ("a", "-1.5e3", -1500.0), ("a", "2.5 ms", 0.0025), ("a_ms", "4", 0.004),
        ("a", "3 s", 3.0), ("a", "True", 1.0), ("a", "False", 0.0), ("a", "3 of 8", None),
        ("a", "", None), ("a", "nan", None),
    ],
)  # fmt: skip
def test_numbers_of_diagnostics(name, text, value):
    assert number_of(name, text) == (value if value is None else pytest.approx(value))
