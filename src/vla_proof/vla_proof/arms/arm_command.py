"""`vla prove arm`: hostile joint commands on whole arms, judged by MuJoCo's contacts.

Behind the guard of the safety node no link may touch another, the surroundings or what is carried,
margins must be kept to 1 mm, and elbows and tools must be no faster than their cap.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from vla_cli.client import options, paths
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_proof.arms.contact_judge import TOLERANCE, Verdict
from vla_proof.arms.hostile_arms import ARMS, make_arm
from vla_proof.arms.hostile_commands import Attack, Outcome
from vla_safety.arm.arm_geometry import ArmError
from vla_safety.config.safety_config import SafetyConfig

COMMANDS = 1_000_000
PART = 20_000  # commands of one seed, that a process does at a time


def main(arguments: list[str]) -> int:
    """0: no contact, every margin and speed kept; 1: otherwise."""
    parser = options.parser("prove arm", __doc__.split("\n")[0])
    parser.add_argument(
        "--commands", type=options.at_least(1, "commands"), default=COMMANDS,
        help=f"of all arms together (default: {COMMANDS})",
    )  # fmt: skip
    parser.add_argument(
        "--arm", action="append", help=f"{', '.join(ARMS)}, or a URDF (default: these three)"
    )
    parser.add_argument("--seed", type=options.at_least(0, "seed"), default=0)
    parser.add_argument(
        "--jobs", type=options.at_least(1, "jobs"), default=os.cpu_count(),
        help=f"processes (default: {os.cpu_count()})",
    )  # fmt: skip
    parser.add_argument("--out", help="folder for prove_arm.json (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    arms = chosen.arm or list(ARMS)
    # Half of them without a cap of the speed: it keeps an arm from much that could go wrong.
    share = -(-chosen.commands // (2 * len(arms)))
    report, bad = [], False
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn"), raise_on_signals) as pool:
        waits = [
            (arm, cap, pool.submit(attack, arm, min(share, 2000), chosen.seed, cap, guarded=False),
             [pool.submit(attack, arm, size, seed, cap)
              for size, seed in parts(share, chosen.seed)])
            for arm in arms for cap in (SafetyConfig().arm_speed, 0.0)
        ]  # fmt: skip
        try:
            for arm, cap, free, attacks in waits:
                outcome = together([part.result() for part in attacks])
                failed = is_broken(outcome, cap)
                bad = bad or failed
                told = line(arm, cap, outcome, free.result())
                print(f"{'BROKEN' if failed else 'kept':<8}{told}", flush=True)
                report.append({"arm": arm, "cap": cap, "broken": failed, **asdict(outcome)})
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    file = paths.output_folder(chosen.out) / "prove_arm.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {file}")
    return int(bad)


def parts(commands: int, seed: int) -> list[tuple[int, int]]:
    """Commands and seed of each part of an attack."""
    sizes = [PART] * (commands // PART) + [commands % PART] * (commands % PART > 0)
    return [(size, seed + i) for i, size in enumerate(sizes)]


def attack(name: str, commands: int, seed: int, cap: float, guarded: bool = True) -> Outcome:
    """One arm under attack. cap: m/s; 0: none.

    Raises:
        CommandError: the arm cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="vla_arm_") as folder:
        try:
            arm = make_arm(name, Path(folder) / "pairs.yaml")
            made = Attack(arm, SafetyConfig(arm_speed=cap), seed)
        except (ArmError, FileNotFoundError, ValueError) as error:
            raise CommandError(f"arm {name}: {error}") from error
        return made.run(commands, guarded)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of all parts of an attack."""
    verdicts = [outcome.verdict for outcome in outcomes]
    verdict = Verdict(
        commands=sum(v.commands for v in verdicts),
        contacts=sum(v.contacts for v in verdicts),
        short=sum(v.short for v in verdicts),
        worst=max(v.worst for v in verdicts),
        examples=[example for v in verdicts for example in v.examples][:5],
    )
    return Outcome(
        verdict,
        refused=sum(outcome.refused for outcome in outcomes),
        fastest=max(outcome.fastest for outcome in outcomes),
        way=sum(outcome.way for outcome in outcomes),
        free_way=sum(outcome.free_way for outcome in outcomes),
    )


def is_broken(outcome: Outcome, cap: float) -> bool:
    """Whether anything touched, was nearer than it may be or faster."""
    verdict = outcome.verdict
    return verdict.contacts + verdict.short > 0 or 0.0 < cap < outcome.fastest


def line(arm: str, cap: float, outcome: Outcome, free: Outcome) -> str:
    """The outcome as text. free: without the guard."""
    verdict: Any = outcome.verdict
    speed = f"{cap:g} m/s" if cap else "no cap"
    text = (
        f"{arm}, {speed}: {verdict.commands} commands, {verdict.contacts} with a contact, "
        f"{verdict.short} more than {TOLERANCE * 1e3:g} mm short of a margin, fastest end "
        f"{outcome.fastest:.3f} m/s; changed {outcome.refused / verdict.commands:.1%}, way of the "
        f"joints {outcome.way / outcome.free_way:.0%} of that without the guard (of whose commands "
        f"{free.verdict.contacts / free.verdict.commands:.0%} have a contact)"
    )
    return "\n  ".join([text, *verdict.examples])
