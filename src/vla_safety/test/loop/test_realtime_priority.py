import os
import threading

import pytest

from vla_safety.loop.realtime_priority import ORDINARY, Priority


@pytest.fixture
def calls(monkeypatch):
    made = []
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
