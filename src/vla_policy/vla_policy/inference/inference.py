"""From an observation to a chunk: the policy without ROS and without threads."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from vla_contract.image_pixels import resize_area
from vla_policy.attention.attention_maps import Attention
from vla_policy.backends.backend import (
    Backend,
    BackendError,
    ForwardsBatches,
    Inputs,
    LanguageFeatures,
    Prediction,
    ShowsAttention,
    stacked,
)
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens
from vla_policy.inference.feature_cache import FeatureCache

Image = npt.NDArray[np.uint8]
Actions = npt.NDArray[np.float64]


class ProblemKind(enum.Enum):
    """What keeps the policy from a full answer."""

    LANGUAGE = "language"  # the command is not understood
    OBSERVATION = "observation"  # the inputs do not fit the checkpoint
    ACTION = "action"  # the model or its output failed
    REMOTE = "remote"  # the policy server is gone


@dataclass(frozen=True)
class Problem:
    """Why there is no chunk, or a doubtful one (fatal False). text: one line."""

    kind: ProblemKind
    text: str
    fatal: bool = True


class _Failure(Exception):
    def __init__(self, kind: ProblemKind, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(kind, text)


@dataclass(frozen=True)
class Observation:
    """One synchronised set of inputs.

    stamp: of the oldest valid image, ns. images: rgb uint8 (H, W, 3) per camera, None where not
    valid. state: joint positions and end-effector position by name, SI; only what is valid.
    command: None where none is in force.
    """

    stamp: int
    sequence: int
    camera_names: tuple[str, ...]
    images: tuple[Image | None, ...]
    state: Mapping[str, float]
    command_id: int
    command: str | None


@dataclass(frozen=True)
class Chunk:
    """Actions predicted from one observation.

    actions: float64 (T, D), SI, row i at the observation's stamp + i periods; T = 0: nothing to
    do. chunks_before_done: so many of this command's next ones are not done for certain; 0: not
    known. progress: 0 to 1, NaN where unknown. inference_time: of the model alone, s.
    """

    actions: Actions
    done: bool = False
    progress: float = math.nan
    confidence: float = math.nan
    inference_time: float = 0.0
    chunks_before_done: int = 0


@dataclass(frozen=True)
class Answer:
    """The chunk (empty where a problem is fatal), and everything that went wrong with it."""

    chunk: Chunk
    problems: tuple[Problem, ...] = ()

    @property
    def problem(self) -> Problem | None:
        """The first fatal problem, else the first one; None where there is none."""
        return next((p for p in self.problems if p.fatal), next(iter(self.problems), None))


# A policy that stops acting when it first takes its command for fulfilled ends pushes a centimetre
# short: with 3 of these (0.15 s at 20 Hz) 13 of 100 episodes were ended too early, with 8 three,
# with 15 none, at the price of 0.5 s at the end of a command.
DONE_COUNT = 16
NEVER_DONE = 2**32 - 1  # chunks; the greatest number of the message's field


class DoneCounter:
    """The command is done once `count` consecutive inferences have said so; then it stays done."""

    def __init__(self) -> None:
        self._command: Hashable = None
        self._consecutive = 0
        self._done = False

    def update(self, command: Hashable, fulfilled: bool, count: int) -> bool:
        """Note one inference; another command starts anew. count 0: never done."""
        if command != self._command:
            self._command, self._consecutive, self._done = command, 0, False
        self._consecutive = self._consecutive + 1 if fulfilled else 0
        self._done = self._done or 0 < count <= self._consecutive
        return self._done

    def before_done(self, count: int) -> int:
        """Inferences of this command after which it is not done yet, whatever they say."""
        if self._done:
            return 0
        return max(0, count - self._consecutive - 1) if count else NEVER_DONE


class Policy:
    """A loaded checkpoint on a backend. Not for several threads at once.

    done_count, min_known_share, min_confidence: as the parameters of the same name; may be
    changed at any time. replans: how often a bad output was inferred once more.
    failed_batch: why the latest forward pass of several failed; empty: none has.
    identical_images: observations whose images were, to the pixel, those of the one before.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        backend: Backend,
        *,
        cache_size: int = 100,
        done_count: int = DONE_COUNT,
        min_known_share: float = 0.5,
        min_confidence: float = 0.0,
    ) -> None:
        self.checkpoint = checkpoint
        self.min_confidence = min_confidence
        self.replans = 0
        self.done_count = done_count
        self.min_known_share = min_known_share
        self.cache: FeatureCache[LanguageFeatures] = FeatureCache(cache_size)
        self.unknown_words = 0
        self.identical_images = 0
        self.failed_batch = ""
        self._images: npt.NDArray[np.uint8] | None = None
        self._backend = backend
        self._done = DoneCounter()
        self._command: tuple[tuple[int, str], Tokens] | None = None
        self._nothing = np.empty((0, checkpoint.action_space.width))

    def reset(self) -> None:
        """Forget commands and their features."""
        self.cache.clear()
        self._done = DoneCounter()
        self._command = None
        self._images = None

    def close(self) -> None:
        """Nothing to end."""

    def values(self) -> dict[str, object]:
        """More for diagnostics."""
        return {"identical_images": self.identical_images}

    def warm_up(self, count: int) -> list[float]:
        """Run the whole model `count` times on a grey image; returns the times, s.

        Raises:
            BackendError: the model does not run, or its output does not fit the action space.
        """
        cameras = max(len(self.checkpoint.cameras), 1)
        size = (self.checkpoint.image_height, self.checkpoint.image_width)
        inputs = Inputs(
            np.full((1, cameras, *size, 3), 128, dtype=np.uint8),
            np.ones((1, cameras), dtype=np.float32),
            np.zeros((1, len(self.checkpoint.state_names)), dtype=np.float32),
        )
        # The last words: a vocabulary that is larger than the model's fails here.
        last = self.checkpoint.tokenizer.words[2:][-self.checkpoint.tokenizer.max_words :]
        tokens = self.checkpoint.tokenizer.encode(" ".join(last) or "a")
        times = []
        for _ in range(count):
            start = time.perf_counter()
            try:
                language = self._backend.encode_language(tokens)
                prediction = self._backend.forward(inputs, language)
            except Exception as error:  # whatever a runtime raises
                raise BackendError(f"{self._where()}: cannot run: {_line(error)}") from error
            times.append(time.perf_counter() - start)
        wrong = self._misfit(prediction)
        if wrong:
            raise BackendError(f"{self._where()}: {wrong}")
        return times

    def answer(self, observation: Observation) -> Answer:
        """Chunk for an observation; what the model's runtime raises is among its problems."""
        if observation.command is None:
            return Answer(Chunk(self._nothing))
        # The text too: an id that a client gives twice must not serve the command before it.
        command = (observation.command_id, observation.command)
        problems: list[Problem] = []
        try:
            tokens = self._tokens(command)
            problems += _doubts(tokens)
            inputs = self._inputs(observation)
            self._recognise(inputs.images)
            prediction, seconds = self._predict(tokens, inputs, problems)
            chunk = self._chunk(command, prediction, seconds)
        except _Failure as failure:
            return self.refused(*problems, failure.problem)
        return Answer(chunk, tuple(problems))

    @property
    def batches(self) -> bool:
        """Whether the loaded model takes several observations in one forward pass."""
        return isinstance(self._backend, ForwardsBatches) and self._backend.batches

    def answers(self, observations: Sequence[Observation]) -> list[Answer]:
        """As `answer` for each, in one forward pass where the backend takes several.

        Where that pass fails, or what it gives for one is bad, they are answered one by one.
        """
        backend = self._backend
        if len(observations) < 2 or not isinstance(backend, ForwardsBatches) or not self.batches:
            return [self.answer(observation) for observation in observations]
        made: dict[int, Answer] = {}
        ready: dict[int, tuple[Tokens, Inputs]] = {}
        for i, observation in enumerate(observations):
            try:
                if observation.command is not None:
                    tokens = self._tokens((observation.command_id, observation.command))
                    ready[i] = tokens, self._inputs(observation)
            except _Failure as failure:
                made[i] = self.refused(failure.problem)
        start = time.perf_counter()
        try:
            features = [
                self.cache.get(tokens.key, partial(backend.encode_language, tokens))
                for tokens, _ in ready.values()
            ]
            inputs = [inputs for _, inputs in ready.values()]
            predictions = backend.forward_batch(stacked(inputs), stacked(features)) if ready else []
        except Exception as error:  # whatever a runtime raises: each tells it of itself below
            predictions = []
            self.failed_batch = f"{type(error).__name__}: {_line(error)}"
        seconds = time.perf_counter() - start
        for (i, (tokens, _)), prediction in zip(ready.items(), predictions, strict=False):
            if self._misfit(prediction):
                continue
            try:
                command = (observations[i].command_id, observations[i].command)
                chunk = self._chunk(command, prediction, seconds)
                made[i] = Answer(chunk, tuple(_doubts(tokens)))
            except _Failure as failure:
                made[i] = self.refused(*_doubts(tokens), failure.problem)
        return [made.get(i) or self.answer(each) for i, each in enumerate(observations)]

    @property
    def shows_attention(self) -> bool:
        """Whether the backend can tell where the words look."""
        return isinstance(self._backend, ShowsAttention)

    def attention(self, observation: Observation) -> Attention | None:
        """Where the words look; None where there is no command, or nothing that is understood.

        Raises:
            ValueError: the backend, or its model, tells nothing of it; one line.
        """
        if observation.command is None:
            return None
        if not isinstance(self._backend, ShowsAttention):
            raise BackendError(f"backend {self._backend.name} does not tell where the words look")
        try:
            tokens = self._tokens((observation.command_id, observation.command))
            inputs = self._inputs(observation)
        except _Failure:
            return None
        language = self.cache.get(tokens.key, lambda: self._backend.encode_language(tokens))
        weights = self._backend.attention(inputs, language)
        known = self.checkpoint.tokenizer.words
        return Attention(
            inputs.images[0],
            self.checkpoint.cameras or observation.camera_names,
            tuple(known[i] for i in tokens.ids[: tokens.count]),
            weights[: tokens.count],
        )

    def _predict(
        self, tokens: Tokens, inputs: Inputs, problems: list[Problem]
    ) -> tuple[Prediction, float]:
        """The model's output and how long it took, s; a bad one is inferred once more.

        What is kept of the command may be what is bad, so it is made anew for that. What was wrong
        with the first output is added to `problems`.
        """
        try:
            return self._forward(tokens, inputs)
        except _Failure as failure:
            text = f"{failure.problem.text} (inferred once more)"
            problems.append(Problem(failure.problem.kind, text, fatal=False))
        self.replans += 1
        self.cache.drop(tokens.key)
        return self._forward(tokens, inputs)

    def _forward(self, tokens: Tokens, inputs: Inputs) -> tuple[Prediction, float]:
        start = time.perf_counter()
        try:
            language = self.cache.get(tokens.key, lambda: self._backend.encode_language(tokens))
            prediction = self._backend.forward(inputs, language)
        except Exception as error:  # whatever a runtime raises
            text = f"inference failed: {type(error).__name__}: {_line(error)}"
            raise _Failure(ProblemKind.ACTION, text) from error
        seconds = time.perf_counter() - start
        if wrong := self._misfit(prediction):
            raise _Failure(ProblemKind.ACTION, wrong)
        return prediction, seconds

    def refused(self, *problems: Problem) -> Answer:
        """An empty chunk, because of `problems`."""
        return Answer(Chunk(self._nothing), problems)

    def _tokens(self, command: tuple[int, str]) -> Tokens:
        text = command[1]
        if self._command is None or self._command[0] != command:
            tokens = self.checkpoint.tokenizer.encode(text)
            self.unknown_words += len(tokens.unknown)
            self._command = (command, tokens)
        tokens = self._command[1]
        if tokens.known < max(1, self.min_known_share * tokens.count):
            raise _Failure(
                ProblemKind.LANGUAGE,
                f"the command {_short(text)!r} has {tokens.known} known of {tokens.count} words; "
                f"accepted: words of the checkpoint's commands, e.g. {self._example()!r}",
            )
        return tokens

    def _inputs(self, observation: Observation) -> Inputs:
        names = self.checkpoint.cameras or observation.camera_names
        if set(names) != set(observation.camera_names) or len(names) != len(observation.images):
            raise _Failure(
                ProblemKind.OBSERVATION,
                f"the observation has the cameras {', '.join(observation.camera_names) or 'none'}; "
                f"accepted: {', '.join(names)}, as the checkpoint was trained",
            )
        by_name = dict(zip(observation.camera_names, observation.images, strict=True))
        height, width = self.checkpoint.image_height, self.checkpoint.image_width
        # Invalid cameras are zero and masked, which the policy was trained with.
        images = np.zeros((1, len(names), height, width, 3), dtype=np.uint8)
        mask = np.zeros((1, len(names)), dtype=np.float32)
        for i, name in enumerate(names):
            image = by_name[name]
            if image is not None:
                images[0, i] = resize_area(image, height, width)
                mask[0, i] = 1.0
        if not mask.any():
            raise _Failure(
                ProblemKind.OBSERVATION, "no camera's image is valid; accepted: at least one"
            )
        return Inputs(images, mask, self._state(observation.state))

    def _recognise(self, images: npt.NDArray[np.uint8]) -> None:
        """Count images that are the ones before: a scene at rest, or cameras that hang."""
        if self._images is not None and np.array_equal(self._images, images):
            self.identical_images += 1
        self._images = images

    def _state(self, state: Mapping[str, float]) -> npt.NDArray[np.float32]:
        names = self.checkpoint.state_names
        missing = [name for name in names if name not in state]
        if missing:
            raise _Failure(
                ProblemKind.OBSERVATION,
                f"the state lacks {', '.join(missing)}; it has: {', '.join(state) or 'nothing'}",
            )
        values = [state[name] for name in names]
        if not all(map(math.isfinite, values)):
            wrong = [name for name, v in zip(names, values, strict=True) if not math.isfinite(v)]
            raise _Failure(
                ProblemKind.OBSERVATION,
                f"the state {', '.join(wrong)} is not finite; accepted: finite numbers",
            )
        return np.array([values], dtype=np.float32)

    def _chunk(self, command: Hashable, prediction: Prediction, seconds: float) -> Chunk:
        if prediction.confidence < self.min_confidence:  # not where it is NaN: not given
            raise _Failure(
                ProblemKind.ACTION,
                f"low confidence: {prediction.confidence:.2f}; accepted: at least "
                f"{self.min_confidence:g}",
            )
        logits = prediction.steps_logits.astype(np.float64)
        fulfilled = int(logits.argmax()) == 0
        done = self._done.update(command, fulfilled, self.done_count)
        return Chunk(
            self._nothing if done else self.checkpoint.action_space.to_si(prediction.actions),
            done,
            1.0 if done else _progress(logits),
            prediction.confidence,
            seconds,
            self._done.before_done(self.done_count),
        )

    def _misfit(self, prediction: Prediction) -> str:
        """What is wrong with a model's output, one line; empty where nothing is."""
        space = self.checkpoint.action_space
        rows, width = prediction.actions.shape
        if width != space.width or not 1 <= rows <= space.chunk_length:
            return (
                f"the model gives {rows} actions of {width} numbers; accepted: 1 to "
                f"{space.chunk_length} of {space.width} ({', '.join(space.dimension_names)})"
            )
        if prediction.steps_logits.shape != (rows + 1,):
            return (
                f"the model gives {prediction.steps_logits.size} steps_logits; accepted: {rows + 1}"
            )
        if not (
            np.isfinite(prediction.actions).all() and np.isfinite(prediction.steps_logits).all()
        ):
            return "the model's output is not finite; accepted: finite numbers"
        if math.isinf(prediction.confidence):
            return "the model's confidence is infinite; accepted: 0 to 1, or NaN: none"
        return ""

    def _example(self) -> str:
        wordings = [word for words in self.checkpoint.commands.values() for word in words]
        return wordings[0] if wordings else " ".join(self.checkpoint.tokenizer.words[2:5])

    def _where(self) -> str:
        return f"checkpoint {self.checkpoint.folder or self.checkpoint.name}"


def _doubts(tokens: Tokens) -> list[Problem]:
    parts = [f"unknown words: {', '.join(map(_short, tokens.unknown))}"] * bool(tokens.unknown)
    parts += [f"{tokens.truncated} words too many were left out"] * bool(tokens.truncated)
    return [Problem(ProblemKind.LANGUAGE, "; ".join(parts), fatal=False)] if parts else []


def _progress(logits: npt.NDArray[np.float64]) -> float:
    """1 minus the expected share of the horizon that is left: 0 while the end is beyond it."""
    weights = np.exp(logits - logits.max())
    steps = float((weights * np.arange(logits.size)).sum() / weights.sum())
    return 1.0 - steps / (logits.size - 1)


def _short(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
