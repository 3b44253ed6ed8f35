"""How the graph of a replay is set up."""

import os
from pathlib import Path

import pytest
import yaml

from vla_cli import replay_graph
from vla_cli.replay_graph import Setup, forward_threads


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 2)])
def test_a_forward_pass_leaves_cores_to_the_other_nodes(monkeypatch, cores, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    assert forward_threads() == threads


@pytest.mark.parametrize(
    ("lock_step", "settings", "threads"),
    [(True, {}, 1), (False, {}, 2), (True, {"policy": {"threads": 3}}, 3)],
)
def test_only_in_lock_step_and_where_nobody_says_otherwise(
    monkeypatch, tmp_path, lock_step, settings, threads
):
    monkeypatch.setattr(replay_graph, "forward_threads", lambda: 1)
    setup = Setup(None, None, lock_step, settings=settings)
    (node,) = yaml.safe_load(Path(setup._policy(tmp_path)).read_text()).values()
    assert node["ros__parameters"]["threads"] == threads
