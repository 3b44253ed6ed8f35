"""Lock-step replay: each control period of the bag is asked for once, and answered once.

No wall clock decides anything. Two things are sent before they are due, because they change
nothing but the time it takes: what the next two observations are made of (perception makes each
when no chunk that is still to come can change its command), and ticks that carry neither an image
nor a message, which the safety node answers one after the other as they come.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterator

from vla_contract import topics
from vla_replay.bags.bag_storage import BagError, NotJoinedError
from vla_replay.play.bag_messages import Part
from vla_replay.play.period_timeline import LEAD, ControlPeriod, ImageSet
from vla_replay.play.player import COMMAND_PAUSE, Player

# Where the robot is: the safety node waits for it in every tick, or is told to repeat the last one.
POSE_INPUTS = (topics.END_EFFECTOR_POSE, "odom")
CLOCK_TICKS = 40  # between two /clock: in lock-step the tick is what nodes go by
AHEAD = 64  # periods that are looked at to find the next images
HANDSHAKES = 20  # ticks; the bag's own begin after them
HANDSHAKE_STEP = LEAD // HANDSHAKES  # ns between their stamps
HANDSHAKE_TIME = 1.0  # s for the answer to one; a busy machine has as many as it needs
SETTLE_TIME = 0.2  # s for what only other nodes send each other
JOIN_TIMEOUT = 12.0  # s for each answer before the first observation
MOST_OPEN = topics.LOCK_STEP_DEPTH // 2  # ticks without an answer yet: of more, some were lost
FIRST_COMMAND = 2  # tick; the first one starts the clocks and the episode
SPIN = 0.05  # s


class LockStepReplay:
    """Plays periods. seeds: the first robot state of the bag, sent with the first tick."""

    def __init__(
        self,
        player: Player,
        spin: Callable[[float], None],
        check: Callable[[], None],
        waits_for: Callable[[], str],
        *,
        seeds: dict[str, Part],
        command: str | None,
        ahead: bool = True,
        answer_timeout: float = 30.0,
    ) -> None:
        """check: raises where the graph cannot go on. waits_for: what the nodes say that they lack.

        command: given at the beginning.
        """
        self._player = player
        self._spin = spin
        self._check = check
        self._waits_for = waits_for
        self._seeds = seeds
        self._early = [command] if command is not None else []
        self._ahead = ahead
        self._timeout = answer_timeout
        self._queue: deque[ControlPeriod] = deque()
        self._observed = 0  # the newest tick whose observation was asked for
        self._first_sent: dict[int, float] = {}
        self._pose_inputs: set[str] = set()  # inputs of the bag so far that tell it
        self._asked = 0  # the newest tick that was sent

    def run(self, periods: Iterator[ControlPeriod]) -> None:
        """Play them all.

        Raises:
            BagError: a tick has no answer in time.
        """
        if self._fill_queue(periods, 1):
            self._player.answers.session.begin = self._queue[0].stamp
            self._shake_hands(self._queue[0], next(self._with_images(periods), None))
        while self._fill_queue(periods, 1):
            self._play_period(self._queue.popleft(), periods)
        self._wait_for(self._asked)
        unanswered = self._asked - HANDSHAKES - self._player.answers.session.ticks
        if self._asked and unanswered:
            raise BagError(
                f"{unanswered} control periods of the replay have no answer of their own"
            )

    def _fill_queue(self, periods: Iterator[ControlPeriod], count: int) -> bool:
        while len(self._queue) < count:
            period = next(periods, None)
            if period is None:
                return False
            numbers = period.tick + HANDSHAKES, period.episode + 1
            self._queue.append(dataclasses.replace(period, tick=numbers[0], episode=numbers[1]))
        return True

    def _with_images(self, periods: Iterator[ControlPeriod]) -> Iterator[ControlPeriod]:
        """The next periods that have images, as far as they are near."""
        for index in range(AHEAD):
            if not self._fill_queue(periods, index + 1):
                return
            if self._queue[index].sets:
                yield self._queue[index]

    def _observable_ahead(self, periods: Iterator[ControlPeriod]) -> list[ControlPeriod]:
        """The next periods whose observations may be made ahead.

        A command in between belongs to the observation after it, so it must come first.
        """
        if self._early or self._asked < HANDSHAKES + FIRST_COMMAND:
            return []
        coming = list(itertools.islice(self._with_images(periods), topics.LOCK_STEP_AHEAD))
        spoken = next((period.tick for period in self._queue if period.commands), math.inf)
        return list(
            itertools.takewhile(
                lambda period: len(period.sets) == 1 and period.tick < spoken, coming
            )
        )

    def _shake_hands(self, first: ControlPeriod, seen: ControlPeriod | None) -> None:
        """Ticks just before the first one until one is answered: then everybody hears everybody.

        They show the bag's first images, are an episode of their own, at rest and without a
        command, and are not recorded. The bag's ticks have the same numbers however many it took.
        """
        player = self._player
        player.answers.recording = False
        for tick in range(1, HANDSHAKES + 1):
            stamp = first.stamp - (HANDSHAKES - tick + 1) * HANDSHAKE_STEP
            player.clock(stamp)
            for name, part in self._seeds.items():
                player.state(name, part.data, stamp)
            if seen is not None:
                self._observe(ImageSet(seen.sets[0].images, self._seeds), stamp, 1)
            player.tick(tick, stamp, 1, seen is not None)
            end = time.monotonic() + HANDSHAKE_TIME
            while player.answers.answered < tick and time.monotonic() < end:
                self._spin(SPIN)
            self._check()
            if player.answers.answered == tick:
                break
        else:
            raise NotJoinedError(
                f"the safety node answers no tick; {self._waits_for() or 'it does not tell why'}"
            )
        self._pause(SETTLE_TIME)
        player.answers.recording = True

    def _play_period(self, period: ControlPeriod, periods: Iterator[ControlPeriod]) -> None:
        # What a period brings along must not overtake the ticks before it.
        if (
            period.inputs
            or period.sets
            or period.commands
            or not self._ahead
            or self._is_starting(period)
            or self._asked - self._player.answers.answered >= MOST_OPEN
        ):
            self._wait_for(self._asked)
        player = self._player
        if period.tick % CLOCK_TICKS == 0:
            player.clock(period.stamp)
        player.answers.now = period.stamp
        repeated = self._send_inputs(period)
        self._give_commands(period)
        if self._is_starting(period) and not period.sets:
            player.observe(period.stamp, period.episode, False)
        for index, images in enumerate(period.sets[:-1]):
            self._observe_extra_set(period, images, period.stamp - (len(period.sets) - 1 - index))
        if period.sets:
            self._request_observation(period)
            times = player.answers.times
            times.image_tick, times.image_time = period.tick, self._first_sent.pop(period.tick)
        player.tick(period.tick, period.stamp, period.episode, bool(period.sets), repeated)
        self._asked = period.tick
        if period.sets:
            for coming in self._observable_ahead(periods) if self._ahead else ():
                # Perception makes it when it knows its command; no more than these may wait.
                self._wait(
                    lambda: player.answers.observed_stamp >= period.stamp, f"tick {period.tick}"
                )
                self._request_observation(coming)
            self._wait_for(period.tick)

    @staticmethod
    def _is_starting(period: ControlPeriod) -> bool:
        return period.tick <= HANDSHAKES + FIRST_COMMAND

    def _give_commands(self, period: ControlPeriod) -> None:
        self._early += period.commands
        if period.tick < HANDSHAKES + FIRST_COMMAND:
            return
        for text in self._early:
            self._player.command(text, period.stamp)
            self._pause(COMMAND_PAUSE)
        self._early = []

    def _send_inputs(self, period: ControlPeriod) -> list[str]:
        """Tell the safety node what it hears before this tick; returns what it is to repeat."""
        inputs = dict(period.inputs)
        if period.tick == HANDSHAKES + 1:
            inputs = {**self._seeds, **inputs}
        for name, part in inputs.items():
            self._player.state(name, part.data, period.stamp)
        repeated = self._pose_inputs - inputs.keys()
        for name in repeated:
            self._player.answers.session.drops[f"{name}: none in a control period, repeated"] += 1
        self._pose_inputs |= inputs.keys() & set(POSE_INPUTS)
        return sorted(repeated)

    def _request_observation(self, period: ControlPeriod) -> None:
        """Let perception make the period's (last) observation; once, and perhaps ahead of time."""
        if period.tick <= self._observed:
            return
        self._first_sent[period.tick] = time.perf_counter()
        self._observe(period.sets[-1], period.stamp, period.episode)
        self._report_set(period.sets[-1], period.stamp)
        self._observed = period.tick

    def _observe(self, images: ImageSet, stamp: int, episode: int) -> None:
        """Send what there is for the observation of this stamp, and what there is not."""
        player = self._player
        for camera, part in images.images.items():
            player.image(camera, part.data, stamp)
        states = {name: images.states[name] for name in player.paired if name in images.states}
        for name, part in states.items():
            player.observed_state(name, part.data, stamp)
        missing = [
            name for name in (*player.cameras, *player.paired)
            if name not in images.images and name not in states
        ]  # fmt: skip
        player.observe(stamp, episode, True, missing)

    def _report_set(self, images: ImageSet, stamp: int) -> None:
        """Record where the images of an observation are from, and count what it lacks."""
        player, session = self._player, self._player.answers.session
        for camera, part in images.images.items():
            player.original(camera, part.topic, stamp, part.stamp)
        for camera in player.cameras.keys() - images.images.keys():
            session.drops[f"camera {camera}: none for an observation, masked"] += 1
        for name in set(player.paired) - images.states.keys():
            session.drops[f"{name}: none within slop of an image"] += 1
        if images.images:
            session.skew.add(images.skew * 1e-6)

    def _observe_extra_set(self, period: ControlPeriod, images: ImageSet, stamp: int) -> None:
        """More than one set of images in one control period: an observation each."""
        player = self._player
        self._observe(images, stamp, period.episode)
        self._report_set(images, stamp)
        self._wait(lambda: player.answers.chunk_stamp >= stamp, f"an image at {stamp} ns")

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._spin(left)

    def _wait_for(self, tick: int) -> None:
        self._wait(lambda: self._player.answers.answered >= tick, f"tick {tick}")

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        first = self._player.answers.session.observations == 0
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
                    f"{self._waits_for() or 'the nodes do not tell why'}"
                )
