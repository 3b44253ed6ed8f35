"""Every benchmark, proof and demo runs to its end by its command, here in its shortest form."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from vla_proof import prove_command
from vla_proof.bench import bench_command

pytestmark = [pytest.mark.system, pytest.mark.slow]
# The words of the command, and the file in which its figures are.
SHORT = {
    "bench safety": ("--steps 200 --duration 2", "bench_safety.json"),
    "bench pipeline": ("--duration 2", "bench_pipeline.json"),
    "bench replay": ("--minutes 0.05", ""),
    "prove properties": ("--commands 2000 --processes 1", "prove_properties.json"),
    "prove faults": ("--scenario camera_black --repeats 1", "fault_injection.json"),
    "prove peers": ("", "peers.md"),
    "demo": ("--headless --task ground-touch-red", "demo.mp4"),
}
# Its shortest form, one module, takes minutes: it is run by hand.
BY_HAND = {"prove mutation"}
# What comes of these is looked at, too: test_backend_variants.py and test_soak.py.
WITH_A_TEST = {"bench backends", "prove soak"}
# These measure: exit status 1 tells that a target was missed, as a short run on a busy machine may.
MEASURING = "bench"


@pytest.mark.parametrize("command", SHORT)
def test_it_runs_to_its_end(command, tmp_path):
    options, file = SHORT[command]
    words = [*command.split(), *options.split()]
    if command == "prove peers":
        words += ["--out", str(tmp_path / file)]
    elif file:
        words += ["--out", str(tmp_path)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "vla_cli", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    said = done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode in ((0, 1) if command.startswith(MEASURING) else (0,)), said
    assert "Traceback" not in said
    if file:
        written = (tmp_path / file).read_bytes()
        assert json.loads(written) if file.endswith(".json") else written


def test_none_is_left_out():
    commands = {f"bench {name}" for name in bench_command.BENCHMARKS}
    commands |= {f"prove {name}" for name in prove_command.PROOFS}
    assert commands | {"demo"} == set(SHORT) | BY_HAND | WITH_A_TEST
