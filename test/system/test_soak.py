"""A short soak: the whole graph at 50 Hz with a camera at 30 Hz, stopped again and again."""

import json
import subprocess
import sys

import pytest


@pytest.mark.system
@pytest.mark.slow
def test_the_graph_works_stops_and_keeps_its_limits(tmp_path):
    words = ["--duration", "12", "--between", "3", "--out", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "vla_cli", "prove", "soak", *words],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    file = tmp_path / "prove_soak.json"
    assert file.is_file(), ended.stdout + ended.stderr
    report = json.loads(file.read_text())
    assert {stop["kind"] for stop in report["stops"]} == {"word", "service", "button"}
    assert not [stop["problem"] for stop in report["stops"] if stop["problem"]]
    assert not report["violations"] and report["judged"] > 200
    assert set(report["growth"]) == {"perception", "policy", "safety"}
    assert (tmp_path / "prove_soak.png").is_file()
    assert "memory grew by at most" in ended.stdout
