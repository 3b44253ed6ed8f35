"""The observer of lock-step: what is stamped with a tick, answered tick by tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import SimulationTick
from vla_perception.conversions import Frame, to_image
from vla_perception.lock_step import TickAssembler, TickSet
from vla_perception.observer import ObservedSet, Observer


class LockStepObserver(Observer):
    """Everything stamped with the tick, and nothing before all of it is there.

    may_emit: False while something that the next observation depends on is still under way.
    on_tick: called with each tick's stamp, ns, when it is the present one.
    """

    def __init__(
        self,
        *args: Any,
        may_emit: Callable[[], bool],
        on_tick: Callable[[int], None],
        **kwargs: Any,
    ) -> None:
        self._stamp: int | None = None  # ns, of the present tick; None before the first one
        self._may_emit = may_emit
        self._on_tick = on_tick
        super().__init__(*args, **kwargs)
        self._assembler = TickAssembler(tuple(self.inputs))

    def _time(self) -> float:
        return (self._stamp or 0) * 1e-9

    def tick(self, message: SimulationTick) -> None:
        """A tick came: the present one, or in a replay one of the next."""
        stamp = to_nanoseconds(message.header.stamp)
        self._assembler.tick(message.tick, stamp, message.episode, message.has_images)
        present = self._assembler.present()
        self._reach(stamp if present is None else present)
        self.pump()

    def pump(self) -> None:
        """Emit the sets that are complete, in order."""
        while self._may_emit() and (complete := self._assembler.take()) is not None:
            self._reach(complete.stamp)
            self._observe(complete)
            following = self._assembler.present()
            if following is not None:
                self._reach(following)

    def _reach(self, stamp: int) -> None:
        """It is the time of this tick now; once for each."""
        if stamp == self._stamp:
            return
        first, self._stamp = self._stamp is None, stamp
        if first:
            self._started = self._time()
            self.set = self._new_set()
        self._on_tick(stamp)

    def _observe(self, complete: TickSet) -> None:
        now = self._time()
        states = {name: complete.inputs[name] for name in self.states}
        for name, message in states.items():
            if message is not None:
                self._state_times[name] = now
                self._note_positions(name, message)
        frames = self._good_frames(complete.inputs)
        self.supervise()
        received = max(each.received for each in self.inputs.values())
        self._emit(ObservedSet(complete.stamp, frames, states, received))

    def _good_frames(self, inputs: dict[str, Any]) -> dict[str, Frame]:
        """The frames of the cameras that are in the set, which these frames may change."""
        frames = {}
        for name in self.cameras:
            frame: Frame | None = inputs[name]
            if frame is None or not self._moving(frame):
                self._bad_image(name, certain=frame is not None)
                continue
            self._good_image(name)
            if self.set.state(name).in_set:
                frames[name] = frame
        return frames

    def values(self) -> dict[str, Any]:
        """Named values for diagnostics, and what the present tick waits for."""
        missing = ", ".join(self._assembler.missing()) or "nothing"
        return {**super().values(), "waits_for": missing, "stale_ticks": self._assembler.stale}

    def _on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        if frame is not None:
            # Now and not when its tick comes: a replay sends images ahead.
            camera = self.cameras[name]
            frame.message = to_image(frame, camera.height, camera.width)
        self._assembler.add(name, stamp, frame)
        self.pump()

    def _on_state(self, name: str, stamp: int, message: Any | None) -> None:
        self._assembler.add(name, stamp, message)
        self.pump()
