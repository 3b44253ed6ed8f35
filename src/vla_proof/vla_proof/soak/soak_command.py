"""`vla prove soak`: the graph at work for an hour, with a stop every minute.

Perception, policy and safety run as on a robot, the control loop at 50 Hz, a camera of 640x480 at
30 Hz, no simulator. Every command is judged against the limits as it comes, every stop must be seen
and end in time, and no node's own memory may grow by more than 5 %.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import ignore_signals, raise_on_signals
from vla_contract.action_space import ActionSpace
from vla_proof.bench import pipeline_bench
from vla_proof.soak import soak_report
from vla_proof.soak.soak_watch import Commands, Stop, Stopper

CONTROL_RATE = 50.0  # Hz
HOUR = 3600.0  # s
SAMPLES = 360  # of the memory, over the whole time
WARM_UP, SHARE = 60.0, 0.2  # s, or that share of a shorter run: memory is not compared
BETWEEN_STOPS = 60.0  # s


def main(arguments: list[str]) -> int:
    """0: nothing grew, nothing was missed; 1: something did."""
    parser = options.parser("prove soak", __doc__.split("\n")[0])
    parser.add_argument("--duration", type=float, default=HOUR, help="s (default: 3600)")
    parser.add_argument(
        "--between", type=float, default=BETWEEN_STOPS, help="s between two stops (default: 60)"
    )
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    parser.add_argument("--out", help="folder for prove_soak.json and .png (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    from vla_cli.client.graph_client import stay_on_this_machine, use_profile

    stay_on_this_machine()
    use_profile()
    checkpoint, out = paths.checkpoint(chosen.checkpoint), paths.output_folder(chosen.out)
    report = soak(checkpoint, chosen.duration, chosen.between, out)
    print("\n".join(soak_report.lines(report)))
    file = out / "prove_soak.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    soak_report.draw(report, out / "prove_soak.png")
    print(f"written: {file}, {out / 'prove_soak.png'}")
    return int(any(not met for _, met in soak_report.verdicts(report)))


def soak(checkpoint: Path, duration: float, between: float, out: Path) -> dict[str, Any]:
    """Run the graph for so long; returns the report."""
    from vla_cli.client.graph_client import Graph

    domain = domains.free()
    with tempfile.TemporaryDirectory(prefix="vla_soak_") as name:
        folder = Path(name)
        slower = at_control_rate(checkpoint, folder / "checkpoint")
        topic, settings = pipeline_bench.write_settings(folder, slower)
        settings["emergency_stop"] = "/emergency_stop"
        log = out / "prove_soak.log"
        launched = processes.LaunchedGraph("vla", settings, domain, log, {"ROS_HOME": name})
        try:
            rate = str(pipeline_bench.CAMERA_RATE)
            robot = pipeline_bench.child(domain, "robot", "/vla", topic, rate)
            with robot, Graph(domain=domain) as graph:
                return Soak(graph, launched, slower).run(duration, between)
        finally:
            ignore_signals()
            launched.stop()


def at_control_rate(checkpoint: Path, folder: Path) -> Path:
    """A checkpoint that differs in nothing but its control rate."""
    folder.mkdir()
    for path in checkpoint.iterdir():
        if path.name not in ("action_space.yaml", "config.yaml"):
            (folder / path.name).symlink_to(path.resolve())
    original = (checkpoint / "action_space.yaml").read_bytes()
    content = yaml.safe_load(original)
    content["control_rate"] = CONTROL_RATE
    changed = yaml.safe_dump(content).encode()
    (folder / "action_space.yaml").write_bytes(changed)
    # A checkpoint knows its files by their sums.
    old, new = (hashlib.sha256(data).hexdigest() for data in (original, changed))
    config = (checkpoint / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace(old, new))
    return folder


class Soak:
    """The running graph, watched."""

    def __init__(self, graph: Any, launched: processes.LaunchedGraph, checkpoint: Path) -> None:
        from vla_contract import topics
        from vla_interfaces.msg import SafeAction, SafetyStatus

        self._graph, self._launched = graph, launched
        self._commands = Commands(ActionSpace.load(checkpoint / "action_space.yaml"))
        graph.subscribe(SafeAction, topics.SAFE_ACTION, self._commands.take)
        self._statuses = graph.collect(SafetyStatus, topics.SAFETY_STATUS, 1)
        self._stopper = Stopper(graph, self._commands, pipeline_bench.COMMAND, self._statuses)

    def run(self, duration: float, between: float) -> dict[str, Any]:
        """Watch for so long."""
        self._stopper.begin(self._launched.check, pipeline_bench.READY_TIMEOUT)
        nodes = self._launched.nodes()
        begin, before = time.monotonic(), self._statuses[-1].overruns
        every = duration / SAMPLES if duration > SAMPLES else 1.0
        samples: list[dict[str, Any]] = []
        stops: list[Stop] = []
        next_sample, next_stop = begin, begin + between
        end = begin + duration
        while (now := time.monotonic()) < end or next_stop < end:  # a stop that is due is made
            self._launched.check()
            if now >= next_sample:
                samples.append(self._sample(nodes, now - begin))
                next_sample += every
            if now >= next_stop:
                stops.append(self._stopper.stop())
                next_stop += between
            self._graph.wait(lambda: False, 0.05)
        if self._launched.nodes() != nodes:
            stops.append(Stop("", time.monotonic(), problem="a node died and was started anew"))
        return self._report(begin, before, samples, stops)

    def _sample(self, nodes: dict[str, int], at: float) -> dict[str, Any]:
        status = self._statuses[-1]
        return {
            "at": at,
            "memory": {name: _memory(pid) for name, pid in nodes.items()},
            "duration_p99": float(status.duration_p99),
            "jitter_p99": float(status.jitter_p99),
            "overruns": int(status.overruns),
        }

    def _report(
        self, begin: float, before: int, samples: list[dict[str, Any]], stops: Sequence[Stop]
    ) -> dict[str, Any]:
        lasted = time.monotonic() - begin
        warm_up = min(WARM_UP, SHARE * lasted)
        commands, bounds = self._commands, self._commands.bounds
        return {
            "duration": lasted,
            "warm_up": warm_up,
            "control_rate": CONTROL_RATE,
            "commands": commands.count,
            "gaps": commands.missed,
            "judged": bounds.commands,
            "violations": [str(broken) for broken in bounds.broken[:20]],
            "worst": bounds.worst,
            "stops": [{**asdict(stop), "at": stop.at - begin} for stop in stops],
            "duration_p99": max(sample["duration_p99"] for sample in samples),
            "jitter_p99": max(sample["jitter_p99"] for sample in samples),
            "overruns": int(self._statuses[-1].overruns - before),
            "growth": soak_report.growth(samples, warm_up),
            "samples": samples,
        }


def _memory(pid: int) -> dict[str, float]:
    """Own, RSS and PSS, MB."""
    own = soak_report.own_memory(Path(f"/proc/{pid}/status").read_text())
    return {"own": own, **pipeline_bench.memory_of(pid)}
