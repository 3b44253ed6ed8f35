"""What follows a fault after it is over: recovery times and escalation. Free of ROS.

A fault is a cause of HOLD that has a kind (or is an obstacle or a contact). Once it is gone, its
cause must stay away for the recovery time of its kind before the robot moves again; coming back
begins the time anew. A fault that interrupts motion is counted: too many of one kind, or of all
kinds together, within a window are a latched stop.

What there was before the graph was well for the first time is start-up, not a fault: it neither
needs a recovery time nor counts. Times are ns of a clock that never jumps, in lock-step the tick's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vla_contract.stamps import NANOSECONDS
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

# Well for this long without a fault, the graph has started up.
SETTLED_AFTER = NANOSECONDS

Key = FaultKind | Reason


@dataclass(frozen=True)
class RecoveryRules:
    """Recovery time of each kind, and when faults are too many.

    times: s; a kind that is not there has none. count, total: faults of one kind and of all kinds
    within `window` s that are a stop; 0: never.
    """

    times: Mapping[Key, float] = field(default_factory=dict)
    count: int = 0
    total: int = 0
    window: float = 0.0


@dataclass(frozen=True)
class RecoveryResult:
    """Causes that this period has beside the faults, and how long the longest of them lasts, s."""

    causes: tuple[Cause, ...] = ()
    left: float = 0.0


@dataclass(frozen=True)
class _Fault:
    cause: Cause
    seen: int


class Recovery:
    """See the module. One `update` per control period."""

    def __init__(self) -> None:
        self._faults: dict[Key, _Fault] = {}
        self._counted: deque[tuple[int, Key]] = deque()
        self._settled = False
        self._well_since: int | None = None
        self.result = RecoveryResult()

    def restart(self) -> None:
        """Start-up begins: what is wrong now is no fault yet."""
        self._faults = {}
        self._settled = False
        self._well_since = None

    def forgive(self) -> None:
        """A person has reset a stop: the faults so far no longer count."""
        self._counted.clear()

    def update(
        self,
        causes: Sequence[Cause],
        rules: RecoveryRules,
        steady: int,
        moving: bool,
        ignored: frozenset[FaultKind] = frozenset(),
    ) -> RecoveryResult:
        """Judge the causes of one period.

        moving: the robot acted on a plan in the period before. ignored: kinds that do not
        concern the one who drives now; what is to be recovered from stays known.
        """
        present = _faults(causes)
        self._settle(bool(present), moving, steady)
        if not self._settled:
            self.result = RecoveryResult()
            return self.result
        found: list[Cause] = []
        for key, cause in present.items():
            if key not in self._faults and moving:
                found += self._escalated(key, cause, rules, steady)
            self._faults[key] = _Fault(cause, steady)
        recovering, left = self._recovering(present, rules, steady, ignored)
        self.result = RecoveryResult((*found, *recovering), left)
        return self.result

    def _settle(self, faulty: bool, moving: bool, steady: int) -> None:
        if self._settled:
            return
        if faulty:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = steady
        well = self._well_since is not None and steady - self._well_since >= SETTLED_AFTER
        self._settled = moving or well

    def _recovering(
        self,
        present: Mapping[Key, Cause],
        rules: RecoveryRules,
        steady: int,
        ignored: frozenset[FaultKind],
    ) -> tuple[list[Cause], float]:
        """Causes of the faults that are over but not yet recovered from, the longest first."""
        found: list[tuple[int, Cause]] = []
        for key, fault in list(self._faults.items()):
            if key in present:
                continue
            seconds = rules.times.get(key, 0.0)
            left = round(seconds * NANOSECONDS) - max(0, steady - fault.seen)
            if left <= 0:
                del self._faults[key]
            elif key not in ignored:
                found.append((left, _recovery_cause(fault.cause, seconds)))
        found.sort(key=lambda item: -item[0])
        return [cause for _, cause in found], found[0][0] / NANOSECONDS if found else 0.0

    def _escalated(self, key: Key, cause: Cause, rules: RecoveryRules, steady: int) -> list[Cause]:
        if cause.kind is None or not cause.escalates:
            return []
        self._counted.append((steady, key))
        oldest = steady - round(rules.window * NANOSECONDS)
        while self._counted and self._counted[0][0] < oldest:
            self._counted.popleft()
        of_kind = sum(other is key for _, other in self._counted)
        for number, limit, what in (
            (of_kind, rules.count, f"{cause.kind.words} faults"),
            (len(self._counted), rules.total, "faults"),
        ):
            if limit and number >= limit:
                text = f"{number} {what} within {rules.window:g} s, the last: {cause.text}"
                return [
                    Cause(
                        Reason.ESCALATED, Severity.STOP, text, "reset", cause.emergency, cause.kind
                    )
                ]
        return []


def _faults(causes: Sequence[Cause]) -> dict[Key, Cause]:
    found: dict[Key, Cause] = {}
    for cause in causes:
        if cause.severity is not Severity.HOLD:
            continue
        if cause.kind is not None:
            known = found.get(cause.kind)
            if known is None or not known.escalates:
                found[cause.kind] = cause
        elif cause.reason in (Reason.OBSTACLE, Reason.CONTACT):
            found.setdefault(cause.reason, cause)
    return found


def _recovery_cause(cause: Cause, seconds: float) -> Cause:
    return Cause(
        Reason.RECOVERY,
        Severity.HOLD,
        f"recovering, over is: {cause.text}",
        f"that stays away for {seconds:g} s",
        cause.emergency,
    )
