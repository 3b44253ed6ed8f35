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
    "bench commands": ("--runs 1", ""),
    "bench console": ("--seconds 2 --plain", "bench_console.json"),
    "bench safety": ("--steps 200 --duration 2", "bench_safety.json"),
    "bench pipeline": ("--duration 2", "bench_pipeline.json"),
    "bench slowing": ("--tasks reach --seeds 1000-1000 --jobs 1", "slowing_episodes.jsonl"),
    "bench remote": ("--runs 5", "bench_remote.json"),
    "bench replay": ("--minutes 0.05", ""),
    "bench serve": ("--clients 1 2 --duration 1", "bench_serve.json"),
    "prove properties": ("--commands 2000 --processes 1", "prove_properties.json"),
    "prove faults": ("--scenario camera_black --repeats 1", "fault_injection.json"),
    "prove noise": ("--minutes 0.3", "prove_noise.json"),
    "prove peers": ("", "peers.md"),
    "demo": ("--headless --task ground-touch-red", "demo.mp4"),
}
# Its shortest form, one module, takes minutes: it is run by hand.
BY_HAND = {"prove mutation"}
# What comes of these is looked at, too: test_backend_variants.py, test_soak.py, test_arm_proof.py.
WITH_A_TEST = {"bench backends", "prove soak", "prove arm"}
# These measure: exit status 1 tells that a target was missed, as a short run on a busy machine may.
MEASURING = "bench"


def run(words, folder):
    return subprocess.run(
        [sys.executable, "-m", "vla_cli", *words],
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.parametrize("command", SHORT)
def test_it_runs_to_its_end(command, tmp_path):
    options, file = SHORT[command]
    words = [*command.split(), *options.split()]
    if command == "prove peers":
        words += ["--out", str(tmp_path / file)]
    elif file:
        words += ["--out", str(tmp_path)]
    done = run(words, tmp_path)
    said = done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode in ((0, 1) if command.startswith(MEASURING) else (0,)), said
    assert "Traceback" not in said
    if file:
        written = (tmp_path / file).read_bytes()
        assert json.loads(written) if file.endswith(".json") else written


def test_a_demo_of_a_command_that_is_refused_says_why(tmp_path):
    words = ["demo", "--headless", "--command", "make me a coffee", "--out", str(tmp_path)]
    done = run(words, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "drawer-open, seed 1: refused: I do not know 'make', 'me', 'coffee'" in done.stdout
    assert "no video and no figure: the robot was sent nothing" in done.stdout and not done.stderr


def test_none_is_left_out():
    commands = {f"bench {name}" for name in bench_command.BENCHMARKS}
    commands |= {f"prove {name}" for name in prove_command.PROOFS}
    assert commands | {"demo"} == set(SHORT) | BY_HAND | WITH_A_TEST
