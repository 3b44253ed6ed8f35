"""Who may do what: roles, the one operator who holds control, and the takeover. Free of ROS.

Nothing here reaches past the safety node: what is allowed becomes a command, a service call or a
twist of a teleoperation input, and safety judges each of them.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

SILENCE = 0.5  # s without a twist after which a takeover is over; safety has braked long before
OLDEST_TWIST = 0.2  # s that a twist may have been under way longer than the quickest before it


class Role(enum.Enum):
    """What a page was paired as."""

    VIEWER = "viewer"
    OPERATOR = "operator"


class ControlError(Exception):
    """A page may not do what it asks; the message is one line that says why and who may."""


@dataclass
class Driving:
    """A takeover: since when (wall clock, s), when its last twist came, and how old one may be."""

    since: float
    last: float  # monotonic, s
    quickest: float = math.inf  # least (arrival - page's time) so far, s


@dataclass
class OperatorControl:
    """At most one page holds control; only that one may take the robot over.

    greatest: linear (m/s) and angular (rad/s) speed of a twist.
    """

    greatest: tuple[float, float]
    holder: int | None = None
    holder_name: str = ""
    driving: Driving | None = None
    _takeovers: list[tuple[float, float]] = field(default_factory=list)

    def take(self, page: int, name: str, role: Role) -> None:
        """Give control to a page.

        Raises:
            ControlError: it is a viewer's, or another page holds control.
        """
        if role is not Role.OPERATOR:
            raise ControlError("this page was paired as a viewer; accepted: one paired as operator")
        if self.holder not in (None, page):
            raise ControlError(
                f"{self.holder_name} holds control; it must give control up, or close its page"
            )
        self.holder, self.holder_name = page, name

    def give_up(self, page: int, now: float) -> bool:
        """A page gives control up, or is gone; whether it had it. now: wall clock, s."""
        if self.holder != page:
            return False
        self.end_takeover(now)
        self.holder, self.holder_name = None, ""
        return True

    def require(self, page: int) -> None:
        """Go on only for the page that holds control.

        Raises:
            ControlError: it does not.
        """
        if self.holder == page:
            return
        if self.holder is None:
            raise ControlError("nobody holds control; take control first")
        raise ControlError(f"{self.holder_name} holds control; this page may watch, and stop")

    def begin_takeover(self, page: int, now: float, monotonic: float) -> None:
        """The page's person drives from now on. now: wall clock, s; monotonic: s.

        Raises:
            ControlError: the page does not hold control.
        """
        self.require(page)
        if self.driving is None:
            self.driving = Driving(now, monotonic)

    def end_takeover(self, now: float) -> bool:
        """The person gives back; whether somebody drove."""
        if self.driving is None:
            return False
        self._takeovers.append((self.driving.since, now))
        self.driving = None
        return True

    def fell_silent(self, monotonic: float) -> bool:
        """Whether somebody drives whose page says nothing any more. monotonic: now, s."""
        return self.driving is not None and monotonic - self.driving.last > SILENCE

    def takeovers_since(self, begin: float, now: float) -> list[tuple[float, float]]:
        """When a person drove, from `begin` on; (from, to), s after `begin`."""
        spans = [*self._takeovers]
        if self.driving is not None:
            spans.append((self.driving.since, now))
        return [(max(a, begin) - begin, b - begin) for a, b in spans if b > begin]

    def twist(
        self, page: int, asked: Sequence[float], sent: float, arrived: float
    ) -> tuple[float, ...]:
        """The twist that a page asks for, within the greatest speeds: linear m/s, angular rad/s.

        Args:
            asked: six numbers, shares of the greatest speed from -1 to 1.
            sent: when the page sent it, by its own clock, s. arrived: monotonic, s.

        Raises:
            ControlError: the page does not drive, or the twist was under way for too long: what a
                stalled connection delivers later must not move the robot.
        """
        self.require(page)
        if self.driving is None:
            raise ControlError("nobody has taken over; take over first")
        self.driving.last = arrived
        way = arrived - sent
        self.driving.quickest = min(self.driving.quickest, way)
        if way - self.driving.quickest > OLDEST_TWIST:
            raise ControlError("a twist came too late, and was dropped")
        linear, angular = self.greatest
        shares = [min(1.0, max(-1.0, share)) for share in asked]
        return tuple(share * (linear if i < 3 else angular) for i, share in enumerate(shares))
