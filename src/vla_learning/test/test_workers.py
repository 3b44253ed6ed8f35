"""The same work in this process, in processes, and on a Ray cluster of two nodes that loses one."""

import math
import os
import time
from collections import deque
from fractions import Fraction
from operator import mul
from pathlib import Path

import pytest

from vla_learning.evaluate.closed_loop import EvaluationSettings, evaluate
from vla_learning.workers import ONE_PROCESS, Workers, WorkersError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("workers", [ONE_PROCESS, Workers(jobs=2)], ids=["one", "processes"])
def test_results_come_in_order_and_errors_as_they_were_raised(workers):
    with workers.open() as pool:
        assert list(pool.ordered((mul, n, n) for n in range(9))) == [n * n for n in range(9)]
        with pytest.raises(ValueError, match="cannot convert"):
            list(pool.ordered([(Fraction, 2.0), (Fraction, math.nan), (Fraction, 3.0)]))


def test_in_one_process_nothing_is_done_before_it_is_asked_for():
    done = []
    with ONE_PROCESS.open() as pool:
        results = pool.ordered((done.append, n) for n in range(5))
        next(results)
        assert done == [0]


@pytest.mark.parametrize("workers", [ONE_PROCESS, Workers(jobs=2)], ids=["one", "processes"])
def test_what_a_result_adds_is_done_too(workers):
    tasks, found = deque([(8, (mul, 8, 8))]), {}
    with workers.open() as pool:
        for key, result in pool.as_completed(tasks):
            found[key] = result
            if key > 1:
                tasks.extend((part, (mul, part, part)) for part in (key // 2, key // 4))
    assert found == {8: 64, 4: 16, 2: 4, 1: 1, 0: 0}


def test_a_cluster_that_is_not_there_is_one_line():
    pytest.importorskip("ray")
    workers = Workers(ray="127.0.0.1:1")
    with pytest.raises(WorkersError, match="no Ray cluster at 127.0.0.1:1: .*accepted") as error:
        list(evaluate(Path("none"), EvaluationSettings(), [], workers))
    assert "\n" not in str(error.value)


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes on this machine, of two workers each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    made.second = made.add_node(num_cpus=2)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def attempt(ledger, number, seconds):
    """Leaves a line when it begins and when it has finished; the third one's first worker dies."""
    begun = ledger / f"{number}.begun"
    first = not begun.exists()
    with begun.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if number == 3 and first:
        os._exit(1)
    time.sleep(seconds)
    return number, os.getpid()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_and_a_node_that_die_lose_nothing_and_count_nothing_twice(cluster, tmp_path):
    """The node is taken away while it works; what it had not finished is done again elsewhere."""
    with Workers(ray=cluster.address).open() as pool:
        numbers = []
        for number, _ in pool.ordered((attempt, tmp_path, n, 0.3) for n in range(16)):
            numbers.append(number)
            if number == 4:
                cluster.remove_node(cluster.second, allow_graceful=False)
    assert numbers == list(range(16))
    tries = {n: len((tmp_path / f"{n}.begun").read_text().splitlines()) for n in numbers}
    assert tries[3] == 2, "its worker died"
    assert all(tries[n] == 1 for n in (0, 1, 2)), "they were finished before anything died"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_episodes_on_a_cluster_have_the_same_verdicts(cluster):
    settings = EvaluationSettings(threads=1)
    episodes = [("drawer-open", seed, "open the drawer") for seed in (7, 8)]
    folder = ROOT / "models" / "metaworld"
    alone = list(evaluate(folder, settings, episodes))
    assert list(evaluate(folder, settings, episodes, Workers(ray=cluster.address))) == alone
    assert any(episode.success for episode in alone)
