"""`vla doctor --axes`: moves each axis a little, and asks whether it moved as the screen says.

While it runs it stands in for the policy node, which is cleaned up and afterwards brought back to
the state in which it was found. Its chunks go through the safety node with every limit in force, at
a tenth of the velocity limit.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_cli.client.graph_client import Graph
from vla_cli.doctor import axis_motion
from vla_cli.doctor.axis_driver import AxisDriver
from vla_cli.doctor.axis_motion import Outcome
from vla_contract.action_space import Dimension

SHARE = 0.1  # of the normal velocity limit


@dataclass(frozen=True)
class AxisReport:
    """One axis: what was told (and how much), what was measured, and what the person said."""

    dimension: Dimension
    told: str
    outcome: Outcome
    seen: bool | None = None

    @property
    def wrong(self) -> bool:
        """True where the measurement or the person says that it is not right."""
        fine = (Outcome.RIGHT, Outcome.NOT_MEASURED)
        return self.seen is False or self.outcome not in fine

    def line(self) -> str:
        """As it is printed."""
        seen = {None: "nobody was asked", True: "seen so", False: "NOT seen so"}[self.seen]
        mark = "wrong" if self.wrong else "ok"
        return (
            f"{self.dimension.name:<14}{mark:<7}told {self.told}; measured: moved "
            f"{self.outcome.value}; {seen}"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `vla doctor --axes`."""
    group = parser.add_argument_group("axes of a robot")
    group.add_argument(
        "--axes", action="store_true", help="move each axis of the running robot a little, and ask"
    )
    group.add_argument("--yes", action="store_true", help="ask nothing (simulator and tests)")
    group.add_argument(
        "--seconds", type=float, default=1.0, help="time of each motion (default: 1)"
    )
    group.add_argument("--action-space", metavar="FILE", help="instead of the safety node's own")
    options.add_namespace(group)


def run(chosen: argparse.Namespace, ask: Callable[[str], str] = input) -> int:
    """0: every axis moved as it was told; 1: one did not.

    Raises:
        CommandError: there is no robot that may move.
    """
    if not 0.1 <= chosen.seconds <= 5.0:
        raise CommandError(f"--seconds is {chosen.seconds:g}; accepted: 0.1 to 5")
    raise_on_signals()
    with Graph(chosen.namespace) as graph:
        driver = AxisDriver(graph, chosen.action_space)
        driver.check_ready()
        with driver.in_place_of_policy():
            question = None if chosen.yes else ask
            reports = [
                report
                for dimension in driver.space.dimensions
                if (report := examine(driver, dimension, chosen.seconds, question)) is not None
            ]
    return summary(reports)


def examine(
    driver: AxisDriver, dimension: Dimension, seconds: float, ask: Callable[[str], str] | None
) -> AxisReport | None:
    """Move one axis there and back; None where the person does not want it."""
    sign = driver.direction(dimension)
    speed = SHARE * dimension.normal.velocity
    told = axis_motion.told(dimension, sign)
    size = axis_motion.amount(dimension, speed * seconds)
    if ask and not _yes(ask, f"{dimension.name}: move about {size} {told}?"):
        print(f"{dimension.name:<14}left out")
        return None
    expected, measured, index = driver.move(dimension, sign * speed, seconds)
    report = AxisReport(dimension, told, axis_motion.judge(expected, measured, index))
    if ask:
        seen = _yes(ask, f"{dimension.name}: did the robot move {told}?")
        report = AxisReport(dimension, told, report.outcome, seen)
    print(report.line(), flush=True)
    # An axis that is wrong may have moved anywhere: it is not sent back.
    if not report.wrong:
        driver.move(dimension, -sign * speed, seconds)
    return report


def summary(reports: list[AxisReport]) -> int:
    """Print what to do; the exit status."""
    wrong = [report.dimension.name for report in reports if report.wrong]
    unmeasured = [r.dimension.name for r in reports if r.outcome is Outcome.NOT_MEASURED]
    if unmeasured:
        print(f"nothing measures {', '.join(unmeasured)}")
    if not reports:
        print("no axis was moved")
        return 1
    if not wrong:
        print(f"{len(reports) - len(unmeasured)} measured axes move as they are told")
        return 0
    print(
        f"wrong: {', '.join(wrong)}; keep the robot in shadow and mend sign, frame, field or unit "
        "in the action space or in the driver, then run this again"
    )
    return 1


def _yes(ask: Callable[[str], str], question: str) -> bool:
    while True:
        try:
            answer = ask(f"{question} [y/n] ").strip().lower()
        except EOFError as error:
            raise CommandError("nobody answers; --yes asks nothing (simulator only)") from error
        if answer in ("y", "yes", "n", "no"):
            return answer.startswith("y")


def main(arguments: list[str]) -> int:
    """As `vla doctor --axes`, alone."""
    parser = options.parser("doctor", "Move each axis a little, and ask.")
    add_arguments(parser)
    return run(parser.parse_args([*arguments, "--axes"]))
