import os
import threading

import pytest

from vla_safety.loop import realtime_priority
from vla_safety.loop.realtime_priority import ORDINARY, Priority, foreign_threads


@pytest.fixture
def calls(monkeypatch):
    made = []
    monkeypatch.setattr(realtime_priority, "foreign_threads", list)
    monkeypatch.setattr(os, "sched_setscheduler", lambda *call: made.append(call), raising=False)
    return made


def test_it_is_taken_once_and_given_back(calls):
    before = os.sched_getscheduler(0)
    priority = Priority()
    for _ in range(2):
        priority.acquire(50)
    assert priority.how == "real-time priority 50"
    ((pid, mode, parameter),) = calls
    assert (pid, mode & os.SCHED_FIFO, parameter.sched_priority) == (0, os.SCHED_FIFO, 50)
    priority.release()
    priority.release()
    assert calls[1][:2] == (0, before) and len(calls) == 2
    assert priority.how == ORDINARY


def test_the_middlewares_threads_get_the_lowest_one(calls, monkeypatch):
    monkeypatch.setattr(realtime_priority, "foreign_threads", lambda: [11, 12])
    priority = Priority()
    priority.acquire(50)
    priority.release()
    told = [(thread, policy, parameter.sched_priority) for thread, policy, parameter in calls]
    assert told[1:3] == [(11, os.SCHED_RR, 1), (12, os.SCHED_RR, 1)]
    assert told[4:] == [(11, os.SCHED_OTHER, 0), (12, os.SCHED_OTHER, 0)]


def test_pythons_own_threads_are_not_the_middlewares():
    ended = threading.Event()
    own = threading.Thread(target=ended.wait)
    own.start()
    try:
        assert not {own.native_id, threading.get_native_id()} & set(foreign_threads())
    finally:
        ended.set()
        own.join()


def test_none_is_taken_where_none_is_wanted(calls):
    priority = Priority()
    priority.acquire(0)
    priority.release()
    assert calls == [] and priority.how == ORDINARY


def test_a_refusal_is_told(monkeypatch):
    def refuse(*call):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    priority = Priority()
    priority.acquire(50)
    assert priority.how == "ordinary: real-time priority 50 refused: Operation not permitted"


def test_elsewhere_there_is_none(monkeypatch):
    monkeypatch.delattr(os, "sched_setscheduler")
    priority = Priority()
    priority.acquire(50)
    assert "operating system" in priority.how


def test_threads_of_the_thread_are_ordinary():
    """Takes it really, in a thread of its own, where that is permitted."""
    found = []

    def run():
        priority = Priority()
        priority.acquire(1)
        found.append(priority.how)
        found.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        inner = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        inner.start()
        inner.join()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "refused" in found[0]:
        pytest.skip("no right to real-time priorities here")
    assert found[1:] == [os.SCHED_FIFO, os.SCHED_OTHER]
