"""`/metrics` for Prometheus: the state and the diagnostics' numbers, read once at each scrape."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from vla_console.console_state import ConsoleState, MetricsView
from vla_contract.message_enums import State

# "12", "1.25 ms", "3 of 8" is none: a number, and perhaps one unit of time after it.
_VALUE = re.compile(r"([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?: (ms|s|us|µs))?")
_UNITS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_BUCKETS = (0.02, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)  # s
LATENCIES = 4096


class ConsoleMetrics:
    """A collector that makes its metrics from the state when it is asked.

    Attributes:
        sent: pictures. dropped: messages that a newer one overtook, of pages that are closed.
        latencies: s from a picture's arrival here until a page said that it shows it; the newest.
    """

    def __init__(self, robot: str, state: ConsoleState) -> None:
        """robot: the label of every metric."""
        self._robot = robot.strip("/")
        self._state = state
        self.sent = 0
        self.dropped = 0
        self.latencies: deque[float] = deque(maxlen=LATENCIES)
        self._shown = [0] * (len(_BUCKETS) + 1)
        self._shown_sum = 0.0
        self._figures: dict[str, Any] = {}

    def shown(self, seconds: float) -> None:
        """A page showed a picture so long after it came here."""
        self.latencies.append(seconds)
        self._shown_sum += seconds
        index = next((i for i, b in enumerate(_BUCKETS) if seconds <= b), len(_BUCKETS))
        self._shown[index] += 1

    def text(self, viewers: int, figures: dict[str, Any]) -> tuple[bytes, str]:
        """The body and its content type.

        Raises:
            ModuleNotFoundError: prometheus_client is not installed.
        """
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        self._figures = {**figures, "viewers": viewers}
        registry = CollectorRegistry()
        registry.register(self)  # type: ignore[arg-type]
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def describe(self) -> list[Any]:
        """Nothing: the registry need not collect to learn the names."""
        return []

    def collect(self) -> Iterator[Any]:
        """Every metric, of one moment."""
        view = self._state.metrics(time.monotonic_ns())
        yield from self._safety(view)
        yield from self._counts(view)
        yield from self._diagnostics(view)
        yield from self._own()

    def _gauge(self, name: str, text: str, value: float | None) -> Any:
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily(f"vla_{name}", text, labels=["robot"])
        family.add_metric([self._robot], math.nan if value is None else value)
        return family

    def _safety(self, view: MetricsView) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield self._gauge(
            "safety_status_age_seconds", "Since safety told its state.", view.safety_age
        )
        safety = view.safety
        if safety is None:
            return
        states = GaugeMetricFamily(
            "vla_safety_state", "1 for the state that safety is in.", labels=["robot", "state"]
        )
        for state in State:
            states.add_metric([self._robot, state.words], float(state is safety.state))
        yield states
        yield self._gauge("armed", "1 where the outputs are armed.", safety.armed)
        yield self._gauge("shadow", "1 in shadow mode.", safety.shadow)
        yield self._gauge("standstill", "1 where the command sent is at rest.", safety.standstill)
        yield self._gauge("speed_scale", "Scale of every velocity limit.", safety.speed_scale)
        yield self._gauge(
            "teleoperated", "1 where a person drives.", safety.input not in ("", "policy")
        )
        yield self._gauge(
            "observation_age_seconds", "Age of the observation acted on.", safety.observation_age
        )
        yield self._gauge("control_period_seconds", "Of the control loop.", safety.period)
        yield self._gauge(
            "control_jitter_p99_seconds", "99th percentile of a period's error.", safety.jitter_p99
        )
        yield self._gauge(
            "control_duration_p99_seconds", "99th percentile of a period's work.",
            safety.duration_p99,
        )  # fmt: skip
        overruns = CounterMetricFamily(
            "vla_control_overruns", "Control periods missed.", labels=["robot"]
        )
        overruns.add_metric([self._robot], safety.overruns)
        yield overruns
        faults = GaugeMetricFamily(
            "vla_fault_level", "1 warning, 2 error, of each fault that is present.",
            labels=["robot", "source", "kind"],
        )  # fmt: skip
        for fault in safety.faults:
            faults.add_metric([self._robot, fault.source, fault.kind], float(fault.level))
        yield faults

    def _counts(self, view: MetricsView) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily

        stops = CounterMetricFamily(
            "vla_stops", "Stops and holds in motion, by their cause.", labels=["robot", "cause"]
        )
        for cause, count in view.counts.stops.items():
            stops.add_metric([self._robot, cause], count)
        yield stops
        limits = CounterMetricFamily(
            "vla_limit_began", "How often a limit began to act.",
            labels=["robot", "limit", "dimension"],
        )  # fmt: skip
        for (kind, dimension), count in view.counts.limits.items():
            limits.add_metric([self._robot, kind, dimension], count)
        yield limits

    def _diagnostics(self, view: MetricsView) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        levels = GaugeMetricFamily(
            "vla_node_level", "0 ok, 1 warning, 2 error, 3 stale.", labels=["robot", "node"]
        )
        values = GaugeMetricFamily(
            "vla_diagnostic", "Every number of a node's diagnostics; times in s.",
            labels=["robot", "node", "name"],
        )  # fmt: skip
        for node in view.nodes.values():
            levels.add_metric([self._robot, node.name], node.level)
            for name, text in node.values.items():
                value = number_of(name, text)
                if value is not None:
                    values.add_metric([self._robot, node.name, name], value)
        yield levels
        yield values

    def _own(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        yield self._gauge("console_viewers", "Pages that are open.", self._figures["viewers"])
        for name, text, value in (
            ("console_pictures_sent", "Pictures sent to pages.", self.sent),
            ("console_dropped", "Messages that a newer one overtook.", self._figures["dropped"]),
            ("console_refused", "Messages and calls that were refused.", self._figures["refused"]),
        ):
            family = CounterMetricFamily(f"vla_{name}", text, labels=["robot"])
            family.add_metric([self._robot], value)
            yield family
        total, buckets = 0, []
        for bound, count in zip((*_BUCKETS, math.inf), self._shown, strict=True):
            total += count
            buckets.append(("+Inf" if bound == math.inf else f"{bound:g}", float(total)))
        shown = HistogramMetricFamily(
            "vla_console_picture_seconds",
            "From a picture's arrival at the console until a page said that it shows it.",
            labels=["robot"],
        )
        shown.add_metric([self._robot], buckets, self._shown_sum)
        yield shown


def number_of(name: str, text: str) -> float | None:
    """The number of a diagnostics value, times in s; None where it is none.

    A unit stands after the number, or at the end of the name ("…_ms").
    """
    match = _VALUE.fullmatch(text.strip())
    if match is None:
        return {"True": 1.0, "False": 0.0}.get(text)
    unit = match[2] or (name.rpartition("_")[2] if name.endswith(("_ms", "_us")) else "")
    return float(match[1]) * _UNITS.get(unit, 1.0)
