"""Requests as the checkpoint's observations, its chunks as replies, batches as single ones."""

import numpy as np
import pytest

from vla_policy.backends import BackendOptions
from vla_proof.test_support.tiny_checkpoints import (
    STATE_THAT_GIVES_NAN,
    STATE_THAT_RAISES,
    write_checkpoint,
)
from vla_serve.checkpoint_policy import CheckpointPolicy
from vla_serve.served_policy import RequestError


@pytest.fixture(scope="module")
def policy(checkpoint_folder):
    return CheckpointPolicy.load(checkpoint_folder, "onnxruntime", BackendOptions(threads=1), 1)


def state(first):
    return np.array([first, 0.1, 0.1, 0.1], np.float32)


def test_the_greeting_says_what_is_asked_for(policy):
    told = policy.metadata
    assert told["features"]["observation.images.corner2"]["shape"] == [96, 96, 3]
    names = told["features"]["observation.state"]["names"]
    assert names == ["end_effector.x", "end_effector.y", "end_effector.z", "gripper_opening"]
    assert told["features"]["action"]["shape"] == [4]
    assert (told["chunk_size"], told["fps"], told["units"]) == (32, 80.0, "si")


def test_several_requests_are_answered_as_each_by_itself(policy, request_of):
    requests = [request_of(seed) for seed in range(5)]
    requests[2]["prompt"] = "open the window"
    together = policy.answer(requests)
    for request, reply in zip(requests, together, strict=True):
        (alone,) = policy.answer([request])
        np.testing.assert_allclose(reply["actions"], alone["actions"], atol=1e-6)
        assert reply["actions"].shape == (32, 4) and reply["confidence"] == 0.75
    assert not np.allclose(together[0]["actions"], together[1]["actions"])


def test_they_are_one_forward_pass(checkpoint_folder, action_space_file, tmp_path, request_of):
    """Of a graph that takes several; of one that does not, as many as there are requests."""
    single = write_checkpoint(tmp_path / "single", action_space_file)
    for folder, expected in ((checkpoint_folder, [3]), (single, [1, 1, 1])):
        policy = CheckpointPolicy.load(folder, "onnxruntime", BackendOptions(threads=1), 1)
        passes = []
        session = policy._policy._backend._policy

        class Counting:
            def run(self, outputs, feed, session=session, passes=passes):
                passes.append(len(feed["images"]))
                return session.run(outputs, feed)

        policy._policy._backend._policy = Counting()
        replies = policy.answer([request_of(seed) for seed in range(3)])
        assert len(replies) == 3 and passes == expected


def test_one_that_fails_takes_no_other_along(policy, request_of):
    """Neither one whose values make the runtime fail, nor one whose output is bad."""
    good = request_of(1)
    (expected,) = policy.answer([good])
    for first, text in ((STATE_THAT_RAISES, "inference failed"), (STATE_THAT_GIVES_NAN, "finite")):
        bad = request_of(2, observation__state=state(first))
        before, refused, after = policy.answer([good, bad, good])
        assert isinstance(refused, RequestError) and text in str(refused)
        for reply in (before, after):
            np.testing.assert_allclose(reply["actions"], expected["actions"], atol=1e-6)


IMAGE = "observation__images__corner2"
BAD = {
    "lacks": ({IMAGE: None}, "lacks observation.images.corner2; accepted: observation.images"),
    "unknown": ({"wrist": 1}, "has unknown wrist"),
    "flat": ({IMAGE: np.zeros((48, 64), np.uint8)}, "is uint8 (48, 64); accepted: uint8 (height"),
    "floats": ({IMAGE: np.zeros((48, 64, 3), np.float32)}, "is float32 (48, 64, 3)"),
    "empty": ({IMAGE: np.zeros((0, 64, 3), np.uint8)}, "is uint8 (0, 64, 3)"),
    "long": ({IMAGE: np.zeros((1, 9000, 3), np.uint8)}, "up to 8192 px"),
    "planes": ({IMAGE: np.zeros((3, 48, 64), np.uint8)}, "is uint8 (3, 48, 64)"),
    "state_short": ({"observation__state": np.zeros(3, np.float32)}, "accepted: 4 numbers (end"),
    "state_nan": ({"observation__state": state(np.nan)}, "end_effector.x is not finite"),
    "state_list": ({"observation__state": [0.0] * 4}, "observation.state is list"),
    "prompt_bytes": ({"prompt": b"open"}, "prompt is bytes"),
    "prompt_empty": ({"prompt": "  "}, "accepted: text of 1"),
    "prompt_unknown": ({"prompt": "make me a coffee"}, "known of 4 words"),
    "prompt_long": ({"prompt": "open " * 1000}, "text of 5000 characters"),
    "valid": ({"observation__valid__corner2": np.zeros(3)}, "accepted: true or false"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_told_in_one_line(policy, request_of, case):
    changes, text = BAD[case]
    found, good = policy.answer([request_of(**changes), request_of()])
    assert isinstance(found, RequestError) and text in str(found) and "\n" not in str(found)
    assert good["actions"].shape == (32, 4)


def test_a_camera_that_is_not_valid_is_masked(policy, request_of):
    masked = request_of(**{IMAGE: None, "observation__valid__corner2": np.bool_(False)})
    black = request_of(**{IMAGE: np.zeros((8, 8, 3), np.uint8)})
    replies = policy.answer([masked, black])
    np.testing.assert_allclose(replies[0]["actions"], replies[1]["actions"], atol=1e-6)


def test_a_model_that_cannot_do_several_is_refused_at_the_start(checkpoint_folder, monkeypatch):
    from vla_policy.backends.onnx_runtime import OnnxRuntimeBackend

    def fails(self, inputs, language):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(OnnxRuntimeBackend, "forward_batch", fails)
    with pytest.raises(ValueError, match="two observations fails: RuntimeError: out of memory"):
        CheckpointPolicy.load(checkpoint_folder, "onnxruntime", BackendOptions(threads=1), 1)
