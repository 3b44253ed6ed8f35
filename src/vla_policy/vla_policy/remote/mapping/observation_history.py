"""Past frames and states of requests, for policies that look at more than one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.stamps import NANOSECONDS

Key = tuple[str, ...]  # of maps in one another, outermost first; empty: none


@dataclass(frozen=True)
class Past:
    """How many frames a policy wants, oldest first, and how many of its steps apart."""

    frames: int
    stride: int = 1

    @property
    def steps(self) -> list[int]:
        """Of each frame, in the policy's steps from now: [-2 * stride, -stride, 0]."""
        return [-self.stride * i for i in reversed(range(self.frames))]


class ObservationHistory:
    """What the requests of one command had, by key, as far back as is wanted.

    wanted: by the keys of arrays (frames, …) of the request. step: s, of the policy's steps.
    """

    def __init__(self, wanted: Mapping[Key, Past], step: float) -> None:
        self._wanted = wanted
        self._step = step * NANOSECONDS
        longest = max((-past.steps[0] for past in wanted.values()), default=0)
        self._span = longest * self._step
        self._kept: deque[tuple[int, dict[Key, npt.NDArray[Any]]]] = deque()
        self._command: int | None = None

    def reset(self) -> None:
        """Forget everything: another episode begins."""
        self._kept.clear()

    def fill(self, request: dict[str, Any], stamp: int, command: int) -> None:
        """Put the frames of the past into a request, which has the newest in the place of all.

        Of each step it is the observation that is nearest in time; before the first one of a
        command, and after a clock that went back, it is that first one.

        Args:
            stamp: of the observation, ns. command: its number; another one begins another episode.
        """
        if command != self._command or (self._kept and stamp < self._kept[-1][0]):
            self.reset()
        self._command = command
        arrays = {key: _at(request, key) for key in self._wanted}
        if self._kept and any(
            self._kept[-1][1][key].shape != array.shape[1:] for key, array in arrays.items()
        ):
            self.reset()  # a camera has another size now
        self._kept.append((stamp, {key: array[-1].copy() for key, array in arrays.items()}))
        while len(self._kept) > 1 and self._kept[1][0] <= stamp - self._span:
            self._kept.popleft()
        for key, array in arrays.items():
            for row, steps in enumerate(self._wanted[key].steps):
                array[row] = self._nearest(stamp + steps * self._step)[key]

    def _nearest(self, stamp: float) -> dict[Key, npt.NDArray[Any]]:
        return min(reversed(self._kept), key=lambda kept: abs(kept[0] - stamp))[1]


def repeated(array: npt.NDArray[Any], past: Past | None) -> npt.NDArray[Any]:
    """An array in the place of each frame, (frames, …); as it is where none is wanted."""
    return array if past is None else np.repeat(array[None], past.frames, axis=0)


def _at(request: dict[str, Any], key: Key) -> npt.NDArray[Any]:
    inside: Any = request
    for name in key:
        inside = inside[name]
    found: npt.NDArray[Any] = inside
    return found
