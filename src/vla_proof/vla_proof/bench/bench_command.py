"""`vla bench NAME`: measurements that print the figures the README quotes."""

from __future__ import annotations

import importlib
import sys

from vla_cli.client.command_errors import CommandError

# Name → module with a `main(arguments) -> exit status`, and what it measures.
BENCHMARKS = {
    "backends": (
        "vla_proof.bench.backends.backends_command",
        "inference backends beside each other: time, cold start, size, difference",
    ),
    "commands": (
        "vla_proof.bench.commands_bench",
        "say, status, stop and reset against a running graph, on a busy machine too",
    ),
    "console": (
        "vla_proof.bench.console.console_bench",
        "processor time of the operator's page, and how old its pictures are when they are shown",
    ),
    "pipeline": (
        "vla_proof.bench.pipeline_bench",
        "camera to robot command, hop by hop, and memory",
    ),
    "remote": (
        "vla_proof.bench.remote.remote_bench",
        "a policy server's round trip, protocol by protocol, beside openpi-client",
    ),
    "replay": ("vla_proof.bench.replay_bench", "replay as fast as possible against the bare model"),
    "slowing": (
        "vla_proof.bench.slowing.slowing_command",
        "success and time beside a person, with and without path speed",
    ),
    "safety": (
        "vla_proof.bench.safety_bench",
        "time of the limits, the obstacles and the safety loop",
    ),
    "serve": (
        "vla_proof.bench.serve_bench",
        "requests a second and latency of ./vla serve onnx against the number of clients",
    ),
}


def main(arguments: list[str]) -> int:
    """Run one benchmark, or list them."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: ./vla bench NAME [--help]\n")
        for name, (_, what) in BENCHMARKS.items():
            print(f"  {name:<10} {what}")
        return 0 if arguments else 2
    if arguments[0] not in BENCHMARKS:
        raise CommandError(f"no benchmark {arguments[0]!r}; accepted: {', '.join(BENCHMARKS)}")
    module = BENCHMARKS[arguments[0]][0]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise CommandError(f"benchmark {arguments[0]} is not installed: {error}") from error
    sys.argv = [f"./vla bench {arguments[0]}", *arguments[1:]]
    return int(found.main(arguments[1:]) or 0)
