"""Action chunks as a plan over time. Free of ROS.

Times are integers in ns. Row i of a chunk holds from observation_stamp + i * period on; between
two rows the plan is linear. The last row holds for one period, then the chunk is exhausted.
A new chunk is blended over a window into what the plan was, which may itself be a blend.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace
from vla_contract.stamps import NANOSECONDS

# More rows than any chunk needs; keeps a hostile message from costing time.
MAX_ROWS = 10_000
_MAX_LAYERS = 16


class Refusal(enum.Enum):
    """Why a chunk was not taken."""

    ACTION_SPACE = "unknown action space"
    DIMENSIONS = "dimension names differ"
    WIDTH = "wrong width"
    LENGTH = "too many rows"
    NOT_FINITE = "NaN or infinite action"
    PERIOD = "period not above 0"
    ZERO_STAMP = "zero observation stamp"
    FUTURE_STAMP = "observation stamp in the future"
    DUPLICATE = "duplicate observation stamp"
    OUT_OF_ORDER = "older than the last chunk"
    EXPIRED = "wholly in the past"


@dataclass(frozen=True)
class Chunk:
    """Actions predicted from one observation.

    observation_stamp, command_stamp, period: ns; command_stamp 0: not known.
    actions: SI, row by row, flat; empty means nothing to do. sequence: of the observation.
    progress: share of the command that is done, 0 to 1; NaN where the model gives none.
    """

    observation_stamp: int
    period: int
    actions: Sequence[float]
    action_space: str
    dimension_names: tuple[str, ...]
    command_id: int = 0
    command: str = ""
    command_stamp: int = 0
    done: bool = False
    sequence: int = 0
    progress: float = math.nan

    @property
    def length(self) -> int:
        """Number of rows."""
        return len(self.actions) // max(1, len(self.dimension_names))


def check_chunk(chunk: Chunk, space: ActionSpace) -> Refusal | None:
    """What is wrong with a chunk in itself, if anything."""
    if chunk.action_space != space.name:
        return Refusal.ACTION_SPACE
    if chunk.dimension_names != space.dimension_names:
        return Refusal.DIMENSIONS
    if len(chunk.actions) % space.width:
        return Refusal.WIDTH
    if chunk.length > MAX_ROWS:
        return Refusal.LENGTH
    if not all(map(math.isfinite, chunk.actions)):
        return Refusal.NOT_FINITE
    if chunk.period <= 0 and len(chunk.actions) > 0:
        return Refusal.PERIOD
    if chunk.observation_stamp <= 0:
        return Refusal.ZERO_STAMP
    return None


@dataclass(frozen=True)
class Layer:
    """A chunk in the plan and the time from which it takes over."""

    chunk: Chunk
    rows: list[list[float]]
    since: int

    @property
    def end(self) -> int:
        """Time at which the chunk is exhausted."""
        return self.chunk.observation_stamp + len(self.rows) * self.chunk.period

    def at(self, now: int) -> list[float]:
        """Action at a time, within its rows; the first and the last hold beyond them."""
        index, rest = divmod(now - self.chunk.observation_stamp, self.chunk.period)
        if index < 0:
            return self.rows[0]
        if index >= len(self.rows) - 1:
            return self.rows[-1]
        if rest == 0:
            return self.rows[index]
        return _mix(self.rows[index], self.rows[index + 1], rest / self.chunk.period)


class Sequencer:
    """The plan: at most the newest chunk and those that it is still being blended with."""

    def __init__(
        self, space: ActionSpace, blend_window: float, stamp_tolerance: float = 0.0
    ) -> None:
        """blend_window, stamp_tolerance: s; see SafetyConfig."""
        self.space = space
        self.refusals: Counter[Refusal] = Counter()
        self.accepted = 0
        self._layers: list[Layer] = []
        self._newest_stamp = 0
        self.configure(blend_window, stamp_tolerance)

    def configure(self, blend_window: float, stamp_tolerance: float) -> None:
        """Change both at run time; s."""
        self._window = round(blend_window * NANOSECONDS)
        self._tolerance = round(stamp_tolerance * NANOSECONDS)

    def accept(self, chunk: Chunk, now: int, anew: bool = False) -> Refusal | None:
        """Take a chunk into the plan, or count and return why not.

        A chunk without rows empties the plan. anew: the robot no longer acts on the plan of
        before, so there is nothing to blend with.
        """
        refusal = check_chunk(chunk, self.space) or self._check_time(chunk, now)
        if refusal is not None:
            self.refusals[refusal] += 1
            return refusal
        self.accepted += 1
        self._newest_stamp = chunk.observation_stamp
        if not chunk.actions:
            self._layers = []
            return None
        width = self.space.width
        flat = [float(value) for value in chunk.actions]
        rows = [flat[i : i + width] for i in range(0, len(flat), width)]
        self._forget_past(now)
        # What has run out no longer moves the robot either.
        if anew or self.exhausted(now):
            self._layers = []
        self._layers = [*self._layers[1 - _MAX_LAYERS :], Layer(chunk, rows, now)]
        return None

    def at(self, now: int) -> list[float] | None:
        """Action planned for a time; None when there is none, or it is exhausted."""
        self._forget_past(now)
        if not self._layers or now >= self._layers[-1].end:
            return None
        row = self._layers[0].at(now)
        for layer in self._layers[1:]:
            row = _mix(row, layer.at(now), min(1.0, max(0, now - layer.since) / self._window))
        return row

    def exhausted(self, now: int) -> bool:
        """There is a chunk, and it has run out."""
        return bool(self._layers) and now >= self._layers[-1].end

    @property
    def chunk(self) -> Chunk | None:
        """The newest chunk of the plan."""
        return self._layers[-1].chunk if self._layers else None

    def clear(self) -> None:
        """Drop the plan; chunks older than the newest one stay refused."""
        self._layers = []

    def forget(self) -> None:
        """Drop the plan and what is known of stamps: the clock jumped back."""
        self._layers = []
        self._newest_stamp = 0

    def _check_time(self, chunk: Chunk, now: int) -> Refusal | None:
        stamp = chunk.observation_stamp
        if stamp > now + self._tolerance:
            return Refusal.FUTURE_STAMP
        if stamp == self._newest_stamp:
            return Refusal.DUPLICATE
        if stamp < self._newest_stamp:
            return Refusal.OUT_OF_ORDER
        if chunk.actions and now >= stamp + chunk.length * chunk.period:
            return Refusal.EXPIRED
        return None

    def _forget_past(self, now: int) -> None:
        # A layer that has taken over wholly hides all before it.
        for i in range(len(self._layers) - 1, 0, -1):
            if now - self._layers[i].since >= self._window:
                self._layers = self._layers[i:]
                return


def _mix(a: list[float], b: list[float], share: float) -> list[float]:
    # This form gives back a and b themselves where they are equal.
    return [x + (y - x) * share for x, y in zip(a, b, strict=True)]
