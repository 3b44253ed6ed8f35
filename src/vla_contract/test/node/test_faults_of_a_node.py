"""Levels of faults: published on change, repeated as a heartbeat, logged."""

from vla_contract.message_enums import FaultKind, Level
from vla_contract.node.fault_publisher import LOG_PERIOD, FaultLevel, FaultPublisher

WARN, ERROR = Level.WARN, Level.ERROR
KINDS = (FaultKind.VISION, FaultKind.CLOCK)
START = 1_500_000_000  # ns


class Logger:
    def __init__(self):
        self.lines = []

    def __getattr__(self, level):
        return lambda text: self.lines.append((level, text))


def made(**options):
    sent, logger = [], Logger()
    options.setdefault("startup", 0.0)
    return sent, logger.lines, FaultPublisher("perception", KINDS, sent.append, logger, **options)


def test_what_has_not_been_right_since_the_start_is_published_and_logged_when_the_start_is_over(
    monkeypatch,
):
    clock = [100.0]  # s
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    sent, lines, faults = made(startup=10.0)
    faults.update({kind: [(ERROR, "nothing yet")] for kind in KINDS}, START)
    assert [(m.kind, m.level) for m in sent] == [(0, 2), (5, 2)]
    faults.update({FaultKind.VISION: []}, START)
    assert (sent[-1].kind, sent[-1].level) == (0, 0) and lines == []
    faults.update({FaultKind.VISION: [(WARN, "again")]}, START)  # it was right once
    assert lines == [("warning", "vision fault: again")]
    clock[0] += 9.9
    faults.update({FaultKind.CLOCK: [(ERROR, "nothing yet")]}, START)
    assert len(lines) == 1
    clock[0] += 0.2
    faults.update({FaultKind.CLOCK: [(ERROR, "nothing yet")]}, START)
    assert lines[1:] == [("error", "clock fault: nothing yet")]
    faults.update({FaultKind.CLOCK: []}, START)
    assert lines[2:] == [("info", "clock fault is over")]


def test_the_worst_counts_all_are_named_and_the_time_is_of_the_change():
    sent, _, faults = made()
    faults.update({FaultKind.VISION: []}, 5)
    assert sent == []
    faults.update({FaultKind.VISION: [(WARN, "a"), (ERROR, "b"), (Level.OK, "fine")]}, START)
    faults.update({FaultKind.VISION: [(ERROR, "c")]}, 2 * START)
    assert faults.level(FaultKind.VISION) == FaultLevel(ERROR, "c", START) == faults.worst()
    faults.update({FaultKind.VISION: []}, 3 * START)
    assert [(m.source, m.kind, m.level, m.message) for m in sent] == [
        ("perception", 0, 2, "b; a"),
        ("perception", 0, 0, ""),
    ]
    first = sent[0]
    assert (first.since.sec, first.since.nanosec) == (1, 500_000_000)
    assert (first.header.stamp.sec, first.header.stamp.nanosec) == (1, 500_000_000)
    assert (sent[1].since.sec, sent[1].header.stamp.sec) == (4, 4)


def test_the_heartbeat_tells_every_kind_and_counts_errors_in_a_row():
    sent, _, faults = made()
    faults.repeat(START)
    assert [(m.kind, m.level) for m in sent] == [(0, 0), (5, 0)]
    faults.update({FaultKind.CLOCK: [(WARN, "a")]}, START)
    faults.repeat(START)
    assert faults.errors_in_a_row == 0
    faults.update({FaultKind.CLOCK: [(ERROR, "a")]}, START)
    faults.repeat(START)
    faults.repeat(2 * START)
    assert faults.errors_in_a_row == 2
    assert (sent[-1].kind, sent[-1].level, sent[-1].header.stamp.sec) == (5, 2, 3)
    assert sent[-1].since.sec == 1
    faults.update({FaultKind.CLOCK: []}, START)
    faults.repeat(START)
    assert faults.errors_in_a_row == 0


def test_changes_are_logged_and_of_some_kinds_only():
    _, lines, faults = made(logged=(FaultKind.CLOCK,))
    for level in (WARN, ERROR):
        faults.update({kind: [(level, "why")] for kind in KINDS}, START)
    faults.update({kind: [] for kind in KINDS}, START)
    assert lines == [
        ("warning", "clock fault: why"),
        ("error", "clock fault: why"),
        ("info", "clock fault is over"),
    ]


def test_another_cause_at_the_same_level_is_published_and_logged_once_in_a_while():
    sent, lines, faults = made(follow_text=True)
    for i, now in enumerate((START, START + 1, START + LOG_PERIOD, START + LOG_PERIOD + 1)):
        faults.update({FaultKind.VISION: [(ERROR, f"cause {i}")]}, now)
    faults.update({FaultKind.VISION: [(ERROR, "cause 3")]}, START + 3 * LOG_PERIOD)
    assert [m.message for m in sent] == ["cause 0", "cause 1", "cause 2", "cause 3"]
    assert [text for _, text in lines] == ["vision fault: cause 0", "vision fault: cause 2"]
    assert faults.level(FaultKind.VISION).since == START
