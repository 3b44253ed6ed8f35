"""No command of `./vla` ends in a traceback, whatever it is given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_odd_inputs_are_no_defects():
    """In a process of its own: imports are cut short there, which no later test would bear."""
    tests = Path(__file__).with_name("odd_inputs.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(
        command, cwd=tests.parent.parent, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout[-6000:] + done.stderr
