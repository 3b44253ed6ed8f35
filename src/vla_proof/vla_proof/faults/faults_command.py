"""`vla prove faults`: every fault, played on the running graph from outside."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vla_cli.client import options, paths
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_cli.client.graph_client import stay_on_this_machine, use_profile
from vla_proof.faults import fault_report
from vla_proof.faults.fault_rig import FASTER_RECOVERY, Rig, Settings
from vla_proof.faults.fault_scenario import Outcome, Repeat, Scenario, play
from vla_proof.faults.scenarios import (
    camera_faults,
    chunk_faults,
    clock_faults,
    console_faults,
    disk_faults,
    input_faults,
    node_faults,
    person_faults,
    server_faults,
)

REPEATS = 10


def scenarios() -> list[Scenario]:
    """All of them, in the order in which they are played."""
    parts = (
        node_faults, camera_faults, input_faults, disk_faults, chunk_faults, clock_faults,
        person_faults, console_faults, server_faults,
    )  # fmt: skip
    return [scenario for part in parts for scenario in part.scenarios()]


def main(arguments: list[str]) -> int:
    """0: every repeat of every scenario went as designed; 1: one did not."""
    chosen = _parser().parse_args(arguments)
    if chosen.list:
        print("\n".join(f"{each.name:<26}{each.what}" for each in scenarios()))
        return 0
    wanted = _wanted(chosen.scenario)
    raise_on_signals()
    stay_on_this_machine()
    use_profile()
    out = paths.output_folder(chosen.out)
    begin = time.monotonic()
    outcomes, content = run(wanted, chosen.repeats, out)
    print("\n".join(fault_report.text(content["scenarios"])))
    print(f"{sum(len(o.repeats) for o in outcomes)} repeats in {time.monotonic() - begin:.0f} s")
    _write(content, out, chosen.docs)
    return int(any(outcome.problems for outcome in outcomes))


def _parser() -> Any:
    parser = options.parser("prove faults", __doc__.split("\n")[0])
    parser.add_argument(
        "--scenario", nargs="+", default=[], metavar="NAME", help="only these (default: all)"
    )
    parser.add_argument(
        "--repeats",
        type=options.at_least(1, "repeats"),
        default=REPEATS,
        help="of each; default 10",
    )
    parser.add_argument("--out", help="folder for fault_injection.json and logs (default: out)")
    parser.add_argument(
        "--docs", help="also write the table as this Markdown file, and its JSON beside it"
    )
    parser.add_argument("--list", action="store_true", help="name the scenarios, play none")
    return parser


def _wanted(names: list[str]) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in scenarios()}
    for name in names:
        if name not in known:
            raise CommandError(f"no scenario {name!r}; accepted: {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


def run(
    wanted: Iterable[Scenario], repeats: int, out: Path
) -> tuple[list[Outcome], dict[str, Any]]:
    """Play the scenarios, each rig once; returns the outcomes, and all of it for JSON."""
    wanted = list(wanted)
    outcomes: list[Outcome] = []
    notes: dict[str, str] = {}
    about: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_scheduling()}",
        "repeats": repeats,
        "recovery": FASTER_RECOVERY,
    }
    for settings in dict.fromkeys(scenario.settings for scenario in wanted):
        group = [scenario for scenario in wanted if scenario.settings == settings]
        with Stage(settings, out / f"faults_{len(outcomes)}.log") as stage:
            for scenario in group:
                outcomes.append(_repeated(stage, scenario, repeats))
            space = stage.rig.space  # the same for all groups
            about.update(period=space.period, braking_time=space.braking_time)
            notes.update(stage.rig.notes)
    rows = [fault_report.row(o, space.period, o.scenario.braking(space)) for o in outcomes]
    return outcomes, {"about": about, "notes": notes, "scenarios": rows}


class Stage:
    """The rig of a group of scenarios; a new one after a repeat that the graph did not get over."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings, self._log = settings, log
        self.rig = Rig(settings, log)

    def __enter__(self) -> Stage:
        """Ready, and moving."""
        try:
            self.rig.wait_until_ready()
        except BaseException:
            self.rig.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End everything."""
        self.rig.close()

    def renew(self) -> None:
        """Start afresh; the log of what went wrong is kept."""
        self.rig.close()
        kept = self._log.with_suffix(f".{time.strftime('%H%M%S')}.log")
        self._log.rename(kept)
        self.rig = Rig(self._settings, self._log)
        self.rig.wait_until_ready()


def _repeated(stage: Stage, scenario: Scenario, repeats: int) -> Outcome:
    outcome = Outcome(scenario, not_run=scenario.unavailable())
    if outcome.not_run:
        print(f"{scenario.name}: not run: {outcome.not_run}", file=sys.stderr, flush=True)
        return outcome
    for number in range(1, repeats + 1):
        try:
            repeat = play(stage.rig, scenario)
        except CommandError as error:
            repeat = Repeat(problems=(str(error),), lost=True)
        outcome.repeats.append(repeat)
        print(_progress(scenario, number, repeat), file=sys.stderr, flush=True)
        if repeat.lost:
            stage.renew()
    return outcome


def _scheduling() -> str:
    """What else the machine did, and whether that could delay the processes under test."""
    real_time = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
    priority = "all processes at real-time priority" if real_time else "ordinary priority"
    return f"load {os.getloadavg()[0]:.1f} at the start, {priority}"


def _progress(scenario: Scenario, number: int, repeat: Repeat) -> str:
    said = "; ".join(repeat.problems) or "as designed"
    times = f"reaction {repeat.reaction.reaction * 1e3:.0f} ms, " if repeat.cause else ""
    return f"{scenario.name} {number}: {times}recovered in {repeat.recovery:.1f} s: {said}" + (
        f" [{repeat.cause}]" if repeat.cause else ""
    )


def _write(content: dict[str, Any], out: Path, docs: str | None) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    files = {out / "fault_injection.json": text}
    if docs:
        files[Path(docs)] = fault_report.markdown(content)
        files[Path(docs).with_suffix(".json")] = text
    for file, written in files.items():
        file.write_text(written)
        print(f"written: {file}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
