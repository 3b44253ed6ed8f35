"""A checkpoint as a served policy: requests → observations → one forward pass → chunks in SI.

Request: `observation.images.CAMERA` uint8 rgb (H, W, 3) of any size, `observation.state` float (S,)
in the order of the metadata, `prompt` text, and optionally `observation.valid.CAMERA` bool (a
camera that is not valid is masked, as in training). Reply: `actions` float32 (T, D) in SI, row i
for i / fps seconds after the images; `confidence` (0 to 1) where the model gives one; `progress`
(0 to 1); `server_timing`: requests of this `batch`, and `infer_ms` from request to reply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vla_policy import backends
from vla_policy.backends import BackendError, BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Answer, Observation, Policy
from vla_serve.request_checks import (
    PROMPT,
    check_keys,
    checked_image,
    checked_prompt,
    checked_vector,
    told,
)
from vla_serve.served_policy import Reply, Request, RequestError

IMAGE, VALID, STATE = "observation.images.", "observation.valid.", "observation.state"


class CheckpointPolicy:
    """See `served_policy.ServedPolicy`. It never ends a command: that is the robot's to judge."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        checkpoint = policy.checkpoint
        self._keys = {IMAGE + name for name in checkpoint.cameras} | {PROMPT}
        self._keys |= {STATE} if checkpoint.state_names else set()
        self._optional = {VALID + name for name in checkpoint.cameras}
        self.metadata: Mapping[str, Any] = metadata(checkpoint)
        self.batches = policy.batches

    @staticmethod
    def load(folder: str, backend: str, options: BackendOptions, warm_up: int) -> CheckpointPolicy:
        """Load a folder and try it; raises CheckpointError, BackendError: one line."""
        checkpoint = Checkpoint.load(folder)
        made = backends.create(backend, options)
        made.load(checkpoint)
        policy = Policy(checkpoint, made, done_count=0)
        policy.warm_up(warm_up)
        policy.answers([_grey(checkpoint)] * 2)
        if policy.failed_batch:
            raise BackendError(
                f"checkpoint {folder}: a forward pass of two observations fails: "
                f"{policy.failed_batch}"
            )
        return CheckpointPolicy(policy)

    def answer(self, requests: Sequence[Request]) -> list[Reply | RequestError]:
        """One reply, or why there is none, for each request."""
        read = [self._read(request) for request in requests]
        good = [each for each in read if isinstance(each, Observation)]
        answers = iter(self._policy.answers(good))
        timing = {"batch": len(good)}
        return [
            each if isinstance(each, RequestError) else _reply(next(answers), timing)
            for each in read
        ]

    def _read(self, request: Request) -> Observation | RequestError:
        try:
            return self._observation(request)
        except RequestError as error:
            return error

    def _observation(self, request: Request) -> Observation:
        names = self._policy.checkpoint.cameras
        masked = {IMAGE + name for name in names if not _valid(request, name)}
        required = self._keys - masked
        check_keys(request, required, self._keys | self._optional)
        return Observation(
            stamp=0,
            sequence=0,
            camera_names=names,
            images=tuple(_image(request, name) for name in names),
            state=self._state(request),
            command_id=0,
            command=checked_prompt(request),
        )

    def _state(self, request: Request) -> dict[str, float]:
        names = self._policy.checkpoint.state_names
        if not names:
            return {}
        value = checked_vector(request, STATE, names)
        return dict(zip(names, value.tolist(), strict=True))


def _grey(checkpoint: Checkpoint) -> Observation:
    grey = np.full((checkpoint.image_height, checkpoint.image_width, 3), 128, dtype=np.uint8)
    words = checkpoint.tokenizer.words[2:][: checkpoint.tokenizer.max_words]
    return Observation(
        stamp=0,
        sequence=0,
        camera_names=checkpoint.cameras,
        images=(grey,) * len(checkpoint.cameras),
        state=dict.fromkeys(checkpoint.state_names, 0.0),
        command_id=0,
        command=" ".join(words) or "a",
    )


def metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    """What clients are greeted with: the features as LeRobot's datasets name them."""
    space = checkpoint.action_space
    features: dict[str, Any] = {
        IMAGE + name: {
            "dtype": "image",
            "shape": [checkpoint.image_height, checkpoint.image_width, 3],
            "names": ["height", "width", "channels"],
        }
        for name in checkpoint.cameras
    }
    if checkpoint.state_names:
        features[STATE] = _vector(checkpoint.state_names)
    features["action"] = _vector(space.dimension_names)
    return {
        "server": "vla serve onnx",
        "policy": checkpoint.name,
        "features": features,
        "chunk_size": space.chunk_length,
        "fps": 1.0 / space.chunk_period,
        "action_space": space.name,
        "units": "si",
    }


def _vector(names: Sequence[str]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def _image(request: Request, name: str) -> Any:
    return checked_image(request, IMAGE + name) if _valid(request, name) else None


def _valid(request: Request, name: str) -> bool:
    value = request.get(VALID + name, True)
    if not isinstance(value, (bool, np.bool_)):
        raise RequestError(f"{VALID}{name} is {told(value)}; accepted: true or false")
    return bool(value)


def _reply(answer: Answer, timing: Mapping[str, Any]) -> Reply | RequestError:
    problem = answer.problem
    if problem is not None and problem.fatal:
        return RequestError(problem.text)
    chunk = answer.chunk
    reply: Reply = {
        "actions": chunk.actions.astype(np.float32),
        "progress": chunk.progress,
        "server_timing": dict(timing),
    }
    if not math.isnan(chunk.confidence):
        reply["confidence"] = chunk.confidence
    return reply
