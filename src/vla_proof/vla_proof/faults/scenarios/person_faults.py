"""Scenarios: a person who comes near or touches the robot, and the sensors that tell of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from vla_proof.faults.fault_rig import Rig, Settings
from vla_proof.faults.fault_scenario import Injected, Scenario
from vla_proof.faults.pretended.pretended_robot import FAR

SETTINGS = Settings(person=True)
NEAR = 0.6  # m from the base: less than the emergency brake needs beside a person who walks
PUSH = 60.0  # N


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        _event("person_near", "somebody stands before the base all at once", person=NEAR),
        _silent("people_lost", "the detector of people is silent", "people"),
        _lost("people_nan", "people at places that are not finite", "people", person=math.nan),
        _event("contact", "a push of 60 N, where 20 N are accepted", push=PUSH),
        _silent("wrench_lost", "the force sensor is silent", "wrench"),
        _lost("wrench_nan", "forces that are not finite", "wrench", push=math.nan),
    ]


def _event(name: str, what: str, **order: float) -> Scenario:
    def inject(rig: Rig) -> Injected:
        answer = rig.robot.order(**order)
        return Injected(answer["at"], last_valid=answer["stamp"])

    expected = "HOLD at once; goes on by itself when it is over"
    return _scenario(name, what, expected, inject, lambda rig: 0.0)


def _silent(name: str, what: str, sensor: str) -> Scenario:
    return _lost(name, what, sensor, stream={sensor: False})


def _lost(name: str, what: str, sensor: str, **order: object) -> Scenario:
    def inject(rig: Rig) -> Injected:
        answer = rig.robot.order(**order)
        return Injected(answer["at"], last_valid=answer["last"][sensor])

    expected = "HOLD at the input's timeout; goes on by itself"
    return _scenario(name, what, expected, inject, lambda rig: float(rig.safety["input_timeout"]))


def _scenario(
    name: str,
    what: str,
    expected: str,
    inject: Callable[[Rig], Injected],
    timeout: Callable[[Rig], float],
) -> Scenario:
    return Scenario(
        name=name,
        what=what,
        expected=expected,
        inject=inject,
        clear=_away,
        timeout=timeout,
        settings=SETTINGS,
    )


def _away(rig: Rig) -> None:
    """Nobody is near, and every sensor works."""
    rig.robot.order(stream={"people": True, "wrench": True}, person=FAR, push=0.0)
