"""Action chunks as a plan over time. Free of ROS.

Times are integers in ns. Row i of a chunk holds from i periods after its observation on, in path
time (`path_clock`): a robot that is slowed down comes to it later. Between two rows the plan is
linear (of an orientation: turns evenly). The last row holds for one period, then the chunk is
exhausted. A new chunk is blended over a window, which passes whether the robot is slow or not, into
what the plan was, which may itself be a blend. A plan that is dropped is kept to brake along.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract import rotations
from vla_contract.action_space import ActionSpace, Orientation
from vla_contract.stamps import NANOSECONDS
from vla_safety.plan.path_clock import PathClock

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
    """A chunk in the plan.

    start: path time of its observation. since: time from which it takes over.
    """

    chunk: Chunk
    rows: list[list[float]]
    start: int
    since: int
    orientations: tuple[Orientation, ...] = ()

    @property
    def end(self) -> int:
        """Path time at which the chunk is exhausted."""
        return self.start + len(self.rows) * self.chunk.period

    def at(self, path_time: int) -> list[float]:
        """Action at a path time, within its rows; the first and the last hold beyond them."""
        index, rest = divmod(path_time - self.start, self.chunk.period)
        if index < 0:
            return self.rows[0]
        if index >= len(self.rows) - 1:
            return self.rows[-1]
        if rest == 0:
            return self.rows[index]
        share = rest / self.chunk.period
        return mixed(self.rows[index], self.rows[index + 1], share, self.orientations)


class Sequencer:
    """The plan: at most the newest chunk and those that it is still being blended with."""

    def __init__(
        self, space: ActionSpace, blend_window: float, stamp_tolerance: float = 0.0
    ) -> None:
        """blend_window, stamp_tolerance: s; see SafetyConfig."""
        self.space = space
        self.clock = PathClock()
        self.refusals: Counter[Refusal] = Counter()
        self.accepted = 0
        self._layers: list[Layer] = []
        self._dropped: list[Layer] = []
        self._braking: list[Layer] = []
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
            self.clear()
            return None
        space, width = self.space, self.space.width
        flat = [float(value) for value in chunk.actions]
        rows = [flat[i : i + width] for i in range(0, len(flat), width)]
        self._forget_past(now)
        # What has run out no longer moves the robot either.
        if anew or self.exhausted(now):
            self._layers = []
        start = self.clock.at(chunk.observation_stamp)
        layer = Layer(chunk, rows, start, now, space.orientations)
        self._layers = [*self._layers[1 - _MAX_LAYERS :], layer]
        self._dropped = []
        return None

    def at(self, now: int) -> list[float] | None:
        """Action planned for a time; None when there is none, or it is exhausted."""
        self._forget_past(now)
        if not self._layers or self.exhausted(now):
            return None
        return self._row(self._layers, now, 0)

    def ahead(self, now: int, further: int) -> list[float] | None:
        """Action planned for so many ns of path time later; where the plan ends, its last row."""
        return self._row(self._layers, now, further) if self._layers else None

    def begin_brake(self) -> None:
        """The robot begins to brake along the plan that it has acted on until now."""
        self._braking, self._dropped = self._layers or self._dropped, []

    def brake_at(self, now: int, further: int = 0) -> list[float] | None:
        """Action of the plan that the robot brakes along, as `ahead`; None: there is none."""
        return self._row(self._braking, now, further) if self._braking else None

    def end_brake(self) -> None:
        """The robot is at rest, or brakes for an emergency, or acts again."""
        self._braking, self._dropped = [], []

    def _row(self, layers: list[Layer], now: int, further: int) -> list[float]:
        path_time = self.clock.at(now) + further
        row = layers[0].at(path_time)
        for layer in layers[1:]:
            share = max(0, now - layer.since) / self._window if self._window else 1.0
            row = mixed(row, layer.at(path_time), min(1.0, share), self.space.orientations)
        return row

    def exhausted(self, now: int) -> bool:
        """There is a chunk, and it has run out."""
        return bool(self._layers) and self.clock.at(now) >= self._layers[-1].end

    @property
    def chunk(self) -> Chunk | None:
        """The newest chunk of the plan."""
        return self._layers[-1].chunk if self._layers else None

    def clear(self) -> None:
        """Drop the plan, but for braking; chunks older than the newest one stay refused."""
        self._dropped = self._layers or self._dropped
        self._layers = []

    def forget(self) -> None:
        """Drop the plan and what is known of stamps: the clock jumped back."""
        self._layers = []
        self.end_brake()
        self._newest_stamp = 0
        self.clock.forget()

    def _check_time(self, chunk: Chunk, now: int) -> Refusal | None:
        stamp = chunk.observation_stamp
        if stamp > now + self._tolerance:
            return Refusal.FUTURE_STAMP
        if stamp == self._newest_stamp:
            return Refusal.DUPLICATE
        if stamp < self._newest_stamp:
            return Refusal.OUT_OF_ORDER
        path_time = self.clock.at(now) - self.clock.at(stamp)
        if chunk.actions and path_time >= chunk.length * chunk.period:
            return Refusal.EXPIRED
        return None

    def _forget_past(self, now: int) -> None:
        # A layer that has taken over wholly hides all before it.
        for i in range(len(self._layers) - 1, 0, -1):
            if now - self._layers[i].since >= self._window:
                self._layers = self._layers[i:]
                return


def mixed(
    a: list[float], b: list[float], share: float, orientations: Sequence[Orientation] = ()
) -> list[float]:
    """The row at a share of the way from a to b; an orientation by the shorter way round."""
    # This form gives back a and b themselves where they are equal.
    row = [x + (y - x) * share for x, y in zip(a, b, strict=True)]
    for orientation in orientations:
        before, after = orientation.read(a), orientation.read(b)
        if before is not None and after is not None and 0.0 < share < 1.0:
            orientation.write(row, rotations.slerp(before, after, share))
    return row
