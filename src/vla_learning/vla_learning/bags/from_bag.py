"""`./vla learn from-bag`: recorded topics as episodes of a dataset. Needs message_filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_contract.action_space import ActionSpace
from vla_contract.language.stop_words import StopWords
from vla_contract.recording import RecordingError
from vla_learning.bags.bag_actions import PREFIX, TRAJECTORY, ActionError, BagActions
from vla_learning.bags.bag_clock import BagClock, ClockError
from vla_learning.bags.bag_episodes import Sight, episodes
from vla_learning.bags.bag_synchroniser import BagSynchroniser, state_values
from vla_learning.data.dataset_writer import open_writer
from vla_learning.data.demonstrations import Demonstration, DemonstrationError
from vla_learning.data.tracks import plain
from vla_learning.learning_settings import Settings
from vla_perception.perception_config import PerceptionConfig
from vla_policy.checkpoint.checkpoint import END_EFFECTOR_STATES
from vla_replay.bags import cdr_fields
from vla_replay.bags.bag_reader import Bag, open_bag
from vla_replay.bags.bag_storage import BagError
from vla_replay.bags.blocks import Stored
from vla_replay.bags.message_codec import Codec
from vla_replay.play.topic_selection import CAMERA, COMMAND, Needs, Selection, select

Progress = Callable[[int, int], None]


@dataclass
class Report:
    """What became of the bags. skipped: command → why no episode was made of it."""

    episodes: int = 0
    present: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def convert(
    bags: list[Path],
    folder: Path,
    settings: Settings,
    space: ActionSpace,
    command: str | None,
    remaps: Mapping[str, str],
    progress: Progress | None = None,
) -> Report:
    """Put the episodes of bags into a dataset, new or not; those it has already stay.

    command: of each whole bag; None: the commands that were recorded delimit the episodes.
    progress: is told messages read, and of how many.

    Raises:
        DemonstrationError: a bag, its topics or the dataset cannot be used, or nothing came of it.
    """
    writer = open_writer(folder, settings, space)
    report = Report()
    for path in bags:
        try:
            with open_bag(path) as bag:
                reader = BagReader(bag, settings, space, command, remaps, report)
                for demonstration in reader.demonstrations(progress or (lambda done, of: None)):
                    if demonstration.seed in writer.seeds(demonstration.task):
                        report.present += 1
                        continue
                    writer.stage(demonstration)
                    report.episodes += 1
        except (BagError, RecordingError) as error:
            raise DemonstrationError(str(error)) from error
        except DemonstrationError as error:
            raise DemonstrationError(f"{path}: {error}") from error
    if report.episodes + report.present == 0:
        why = "; ".join(f"{words}: {reason}" for words, reason in report.skipped.items())
        raise DemonstrationError(
            f"no episode came of {', '.join(map(str, bags))}"
            f" ({'; '.join(filter(None, (why, *report.notes))) or 'no command, and no --command'})"
        )
    writer.finish(settings.tasks)
    taken = settings.collect.episodes + settings.collect.relabelled_episodes
    for task in settings.tasks:
        count = len(writer.seeds(task))
        if count > taken:
            report.notes.append(
                f"{count} episodes of {task}; training takes the first {taken}: collect.episodes "
                "and relabelled_episodes"
            )
    return report


class BagReader:
    """One bag, read once from its first message to the last."""

    def __init__(
        self,
        bag: Bag,
        settings: Settings,
        space: ActionSpace,
        command: str | None,
        remaps: Mapping[str, str],
        report: Report,
    ) -> None:
        own = {topic: target for topic, target in remaps.items() if target.startswith(PREFIX)}
        others = {topic: target for topic, target in remaps.items() if topic not in own}
        pose = bool(set(settings.state_names) & set(END_EFFECTOR_STATES))
        joints = bool(set(settings.state_names) - set(END_EFFECTOR_STATES))
        self._bag = bag
        self._settings, self._space = settings, space
        self._command = command
        self._report = report
        self._selection = select(bag.topics, Needs(settings.cameras, joints, pose), others, command)
        self._check_cameras(self._selection)
        self._actions = BagActions(space, bag.topics, own)
        self._roles = self._selection.roles()
        self._size = (settings.height, settings.width)
        self._synchroniser = BagSynchroniser(settings.cameras, settings.state_names, self._size)
        self._clock = BagClock()
        self._told: set[str] = set()  # topics that told an action
        self._stop = StopWords(PerceptionConfig().stop_words)
        self._limit = int(PerceptionConfig().command_timeout * cdr_fields.NANOSECONDS)
        self._tasks = {
            plain(words): task
            for task, wordings in settings.commands.items()
            for words in (*wordings, task)
        }
        self._words = command or ""
        self._sights: list[Sight] = []

    def demonstrations(self, progress: Progress) -> Iterator[Demonstration]:
        """All episodes; progress is told messages read, and of how many."""
        segment = None
        wanted = {*self._actions.topics, *self._roles}
        count = sum(self._bag.topics[name].count for name in wanted)
        for number, message in enumerate(self._bag.messages(wanted)):
            if number % 200 == 0:
                progress(number, count)
            if segment is not None and message.key.segment != segment:
                yield from self._finish()
                self._synchroniser.restart()
                self._actions.restart()
                self._clock = BagClock()
                self._words = self._command or ""
            segment = message.key.segment
            yield from self._accept_message(message)
        yield from self._finish()
        self._check_actions()
        progress(count, count)
        self._print_summary()

    def _accept_message(self, message: Stored) -> Iterator[Demonstration]:
        role = self._roles.get(message.topic)
        if role == COMMAND:
            yield from self._finish()
            self._words = self._command_words(message)
            return
        content = self._bag.read(message)
        if content is None:
            return
        try:
            if message.topic in self._actions.topics:
                self._act(message, content)
            elif role is not None and role.startswith(CAMERA):
                when = self._clock.image(message, _stamp(content))
                self._see(self._synchroniser.image(role[len(CAMERA) :], content, when))
            elif role in ("joint_states", "end_effector_pose"):
                when = self._clock.other(message, _stamp(content))
                self._synchroniser.state(message.topic, message.type, content, when)
                self._actions.observe(state_values(message.type, content))
        except (ActionError, ClockError) as error:
            self._bag.losses.broken(message.topic, str(error))

    def _act(self, message: Stored, content: Any) -> None:
        stamp = _stamp(content)
        if message.type == TRAJECTORY:  # its stamp is when it begins, not when it was sent
            received = self._clock.received(message)
            self._actions.accept_message(message.topic, message.type, content, stamp, received)
        else:
            when = self._clock.other(message, stamp)
            self._actions.accept_message(message.topic, message.type, content, when, when)
        self._told.add(message.topic)

    def _command_words(self, message: Stored) -> str:
        """What a command asks for; nothing where it is a word of stop or broken."""
        try:
            words = Codec().command_text(message.type, message.data)
        except cdr_fields.CdrError:
            self._bag.losses.broken(message.topic, "broken message")
            return ""
        return "" if self._stop.match(words) else words

    def _see(self, sights: list[Sight]) -> None:
        for sight in sights:
            late = self._sights and sight.stamp - self._sights[0].stamp > self._limit
            if self._words and not (late and self._command is None):
                self._sights.append(sight)

    def _finish(self) -> Iterator[Demonstration]:
        """The command ends here."""
        sights, self._sights = self._sights, []
        words = self._words
        if not sights:
            return
        if missing := self._actions.missing:
            self._report.skipped[repr(words[:60])] = f"no action came on {', '.join(missing)}"
            return
        task = self._tasks.get(plain(words))
        if task is None:
            self._report.skipped[repr(words[:60])] = "it is none of the config's commands"
            return
        made = 0
        end = sights[-1].stamp + round(self._space.chunk_period * cdr_fields.NANOSECONDS)
        for demonstration in episodes(
            sights, self._actions, end, task, words, self._settings, self._space
        ):
            made += 1
            yield demonstration
        if not made:
            period = self._settings.collect.image_period * self._space.chunk_period
            seconds = max(1e-9, (sights[-1].stamp - sights[0].stamp) / cdr_fields.NANOSECONDS)
            self._report.skipped[repr(words[:60])] = (
                f"the robot did not move, or images did not come every {period:.3g} s "
                f"({len(sights) / seconds:.1f} sets a second came)"
            )

    def _check_actions(self) -> None:
        """Refuse a bag in which every action of a topic was lost."""
        for topic in self._actions.missing:
            reasons = [why for (name, why) in self._bag.losses.messages if name == topic]
            if reasons and topic not in self._told:
                raise DemonstrationError(f"{topic} tells no action: {'; '.join(reasons)}")

    def _print_summary(self) -> None:
        """What was lost on the way."""
        notes = [*self._bag.losses.told(), *self._selection.notes]
        drops = self._synchroniser.drops.values()
        notes += [f"{name}: {count}" for name, count in drops.items()]
        for name, count in self._synchroniser.incomplete.items():
            notes.append(f"{count} sets of images without a state {name} near them")
        self._report.notes += notes

    def _check_cameras(self, selection: Selection) -> None:
        missing = [name for name in self._settings.cameras if name not in selection.cameras]
        if missing:
            raise DemonstrationError(
                f"no images of {', '.join(missing)}; a demonstration needs all cameras of the "
                f"config: {', '.join(self._settings.cameras)}"
            )


def _stamp(content: Any) -> int:
    """Of its header, ns; 0 where it has none."""
    if not hasattr(content, "header"):
        return 0
    time = content.header.stamp
    return int(time.sec) * cdr_fields.NANOSECONDS + int(time.nanosec)
