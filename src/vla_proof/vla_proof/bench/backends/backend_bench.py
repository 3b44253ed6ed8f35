"""Times of inference backends on the same inputs.

They take turns of some runs, so that a busy machine hits all of them alike.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.percentiles import percentile
from vla_policy.backends import (
    Backend,
    BackendOptions,
    Inputs,
    LanguageFeatures,
    create,
)
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Observation, Policy

WARM_UP = 10  # forward passes that are not counted
# s between two turns: threads of the one before may still spin, and slow the next down.
PAUSE = 0.01
# Runs of a turn. The first ones find a processor that has slept and the caches of somebody else: on
# a virtual machine that takes two to four times as long, and is told by itself.
TURN = 10
UNCOUNTED = 2

Frame = tuple[Inputs, LanguageFeatures]


@dataclass(frozen=True)
class Variant:
    """One row: a checkpoint on a backend. files: what it needs on disk, of its folder."""

    name: str
    folder: Path
    backend: str
    files: tuple[str, ...]
    torch_mode: str = "eager"
    threads: int = 2

    def load(self) -> tuple[Checkpoint, Backend]:
        """Ready to run; raises BackendError, CheckpointError."""
        checkpoint = Checkpoint.load(self.folder)
        options = BackendOptions(threads=self.threads, torch_mode=self.torch_mode)
        backend = create(self.backend, options)
        backend.load(checkpoint)
        return checkpoint, backend

    def size(self) -> int:
        """Bytes on disk of what it runs."""
        return sum((self.folder / name).stat().st_size for name in self.files)


@dataclass(frozen=True)
class Figures:
    """What was measured of one variant; times in ms, difference of normalised actions.

    rested: times of the first run of each turn, after a pause of `PAUSE`.
    """

    name: str
    times: tuple[float, ...]
    rested: tuple[float, ...]
    cold_start: float
    size: int
    greatest_difference: float
    mean_difference: float

    def percentile(self, percent: float) -> float:
        """Of the forward times, ms."""
        return percentile(self.times, percent)

    @property
    def mean(self) -> float:
        """Of the forward times, ms."""
        return float(np.mean(self.times))

    @property
    def deviation(self) -> float:
        """Standard deviation of the forward times, ms."""
        return float(np.std(self.times))

    @property
    def rate(self) -> float:
        """Forward passes a second at the mean time."""
        return 1e3 / self.mean


@dataclass(frozen=True)
class Language:
    """Time of the language branch, which runs once per command, and of the rest; p50, ms."""

    branch: float
    rest: float

    @property
    def gain(self) -> float:
        """How many times faster an inference is with the command's features kept."""
        return (self.branch + self.rest) / self.rest


@dataclass(frozen=True)
class Times:
    """Of one function, ms. in_a_row: the counted runs. rested: the first of each turn."""

    in_a_row: tuple[float, ...]
    rested: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the counted runs, ms."""
        return float(np.median(self.in_a_row))


def take_turns(
    runs: Sequence[Callable[[], object]], count: int, progress: Callable[[int, str], None]
) -> list[Times]:
    """Times of at least `count` runs of every function, in turns, another one first every time."""
    for run in runs:
        for _ in range(WARM_UP):
            run()
    turns: list[list[list[float]]] = [[] for _ in runs]
    rounds = -(-count // (TURN - UNCOUNTED))
    for done in range(1, rounds + 1):
        for offset in range(len(runs)):
            index = (done + offset) % len(runs)
            time.sleep(PAUSE)
            turns[index].append([_time(runs[index]) for _ in range(TURN)])
        progress(round(count * done / rounds), "")
    return [
        Times(
            tuple(value for turn in mine for value in turn[UNCOUNTED:]),
            tuple(turn[0] for turn in mine),
        )
        for mine in turns
    ]


def _time(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return (time.perf_counter() - begin) * 1e3


def measure(
    variants: Sequence[Variant],
    frames: Sequence[Inputs],
    command: str,
    rounds: int,
    progress: Callable[[int, str], None],
) -> list[Figures]:
    """Forward times and differences of all variants; the first is what the others differ from."""
    loaded = [variant.load() for variant in variants]
    prepared = [_prepare(checkpoint, backend, frames, command) for checkpoint, backend in loaded]
    answers = [
        np.stack([backend.forward(*frame).actions for frame in mine])
        for (_, backend), mine in zip(loaded, prepared, strict=True)
    ]
    runs = [_cycle(backend, mine) for (_, backend), mine in zip(loaded, prepared, strict=True)]
    times = take_turns(runs, rounds, progress)
    return [
        Figures(
            variant.name,
            measured.in_a_row,
            measured.rested,
            cold_start(variant),
            variant.size(),
            *_apart(answers[0], answer),
        )
        for variant, measured, answer in zip(variants, times, answers, strict=True)
    ]


def _prepare(
    checkpoint: Checkpoint, backend: Backend, frames: Sequence[Inputs], command: str
) -> list[Frame]:
    language = backend.encode_language(checkpoint.tokenizer.encode(command))
    return [(frame, language) for frame in frames]


def _cycle(backend: Backend, frames: Sequence[Frame]) -> Callable[[], object]:
    """Runs one frame after the other."""
    position = -1

    def run() -> object:
        nonlocal position
        position = (position + 1) % len(frames)
        return backend.forward(*frames[position])

    return run


def _apart(exact: npt.NDArray, other: npt.NDArray) -> tuple[float, float]:
    difference = np.abs(exact - other)
    return float(difference.max()), float(difference.mean())


def measure_language(variant: Variant, frame: Inputs, command: str, rounds: int) -> Language:
    """Time of the language branch and of the rest, in turns."""
    checkpoint, backend = variant.load()
    tokens = checkpoint.tokenizer.encode(command)
    language = backend.encode_language(tokens)
    branch, rest = take_turns(
        [lambda: backend.encode_language(tokens), lambda: backend.forward(frame, language)],
        rounds,
        lambda *_: None,
    )
    return Language(branch.median, rest.median)


COLD = """
import sys
from pathlib import Path
from vla_proof.bench.backends.backend_bench import Variant
from vla_policy.inference.inference import Policy
variant = Variant(sys.argv[1], Path(sys.argv[2]), sys.argv[3], (), sys.argv[4], int(sys.argv[5]))
checkpoint, backend = variant.load()
Policy(checkpoint, backend).warm_up(1)
"""


def cold_start(variant: Variant, tries: int = 3) -> float:
    """From the start of a process to its first answer, ms: the least of several, files cached."""
    arguments = [variant.name, str(variant.folder), variant.backend, variant.torch_mode]
    command = [sys.executable, "-c", COLD, *arguments, str(variant.threads)]
    times = []
    for _ in range(tries if variant.torch_mode == "eager" else 1):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append((time.perf_counter() - begin) * 1e3)
    return min(times)


def policy_overhead(variant: Variant, command: str, rounds: int) -> float:
    """What `Policy` adds to a forward pass (resizing, SI units, checks), without ROS; p50, ms."""
    checkpoint, backend = variant.load()
    policy = Policy(checkpoint, backend)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (480, 640, 3), dtype=np.uint8) for _ in checkpoint.cameras]
    extra = []
    for i in range(rounds):
        observation = Observation(
            stamp=i + 1,
            sequence=i,
            camera_names=checkpoint.cameras,
            images=tuple(images),
            state=dict.fromkeys(checkpoint.state_names, 0.0),
            command_id=1,
            command=command,
        )
        begin = time.perf_counter()
        chunk = policy.answer(observation).chunk
        extra.append((time.perf_counter() - begin - chunk.inference_time) * 1e3)
    return float(np.median(extra[WARM_UP:]))
