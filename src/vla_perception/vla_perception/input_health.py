"""What is wrong with the inputs now, in words and levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vla_contract.message_enums import Level
from vla_perception.cameras.camera_set import CameraSet, CameraState

if TYPE_CHECKING:
    from vla_contract.node.fault_publisher import Finding

_NOTHING = {
    CameraState.WAITED_FOR: "no image",
    CameraState.MISSING: "no image",
    CameraState.LIVE: "no image",
    CameraState.DEAD: "no more images",
    CameraState.FAILED: "no good image",
}
RECENT = 1.0  # s; a refused message is a finding for this long
NEVER = float("inf")
OLD = 1.0  # s; a stamp this far behind the clock is not of this clock
OTHER_CLOCK = "its clock must be this node's"


@dataclass(frozen=True)
class InputReport:
    """Of one input. refused: s since the last refused message. age: of the last good one, s."""

    name: str
    topic: str
    problem: str  # why nothing can arrive, as the graph tells
    last_refusal: str
    refused: float
    age: float


def camera_findings(
    cameras: CameraSet,
    reports: Sequence[InputReport],
    required: Sequence[str],
    now: float,
    *,
    holding: bool = False,
) -> list[Finding]:
    """Cameras that give nothing, or rubbish.

    Args:
        reports: of every camera. required: cameras without which the robot holds.
        now: s, as CameraSet's.
        holding: the last good images stand in for what is missing: nothing is an error yet.
    """
    findings: list[Finding] = []
    error = Level.WARN if holding else Level.ERROR
    if holding:
        findings.append((Level.WARN, "no new set of images; the last good one stands in for it"))
    for report in reports:
        state = cameras.state(report.name)
        if state in (CameraState.MISSING, CameraState.DEAD, CameraState.FAILED):
            level = error if report.name in required else Level.WARN
            findings.append((level, camera_line(cameras, report, now)))
        elif report.refused < RECENT:
            findings.append((Level.WARN, f"camera {report.last_refusal}"))
        elif state == CameraState.WAITED_FOR:
            findings.append((Level.WARN, camera_line(cameras, report, now)))
    if not cameras.members:
        findings.append((error, "no camera is left"))
    return findings


def camera_line(cameras: CameraSet, report: InputReport, now: float) -> str:
    """The one clear line about a camera that gives nothing."""
    silence = cameras.silence(report.name, now)
    what = _NOTHING[cameras.state(report.name)]
    line = f"camera {report.name}: {what} on {report.topic} for {silence:.1f} s"
    if report.refused < silence and report.last_refusal:
        return f"{line}; what comes is refused: {report.last_refusal}"
    return f"{line}; {report.problem or 'its publisher is silent'}"


def state_finding(
    report: InputReport, silence: float, timeout: float, startup_left: float
) -> Finding | None:
    """Robot state that does not come, or is refused.

    Args:
        silence: s since the last good message (inf: never).
        startup_left: s that it still has for its first message.
    """
    if silence > timeout:
        level = Level.WARN if silence == NEVER and startup_left > 0.0 else Level.ERROR
        since = "yet" if silence == NEVER else f"for {silence:.1f} s"
        why = report.problem or "nothing usable arrives"
        if report.refused < timeout:
            why = f"refused: {report.last_refusal}"
        return level, f"no {report.name} on {report.topic} {since}; {why}"
    if report.refused < RECENT:
        return Level.WARN, report.last_refusal
    return None


def clock_findings(
    not_started: bool,
    jumped: float,
    reports: Sequence[InputReport],
    overload: Callable[[], str] = lambda: "",
) -> list[Finding]:
    """Clocks that do not fit together.

    Args:
        jumped: s since the node's clock went back (inf: never).
        overload: tells why stamps are old where it has to do with no clock, else an empty text.
    """
    findings: list[Finding] = []
    if not_started:
        findings.append((Level.ERROR, "use_sim_time is set, but nothing has come on /clock"))
    if jumped < RECENT:
        findings.append((Level.WARN, "the clock jumped back; buffers were emptied"))
    for report in reports:
        if report.age > OLD:
            findings.append(
                (
                    Level.WARN,
                    f"stamps of {report.name} are {report.age:.1f} s old at their arrival; "
                    f"{overload() or OTHER_CLOCK}",
                )
            )
    return findings
