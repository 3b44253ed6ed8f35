import threading

import pytest

from vla_contract.node_testing import wait_until
from vla_safety.node.newest_worker import NewestWorker


def collected(worker, count):
    found = []

    def all_there():
        found.extend(worker.collect())
        return len(found) >= count

    wait_until(all_there, 10.0)
    return found


def test_only_the_newest_of_a_source_is_worked_on_and_nothing_waits_for_it():
    begun, go_on = threading.Event(), threading.Event()

    def work(item):
        begun.set()
        assert go_on.wait(10.0)
        return item

    worker = NewestWorker(work, "test")
    worker.submit("a", 1)
    assert begun.wait(10.0)
    worker.submit("a", 2)
    worker.submit("b", 3)
    worker.submit("a", 4)
    assert worker.collect() == []
    go_on.set()
    wait_until(lambda: not worker._waiting, 10.0)
    assert {3, 4} <= set(collected(worker, 2)) <= {1, 3, 4}
    worker.close()
    assert not worker._thread.is_alive()


def test_results_that_nobody_collects_do_not_pile_up():
    worker = NewestWorker(lambda item: item, "test")
    for item in range(100):
        worker.submit("a", item)
        wait_until(lambda item=item: worker._done.get("a") == item, 10.0)
    assert worker.collect() == [99] and worker.collect() == []
    worker.close()


def test_what_the_work_raises_is_raised_where_it_is_collected():
    def work(item):
        raise ZeroDivisionError(item)

    worker = NewestWorker(work, "test")
    worker.submit("a", "broken")
    with pytest.raises(ZeroDivisionError, match="broken"):
        collected(worker, 1)
    assert worker.collect() == []
    worker.close()
