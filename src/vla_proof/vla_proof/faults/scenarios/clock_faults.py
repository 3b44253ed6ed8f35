"""Scenarios: what the ROS clock can do. The pretended robot publishes /clock."""

from __future__ import annotations

from collections.abc import Callable

from vla_proof.faults.fault_rig import Rig, Settings
from vla_proof.faults.fault_scenario import Injected, Recovery, Scenario

SETTINGS = Settings(sim_time=True)


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        Scenario(
            name="clock_back",
            what="the ROS clock jumps back by 10 s",
            expected="HOLD at once, buffers emptied; a new command",
            inject=_jump(-10.0),
            clear=_nothing,
            timeout=lambda rig: 0.0,
            recovery=Recovery.COMMAND,
            settings=SETTINGS,
        ),
        Scenario(
            name="clock_forth",
            what="the ROS clock jumps forth by 10 s",
            expected="HOLD at once; a new command",
            inject=_jump(10.0),
            clear=_nothing,
            timeout=lambda rig: 0.0,
            recovery=Recovery.COMMAND,
            settings=SETTINGS,
        ),
        Scenario(
            name="clock_stands",
            what="the ROS clock stands still",
            expected="HOLD at the clock's timeout; goes on by itself",
            inject=_jump(None),
            clear=lambda rig: rig.robot.order(clock=0.0),
            timeout=lambda rig: float(rig.safety["clock_timeout"]),
            settings=SETTINGS,
        ),
    ]


def _jump(seconds: float | None) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        at = rig.robot.order(clock=seconds)["at"]
        return Injected(at, last_valid=at, steady=True)

    return inject


def _nothing(rig: Rig) -> None:
    """The jump was all."""
