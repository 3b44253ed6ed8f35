"""The observer of a robot that runs freely: images near in time, and the states nearest to them."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node

from vla_contract.faults import Finding
from vla_contract.message_enums import Level
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_perception.config import PerceptionConfig
from vla_perception.conversions import Frame
from vla_perception.image_hold import ImageHold
from vla_perception.matcher import Matcher
from vla_perception.observer import ObservedSet, Observer
from vla_perception.states import StateBuffer


class FreeRunningObserver(Observer):
    """Images matched by message_filters; the robot's state nearest to them."""

    def __init__(self, node: Node, config: PerceptionConfig, *args: Any, **kwargs: Any) -> None:
        self._slop = int(config.slop * NANOSECONDS)
        self._matcher = Matcher(config.queue_size, config.slop, kwargs["drops"])
        self._buffers: dict[str, StateBuffer[Any]] = {}
        self._hold: ImageHold[dict[str, Frame]] = ImageHold(config.feature_hold)
        self.repeated = 0  # sets that stood in for new ones
        self._apart: dict[str, float] = {}  # s from the image to a state that is too far from it
        super().__init__(node, config, *args, **kwargs)
        self._buffers = {name: StateBuffer(self._slop + 2 * NANOSECONDS) for name in self.states}
        self._members_changed()

    def _members_changed(self) -> None:
        self._matcher.rebuild(self.set.members)

    def forget(self) -> None:
        """The clock jumped back: stamps seen so far mean nothing."""
        super().forget()
        self._hold.forget()
        for buffer in self._buffers.values():
            buffer.clear()

    def state_findings(self) -> list[Finding]:
        """What is wrong with the robot's state, and with its stamps."""
        findings = super().state_findings()
        findings += [
            (
                Level.ERROR,
                f"{name}: the nearest to the image is {apart:+.3f} s from it; accepted: within "
                f"slop, {self.config.slop} s; do the clocks agree?",
            )
            for name, apart in self._apart.items()
        ]
        return findings

    def supervise(self) -> None:
        """Find inputs that have fallen silent, and let the last images stand in for new ones."""
        super().supervise()
        repeated = self._hold.repeat(self._time(), self._now())
        if repeated is not None:
            frames, stamp = repeated
            self.repeated += 1
            states = {state: self._newest(state) for state in self._buffers}
            self._emit(ObservedSet(stamp, frames, states, time.perf_counter()))

    def values(self) -> dict[str, Any]:
        """Named values for diagnostics, and how often images were repeated."""
        return {**super().values(), "repeated_sets": self.repeated}

    def _holding(self) -> bool:
        return self._hold.overdue(self._time()) and self._hold.holds(self._now())

    def _on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        if frame is None:
            self._bad_image(name)
            return
        if not self._moving(frame):
            # It took its time to be sure, and what it showed last is as old as that.
            self._hold.forget()
            self._bad_image(name, certain=True)
            return
        self._good_image(name)
        for frames in self._matcher.add(frame):
            oldest = min(each.stamp for each in frames.values())
            states = {state: self._nearest(state, oldest) for state in self._buffers}
            self._take(ObservedSet(oldest, frames, states, self.inputs[name].received))

    def _take(self, seen: ObservedSet) -> None:
        whole = all(name in seen.frames for name in self._required)
        if whole:
            self._hold.new(seen.frames, seen.stamp, self._time())
        elif self._hold.holds(self._now()):
            return  # the last set that has the required camera stands in
        self._emit(seen)

    def _on_state(self, name: str, stamp: int, message: Any | None) -> None:
        if message is not None:
            self._state_times[name] = self._time()
            self._note_positions(name, message)
            # What is put together of several publishers is as new as the newest of them.
            self._buffers[name].add(to_nanoseconds(message.header.stamp), message)

    def _nearest(self, name: str, stamp: int) -> Any | None:
        buffer = self._buffers[name]
        message, offset = buffer.nearest(stamp, self._slop), buffer.offset(stamp)
        self._apart.pop(name, None)
        if message is None and offset is not None:
            self._apart[name] = offset * 1e-9
        # An old state may be near an old image; it must also be alive.
        return message if self._alive(name) else None

    def _newest(self, name: str) -> Any | None:
        return self._buffers[name].newest() if self._alive(name) else None

    def _alive(self, name: str) -> bool:
        return self._time() - self._state_times[name] <= self.config.state_timeout
