"""Lock-step: a bag's messages laid onto control periods. Free of ROS; every image is in a period.

Time is that of the recorder. What is recorded within a period goes to the tick at its end, so a
message is at most one period older than its tick says. Nothing here looks at a clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vla_contract import topics
from vla_contract.language.spoken_text import normalised
from vla_replay.bags import cdr_fields
from vla_replay.bags.blocks import JUMP, Stored
from vla_replay.bags.message_codec import Codec
from vla_replay.play.bag_messages import Part
from vla_replay.play.joint_parts import JointMerger, JointParts
from vla_replay.play.topic_selection import CAMERA, COMMAND

GAP = 5_000_000_000  # ns without any message, after which every input has long timed out
PAUSE = 1_000_000_000  # ns between two episodes
ACCEPTANCE = 1_000_000_000  # ns from a command to its acceptance, at most
LEAD = 20_000  # ns before the first tick, in which lock-step shakes hands
HISTORY = 2_000_000_000  # ns of robot state kept for pairing with images
JOINT_STATES = "joint_states"
PAIRED = (JOINT_STATES, "end_effector_pose")


@dataclass(frozen=True)
class ImageSet:
    """Images that belong together. images: by camera; one that has none is missing.

    states: the robot's state nearest to the oldest image; missing where none is near enough.
    """

    images: dict[str, Part]
    states: dict[str, Part]

    @property
    def stamp(self) -> int:
        """Of the oldest image, ns."""
        return min(part.stamp for part in self.images.values())

    @property
    def skew(self) -> int:
        """Greatest difference of stamps in it, ns."""
        stamps = [part.stamp for part in (*self.images.values(), *self.states.values())]
        return max(stamps) - min(stamps)


@dataclass
class ControlPeriod:
    """One control period. stamp: ns, of its tick. inputs: the newest message of each input."""

    tick: int
    stamp: int
    episode: int
    sets: list[ImageSet] = field(default_factory=list)
    inputs: dict[str, Part] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """What the periods are made for. period, slop: ns. roles: topic → input, as Selection tells."""

    period: int
    slop: int
    cameras: tuple[str, ...]
    roles: dict[str, str]


class Timeline:
    """Control periods of a bag. Attributes: drops: (topic, reason) → count; notes: said once."""

    def __init__(self, layout: Layout) -> None:
        self.drops: Counter[tuple[str, str]] = Counter()
        self.notes: list[str] = []
        self.images = 0
        self._layout = layout
        self._codec = Codec()
        self._waiting: dict[str, deque[tuple[int, Part]]] = {c: deque() for c in layout.cameras}
        self._states: dict[str, deque[tuple[int, Part]]] = {role: deque() for role in PAIRED}
        self._newest: dict[tuple[str, ...], int] = {}  # topic (and joints) → its newest stamp
        self._joints = JointMerger(self._codec)
        self._command = ("", "", 0)  # the last one: topic, text, time in ns

    def periods(self, messages: Iterable[Stored]) -> Iterator[ControlPeriod]:
        """Every period from the first message to the last, then those that hold what waits."""
        period: ControlPeriod | None = None
        shift = segment = last = 0
        for message in messages:
            role = self._layout.roles.get(message.topic)
            part = self.part(message, role) if role else None
            if role is None or part is None:
                continue
            time = message.key.time + shift
            restarted = period is not None and (
                message.key.segment != segment or time - last > GAP or self._looped(part, role)
            )
            if period is None or restarted:
                if period is not None:
                    yield from self._finish(period)
                    self._note_restart(message.key.segment != segment, time - last)
                    start = period.stamp + PAUSE
                    shift += start - time
                    time = start
                    period = ControlPeriod(period.tick + 1, start, period.episode + 1)
                else:
                    if time <= LEAD:  # as of simulated time: nothing can be stamped before it
                        self.notes.append(
                            "the bag's time begins at 0: the replay's times are 1 s later"
                        )
                        shift = PAUSE
                        time += shift
                    period = ControlPeriod(1, time, 1)
                segment = message.key.segment
            while time > period.stamp:
                self._collect(period)
                yield period
                period = self._next(period)
            last = max(last, time)
            self._add_message(period, role, part, time)
        if period is not None:
            yield from self._finish(period)

    def _next(self, period: ControlPeriod) -> ControlPeriod:
        return ControlPeriod(period.tick + 1, period.stamp + self._layout.period, period.episode)

    def _finish(self, period: ControlPeriod) -> Iterator[ControlPeriod]:
        """The last periods of an episode: what still waits for a partner goes without."""
        self._collect(period, final=True)
        yield period
        for waiting in self._states.values():
            waiting.clear()
        self._newest.clear()
        self._joints.forget()

    def part(self, message: Stored, role: str) -> Part | None:
        """The message if it is sound; None, and counted, where it is broken."""
        stamp = message.key.time
        try:
            # DDS throws a broken one away without a word, and in lock-step everybody waits for it.
            self._codec.read_sound(message.type, message.data)
            if role == COMMAND and not self._is_new_command(message):
                return None
            if message.type in cdr_fields.STAMPED:
                stamp = cdr_fields.stamp_of(message.data) or stamp
        except cdr_fields.CdrError as error:
            self.drops[message.topic, f"broken message: {error}"] += 1
            return None
        if role == COMMAND:
            return Part(message.type, message.key.time, message.data)
        return Part(message.topic, stamp, message.data)

    def _is_new_command(self, message: Stored) -> bool:
        """It says something, and is not the other half of a command and its acceptance.

        What was given as a goal of the action is in a bag as accepted alone; what came on a topic
        is in it twice, in either order.
        """
        text = " ".join(normalised(self._codec.command_text(message.type, message.data)).split())
        if not text:
            if not message.topic.endswith(topics.ACCEPTED_COMMAND):  # an empty one: none is yet
                self.drops[message.topic, "an empty command"] += 1
            return False
        topic, said, time = self._command
        answered = said == text and abs(message.key.time - time) <= ACCEPTANCE
        self._command = (message.topic, text, message.key.time)
        return not answered or topic == message.topic

    def _looped(self, part: Part, role: str) -> bool:
        """A camera's own stamps fall: a recording of a loop, whose recorder's time goes on."""
        newest = self._newest.get((part.topic,), 0)
        return role.startswith(CAMERA) and part.stamp <= newest - JUMP

    def _note_restart(self, segment: bool, gap: int) -> None:
        if gap > GAP and not segment:
            line = f"{gap / 1e9:.0f} s without any message are skipped; another episode begins"
        else:
            line = "time jumps back in the bag: another episode begins"
        self.notes.append(line)

    def _add_message(self, period: ControlPeriod, role: str, part: Part, time: int) -> None:
        if role == COMMAND:
            period.commands.append(self._codec.command_text(part.topic, part.data))
            return
        joints = JointParts((part.topic,), part, part)
        if role == JOINT_STATES:
            joints = self._joints.merge_message(part, first=role not in period.inputs)
        publisher, told, together = joints
        newest = self._newest.get(publisher)
        if newest is not None and part.stamp <= newest:
            reason = "stamp as of the one before" if part.stamp == newest else "stamp out of order"
            self.drops[part.topic, f"{reason} (replayed all the same)"] += 1
        self._newest[publisher] = max(newest or 0, part.stamp)
        if role.startswith(CAMERA):
            self.images += 1
            self._waiting[role[len(CAMERA) :]].append((time, part))
            return
        if role in period.inputs and told is part:
            self.drops[part.topic, "a newer one in the same control period"] += 1
        period.inputs[role] = told
        if role in PAIRED:
            history = self._states[role]
            history.append((time, together))
            # By the recorder's time: one stamp of years ahead would keep all that follow it.
            while history[0][0] < time - HISTORY:
                history.popleft()

    # Sets.

    def _collect(self, period: ControlPeriod, final: bool = False) -> None:
        """Put the sets that are complete, or that have waited for slop, into the period."""
        while (found := self._next_set(period.stamp, final)) is not None:
            period.sets.append(found)

    def _next_set(self, now: int, final: bool) -> ImageSet | None:
        heads = {name: queue[0] for name, queue in self._waiting.items() if queue}
        if not heads:
            return None
        first = min(heads, key=lambda name: heads[name][1].stamp)
        arrived, pivot = heads[first]
        partners = {
            name: part
            for name, (_, part) in heads.items()
            if part.stamp - pivot.stamp <= self._layout.slop and self._is_nearest(first, part)
        }
        complete = len(heads) == len(self._waiting)
        if not complete and not final and now - arrived < self._layout.slop:
            return None
        for name in partners:
            self._waiting[name].popleft()
        return ImageSet(partners, self._states_near(pivot.stamp))

    def _is_nearest(self, first: str, part: Part) -> bool:
        """The oldest image is nearer to it than the next one of its own camera."""
        queue = self._waiting[first]
        if len(queue) < 2:
            return True
        return part.stamp - queue[0][1].stamp <= abs(queue[1][1].stamp - part.stamp)

    def _states_near(self, stamp: int) -> dict[str, Part]:
        found = {}
        for role, history in self._states.items():
            parts = (part for _, part in history)
            nearest = min(parts, key=lambda part: abs(part.stamp - stamp), default=None)
            if nearest is not None and abs(nearest.stamp - stamp) <= self._layout.slop:
                found[role] = nearest
        return found
