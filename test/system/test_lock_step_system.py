"""Lock-step: what happens depends on the seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from system_graph import DOMAIN, RECORDER_DEPTH, Launch
from vla_cli.client.graph_client import Graph
from vla_cli.episodes.graph_episodes import Episode, EpisodeResult, EpisodeRunner
from vla_contract import topics
from vla_interfaces.msg import SafeAction

pytestmark = pytest.mark.system


class LockStep:
    """Episodes of the graph, and what safety made of each of their steps."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._actions: list[SafeAction] = []
        profile = topics.qos_profile(topics.SAFE_ACTION, lock_step=True)
        profile.depth = RECORDER_DEPTH
        graph.subscribe(SafeAction, topics.SAFE_ACTION, self._actions.append, profile)
        self._runner = EpisodeRunner(graph)
        self._runner.wait_until_ready()

    def run(self, task: str, seed: int, steps: int = 500) -> tuple[EpisodeResult, list[SafeAction]]:
        self._actions.clear()
        result = self._runner.run(Episode(task, seed, steps=steps))
        assert self._graph.wait(lambda: len(self._actions) >= result.steps, 10.0)
        return result, self._actions[-result.steps :]


@pytest.fixture(scope="module")
def lock_step():
    launch = Launch("sim.launch.xml", lock_step="true", task="drawer-open", seed=1)
    try:
        with Graph(domain=DOMAIN) as graph:
            yield LockStep(graph)
    finally:
        launch.stop()


def test_the_same_seed_gives_the_same_episode_twice(lock_step):
    first, first_actions = lock_step.run("drawer-open", 11, steps=120)
    lock_step.run("window-open", 3, steps=40)
    second, second_actions = lock_step.run("drawer-open", 11, steps=120)
    assert (first.steps, first.success) == (second.steps, second.success)
    assert len(first_actions) == len(second_actions) > 50
    np.testing.assert_array_equal(
        [action.safe for action in first_actions], [action.safe for action in second_actions]
    )


def test_every_tick_is_answered_once(lock_step):
    _, actions = lock_step.run("drawer-open", 12, steps=60)
    assert np.all(np.diff([action.tick for action in actions]) == 1)


@pytest.mark.parametrize("task", ["drawer-open", "button-press-topdown", "window-open"])
def test_the_shipped_policy_does_its_task(lock_step, task):
    successes = [lock_step.run(task, seed)[0].success for seed in (201, 202, 203)]
    assert sum(successes) >= 2, successes
