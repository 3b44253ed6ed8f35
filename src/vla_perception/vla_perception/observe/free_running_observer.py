"""The observer of a robot that runs freely: images near in time, and the states nearest to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vla_contract.machine_load import LoadWatch
from vla_contract.message_enums import Level
from vla_contract.node.fault_publisher import Finding
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_perception import input_health
from vla_perception.cameras.image_hold import ImageHold
from vla_perception.input_health import NEVER, InputReport
from vla_perception.observe.camera_matcher import Matcher
from vla_perception.observe.observer import SUPERVISION_PERIOD, ObservedSet, Observer
from vla_perception.observe.robot_states import StateHistory
from vla_perception.observe.stamped_streams import ClockEvent, ClockWatch
from vla_perception.observe.subscriptions import Arrival
from vla_perception.perception_config import CameraConfig, PerceptionConfig
from vla_perception.perception_conversions import Frame

if TYPE_CHECKING:
    from vla_perception.node import Perception


class FreeRunningObserver(Observer):
    """Time is the node's clock. Images are matched by message_filters, with the nearest state."""

    def __init__(
        self, node: Perception, config: PerceptionConfig, cameras: dict[str, CameraConfig]
    ) -> None:
        self._clock_watch = ClockWatch()
        self._clock_event = self._clock_watch.update(int(node.get_clock().now().nanoseconds))
        self._jumped_at = -NEVER  # s
        arrival = Arrival(
            ticks=False,
            future_tolerance=round(config.future_tolerance * NANOSECONDS),
            max_age=config.max_image_age,
            max_rate=config.max_image_rate,
            burst=config.queue_size,
            state_timeout=round(config.state_timeout * NANOSECONDS),
        )
        self._load = LoadWatch(SUPERVISION_PERIOD)
        super().__init__(node, config, cameras, arrival)
        self._history = StateHistory(self.states, int(config.slop * NANOSECONDS))
        self._matcher = Matcher(config.queue_size, config.slop, self.drops)
        self._hold: ImageHold[dict[str, Frame]] = ImageHold(config.feature_hold)
        self.repeated = 0  # sets that stood in for new ones
        self.members_changed()

    # Time.

    def now(self) -> int:
        """Node clock, ns."""
        return int(self.node.get_clock().now().nanoseconds)

    def steady(self) -> float:
        """Time by which inputs are alive or not, s."""
        return time.monotonic()

    def on_timer(self) -> None:
        """Look at the clock and at what has fallen silent, and tell the node."""
        if not self.node.active:
            return
        self._load.tick(self.steady())
        before, self._clock_event = self._clock_event, self._clock_watch.update(self.now())
        if before == ClockEvent.NOT_STARTED != self._clock_event:
            self.restart()  # what takes its stamps from this clock begins with it
        if self._clock_event == ClockEvent.JUMPED_BACK:
            self._jumped_at = self.steady()
            line = "the clock jumped back: buffers emptied, command withdrawn"
            self.node.get_logger().warning(line)
            self.forget()
            self.node.clock_jumped()
        if self._clock_event != ClockEvent.NOT_STARTED:
            self.supervise()
        self.node.advance()
        self.node.update_faults()

    def clock_findings(self, reports: Sequence[InputReport]) -> list[Finding]:
        """What is wrong with the clocks."""
        not_started = self._clock_event == ClockEvent.NOT_STARTED
        jumped = self.steady() - self._jumped_at
        return input_health.clock_findings(not_started, jumped, reports, self._load.overload)

    def overload(self) -> str:
        """Why this machine is late."""
        return self._load.overload()

    # Images.

    def on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        """Match an image with those of the other cameras, and publish the sets it completes."""
        if frame is None:
            self.bad_image(name)
            return
        if not self.is_moving(frame):
            # It took its time to be sure, and what it showed last is as old as that.
            self._hold.forget()
            self.bad_image(name, certain=True)
            return
        self.good_image(name)
        for frames in self._matcher.add(frame):
            oldest = min(each.stamp for each in frames.values())
            states = self._alive(self._history.nearest(oldest))
            self._publish(ObservedSet(oldest, frames, states, self.inputs[name].received))

    def _publish(self, seen: ObservedSet) -> None:
        whole = all(name in seen.frames for name in self.required)
        if whole:
            self._hold.new(seen.frames, seen.stamp, self.steady())
        elif self._hold.holds(self.now()):
            return  # the last set that has the required camera stands in
        self.node.publish_observation(seen)

    def supervise(self) -> None:
        """Find inputs that have fallen silent, and let the last images stand in for new ones."""
        super().supervise()
        repeated = self._hold.repeat(self.steady(), self.now())
        if repeated is not None:
            frames, stamp = repeated
            self.repeated += 1
            states = self._alive(self._history.newest())
            self.node.publish_observation(ObservedSet(stamp, frames, states, time.perf_counter()))

    def holds_images(self) -> bool:
        """The last good images stand in for those that are missing."""
        return self._hold.overdue(self.steady()) and self._hold.holds(self.now())

    def cameras_changed(self) -> None:
        """Tell it now and not with the next supervision."""
        self.node.update_faults()

    def members_changed(self) -> None:
        """Match the cameras that are alive."""
        self._matcher.rebuild(self.set.members)

    def forget(self) -> None:
        """The clock jumped back: stamps seen so far mean nothing."""
        super().forget()
        self._hold.forget()
        self._history.clear()

    def values(self) -> dict[str, Any]:
        """Named values for diagnostics, and how often images were repeated."""
        return {**super().values(), "repeated_sets": self.repeated}

    # States.

    def on_state(self, name: str, stamp: int, message: Any | None) -> None:
        """Keep a state until an image asks for it."""
        if message is not None:
            self.good_state(name, message)
            # What is put together of several publishers is as new as the newest of them.
            self._history.add(name, to_nanoseconds(message.header.stamp), message)

    def state_findings(self) -> list[Finding]:
        """What is wrong with the robot's state, and with its stamps."""
        findings = super().state_findings()
        findings += [
            (
                Level.ERROR,
                f"{name}: the nearest to the image is {apart:+.3f} s from it; accepted: within "
                f"slop, {self.config.slop} s; {self.overload() or 'do the clocks agree?'}",
            )
            for name, apart in self._history.too_far.items()
        ]
        return findings

    def _alive(self, states: dict[str, Any | None]) -> dict[str, Any | None]:
        """Those of the sources that are alive: an old state may be near an old image."""
        oldest = self.steady() - self.config.state_timeout
        return {
            name: message if self.states[name].last >= oldest else None
            for name, message in states.items()
        }
