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


def test_while_held_images_stand_in_a_missing_camera_is_no_error_yet():
    cameras = CameraSet(("front",), 0.5, 2.0, 0.0)
    cameras.image("front", 0.1)
    cameras.check(1.0)
    arguments = cameras, [report("front")], ["front"], 1.0
    line = "camera front: no more images on /vla/front for 0.9 s; its publisher is silent"
    assert input_health.camera_findings(*arguments, holding=True) == [
        (Level.WARN, "no new set of images; the last good one stands in for it"),
        (Level.WARN, line),
        (Level.WARN, "no camera is left"),
    ]
    assert input_health.camera_findings(*arguments) == [
        (Level.ERROR, line),
        (Level.ERROR, "no camera is left"),
    ]


def test_a_camera_of_which_single_images_are_refused_is_told_for_a_second():
    cameras = CameraSet(("front",), 0.5, 2.0, 0.0)
    cameras.image("front", 0.1)
    refused = report("front", refusal="front: bad step", refused=0.9)
    expected = [(Level.WARN, "camera front: bad step")]
    assert input_health.camera_findings(cameras, [refused], [], 0.2) == expected
    past = report("front", refusal="front: bad step", refused=input_health.RECENT)
    assert input_health.camera_findings(cameras, [past], [], 0.2) == []


def test_a_camera_that_is_waited_for_is_told_of_with_what_came_of_it():
    cameras = CameraSet(("front",), 0.5, 2.0, 0.0)
    line = "camera front: no image on /vla/front for 1.5 s; "
    findings = input_health.camera_findings(cameras, [report("front")], ["front"], 1.5)
    assert findings == [(Level.WARN, line + "its publisher is silent")]
    without_words = report("front", problem="no publisher", refused=1.2)
    assert input_health.camera_line(cameras, without_words, 1.5) == line + "no publisher"
    before = report("front", problem="no publisher", refusal="bad", refused=1.5)
    assert input_health.camera_line(cameras, before, 1.5) == line + "no publisher"


@pytest.mark.parametrize(
    ("silence", "startup_left", "level"),
    [(0.1, -1.0, None), (1.0, 1.0, Level.ERROR), (NEVER, 1.0, Level.WARN),
     (NEVER, -1.0, Level.ERROR), (NEVER, 0.0, Level.ERROR), (0.5, 1.0, None)],
)  # fmt: skip
def test_robot_state_that_does_not_come(silence, startup_left, level):
    finding = input_health.state_finding(report("joint_states"), silence, 0.5, startup_left)
    assert (finding and finding[0]) == level


def test_robot_state_that_does_not_come_is_told_with_its_time_and_the_reason():
    unpublished = report("joint_states", problem="no publisher")
    assert input_health.state_finding(unpublished, NEVER, 0.5, -1.0) == (
        Level.ERROR,
        "no joint_states on /vla/joint_states yet; no publisher",
    )
    refused_before = report("joint_states", refusal="bad", refused=0.5)
    assert input_health.state_finding(refused_before, 1.25, 0.5, -1.0) == (
        Level.ERROR,
        "no joint_states on /vla/joint_states for 1.2 s; nothing usable arrives",
    )
    assert input_health.state_finding(report("joint_states", refused=1.0), 0.1, 0.5, 0.0) is None


def test_robot_state_that_is_refused_is_named():
    refused = report("joint_states", refusal="joint_states: joint a is at nan", refused=0.1)
    assert input_health.state_finding(refused, 0.1, 0.5, 0.0) == (Level.WARN, refused.last_refusal)
    finding = input_health.state_finding(refused, 1.0, 0.5, 0.0)
    assert finding is not None and "refused: joint_states: joint a" in finding[1]


def test_clocks():
    assert input_health.clock_findings(False, NEVER, [report("front", age=0.2)]) == []
    border = [report("front", age=input_health.OLD)]
    assert input_health.clock_findings(False, input_health.RECENT, border) == []
    levels = input_health.clock_findings(True, 0.1, [report("front", age=3600.0)])
    assert [level for level, _ in levels] == [Level.ERROR, Level.WARN, Level.WARN]
    assert "stamps of front are 3600.0 s old" in levels[-1][1]
