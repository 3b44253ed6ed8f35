"""The table of the fault injection: terminal, JSON, and docs/fault_injection.md made from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from vla_proof.faults.fault_scenario import Outcome

HEAD = ("scenario", "repeats", "passed", "median [ms]", "worst [ms]", "allowed [ms]",
        "brake, worst [ms]", "recovered, worst [s]")  # fmt: skip


def row(outcome: Outcome, period: float, braking_time: float) -> dict[str, Any]:
    """One scenario for JSON; times in s, None where there is none."""
    repeats = outcome.repeats
    reactions = _finite(r.reaction.reaction for r in repeats)
    braking = _finite(r.reaction.braking for r in repeats)
    recoveries = _finite(r.recovery for r in repeats)
    timeouts = _finite(r.reaction.timeout for r in repeats)
    return {
        "name": outcome.scenario.name,
        "what": outcome.scenario.what,
        "expected": outcome.scenario.expected,
        "recovery": outcome.scenario.recovery.value,
        "not_run": outcome.not_run,
        "repeats": len(repeats),
        "passed": sum(not r.problems for r in repeats),
        "reaction_median": statistics.median(reactions) if reactions else None,
        "reaction_worst": max(reactions, default=None),
        "reactions": reactions,
        "timeout": max(timeouts, default=None),
        "allowed": max(timeouts) + 2 * period if timeouts else None,
        "braking_worst": max(braking, default=None),
        "braking_time": braking_time,
        "recovery_median": statistics.median(recoveries) if recoveries else None,
        "recovery_worst": max(recoveries, default=None),
        "causes": sorted({r.cause for r in repeats if r.cause}),
        "problems": outcome.problems,
    }


def _finite(values: Any) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    if row["not_run"]:
        return [row["name"], "not run", "", "", "", "", "", ""]
    return [
        row["name"],
        str(row["repeats"]),
        str(row["passed"]),
        _ms(row["reaction_median"]),
        _ms(row["reaction_worst"]),
        _ms(row["allowed"]),
        _ms(row["braking_worst"]),
        "–" if row["recovery_worst"] is None else f"{row['recovery_worst']:.1f}",
    ]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value * 1e3:.0f}"


def text(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table for a terminal, and every problem below it."""
    table = [list(HEAD), *(cells(each) for each in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    for each in rows:
        counted = {p: each["problems"].count(p) for p in each["problems"]}
        lines += [f"{each['name']}: {p}" + (f" (×{n})" if n > 1 else "")
                  for p, n in counted.items()]  # fmt: skip
        if each["not_run"]:
            lines.append(f"{each['name']}: not run: {each['not_run']}")
    return lines


_METHOD = """# Fault injection on the running graph

Made by `./vla prove faults --docs docs/fault_injection.md`; do not edit. {when}; {machine}.

The robot's launch file runs perception, a policy of constant speed and safety as processes. A
fourth process pretends to be the robot (camera, wheels with a driver's watchdog, odometry, joint
states, scan, emergency stop), and each of its streams can be spoilt while everything runs. A fifth
plays the faults while the robot drives a circle at 0.3 m/s, and records the commands on the robot's
own topic and every `SafeAction`. {repeats} repeats of each scenario, where its row says nothing
else. Two things differ from the shipped configuration, both for the sake of repeating: the recovery
times are {recovery} s, and faults that recur do not escalate to STOPPED.

**Reaction** is the time from the last valid input to the first decelerating command; allowed are
the input's timeout and two control periods of {period:.0f} ms. The bound has no other slack.

- Both ends are stamps of one machine's clock: of the input as its source sent it, of the command as
  `SafeAction.header.stamp` has it. The way of the input to the safety node, about 1 ms, counts
  against the node. Commands leave once in a control period, so a reaction is known to 20 ms.
- For a camera, perception and policy the last valid input is the last good image, by its stamp.
- In the scenarios of the clock, where stamps jump, both ends are of the steady clock, and the
  command counts when the recorder gets it: later than it was sent, never earlier.
- A second publisher counts from the moment at which it has found a reader, before which it can do
  nothing. A second safety node counts from its publisher's appearance in the recorder's view of the
  graph. Safety may know of either a moment earlier, which makes the reaction negative.
- `camera_frozen`: that a picture repeats shows with the next one, so one camera period of 50 ms
  belongs to its timeout.
- A policy server has no local policy beside it (`fallback_checkpoint`), which would go on instead.
- Without safety nobody is there to decelerate but the driver: for `kill_safety` and `stop_safety`
  it is the pretended driver's watchdog that is measured, by its odometry of 50 Hz. What these two
  show of the graph is what comes after.

**The brake** is counted in control periods from that command to the first one at rest; allowed are
the {braking:.0f} ms of the action space, and what the normal limits need for a policy server's bad
answers, which are no emergency.

**In every repeat** velocity, acceleration, deceleration and jerk of all commands are recomputed by
finite differences, by the same independent oracle as in the property tests, and judged by the limit
set in force; every message on the robot's topic is accounted for by a `SafeAction`; the robot stays
at rest while the fault lasts; afterwards every node answers a service and publishes, and the robot
goes on in the way that the last column says.
"""


def markdown(content: dict[str, Any]) -> str:
    """docs/fault_injection.md."""
    rows = content["scenarios"]
    words = content["about"]
    head = _METHOD.format(
        when=words["date"],
        machine=words["machine"],
        repeats=words["repeats"],
        recovery=words["recovery"],
        period=words["period"] * 1e3,
        braking=words["braking_time"] * 1e3,
    )
    names = [*HEAD, "what is done", "what is expected"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for each in rows:
        lines.append("| " + " | ".join([*cells(each), each["what"], each["expected"]]) + " |")
    notes = [f"- {each['name']}: {note}" for each in rows for note in each["problems"][:3]]
    notes += [f"- {r['name']}: not run: {r['not_run']}" for r in rows if r["not_run"]]
    notes += [f"- {name}: {note}" for name, note in content["notes"].items()]
    return "\n".join([head, *lines, "", *(["Notes:", "", *notes, ""] if notes else [])])
