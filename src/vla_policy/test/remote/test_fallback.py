"""Who drives while the policy server is gone."""

import dataclasses

import numpy as np
import pytest

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Answer, Chunk, Problem, ProblemKind
from vla_policy.remote.fallback import FallbackPolicy
from vla_policy.remote.server_link import LinkState, LinkStatus


class FakeLink:
    def __init__(self):
        self.state, self.since = LinkState.CONNECTED, 0.0

    @property
    def status(self):
        cause = "" if self.state is LinkState.CONNECTED else "cut"
        return LinkStatus(self.state, self.since, cause)


class FakePolicy:
    """A policy whose answers are counted."""

    def __init__(self, name, space, link=None):
        self.name, self.checkpoint = name, Checkpoint.without_weights(space)
        self.link, self.calls, self.problem, self.ended = link, 0, None, []

    def answer(self, observation):
        assert observation is not None
        self.calls += 1
        problems = () if self.problem is None else (self.problem,)
        return Answer(Chunk(np.full((1, 4), float(self.calls))), problems)

    def refused(self, *problems):
        return self.name, problems

    def reset(self):
        self.ended.append("reset")

    def close(self):
        self.ended.append("close")

    def values(self):
        return {}


def test_the_fallback_drives_until_the_link_was_well_for_long_enough(space, observation):
    now, link = [0.0], FakeLink()
    remote, local = FakePolicy("remote", space, link), FakePolicy("local", space)
    both = FallbackPolicy(remote, local, 2.0, lambda: now[0])
    assert both.answer(observation()).problem is None and local.calls == 0
    link.state, link.since = LinkState.GONE, 1.0
    for now[0] in (1.0, 3.0, 9.0):
        problem = both.answer(observation()).problem
        assert not problem.fatal and problem.kind is ProblemKind.REMOTE
        assert "remote end gone: cut; the checkpoint metaworld drives" in problem.text
    assert (remote.calls, local.calls) == (1, 3)
    link.state, link.since = LinkState.CONNECTED, 10.0
    now[0] = 11.9
    assert "back for 2 s of 2 s" in both.answer(observation()).problem.text
    assert local.calls == 4
    now[0] = 12.0
    assert both.answer(observation()).problem is None
    assert (remote.calls, local.calls, both.switches) == (2, 4, 2)


@pytest.fixture
def both(space):
    remote, local = FakePolicy("remote", space, FakeLink()), FakePolicy("local", space)
    return FallbackPolicy(remote, local, 2.0, lambda: 100.0)


def test_a_loss_that_the_answer_tells_first_is_answered_by_the_checkpoint(both, observation):
    both.remote.problem = Problem(ProblemKind.REMOTE, "no answer within 0.3 s")
    answer = both.answer(observation())
    assert (both.remote.calls, both.local.calls, both.switches) == (1, 1, 1)
    text = "no answer within 0.3 s; the checkpoint metaworld drives"
    assert answer.problems == (Problem(ProblemKind.REMOTE, text, fatal=False),)
    assert answer.chunk.actions.shape == (1, 4)
    assert both.values() == {"driver": "metaworld", "remote_switches": 1}


def test_another_problem_of_the_remote_end_is_its_own(both, observation):
    both.remote.problem = Problem(ProblemKind.ACTION, "not finite")
    assert both.answer(observation()).problems == (both.remote.problem,)
    assert (both.local.calls, both.switches) == (0, 0)
    assert both.values() == {"driver": "remote", "remote_switches": 0}


def test_what_the_checkpoint_cannot_answer_is_told_alone(both, observation):
    both.remote.link.state = LinkState.GONE
    both.local.problem = Problem(ProblemKind.LANGUAGE, "unknown words")
    assert both.answer(observation()).problems == (both.local.problem,)
    both.local.problem = dataclasses.replace(both.local.problem, fatal=False)
    gone, words = both.answer(observation()).problems
    assert gone.kind is ProblemKind.REMOTE and words is both.local.problem


def test_parameters_are_those_of_the_checkpoint_and_the_confidence_of_both(both):
    both.done_count, both.min_known_share, both.min_confidence = 3, 0.25, 0.5
    assert (both.local.done_count, both.local.min_known_share) == (3, 0.25)
    assert (both.local.min_confidence, both.remote.min_confidence) == (0.5, 0.5)
    assert (both.done_count, both.min_known_share, both.min_confidence) == (3, 0.25, 0.5)


def test_the_rest_is_handed_to_whom_it_concerns(both):
    assert both.checkpoint is both.remote.checkpoint
    problem = Problem(ProblemKind.OBSERVATION, "bad")
    assert both.refused(problem) == ("local", (problem,))
    both.reset()
    both.close()
    assert (both.local.ended, both.remote.ended) == (["reset"], ["close"])
