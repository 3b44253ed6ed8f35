import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.image_pixels import resize_area
from vla_policy.backends import BackendError, LanguageFeatures, Prediction
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import NEVER_DONE, DoneCounter, Policy, ProblemKind
from vla_proof.test_support.tiny_checkpoints import CAMERAS, STATE_NAMES


class FakeBackend:
    """Notes its inputs and answers `prediction`."""

    name = "fake"

    def __init__(self, rows=32, width=4):
        self.prediction = answer(rows, width)
        self.inputs = []
        self.commands = 0

    def load(self, checkpoint):
        pass

    def encode_language(self, tokens):
        self.commands += 1
        empty = np.zeros((1, 16, 1), dtype=np.float32)
        return LanguageFeatures(empty, empty[..., 0], empty[:, 0])

    def forward(self, inputs, language):
        self.inputs.append(inputs)
        return self.prediction


def answer(rows=32, width=4, value=0.5, steps=None):
    logits = np.zeros(rows + 1, dtype=np.float32)
    logits[rows if steps is None else steps] = 30.0
    return Prediction(np.full((rows, width), value, dtype=np.float32), logits)


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.fixture
def policy(checkpoint_folder, backend):
    return Policy(Checkpoint.load(checkpoint_folder), backend, done_count=3)


def refused(policy, observation, kind):
    result = policy.answer(observation)
    assert result.chunk.actions.shape == (0, 4)
    assert result.problem.kind is kind
    assert result.problem.fatal
    assert "\n" not in result.problem.text
    return result.problem.text


def test_actions_are_in_si_units(policy, observation, space):
    result = policy.answer(observation())
    assert result.problem is None
    assert result.chunk.actions.shape == (space.chunk_length, 4)
    assert result.chunk.actions.dtype == np.float64
    assert result.chunk.actions[0] == pytest.approx([0.4, 0.4, 0.4, 0.5])
    assert result.chunk.inference_time > 0.0
    assert math.isnan(result.chunk.confidence)


def test_inputs_are_resized_ordered_and_masked(policy, backend, observation):
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    names = (CAMERAS[1], CAMERAS[0])
    policy.answer(observation(camera_names=names, images=(noise, None)))
    inputs = backend.inputs[-1]
    assert inputs.images.shape == (1, 2, 96, 96, 3)
    assert (inputs.images[0, 1] == resize_area(noise, 96, 96)).all()
    assert not inputs.images[0, 0].any()
    assert inputs.camera_mask.tolist() == [[0.0, 1.0]]


def test_state_is_in_the_checkpoint_s_order(policy, backend, observation):
    values = {"other_joint": 9.0, **{name: i for i, name in enumerate(STATE_NAMES)}}
    policy.answer(observation(state=dict(reversed(values.items()))))
    assert backend.inputs[-1].state.tolist() == [[0.0, 1.0, 2.0, 3.0]]


def test_no_command_gives_an_empty_chunk_and_no_problem(policy, backend, observation):
    result = policy.answer(observation(command=None))
    assert (result.chunk.actions.size, result.chunk.done, result.problem) == (0, False, None)
    assert not backend.inputs


def test_commands_that_are_not_understood(policy, backend, observation):
    text = refused(policy, observation(command="fetch some coffee"), ProblemKind.LANGUAGE)
    assert "0 known of 3 words" in text
    assert "'open the drawer'" in text
    refused(policy, observation(command="", command_id=2), ProblemKind.LANGUAGE)
    refused(policy, observation(command="feed the poor cat", command_id=3), ProblemKind.LANGUAGE)
    refused(policy, observation(command="ü" * 100_000, command_id=4), ProblemKind.LANGUAGE)
    assert policy.unknown_words == 6
    assert not backend.inputs


def test_some_unknown_words_are_a_warning(policy, observation):
    result = policy.answer(observation(command="please open the drawer"))
    assert result.chunk.actions.size
    assert not result.problem.fatal
    assert result.problem.text == "unknown words: please"


def test_other_cameras_are_refused(policy, observation):
    changed = observation(camera_names=("corner2", "wrist"))
    text = refused(policy, changed, ProblemKind.OBSERVATION)
    assert "cameras corner2, wrist; accepted: corner2, gripper_pov" in text
    one = observation(camera_names=("corner2",), images=(None,))
    refused(policy, one, ProblemKind.OBSERVATION)
    assert "no camera" in refused(policy, observation(images=(None, None)), ProblemKind.OBSERVATION)


def test_a_state_that_lacks_something(policy, observation):
    state = dict.fromkeys(STATE_NAMES[:2], 0.0)
    text = refused(policy, observation(state=state), ProblemKind.OBSERVATION)
    assert "lacks end_effector.z, gripper_opening; it has: end_effector.x" in text
    broken = {**dict.fromkeys(STATE_NAMES, 0.0), "end_effector.z": math.nan}
    text = refused(policy, observation(state=broken), ProblemKind.OBSERVATION)
    assert "end_effector.z is not finite" in text


@pytest.mark.parametrize("part", ["actions", "steps_logits"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_output_that_is_not_finite(policy, backend, observation, part, value):
    getattr(backend.prediction, part)[-1] = value
    assert "not finite" in refused(policy, observation(), ProblemKind.ACTION)
    with pytest.raises(BackendError, match="not finite"):
        policy.warm_up(1)


@pytest.mark.parametrize(
    ("rows", "width", "words"),
    [(33, 4, "33 actions of 4"), (32, 3, "1 to 32 of 4 .linear_x"), (0, 4, "0 actions")],
)
def test_output_of_a_wrong_size_fails_the_warm_up(checkpoint_folder, rows, width, words):
    policy = Policy(Checkpoint.load(checkpoint_folder), FakeBackend(rows, width))
    with pytest.raises(BackendError, match=words):
        policy.warm_up(2)


def test_warm_up_runs_both_branches(policy, backend):
    assert len(policy.warm_up(4)) == 4
    assert (backend.commands, len(backend.inputs)) == (4, 4)


def test_language_runs_once_per_wording_until_reset(policy, backend, observation):
    for command_id, text in (
        (1, "open the drawer"),
        (1, "open the drawer"),
        (2, "Open the DRAWER"),
    ):
        policy.answer(observation(command_id=command_id, command=text))
    assert (backend.commands, policy.cache.hits) == (1, 2)
    policy.reset()
    policy.answer(observation())
    assert backend.commands == 2


def test_done_holds_for_several_inferences_and_then_stays(policy, backend, observation):
    backend.prediction = answer(steps=0)
    chunks = [policy.answer(observation()).chunk for _ in range(4)]
    assert [chunk.done for chunk in chunks] == [False, False, True, True]
    assert [chunk.actions.shape[0] for chunk in chunks] == [32, 32, 0, 0]
    assert chunks[3].progress == 1.0
    assert not policy.answer(observation(command_id=2)).chunk.done
    for _ in range(3):
        policy.answer(observation(command_id=2))
    assert not policy.answer(observation(command_id=2, command="open the window")).chunk.done


def test_identical_consecutive_images_are_recognised(policy, observation):
    def picture(value):
        return (np.full((96, 96, 3), value, dtype=np.uint8),) * 2

    for value in (1, 1, 2, 1, 1, 1):
        policy.answer(observation(images=picture(value)))
    assert policy.identical_images == 3
    assert policy.values() == {"identical_images": 3}
    policy.answer(observation(images=(picture(1)[0], None)))  # one camera less
    policy.reset()
    policy.answer(observation(images=(picture(1)[0], None)))
    assert policy.identical_images == 3


def test_the_feature_cache_is_bounded_counted_and_cleared(checkpoint_folder, backend, observation):
    policy = Policy(Checkpoint.load(checkpoint_folder), backend, cache_size=2)
    for text in ("open the drawer", "open the window", "the drawer", "open the drawer"):
        policy.answer(observation(command=text))
    assert (policy.cache.misses, policy.cache.hits, len(policy.cache)) == (4, 0, 2)
    policy.answer(observation(command="the drawer"))
    assert policy.cache.hits == 1
    policy.reset()  # as the node does when it deactivates
    assert len(policy.cache) == 0


def test_progress_is_the_share_of_the_horizon(policy, backend, observation):
    for steps, progress in ((None, 0.0), (32, 0.0), (16, 0.5), (8, 0.75)):
        backend.prediction = answer(steps=steps)
        assert policy.answer(observation()).chunk.progress == pytest.approx(progress, abs=1e-6)


def test_done_counter():
    counter = DoneCounter()
    said = [(1, True), (1, False), (1, True), (1, True), (1, False), (2, False), (2, True)]
    assert [counter.update(i, f, 2) for i, f in said] == [
        False, False, False, True, True, False, False,
    ]  # fmt: skip
    assert not any(DoneCounter().update(1, True, 0) for _ in range(5))


@given(
    st.integers(0, 5), st.lists(st.booleans(), max_size=20), st.lists(st.booleans(), max_size=20)
)
def test_what_is_told_of_the_next_chunks_holds_whatever_comes(count, before, after):
    counter = DoneCounter()
    for fulfilled in before:
        counter.update(1, fulfilled, count)
    sure = counter.before_done(count)
    done = [counter.update(1, fulfilled, count) for fulfilled in after]
    assert not any(done[:sure])
    worst = DoneCounter()
    for fulfilled in before:
        worst.update(1, fulfilled, count)
    if count:  # and it is not too careful
        assert [worst.update(1, True, count) for _ in range(sure + 1)][-1]
    else:
        assert sure == NEVER_DONE


def test_what_the_runtime_raises_is_an_action_problem(policy, backend, observation):
    backend.forward = lambda inputs, language: 1 // 0
    result = policy.answer(observation())
    assert [(p.kind, p.fatal) for p in result.problems] == [
        (ProblemKind.ACTION, False),
        (ProblemKind.ACTION, True),
    ]
    text = "inference failed: ZeroDivisionError: integer division or modulo by zero"
    assert result.problem.text == text
    with pytest.raises(BackendError, match="cannot run: "):
        policy.warm_up(1)


def test_a_bad_output_is_inferred_once_more_with_the_command_s_features_made_anew(
    policy, backend, observation
):
    policy.answer(observation())
    assert backend.commands == 1
    good, outputs = backend.prediction, [answer(value=math.nan), answer()]
    backend.forward = lambda inputs, language: outputs.pop(0)
    result = policy.answer(observation())
    assert not result.problem.fatal and result.chunk.actions.shape == (32, 4)
    assert "not finite" in result.problem.text and "inferred once more" in result.problem.text
    assert (backend.commands, policy.replans, outputs) == (2, 1, [])
    backend.forward = lambda inputs, language: answer(value=math.nan)
    assert "not finite" in refused(policy, observation(), ProblemKind.ACTION)
    assert policy.replans == 2
    backend.forward = lambda inputs, language: good
    assert policy.answer(observation()).problem is None


def test_the_error_of_a_first_inference_is_told_beside_a_doubt(policy, backend, observation):
    good, errors = backend.prediction, [RuntimeError("no\nmemory")]

    def fails_once(inputs, language):
        if errors:
            raise errors.pop()
        return good

    backend.forward = fails_once
    result = policy.answer(observation(command="please open the drawer"))
    assert result.chunk.actions.shape == (32, 4)
    assert [(p.kind, p.fatal, p.text) for p in result.problems] == [
        (ProblemKind.LANGUAGE, False, "unknown words: please"),
        (
            ProblemKind.ACTION,
            False,
            "inference failed: RuntimeError: no memory (inferred once more)",
        ),
    ]


@pytest.mark.parametrize(
    ("confidence", "least", "accepted"),
    [(math.nan, 0.9, True), (0.9, 0.9, True), (0.2, 0.0, True), (0.2, 0.3, False)],
)
def test_low_confidence_is_an_action_problem(
    policy, backend, observation, confidence, least, accepted
):
    backend.prediction = dataclasses.replace(answer(), confidence=confidence)
    policy.min_confidence = least
    if accepted:
        chunk = policy.answer(observation()).chunk
        assert chunk.actions.size
        assert chunk.confidence == pytest.approx(confidence, nan_ok=True)
    else:
        text = refused(policy, observation(), ProblemKind.ACTION)
        assert text == "low confidence: 0.20; accepted: at least 0.3"
    assert policy.replans == 0


def test_an_infinite_confidence_is_a_bad_output(policy, backend, observation):
    backend.prediction = dataclasses.replace(answer(), confidence=math.inf)
    assert "confidence is infinite" in refused(policy, observation(), ProblemKind.ACTION)


def test_the_warm_up_runs_the_whole_model_on_a_grey_image(policy, backend):
    tokens, times = [], []
    encode = backend.encode_language
    backend.encode_language = lambda each: tokens.append(each) or encode(each)
    features = []
    forward = backend.forward
    backend.forward = lambda inputs, each: features.append(each) or forward(inputs, each)
    times = policy.warm_up(2)
    assert len(times) == len(backend.inputs) == 2 and all(0.0 < each < 10.0 for each in times)
    inputs = backend.inputs[-1]
    assert (inputs.images.shape, inputs.images.dtype) == ((1, 2, 96, 96, 3), np.uint8)
    assert (inputs.images == 128).all()
    assert inputs.camera_mask.tolist() == [[1.0, 1.0]] and inputs.camera_mask.dtype == np.float32
    assert inputs.state.tolist() == [[0.0] * len(STATE_NAMES)]
    assert inputs.state.dtype == np.float32
    assert all(isinstance(each, LanguageFeatures) for each in features)
    words = policy.checkpoint.tokenizer.words[2:]
    assert (tokens[0].known, tokens[0].unknown) == (len(words), ())
    assert tokens[0].key == policy.checkpoint.tokenizer.encode(" ".join(words)).key


def test_a_model_that_cannot_be_warmed_up_is_named_with_its_folder(policy, backend):
    def fails(inputs, language):
        raise RuntimeError("no\nmemory")

    backend.forward = fails
    with pytest.raises(BackendError) as caught:
        policy.warm_up(1)
    assert str(caught.value) == f"checkpoint {policy.checkpoint.folder}: cannot run: no memory"


@pytest.mark.parametrize(
    ("text", "told"), [("", "ZeroDivisionError"), ("x" * 400, "x" * 300), ("a\n b", "a b")]
)
def test_an_error_is_told_in_one_short_line(policy, backend, observation, text, told):
    def fails(inputs, language):
        raise ZeroDivisionError(text)

    backend.forward = fails
    problem = policy.answer(observation()).problem
    assert problem.text == f"inference failed: ZeroDivisionError: {told}"


def test_a_chunk_tells_how_many_more_there_are_before_it_can_be_done(policy, observation):
    assert policy.answer(observation()).chunk.chunks_before_done == 2


def test_progress_is_one_less_the_expected_share_that_is_left(policy, backend, observation):
    logits = np.full(33, -30.0, dtype=np.float32)
    logits[[8, 24]] = 5.0
    logits[16] = 5.0
    backend.prediction = dataclasses.replace(answer(), steps_logits=logits)
    assert policy.answer(observation()).chunk.progress == pytest.approx(0.5)


def test_both_inferences_get_the_same_inputs_and_the_command_s_features(
    policy, backend, observation
):
    asked, encoded, encode = [], [], backend.encode_language

    def fails_once(inputs, language):
        asked.append((inputs, language))
        if len(asked) == 1:
            raise RuntimeError("busy")
        return backend.prediction

    backend.forward = fails_once
    backend.encode_language = lambda tokens: encoded.append(tokens) or encode(tokens)
    chunk = policy.answer(observation()).chunk
    assert 0.0 < chunk.inference_time < 10.0
    assert asked[0][0] is asked[1][0] is not None
    assert all(isinstance(language, LanguageFeatures) for _, language in asked)
    assert [tokens.count for tokens in encoded] == [3, 3]


def test_inferences_before_done_are_counted_down_by_those_that_say_so():
    counter = DoneCounter()
    assert counter.before_done(0) == NEVER_DONE
    assert [counter.before_done(count) for count in (1, 2, 5)] == [0, 1, 4]
    counter.update("a", True, 5)
    counter.update("a", True, 5)
    assert counter.before_done(5) == 2
    assert counter.before_done(3) == counter.before_done(2) == 0
