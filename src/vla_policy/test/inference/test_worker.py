import threading

import pytest

from vla_policy.inference.worker import Worker

TIMEOUT = 10.0


class Work:
    """Work that waits until the test lets it go on; "bad" items raise."""

    def __init__(self, **options):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self.delivered = []
        self.failures = []
        self.worker = Worker(self.work, self.deliver, self.failed, **options)
        self.worker.start()

    def work(self, item):
        self.begun.release()
        assert self.go_on.acquire(timeout=TIMEOUT)
        if item == "bad":
            raise ValueError(item)
        return f"{item}!"

    def deliver(self, item, result):
        self.delivered.append((item, result))
        self.ended.release()

    def failed(self, item, error):
        self.failures.append((item, str(error)))
        self.ended.release()


@pytest.fixture
def make():
    made = []

    def make(**options):
        made.append(Work(**options))
        return made[-1]

    yield make
    for work in made:
        work.go_on.release(1000)
        assert work.worker.stop(TIMEOUT)


def test_only_the_newest_waiting_item_is_worked_on(make):
    work = make()
    work.worker.submit(0)
    assert work.begun.acquire(timeout=TIMEOUT)
    for item in (1, 2, 3):
        work.worker.submit(item)
    work.go_on.release(2)
    for _ in range(2):
        assert work.ended.acquire(timeout=TIMEOUT)
    assert work.delivered == [(0, "0!"), (3, "3!")]
    assert work.worker.replaced == 2


def test_every_item_in_order_when_all_are_kept(make):
    work = make(keep_all=True)
    for item in range(200):
        work.worker.submit(item)
    work.go_on.release(200)
    for _ in range(200):
        assert work.ended.acquire(timeout=TIMEOUT)
    assert [item for item, _ in work.delivered] == list(range(200))
    assert work.worker.replaced == 0


def test_a_failure_is_reported_and_work_goes_on(make):
    work = make(keep_all=True)
    work.go_on.release(2)
    work.worker.submit("bad")
    work.worker.submit("good")
    for _ in range(2):
        assert work.ended.acquire(timeout=TIMEOUT)
    assert work.failures == [("bad", "bad")]
    assert work.delivered == [("good", "good!")]


def test_busy_for_tells_the_running_item_only(make):
    now = [5.0]
    work = make(clock=lambda: now[0])
    assert work.worker.busy_for() == 0.0
    work.worker.submit(0)
    assert work.begun.acquire(timeout=TIMEOUT)
    now[0] = 8.0
    assert work.worker.busy_for() == 3.0


def test_stop_drops_what_waits_and_what_comes_too_late(make):
    work = make()
    work.worker.submit(0)
    assert work.begun.acquire(timeout=TIMEOUT)
    work.worker.submit(1)
    assert not work.worker.stop(0.01)
    work.go_on.release(2)
    assert work.worker.stop(TIMEOUT)
    assert work.delivered == work.failures == []


def test_stop_while_idle(make):
    assert make().worker.stop(TIMEOUT)
