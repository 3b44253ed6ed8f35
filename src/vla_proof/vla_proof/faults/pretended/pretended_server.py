"""A policy server whose answers can be spoilt, of each protocol that the policy node speaks.

python -m vla_proof.faults.pretended.pretended_server PROTOCOL PORT. It prints one line of JSON when
it serves, then reads modes (good, nan, ...) as lines and answers each as the robot does. Noise is
around goals in [-1, 1], for an action space of any width whose actions are normalised.
"""

from __future__ import annotations

import enum
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_policy.remote.connection import MAX_BYTES
from vla_proof.bench.remote.remote_bench_server import SERVERS
from vla_proof.faults.pretended.pretended_policy import CRUISE

ROWS, COLUMNS = 16, 4  # of an answer; its first columns are the mobile base's
WIDEST, GOAL_ANSWERS = 16, 10  # columns of noise; answers around a goal, on the average
LATE = 1.0  # s
# What the policy node is to know of it, protocol by protocol: keys of the image, the command's
# text and the actions.
_KEYS: dict[str, tuple[Any, Any, Any]] = {
    "openpi": ("observation/image", "prompt", "actions"),
    "vla-eval": (["images", "front"], "task_description", "actions"),
    "gr00t": (
        ["video", "front"],
        ["language", "annotation.human.task"],
        ["single_arm", "gripper"],
    ),
    "lerobot": ("observation.images.front", "task", "action"),
    "openvla": ("full_image", "instruction", "actions"),
}
_CONSTANTS = {
    "lerobot": {"policy_type": "act", "pretrained_name_or_path": "-", "actions_per_chunk": ROWS}
}


# LeRobot's alone cannot do without the robot's state.
_STATES = {"lerobot": "observation.state"}


def mapping(protocol: str, camera: str, joints: Sequence[str]) -> dict[str, Any]:
    """The mapping of a protocol, as its YAML file has it."""
    image, prompt, actions = _KEYS[protocol]
    states = [_STATES[protocol]] if protocol in _STATES else []
    return {
        "state": [{"key": key, "names": list(joints)} for key in states],
        "images": [{"camera": camera, "key": image}],
        "prompt": prompt,
        "constants": _CONSTANTS.get(protocol, {}),
        "actions": {
            "key": actions,
            "columns": list(range(len(CRUISE))),
            "units": "si",
            "period": 0,
        },
    }


class ServerMode(enum.Enum):
    """How it answers."""

    GOOD = "good"
    NAN = "nan"
    GARBAGE = "garbage"  # bytes at random
    SHAPE = "shape"  # one column
    ERROR = "error"  # the protocol's own report of one
    LATE = "late"  # right, but 1 s later than it should
    NOISE = "noise"  # around goals in [-1, 1]
    FLOOD = "flood"  # more bytes than any answer may have


class Policy:
    """Answers of a constant motion, in the mode of the moment."""

    def __init__(self) -> None:
        self.mode = ServerMode.GOOD
        self._good = np.zeros((ROWS, COLUMNS), np.float32)
        self._good[:, : len(CRUISE)] = CRUISE
        self._random = np.random.default_rng(0)
        self._goal: npt.NDArray[np.float64] = np.zeros(WIDEST)
        self._flood = bytes(MAX_BYTES + 1)

    def infer(self, request: Any) -> Any:
        """Rows, or bytes that are sent as they are; ValueError: the protocol's error."""
        match self.mode:
            case ServerMode.NAN:
                return np.full_like(self._good, np.nan)
            case ServerMode.NOISE:
                # White noise alone stays near the middle.
                if self._random.random() < 1.0 / GOAL_ANSWERS:
                    self._goal = self._random.uniform(-1.0, 1.0, WIDEST)
                rows = self._goal + self._random.normal(0.0, 0.3, (ROWS, WIDEST))
                return rows.astype(np.float32)
            case ServerMode.GARBAGE:
                return os.urandom(200)
            case ServerMode.SHAPE:
                return self._good[:, :1]
            case ServerMode.ERROR:
                raise ValueError("the policy has failed")
            case ServerMode.FLOOD:
                return self._flood
            case ServerMode.LATE:
                time.sleep(LATE)
        return self._good


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    protocol, port = arguments
    policy = Policy()
    server = SERVERS[protocol](int(port))
    server.infer = policy.infer
    if protocol == "gr00t":
        server.modalities["state"]["modality_keys"] = []
    say()
    for line in sys.stdin:
        mode = ServerMode(line.strip())
        say()
        policy.mode = mode
    server.stop()
    return 0


def say() -> None:
    """Tell the time."""
    print(json.dumps({"at": time.monotonic_ns(), "stamp": time.time_ns()}), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
