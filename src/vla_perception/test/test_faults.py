"""The words for what is wrong."""

import pytest

from vla_contract.message_enums import Level
from vla_perception import input_health
from vla_perception.cameras.camera_set import CameraSet
from vla_perception.input_health import NEVER, InputReport


def report(name: str, *, problem="", refusal="", refused=NEVER, age=0.0) -> InputReport:
    return InputReport(name, f"/vla/{name}", problem, refusal, refused, age)


def test_camera_lines_name_the_camera_the_topic_and_the_cause():
    cameras = CameraSet(("front", "side"), 0.5, 2.0, 0.0)
    cameras.image("front", 2.5)
    cameras.check(2.6)
    findings = input_health.camera_findings(
        cameras, [report("front"), report("side", problem="no publisher on /vla/side")], [], 2.6
    )
    assert findings == [
        (Level.WARN, "camera side: no image on /vla/side for 2.6 s; no publisher on /vla/side")
    ]
    cameras.check(4.0)
    findings = input_health.camera_findings(
        cameras, [report("front", refusal="front: bad step", refused=0.1), report("side")],
        ["front"], 4.0,
    )  # fmt: skip
    assert findings[0] == (
        Level.ERROR,
        "camera front: no more images on /vla/front for 1.5 s; what comes is refused: "
        "front: bad step",
    )
    assert findings[-1] == (Level.ERROR, "no camera is left")


@pytest.mark.parametrize(
    ("silence", "startup_left", "level"),
    [(0.1, -1.0, None), (1.0, 1.0, Level.ERROR), (NEVER, 1.0, Level.WARN),
     (NEVER, -1.0, Level.ERROR)],
)  # fmt: skip
def test_robot_state_that_does_not_come(silence, startup_left, level):
    finding = input_health.state_finding(report("joint_states"), silence, 0.5, startup_left)
    assert (finding and finding[0]) == level


def test_robot_state_that_is_refused_is_named():
    refused = report("joint_states", refusal="joint_states: joint a is at nan", refused=0.1)
    assert input_health.state_finding(refused, 0.1, 0.5, 0.0) == (Level.WARN, refused.last_refusal)
    finding = input_health.state_finding(refused, 1.0, 0.5, 0.0)
    assert finding is not None and "refused: joint_states: joint a" in finding[1]


def test_clocks():
    assert input_health.clock_findings(False, NEVER, [report("front", age=0.2)]) == []
    levels = input_health.clock_findings(True, 0.1, [report("front", age=3600.0)])
    assert [level for level, _ in levels] == [Level.ERROR, Level.WARN, Level.WARN]
    assert "stamps of front are 3600.0 s old" in levels[-1][1]
