"""Where joints that are commanded by velocity must have stopped: at the ends of their range.

Each end is a `Boundary` of the limiter, which brakes in time for it. Where a joint is now is what
was measured and the way that the commands since then have told it. Free of ROS.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

from vla_contract.action_space import ActionSpace
from vla_safety.limits.limiter import Boundary, Limit
from vla_safety.watch.safety_inputs import joint_of_dimension

_REMEMBERED = 1000  # periods


class JointRanges:
    """Ask it once in each control period."""

    def __init__(self, space: ActionSpace) -> None:
        self._ranges = [
            (index, joint_of_dimension(space.dimensions[index]), low, high)
            for index, low, high in space.joint_ranges
        ]
        self._period = space.period
        unit = [tuple(float(i == k) for k in range(space.width)) for i in range(space.width)]
        self._towards = {
            index: (tuple(-c for c in unit[index]), unit[index]) for index, *_ in self._ranges
        }
        # Times of periods, and the ways commanded up to them.
        self._ways: deque[tuple[int, tuple[float, ...]]] = deque()

    def boundaries(
        self,
        values: Sequence[float],
        positions: Mapping[str, float],
        at: Mapping[str, int],
        steady: int,
    ) -> tuple[Boundary, ...]:
        """Two for each joint that has ends.

        values: the command of the period that ends now, SI. positions: as measured, rad or m; at:
        when, ns of a clock that never jumps, as `steady`. A joint that is not measured does not
        move.
        """
        if not self._ranges:
            return ()
        before = self._ways[-1][1] if self._ways else (0.0,) * len(self._ranges)
        way = tuple(
            done + values[index] * self._period
            for done, (index, *_) in zip(before, self._ranges, strict=True)
        )
        self._ways.append((steady, way))
        oldest = min((at.get(joint, 0) for _, joint, *_ in self._ranges), default=0)
        while len(self._ways) > 1 and (self._ways[1][0] <= oldest or len(self._ways) > _REMEMBERED):
            self._ways.popleft()
        found = []
        for k, (index, joint, low, high) in enumerate(self._ranges):
            back, forward = self._towards[index]
            to_low = to_high = math.nan
            if joint in positions:
                since = self._since(k, at[joint])
                # What the joint may not have done yet is no room gained.
                to_low = positions[joint] - low + min(0.0, since)
                to_high = high - positions[joint] - max(0.0, since)
            found.append(Boundary(back, to_low, Limit.RANGE, f"{joint} low"))
            found.append(Boundary(forward, to_high, Limit.RANGE, f"{joint} high"))
        return tuple(found)

    def _since(self, k: int, measured: int) -> float:
        """The way that was commanded since then."""
        last = self._ways[-1][1][k]
        for time, way in reversed(self._ways):
            if time <= measured:
                return last - way[k]
        return last - self._ways[0][1][k]
