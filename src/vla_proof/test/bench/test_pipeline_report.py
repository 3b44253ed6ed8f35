"""Figures of the pipeline benchmark."""

from __future__ import annotations

import math

import pytest

from vla_proof.bench import pipeline_report


def test_hops_add_up():
    sample = pipeline_report.Sample(10.0, 10.004, 10.010, 10.011, 0.005, 10.020)
    found = {hop.name: hop.p50 for hop in pipeline_report.hops([sample] * 3)}
    parts = list(found.values())
    assert sum(parts[:4]) == pytest.approx(11.0)
    assert found[pipeline_report.TOTAL] == pytest.approx(6.0)
    assert found["camera → robot command"] == pytest.approx(20.0)


def test_commands_that_never_came_do_not_count():
    hop = pipeline_report.hop("x", [0.001, math.nan])
    assert (hop.p50, hop.count) == (pytest.approx(1.0), 1)
    assert pipeline_report.hop("x", []).count == 0


def test_the_report_names_missed_targets():
    sample = pipeline_report.Sample(10.0, 10.004, 10.030, 10.031, 0.005)
    raw = pipeline_report.hop("raw", [0.004])
    memories = {"perception": {"rss": 700.0, "pss": 300.0}}
    text = "\n".join(
        pipeline_report.lines(pipeline_report.hops([sample]), raw, raw, memories, "1 ms")
    )
    assert text.count("MISSED") == 3
    assert "ratio of the two p50s: 6.50" in text


def test_memory_from_the_kernel():
    text = "00400000 [rollup]\nRss:     204800 kB\nPss:     102400 kB\nPss_Anon: 1 kB\n"
    assert pipeline_report.memory(text) == {"rss": 200.0, "pss": 100.0}
