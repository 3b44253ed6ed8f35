"""Lock-step replay: each control period of the bag is asked for once, and answered once.

No wall clock decides anything. Two things are sent before they are due, because they change
nothing but the time it takes: the images of the next tick that has some (perception keeps them by
their stamp until that tick), and ticks that carry neither an image nor a message, which the safety
node answers one after the other as they come.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from vla_contract import topics
from vla_replay.player import COMMAND_PAUSE, Player
from vla_replay.storage import BagError, NotJoinedError
from vla_replay.timeline import PAIRED, ImageSet, Part, Step

# Where the robot is: the safety node waits for it in every tick, so the last one is repeated.
PLACE = (topics.END_EFFECTOR_POSE, "odom")
AHEAD = 64  # steps that are looked at to find the next images
HANDSHAKES = 20  # ticks; the bag's own begin after them
HANDSHAKE_STEP = 1000  # ns between their stamps
HANDSHAKE_TIME = 1.0  # s for the answer to one
SETTLE_TIME = 0.2  # s for what only other nodes send each other
JOIN_TIMEOUT = 12.0  # s for each answer before the first observation
FIRST_COMMAND = 2  # tick; the first one starts the clocks and the episode
SPIN = 0.05  # s


class LockStepReplay:
    """Plays steps. seeds: the first robot state of the bag, sent with the first tick."""

    def __init__(
        self,
        player: Player,
        spin: Callable[[float], None],
        check: Callable[[], None],
        *,
        seeds: dict[str, Part],
        command: str | None,
        ahead: bool = True,
        answer_timeout: float = 30.0,
    ) -> None:
        """check: raises where the graph cannot go on. command: given at the beginning."""
        self._player = player
        self._spin = spin
        self._check = check
        self._seeds = seeds
        self._early = [command] if command is not None else []
        self._ahead = ahead
        self._timeout = answer_timeout
        self._queue: deque[Step] = deque()
        self._sent: set[int] = set()  # ticks whose images are out
        self._first_sent: dict[int, float] = {}
        self._newest: dict[str, Part] = {}  # of what tells the place
        self._asked = 0  # the newest tick that was sent

    def run(self, steps: Iterator[Step]) -> None:
        """Play them all.

        Raises:
            BagError: a tick has no answer in time.
        """
        if self._fill(steps, 1):
            self._shake_hands(self._queue[0])
        while self._fill(steps, 1):
            self._play(self._queue.popleft(), steps)
        self._wait_for(self._asked)

    def _fill(self, steps: Iterator[Step], count: int) -> bool:
        while len(self._queue) < count:
            step = next(steps, None)
            if step is None:
                return False
            step.tick += HANDSHAKES
            step.episode += 1
            self._queue.append(step)
        return True

    def _shake_hands(self, first: Step) -> None:
        """Ticks just before the first one until one is answered: then everybody hears everybody.

        They are an episode of their own, at rest and without a command, and are not recorded; the
        bag's ticks have the same numbers however many it took.
        """
        player = self._player
        player.recording = False
        for tick in range(1, HANDSHAKES + 1):
            stamp = max(tick, first.stamp - HANDSHAKES * HANDSHAKE_STEP + tick * HANDSHAKE_STEP - 1)
            player.clock(stamp)
            for name, part in self._seeds.items():
                player.state(name, part.data, stamp)
            player.tick(tick, stamp, 1, False)
            end = time.monotonic() + HANDSHAKE_TIME
            while player.answered < tick and time.monotonic() < end:
                self._spin(SPIN)
            self._check()
            if player.answered == tick:
                break
        else:
            raise NotJoinedError(
                f"the safety node answers no tick; {player.waits_for() or 'it does not tell why'}"
            )
        self._pause(SETTLE_TIME)
        player.recording = True

    def _play(self, step: Step, steps: Iterator[Step]) -> None:
        # What a step brings along must not overtake the ticks before it.
        if (
            step.inputs
            or step.sets
            or step.commands
            or not self._ahead
            or step.tick <= HANDSHAKES + 2
        ):
            self._wait_for(self._asked)
        player = self._player
        player.clock(step.stamp)
        self._inputs(step)
        for index, images in enumerate(step.sets[:-1]):
            self._extra(step, images, step.stamp - (len(step.sets) - 1 - index))
        if step.sets:
            self._images(step)
        for text in self._commands(step):
            player.command(text, step.stamp)
            self._pause(COMMAND_PAUSE)
        player.tick(step.tick, step.stamp, step.episode, bool(step.sets))
        self._asked = step.tick
        if step.sets:
            if self._ahead:
                self._send_next_images(steps)
            self._wait_for(step.tick)

    def _commands(self, step: Step) -> list[str]:
        if step.tick < HANDSHAKES + FIRST_COMMAND:
            self._early += step.commands
            return []
        spoken = [*self._early, *step.commands]
        self._early = []
        return spoken

    def _inputs(self, step: Step) -> None:
        inputs = dict(step.inputs)
        if step.tick == HANDSHAKES + 1:
            inputs = {**self._seeds, **inputs}
        self._newest.update({name: part for name, part in inputs.items() if name in PLACE})
        inputs.update(self._newest)
        for name, part in inputs.items():
            if name in PLACE and name not in step.inputs:
                self._player.session.drops[f"{name}: none in a control period, repeated"] += 1
            if not (step.sets and name in PAIRED):
                self._player.state(name, part.data, step.stamp)

    def _images(self, step: Step) -> None:
        if step.tick not in self._sent:
            self._send(step.sets[-1], step.stamp, step.tick)
        self._player.image_tick(step.tick, self._first_sent.pop(step.tick))
        self._sent.discard(step.tick)
        self._paired(step.sets[-1], step.stamp)

    def _send(self, images: ImageSet, stamp: int, tick: int) -> None:
        player = self._player
        self._first_sent[tick] = time.perf_counter()
        self._sent.add(tick)
        for camera in player.cameras:
            part = images.images.get(camera)
            if part is None:
                player.no_image(camera, stamp)
                continue
            player.image(camera, part.data, stamp)
            player.original(camera, part.topic, stamp, part.stamp)
        if images.images:
            player.session.skew.add(images.skew * 1e-6)

    def _paired(self, images: ImageSet, stamp: int) -> None:
        """Robot state for the observation of this stamp; perception waits for each of them."""
        for name in self._player.paired:
            part = images.states.get(name)
            if part is None:
                self._player.session.drops[f"{name}: none within slop of an image"] += 1
                # The safety node waits for the place in every tick, perception for any message.
                part = self._newest.get(name) or self._seeds.get(name)
            if part is None:
                self._player.no_state(name, stamp)
            else:
                self._player.state(name, part.data, stamp)

    def _extra(self, step: Step, images: ImageSet, stamp: int) -> None:
        """More than one set of images in one control period: an observation each.

        The tick has the number of one that was answered, so that only perception takes it.
        """
        player = self._player
        self._wait_for(self._asked)
        self._send(images, stamp, -1)
        self._first_sent.pop(-1)
        self._sent.discard(-1)
        self._paired(images, stamp)
        player.tick(self._asked, stamp, step.episode, True)
        self._wait(lambda: player.chunk_stamp >= stamp, f"an image at {stamp} ns")

    def _send_next_images(self, steps: Iterator[Step]) -> None:
        for index in range(AHEAD):
            if not self._fill(steps, index + 1):
                return
            step = self._queue[index]
            if step.sets:
                if len(step.sets) == 1:
                    self._send(step.sets[-1], step.stamp, step.tick)
                return

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._spin(left)

    def _wait_for(self, tick: int) -> None:
        self._wait(lambda: self._player.answered >= tick, f"tick {tick}")

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        first = self._player.session.observations == 0
        end = time.monotonic() + (JOIN_TIMEOUT if first else self._timeout)
        while not done():
            self._spin(SPIN)
            if done():
                return
            self._check()
            if time.monotonic() > end:
                kind = NotJoinedError if first else BagError
                raise kind(
                    f"{what} of the replay has no answer ({topics.SAFE_ACTION}) in time; "
                    f"{self._player.waits_for() or 'the nodes do not tell why'}"
                )
