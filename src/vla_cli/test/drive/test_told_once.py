"""What is told again and again is folded; what is new is not."""

import math
from types import SimpleNamespace

from vla_cli.drive.goal_client import FeedbackLines
from vla_cli.drive.told_once import fold


def test_faults_that_come_and_go_are_two_lines():
    rows = [(0.1 * i, f"fault        vision {'warn: 0.3' if i % 2 else 'ok'}") for i in range(100)]
    rows.insert(50, (5.0, "state        hold"))
    folded = fold(rows, ("fault ",))
    assert [text for _, text in folded] == [
        "fault        vision ok  (50 times, the last at +9.80 s)",
        "fault        vision warn: 0.3  (50 times, the last at +9.90 s)",
        "state        hold",
    ]


def test_numbers_alone_are_no_news():
    rows = [(0.0, "fault a 0.52 s old"), (1.0, "fault a 0.54 s old"), (2.0, "fault b"), (3.0, "c")]
    texts = [text for _, text in fold(rows, ("fault ",))]
    assert texts == ["fault a 0.52 s old  (2 times, the last at +1.00 s)", "fault b", "c"]


def test_names_that_differ_in_a_number_are_two():
    rows = [(0.0, "fault camera1 is silent for 0.5 s"), (1.0, "fault camera2 is silent for 0.6 s")]
    assert fold(rows, ("fault ",)) == rows


def feedback(elapsed, state=3, cause="scan is 0.52 s old", limited_by=()):
    return SimpleNamespace(
        elapsed=elapsed, state=state, cause=cause, progress=math.nan, limited_by=list(limited_by)
    )


def test_a_cause_is_told_once():
    lines = FeedbackLines()
    assert lines.next_line(feedback(1.0)) == "   1.0 s  hold  scan is 0.52 s old"
    assert lines.next_line(feedback(1.1, cause="scan is 0.62 s old")) == ""
    assert lines.next_line(feedback(1.2, limited_by=["x"])) == "   1.2 s  hold  limited by x"
    other = feedback(1.3, cause="no chunk", limited_by=["x"])
    assert lines.next_line(other) == "   1.3 s  hold  no chunk  limited by x"
    assert lines.next_line(feedback(1.4)) == "   1.4 s  hold  scan is 0.52 s old"


def test_progress_alone_is_told_once_a_second():
    lines = FeedbackLines()
    told = []
    for tick in range(30):
        now = feedback(0.1 * tick, state=1, cause="")
        now.progress = 0.01 * tick
        told.append(lines.next_line(now))
    assert [tick for tick, line in enumerate(told) if line] == [0, 10, 20]
