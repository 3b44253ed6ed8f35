"""SafeAction as bytes, in every control period: see `templates` for why.

What stands in front of the violations has always the same form. They and what follows are put
together here, in the plain CDR of the middleware: each value aligned to its size, a text with its
length in front and a zero behind.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from builtin_interfaces.msg import Time

from vla_contract.action_space import ActionSpace
from vla_contract.stamps import NANOSECONDS
from vla_safety.conversions import safe_action_to_message
from vla_safety.decision import Decision, Verdict
from vla_safety.limits import LimitViolation
from vla_safety.states import State
from vla_safety.templates import Mark, Template, number_marks

_STAMP = Time(sec=1_369_682_884, nanosec=455_884_110)
_OBSERVATION_STAMP = (1_471_218_357, 566_372_931)
_TICK = 6_543_784_532_173_641_592
_COUNT, _PAIR = struct.Struct("=I"), struct.Struct("=2d")


class ActionRecords:
    """Serialises the record of each period of one action space."""

    def __init__(self, space: ActionSpace) -> None:
        self._nothing = (math.nan,) * space.width
        self._head = _head(space)

    def serialised(self, decision: Decision, tick: int, stamp: Time) -> bytes:
        """The message of `safe_action_to_message`."""
        return b"".join(self._parts(decision, tick, stamp))

    def _parts(self, decision: Decision, tick: int, stamp: Time) -> Iterator[bytes]:
        age = decision.observation_age
        yield self._head.fill(
            [
                (stamp.sec, stamp.nanosec),
                (tick,),
                divmod(decision.observation_stamp, NANOSECONDS),
                (math.nan if age is None else age,),
                self._nothing if decision.requested is None else decision.requested,
                decision.safe.tolist(),
            ]
        )
        after = 0  # bytes behind the last multiple of eight; numbers of eight bytes came last
        for violations in (decision.violations, decision.warnings):
            yield from _sequence(violations, after)
            after = 0 if violations else 4 - after
        flags = (decision.verdict, decision.state, decision.emergency, decision.connected)
        text = decision.input.encode()
        yield _tail(len(text), after).pack(len(text) + 1, text, *flags, decision.command_id)


def _head(space: ActionSpace) -> Template:
    """Everything in front of the violations."""
    width = space.width
    age, *rest = number_marks(1 + 2 * width)
    requested, safe = rest[:width], rest[width:]
    seconds, nanoseconds = _OBSERVATION_STAMP
    decision = Decision(
        verdict=Verdict.PASS,
        state=State.NOMINAL,
        requested=requested,
        safe=np.array(safe),
        violations=(),
        emergency=False,
        connected=True,
        standstill=False,
        observation_stamp=seconds * NANOSECONDS + nanoseconds,
        observation_age=age,
    )
    marks = (
        Mark("=iI", (_STAMP.sec, _STAMP.nanosec)),
        Mark("=Q", (_TICK,)),
        Mark("=iI", _OBSERVATION_STAMP),
        Mark("=d", (age,)),
        Mark(f"={width}d", tuple(requested)),
        Mark(f"={width}d", tuple(safe)),
    )
    return Template(safe_action_to_message(decision, space, _TICK, _STAMP), marks, cut=True)


def _sequence(violations: Sequence[LimitViolation], after: int) -> Iterator[bytes]:
    """Their number, and each: limit, dimension, name, value, bound."""
    yield _COUNT.pack(len(violations))
    after = 4 - after
    for violation in violations:
        yield _names(int(violation.limit), violation.dimension, violation.name, after)
        yield _PAIR.pack(violation.value, violation.bound)
        after = 0


@functools.lru_cache(maxsize=1024)
def _names(limit: int, dimension: str, name: str, after: int) -> bytes:
    """Limit, dimension and name of a violation up to its numbers; after: where it begins."""
    data = bytes(after) + bytes([limit])
    for text in (dimension.encode(), name.encode()):
        data += bytes(-len(data) % 4) + _COUNT.pack(len(text) + 1) + text + b"\0"
    return data[after:] + bytes(-len(data) % 8)


@functools.lru_cache(maxsize=64)
def _tail(length: int, after: int) -> struct.Struct:
    """Input (of so many bytes), verdict, state, emergency, connected, command; after: where."""
    return struct.Struct(f"=I{length + 1}s4B{-(after + length + 9) % 8}xQ")
