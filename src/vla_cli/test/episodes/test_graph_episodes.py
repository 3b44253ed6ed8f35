"""Episodes against a simulator and a perception that only pretend, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import Graph, stay_on_this_machine
from vla_cli.episodes.graph_episodes import Episode, EpisodeRunner
from vla_sim.robot.robots import ROBOTS

STEPS = ROBOTS["metaworld"].step_limit

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
PRETENDERS = Path(__file__).with_name("pretended_graph.py")


@pytest.fixture(scope="module")
def graph():
    stay_on_this_machine()
    process = subprocess.Popen([sys.executable, str(PRETENDERS)])
    try:
        with Graph(domain=DOMAIN) as made:
            yield made
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def runner(graph):
    made = EpisodeRunner(graph)
    made.wait_until_ready()
    return made


def test_a_success_ends_the_episode(runner):
    result = runner.run(Episode("drawer-open", 7))
    assert (result.task, result.seed, result.success) == ("drawer-open", 7, True)
    assert result.steps == 107  # the pretended robot succeeds after 100 steps and the seed
    assert result.command == "do drawer-open"


def test_an_episode_without_success_has_all_its_steps(runner):
    result = runner.run(Episode("drawer-open", 1000, "open it"))
    assert (result.success, result.steps, result.command) == (False, STEPS, "open it")


def test_the_same_episode_twice_is_the_same(runner):
    first, second = (runner.run(Episode("door-open", 3)) for _ in range(2))
    assert (first.steps, first.success) == (second.steps, second.success)


def test_an_episode_that_waits_at_its_first_tick_begins_anew(runner):
    result = runner.run(Episode("door-close", 5))
    assert (result.success, result.steps, result.attempts) == (True, 105, 2)


def test_a_paced_episode_has_the_same_verdict(graph):
    paced = EpisodeRunner(graph, pace=5.0)
    paced.wait_until_ready()
    result = paced.run(Episode("drawer-open", 7))
    assert (result.success, result.steps) == (True, 107)
    assert result.wall > 107 * 0.0125 / 5.0 * 0.9


def test_a_command_that_is_not_understood_ends_the_episode(runner):
    result = runner.run(Episode("drawer-open", 1000, "gibberish"))
    assert not result.success and result.outcome == "rejected" and result.steps < STEPS


def test_a_refused_task_is_one_line(runner):
    with pytest.raises(CommandError, match="the simulator refused the episode: no such task"):
        runner.run(Episode("nonsense", 1))


def test_an_empty_domain_says_how_to_start():
    with Graph(domain=DOMAIN, namespace="nobody") as empty:
        with pytest.raises(CommandError, match="no VLA graph found in domain") as error:
            empty.require(empty.nodes, 0.2, "unused")
        assert "./vla launch" in str(error.value)
