"""Which of the two drives: the server, or the local checkpoint while the server is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.feature_cache import FeatureCache
from vla_policy.inference.inference import Answer, Observation, Policy, Problem, ProblemKind
from vla_policy.remote.remote_policy import RemotePolicy
from vla_policy.remote.server_link import LinkState, LinkStatus


class FallbackPolicy:
    """A remote policy, and a local one that answers from the moment the remote one is lost.

    The observation that the remote end leaves unanswered is answered by the local checkpoint.
    recovery_time: s for which the link must have been well before the remote end drives again.
    """

    def __init__(
        self,
        remote: RemotePolicy,
        local: Policy,
        recovery_time: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.remote = remote
        self.local = local
        self.recovery_time = recovery_time
        self.checkpoint: Checkpoint = remote.checkpoint
        self.switches = 0
        self._clock = clock
        self._lost = False

    def answer(self, observation: Observation) -> Answer:
        """Chunk for an observation, from whichever drives."""
        status = self.remote.link.status
        if self._well(status):
            self._drive(remote=True)
            answer = self.remote.answer(observation)
            if answer.problem is None or answer.problem.kind is not ProblemKind.REMOTE:
                return answer
            cause = answer.problem.text
        else:
            cause = self._cause(status)
        self._drive(remote=False)
        answer = self.local.answer(observation)
        if answer.problem is not None and answer.problem.fatal:
            return answer
        text = f"{cause}; the checkpoint {self.local.checkpoint.identity} drives"
        gone = Problem(ProblemKind.REMOTE, text, fatal=False)
        return Answer(answer.chunk, (gone, *answer.problems))

    def _well(self, status: LinkStatus) -> bool:
        if status.state is not LinkState.CONNECTED:
            return False
        return not self._lost or self._clock() - status.since >= self.recovery_time

    def _cause(self, status: LinkStatus) -> str:
        if status.state is LinkState.CONNECTED:
            well = self._clock() - status.since
            return f"remote end back for {well:.0f} s of {self.recovery_time:g} s"
        return f"remote end gone: {status.cause}"

    def _drive(self, *, remote: bool) -> None:
        if self._lost == remote:
            self._lost = not remote
            self.switches += 1

    # The rest of what a policy is.

    def reset(self) -> None:
        """Forget commands and their features."""
        self.local.reset()

    def close(self) -> None:
        """End the connection."""
        self.remote.close()

    def refused(self, *problems: Problem) -> Answer:
        """An empty chunk, because of `problems`."""
        return self.local.refused(*problems)

    def values(self) -> dict[str, Any]:
        """For diagnostics."""
        driver = self.local.checkpoint.identity if self._lost else "remote"
        return {**self.remote.values(), "driver": driver, "remote_switches": self.switches}

    @property
    def cache(self) -> FeatureCache[Any]:
        """The local checkpoint's language features."""
        return self.local.cache

    @property
    def unknown_words(self) -> int:
        """Those of the local checkpoint."""
        return self.local.unknown_words

    @property
    def replans(self) -> int:
        """Those of the local checkpoint."""
        return self.local.replans

    @property
    def done_count(self) -> int:
        """Of the local checkpoint; the remote end tells no end."""
        return self.local.done_count

    @done_count.setter
    def done_count(self, value: int) -> None:
        self.local.done_count = value

    @property
    def min_known_share(self) -> float:
        """Of the local checkpoint; the remote end judges words by itself."""
        return self.local.min_known_share

    @min_known_share.setter
    def min_known_share(self, value: float) -> None:
        self.local.min_known_share = value

    @property
    def min_confidence(self) -> float:
        """Of both."""
        return self.local.min_confidence

    @min_confidence.setter
    def min_confidence(self, value: float) -> None:
        self.local.min_confidence = self.remote.min_confidence = value
