"""Scenarios: what a camera can do to the graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from vla_proof.faults.fault_rig import Child, Rig
from vla_proof.faults.fault_scenario import Injected, Recovery, Scenario
from vla_proof.faults.pretended.camera_streams import CameraMode
from vla_proof.faults.pretended.pretended_robot import IMAGE_RATE

AGE = "HOLD when the last good observation gets too old; goes on by itself"


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        _scenario(CameraMode.UNPLUGGED, "the camera's publisher is gone", AGE),
        _scenario(CameraMode.FROZEN, "one picture for ever, with new stamps", _FROZEN, frozen),
        _scenario(CameraMode.BLACK, "black pictures", AGE),
        _scenario(CameraMode.HALF, "the lower half of each picture never came", AGE),
        _scenario(CameraMode.TRUNCATED, "half of the bytes that the message announces", AGE),
        _scenario(CameraMode.DELAYED, "pictures 5 s late, with their own stamps", AGE),
        Scenario(
            name="camera_flood",
            what="1000 pictures a second",
            expected="Nothing hangs and nothing is out of limits; the robot may go on",
            inject=_flood,
            clear=_end_flood,
            lasting=3.0,
            judge=_reached,
        ),
    ]


_FROZEN = (
    "HOLD at the first picture after frozen_timeout (so a frame later than that); goes on by itself"
)


def observation_age(rig: Rig) -> float:
    """Greatest age of an observation that is acted on, s."""
    return float(rig.safety["chunk_timeout"])


def frozen(rig: Rig) -> float:
    """Time for which a camera's pictures may stay the same, and the next picture after it, s."""
    return rig.camera("frozen_timeout") + 1.0 / IMAGE_RATE


def _scenario(
    mode: CameraMode,
    what: str,
    expected: str,
    timeout: Callable[[Rig], float] = observation_age,
) -> Scenario:
    return Scenario(
        name=f"camera_{mode.value}",
        what=what,
        expected=expected,
        inject=_inject(mode),
        clear=_good,
        timeout=timeout,
        recovery=Recovery.ITSELF,
    )


def _inject(mode: CameraMode) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        answer = rig.robot.order(camera=mode.value)
        return Injected(answer["at"], last_valid=answer["last"]["image"])

    return inject


def _good(rig: Rig) -> None:
    rig.robot.order(camera=CameraMode.GOOD.value)


def _flood(rig: Rig) -> Injected:
    flood = Child(
        rig.domain, rig.log.with_suffix(".flood.log"), "vla_proof.faults.pretended.camera_flood"
    )
    rig.scratch.flood, rig.scratch.flood_began = flood, flood.tell("")
    return Injected(time.monotonic_ns())


def _end_flood(rig: Rig) -> None:
    assert rig.scratch.flood is not None
    rig.scratch.flood_ended = rig.scratch.flood.tell("")
    rig.scratch.flood.stop()


def _reached(rig: Rig, injected: Injected) -> Iterator[str]:
    """The flood was one: at least half of the images that were meant to be sent."""
    began, ended = rig.scratch.flood_began, rig.scratch.flood_ended
    rate = (ended["images"] - began["images"]) / ((ended["at"] - began["at"]) * 1e-9)
    rig.notes["camera_flood"] = f"{rate:.0f} images a second were sent in the last repeat"
    if rate < 500.0:
        yield f"only {rate:.0f} images a second could be sent"
