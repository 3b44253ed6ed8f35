"""The observer of lock-step: what is stamped with a tick, answered tick by tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vla_contract import topics
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import ActionChunk, SimulationTick
from vla_perception.observe.observer import ObservedSet, Observer
from vla_perception.observe.subscriptions import Arrival
from vla_perception.observe.tick_messages import TickAssembler, TickSet
from vla_perception.perception_config import CameraConfig, PerceptionConfig
from vla_perception.perception_conversions import Frame, to_image

if TYPE_CHECKING:
    from vla_perception.node import Perception


class LockStepObserver(Observer):
    """Time is the present tick's. A set is all that is stamped with a tick, and nothing less.

    A set waits also for the policy's answers to the sets before it, which may end the command.
    """

    def __init__(
        self, node: Perception, config: PerceptionConfig, cameras: dict[str, CameraConfig]
    ) -> None:
        self._stamp: int | None = None  # ns, of the present tick; None before the first one
        self._unanswered: list[int] = []  # sequences of observations with a command
        self._goes_on = 0  # id of the command that the first of them does not end for certain
        super().__init__(node, config, cameras, Arrival())
        self._assembler = TickAssembler(tuple(self.inputs))

    def now(self) -> int:
        """Stamp of the present tick, ns."""
        return self._stamp or 0

    def steady(self) -> float:
        """The same in s."""
        return self.now() * 1e-9

    def restart(self) -> None:
        """Begin anew: no answer is to come."""
        self._unanswered, self._goes_on = [], 0
        super().restart()

    def subscriptions(self) -> list[tuple[type, str, Any]]:
        """The simulator's ticks."""
        return [(SimulationTick, topics.TICK, self.on_tick)]

    def on_tick(self, message: SimulationTick) -> None:
        """A tick came: the present one, or in a replay one of the next."""
        stamp = to_nanoseconds(message.header.stamp)
        self._assembler.tick(
            message.tick, stamp, message.episode, message.has_images, message.missing_inputs
        )
        present = self._assembler.present()
        self._reach(stamp if present is None else present)
        self._publish_complete()

    def on_chunk(self, message: ActionChunk) -> None:
        """The policy answered: the next set may be published."""
        self._goes_on = message.command_id if message.chunks_before_done else 0
        self._unanswered = [s for s in self._unanswered if s > message.observation_sequence]
        self._publish_complete()

    def on_frame(self, name: str, stamp: int, frame: Frame | None) -> None:
        """Keep an image for its tick."""
        if frame is not None:
            # Now and not when its tick comes: a replay sends images ahead.
            camera = self.cameras[name]
            frame.message = to_image(frame, camera.height, camera.width)
        self._assembler.add(name, stamp, frame)
        self._publish_complete()

    def on_state(self, name: str, stamp: int, message: Any | None) -> None:
        """Keep a state for its tick."""
        self._assembler.add(name, stamp, message)
        self._publish_complete()

    def values(self) -> dict[str, Any]:
        """Named values for diagnostics, and what the present tick waits for."""
        missing = ", ".join(self._assembler.missing()) or "nothing"
        return {**super().values(), "waits_for": missing, "stale_ticks": self._assembler.stale}

    def _publish_complete(self) -> None:
        """Publish the sets that are complete, in order."""
        while self._knows_the_command() and (complete := self._assembler.take()) is not None:
            self._reach(complete.stamp)
            self._publish(complete)
            following = self._assembler.present()
            if following is not None:
                self._reach(following)

    def _knows_the_command(self) -> bool:
        """No chunk that is still to come can change the next observation's command.

        The chunk that answers the last observation may end it, unless the one before has said that
        it does not.
        """
        command = self.node.command
        goes_on = command is not None and command.command_id == self._goes_on
        return self.node.active and len(self._unanswered) <= int(goes_on)

    def _reach(self, stamp: int) -> None:
        """It is the time of this tick now; once for each."""
        if stamp == self._stamp:
            return
        first, self._stamp = self._stamp is None, stamp
        if first:
            self._started = self.steady()
            self.set = self._new_set()
            self.node.clock_started()
        self.node.advance()

    def _publish(self, complete: TickSet) -> None:
        states = {name: complete.inputs[name] for name in self.states}
        for name, message in states.items():
            if message is not None:
                self.good_state(name, message)
        frames = self._good_frames(complete.inputs)
        self.supervise()
        received = max(each.received for each in self.inputs.values())
        self.node.update_faults()
        with_command = self.node.command is not None
        sequence = self.node.publish_observation(
            ObservedSet(complete.stamp, frames, states, received)
        )
        if with_command:
            self._unanswered.append(sequence)

    def _good_frames(self, inputs: dict[str, Any]) -> dict[str, Frame]:
        """The frames of the cameras that are in the set, which these frames may change."""
        frames = {}
        for name in self.cameras:
            frame: Frame | None = inputs[name]
            if frame is None or not self.is_moving(frame):
                self.bad_image(name, certain=frame is not None)
                continue
            self.good_image(name)
            if self.set.state(name).in_set:
                frames[name] = frame
        return frames
