"""The graph as child processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from vla_cli.client import processes


def test_why_a_graph_cannot_work():
    fatal = "[policy-2] [FATAL] [1.0] [vla.policy]: cannot configure: no such checkpoint"
    assert processes.failure(["[INFO] fine", fatal, "more"], False) == fatal
    assert "has died" in processes.failure(["[ERROR] [sim-1]: process has died [pid 1]"], False)
    assert processes.failure(["[INFO] fine"], False) == ""
    assert processes.failure([], True) == "the graph has ended: no output"


def test_descendants_are_found():
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    end = time.monotonic() + 20
    while not (found := processes.descendants(process.pid)) and time.monotonic() < end:
        time.sleep(0.01)
    process.communicate(b"\n", timeout=20)
    assert len(found) == 1 and not processes.alive(set(found))


def test_children_end_with_their_parent():
    script = (
        "import subprocess, sys, time\n"
        "from vla_cli.client.processes import end_with_parent\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "                     preexec_fn=end_with_parent())\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 20
    while processes.alive({child}) and time.monotonic() < end:
        time.sleep(0.01)
    assert not processes.alive({child})


def test_age_of_this_process():
    assert 0.0 < processes.age() < 3600.0
