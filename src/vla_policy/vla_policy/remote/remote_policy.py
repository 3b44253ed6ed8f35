"""A policy server's answers as chunks, and the local checkpoint while the server is away."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.feature_cache import FeatureCache
from vla_policy.inference.inference import Answer, Chunk, Observation, Problem, ProblemKind
from vla_policy.remote.mapping.observation_history import ObservationHistory
from vla_policy.remote.openpi_wire import WireError
from vla_policy.remote.remote_mapping import MappingError, RemoteMapping
from vla_policy.remote.server_link import Link, LinkError, LinkState, ServerError


class RemotePolicy:
    """As `Policy`, from a server. It tells no end of a task: `done` is never set.

    The server's own time is measured as inference_time: what is asked until it is answered.
    """

    def __init__(self, checkpoint: Checkpoint, mapping: RemoteMapping, link: Link) -> None:
        mapping.require_width(checkpoint.action_space)
        self.checkpoint = checkpoint
        self.link = link
        self.done_count = 0
        self.min_known_share = 0.0
        self.min_confidence = 0.0
        self.unknown_words = 0
        self.replans = 0
        self.cache: FeatureCache[Any] = FeatureCache(1)
        self._mapping = link.mapping = mapping
        step = mapping.period or checkpoint.action_space.chunk_period
        self._history = ObservationHistory(mapping.past, step)
        self._command: tuple[int, str] | None = None
        self._nothing = np.empty((0, checkpoint.action_space.width))

    def reset(self) -> None:
        """Forget the command, so that the server is told of the next one, and what was seen."""
        self._command = None
        self._history.reset()

    def close(self) -> None:
        """End the connection."""
        self.link.close()

    def values(self) -> dict[str, Any]:
        """For diagnostics."""
        status = self.link.status
        return {
            "remote": status.state.value,
            "remote_cause": status.cause,
            "remote_losses": status.losses,
        }

    def warm_up(self, connect_timeout: float, answer_timeout: float) -> list[float]:
        """Connect and ask once, s; a server that is not there yet gives NaN.

        Raises:
            MappingError: the server's handshake and the mapping differ.
        """
        self.link.start()
        if not self.link.wait_connected(connect_timeout):
            return [math.nan]
        start = time.perf_counter()
        try:
            reply = self.link.ask(self._mapping.trial_request(), answer_timeout)
            self._mapping.answer(reply, self.checkpoint.action_space)
        except (LinkError, ServerError, WireError, MappingError):
            return [math.nan]  # the first observation tells, as a fault
        return [time.perf_counter() - start]

    def answer(self, observation: Observation) -> Answer:
        """Chunk for an observation."""
        if observation.command is None:
            status = self.link.status
            away = status.state is not LinkState.CONNECTED
            return self.refused(*[_gone(status.cause)] * away)
        images = dict(zip(observation.camera_names, observation.images, strict=True))
        try:
            request = self._mapping.request(images, observation.state, observation.command)
            self._history.fill(request, observation.stamp, observation.command_id)
        except MappingError as error:
            return self.refused(Problem(ProblemKind.OBSERVATION, str(error)))
        command = (observation.command_id, observation.command)
        start = time.perf_counter()
        try:
            reply = self.link.ask(request, new_command=command != self._command)
            self._command = command
            actions, confidence = self._mapping.answer(
                reply, self.checkpoint.action_space, observation.state
            )
        except LinkError as error:
            return self.refused(_gone(str(error)))
        except (ServerError, WireError, MappingError) as error:
            return self.refused(Problem(ProblemKind.ACTION, f"remote end: {error}"))
        if confidence < self.min_confidence:
            return self.refused(low_confidence(confidence, self.min_confidence))
        seconds = time.perf_counter() - start
        return Answer(Chunk(actions, confidence=confidence, inference_time=seconds))

    def refused(self, *problems: Problem) -> Answer:
        """An empty chunk, because of `problems`."""
        return Answer(Chunk(self._nothing), problems)


def low_confidence(confidence: float, least: float) -> Problem:
    """The model does not trust itself."""
    return Problem(
        ProblemKind.ACTION, f"low confidence: {confidence:.2f}; accepted: at least {least:g}"
    )


def _gone(cause: str) -> Problem:
    return Problem(ProblemKind.REMOTE, f"remote end gone: {cause}")
