"""`vla evaluate`: the same verdicts from one graph and from two side by side, and a picture."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import pytest

pytestmark = pytest.mark.system


def evaluated(folder, jobs):
    out = folder / f"{jobs}.json"
    words = ["--tasks", "drawer-open,window-open", "--seeds", "201", "--jobs", str(jobs)]
    subprocess.run(
        [sys.executable, "-m", "vla_cli", "evaluate", *words, "--out", str(out)],
        check=True,
        timeout=200,
    )
    return out


def test_graphs_side_by_side(tmp_path):
    one, two = evaluated(tmp_path, 1), evaluated(tmp_path, 2)
    episodes, others = (json.loads(out.read_text())["episodes"] for out in (one, two))
    assert [e["task"] for e in episodes] == ["drawer-open", "window-open"]
    assert episodes == others
    for out in (one, two):
        assert cv2.imread(str(out.with_suffix(".png"))).shape[1] == 1400
