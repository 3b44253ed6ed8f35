"""`vla prove properties`: random scenarios on the whole safety core, judged from outside.

Every published command must keep range, velocity, acceleration, deceleration, jerk and norm of the
limit set in force, by finite differences; stops must end in time, STOPPED be left by a reset only,
and no stale target be followed. See vla_proof/properties.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from vla_cli.client import options, paths
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_cli.client.processes import end_with_parent

COMMANDS = 1_000_000


def main(arguments: list[str]) -> int:
    """0: no bound was broken by at least so many commands; 1: one was."""
    parser = options.parser("prove properties", __doc__.split("\n")[0])
    parser.add_argument(
        "--commands", type=options.at_least(1, "commands"), default=COMMANDS,
        help=f"how many are judged at least (default: {COMMANDS})",
    )  # fmt: skip
    parser.add_argument("--seed", type=options.at_least(0, "seed"), default=0)
    parser.add_argument(
        "--processes", type=options.at_least(1, "processes"), default=2, help="(default: 2)"
    )
    parser.add_argument("--out", help="folder for prove_properties.json (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    begin = time.monotonic()
    results = judge(chosen.commands, chosen.seed, chosen.processes)
    report = merge(results, chosen.seed, time.monotonic() - begin)
    file = paths.output_folder(chosen.out) / "prove_properties.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(lines(report)))
    print(f"written: {file}")
    return int(report["violations"] > 0 or report["commands"] < chosen.commands)


def judge(commands: int, seed: int, processes: int) -> list[dict[str, Any]]:
    """Outcome of each process.

    Raises:
        CommandError: a process ended without one.
    """
    share = -(-commands // processes)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "vla_proof.properties.property_run",
             "--commands", str(share), "--seed", str(seed * 1000 + number)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=end_with_parent(),
        )
        for number in range(processes)
    ]  # fmt: skip
    results = []
    for process in started:
        output, errors = process.communicate()
        if not output.strip():
            raise CommandError(f"the property test failed to run: {errors[-500:].strip()}")
        results.append(json.loads(output.splitlines()[-1]))
    return results


def merge(results: list[dict[str, Any]], seed: int, seconds: float) -> dict[str, Any]:
    """One report of all processes."""
    worst: dict[str, float] = {}
    for result in results:
        for what, ratio in result["worst"].items():
            worst[what] = max(ratio, worst.get(what, 0.0))
    total = {
        name: sum(result[name] for result in results)
        for name in ("commands", "checks", "scenarios", "violations")
    }
    examples = [result["example"] for result in results if result["example"]]
    return {**total, "seed": seed, "seconds": seconds, "worst": worst, "examples": examples}


def lines(report: dict[str, Any]) -> list[str]:
    """The report as text."""
    text = [f"BROKEN by\n  {example}" for example in report["examples"]]
    text.append(
        f"{report['commands']} commands of {report['scenarios']} scenarios judged in "
        f"{report['seconds']:.0f} s (seed {report['seed']}), {report['checks']} checks: "
        f"{report['violations']} violations"
    )
    text += [f"{'bound':<14}worst value / bound"]
    return text + [f"{what:<14}{ratio:.9f}" for what, ratio in sorted(report["worst"].items())]
