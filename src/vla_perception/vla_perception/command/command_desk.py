"""Where commands arrive: from topics and goals, checked, put in force, and ended.

One command is in force at most. Whatever is said and not understood ends it as well: who says
something new wants something else, and a misheard "stop" must not let the robot go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from vla_contract.language.spoken_text import normalised
from vla_contract.language.stop_words import STOP_WORDS, StopWords
from vla_perception.command.active_command import (
    CommandError,
    CommandHold,
    End,
    HeldCommand,
    Refusal,
    check_words,
    clean,
    shown,
)
from vla_perception.command.command_vocabulary import Vocabulary
from vla_perception.command.goal_execution import (
    Execution,
    ExecutionResult,
    Outcome,
    Phase,
)
from vla_perception.command.open_question import OpenQuestion, QuestionError
from vla_perception.command.sentence_reader import SentenceReader
from vla_perception.perception_config import PerceptionConfig

# A command that arrives while the robot is stopped waits this long for the news of a reset, which
# comes on another topic and may be slower than the command.
RESET_GRACE = 0.5  # s
LONGEST_TIME_LIMIT = 86400.0  # s


class Moment(NamedTuple):
    """Now. ros: ns, node clock. steady: s, for time-outs. wall: ns since 1970, for ids."""

    ros: int
    steady: float
    wall: int


@dataclass(frozen=True)
class Utterance:
    """What somebody said. given: ns, 0 for now. limit: s, 0 for the default."""

    text: str
    command_id: int = 0
    given: int = 0
    limit: float = 0.0


class StopWord(NamedTuple):
    """A stop word, and when it was heard, ns of the node clock."""

    text: str
    heard: int


class CommandDesk:
    """Keeps the command in force and the goal that it belongs to.

    unanswered_stop: the stop word that safety has not told to have obeyed yet. It may have reached
    this node alone (a goal does, and a publisher that waits for one subscriber only), so it is
    handed on until then, or until a newer command is in force.

    accept: publishes a command that was put in force; a stop word where a goal was one, or is
    canceled, of which nobody else hears.
    say: publishes what the robot asks the user; "" takes a question back.
    log: one line for people. reader: of what the vocabulary's words cannot say.
    """

    def __init__(
        self,
        config: PerceptionConfig,
        vocabulary: Vocabulary,
        accept: Callable[[HeldCommand], None],
        say: Callable[[str], None],
        log: Callable[[str], None],
        reader: SentenceReader | None = None,
    ) -> None:
        self.config = config
        self.hold = CommandHold()
        self.execution: Execution | None = None
        self.language_fault = ""
        self.refused = 0
        self.unanswered_stop: StopWord | None = None
        self._vocabulary = vocabulary
        self._reader = reader or SentenceReader(None, {})
        self._accept = accept
        self._say = say
        self._log = log
        self._stopped_because: str | None = None
        self._action_fault = ""
        self._waiting: tuple[Utterance, Execution | None, float] | None = None
        self._served_id = 0
        self._question = OpenQuestion()
        self._asked = 0  # when, ns of the node clock

    def speak(self, utterance: Utterance, moment: Moment) -> None:
        """A command came on a topic."""
        if self._stop(utterance.text, moment):
            return
        self._supersede(moment)
        try:
            answer = self._question.answer(utterance.text, moment.steady)
        except QuestionError as error:
            refused = CommandError(Refusal.NO_QUESTION, str(error))
            self._refuse(utterance, None, refused, moment)
            return
        if answer == "":
            self._understood()
            self._say(f"What shall I do?{_known(self._vocabulary)}")
            return
        self._try(replace(utterance, text=answer or utterance.text), None, moment)

    def goal_fault(self, text: str, time_limit: float) -> str:
        """Why a goal with this time limit, s, cannot be accepted; empty where it can.

        A stop word is obeyed with any.
        """
        if 0.0 <= time_limit <= LONGEST_TIME_LIMIT or self._stop_word(text):
            return ""
        return f"its time_limit is {time_limit} s; accepted: 0 to {LONGEST_TIME_LIMIT:g}"

    def execute(self, text: str, time_limit: float, moment: Moment) -> Execution:
        """A goal was accepted; what becomes of it, which may have ended already."""
        execution = Execution(
            0,
            moment.steady,
            self.config.execution_timeout,
            self.config.standstill_timeout,
            lock_step=self.config.lock_step,
        )
        if self._stop(text, moment):
            self._accept(HeldCommand(0, text, moment.ros, moment.ros, 0.0))
            execution.end(moment.steady, End.STOP, f"{shown(text)} is a stop word")
            self._settle(execution, moment)
            return execution
        self._supersede(moment)
        self._try(Utterance(text, limit=time_limit), execution, moment)
        return execution

    def end(self, end: End, reason: str, moment: Moment) -> None:
        """Withdraw the command in force, whatever it is, and end its goal and any question."""
        self._question.drop()
        command = self.hold.withdraw()
        if command is not None:
            self._log(f"command {shown(command.text)} ended: {reason}")
        self._waiting = None
        if self.execution is not None:
            self.execution.end(moment.steady, end, reason)

    def cancel(self, execution: Execution, moment: Moment) -> bool:
        """Cancel a goal; False where it is over."""
        if execution.phase == Phase.ENDED:
            return False
        if execution is self.execution and execution.phase == Phase.RUNNING:
            self._accept(HeldCommand(0, STOP_WORDS[0], moment.ros, moment.ros, 0.0))
            self.end(End.CANCELED, "canceled by the client", moment)
        return True

    def chunk(self, command_id: int, done: bool, progress: float, moment: Moment) -> None:
        """The policy sent a chunk.

        That the command is done counts once safety has served it: what a policy says of a robot
        that is held all the time is no success. In lock-step it counts always, since whether the
        chunk or the status of safety comes first is not determined there.
        """
        command = self.hold.current
        if command is None or command_id != command.command_id:
            return
        if self.execution is not None:
            self.execution.chunk(moment.steady, command_id, progress)
        if done and (self.config.lock_step or self._served_id == command_id):
            self.end(End.DONE, "the policy reports that it is done", moment)

    def safety_status(self, stopped: bool, cause: str, standstill: bool, moment: Moment) -> None:
        """The safety node told its state."""
        if stopped:
            self._question.drop()
        waits = self._waiting is not None
        if stopped and not waits and self.hold.current is not None:
            self.end(End.STOP, f"safety is stopped: {cause or 'no cause given'}", moment)
        self._stopped_because = cause if stopped else None
        if self.execution is not None:
            self.execution.safety_status(moment.steady, standstill)
        if self._waiting is not None and not stopped:
            utterance, execution, _ = self._waiting
            self._waiting = None
            self._try(utterance, execution, moment)

    def command_served(self, command_id: int) -> None:
        """Safety tells that it lets the robot move for this command."""
        self._served_id = command_id

    def stop_word_obeyed(self, heard: int, moment: Moment) -> None:
        """Safety tells when the last stop word that it obeyed was heard, ns of the node clock."""
        if self.config.lock_step or heard > moment.ros:
            return  # of wall time, or from before the clock jumped back
        if heard > self._asked:
            self._question.drop()
        stop, command = self.unanswered_stop, self.hold.current
        if stop is not None and heard >= stop.heard:
            self.unanswered_stop = None
        if command is not None and heard > command.taken:
            self.end(End.STOP, "safety obeys a stop word", moment)
            self._understood()

    def action_fault(self, message: str) -> None:
        """What makes the robot hold although it has a command; empty where nothing does."""
        if message == self._action_fault:
            return
        self._action_fault = message
        if message and self.hold.current is not None:
            self._say(f"I cannot go on ({message}). What shall I do?")
        elif not message:
            self._question.drop()
            self._say("")

    def check(self, moment: Moment) -> None:
        """Advance with time."""
        if self._waiting is not None and moment.steady > self._waiting[2]:
            _, execution, _ = self._waiting
            self._waiting = None
            self._refuse_stopped(execution, moment)
        if self.hold.expired(moment.ros) and self.hold.current is not None:
            command = self.hold.current
            self.end(End.TIMEOUT, f"its time, {command.limit:g} s, is over", moment)
            self._say(f"my time for {shown(command.text)} is over; say it again to go on")
        if self.execution is not None:
            failure = self.execution.check(moment.steady)
            if failure:
                self.end(End.FAILED, failure, moment)

    def clock_started(self, moment: Moment) -> None:
        """Lock-step's first tick came: what was taken before it is taken now."""
        self.hold.retake(moment.ros)
        if self.execution is not None:
            self.execution.restart(moment.steady)

    def clock_jumped(self, moment: Moment) -> None:
        """The clock went back: nothing that was timed by it holds any more."""
        self.end(End.CLOCK, "the clock jumped back", moment)

    def abandon(self, reason: str, moment: Moment) -> None:
        """The node goes: end everything now."""
        self.end(End.FAILED, reason, moment)
        if self.execution is not None:
            self.execution.abandon(moment.steady, reason)

    def _stop(self, text: str, moment: Moment) -> bool:
        """End everything where the text is a stop word; False where it is none."""
        word = self._stop_word(text)
        if not word:
            return False
        self.end(End.STOP, f"stop word {shown(text)}", moment)
        self._understood()
        if self.unanswered_stop is None and not self.config.lock_step:
            self.unanswered_stop = StopWord(word, moment.ros)
        return True

    def _stop_word(self, text: str) -> str:
        return StopWords(self.config.stop_words).match(text)

    def _supersede(self, moment: Moment) -> None:
        """End the goal in force: something newer was said, understood or not."""
        self._waiting = None
        if self.execution is not None:
            self.execution.end(moment.steady, End.NEWER, "a newer command came")
        self.execution = None

    def _try(self, utterance: Utterance, execution: Execution | None, moment: Moment) -> None:
        """Put an utterance in force, or say why not. `execution`: the goal that it came with."""
        self.execution = execution
        self._question.drop()
        if self._stopped_because is not None:
            self.hold.withdraw()
            if self.config.lock_step:
                self._refuse_stopped(execution, moment)
            else:
                self._waiting = (utterance, execution, moment.steady + RESET_GRACE)
            return
        try:
            command = self._give(utterance, moment)
        except CommandError as error:
            self._refuse(utterance, execution, error, moment)
            return
        self.unanswered_stop = None
        self._understood()
        self._accept(command)
        self._log(f"command {command.command_id}: {shown(command.text)}, for {command.limit:g} s")
        if execution is not None:
            execution.command_id = command.command_id

    def _give(self, utterance: Utterance, moment: Moment) -> HeldCommand:
        text = clean(utterance.text, self.config.max_command_length)
        courtesies = [normalised(word) for word in self.config.courtesies]
        try:
            check_words(
                utterance.text, self._vocabulary, self.config.min_known_fraction, courtesies
            )
        except CommandError as error:
            text = self._read(text, error)
        return self.hold.give(
            text,
            moment.ros,
            utterance.limit or self.config.command_timeout,
            wall=moment.wall,
            command_id=utterance.command_id,
            given=utterance.given,
        )

    def _read(self, text: str, error: CommandError) -> str:
        """The policy's words for others; raises the error, with a guess where there is one."""
        command, guess = self._reader.read(text)
        if command:
            self._log(f"{shown(text)} is taken for {shown(command)}")
            return command
        raise CommandError(error.refusal, str(error), guess or error.guess) from error

    def _refuse(
        self,
        utterance: Utterance,
        execution: Execution | None,
        error: CommandError,
        moment: Moment,
    ) -> None:
        self.refused += 1
        reason, command = str(error), self.hold.withdraw()
        if command is not None:
            self._log(f"command {shown(command.text)} ended: the next was not understood")
            reason += f"; the command {shown(command.text)} was ended"
        self.language_fault = f"command not understood ({error.refusal.value}): {error}"
        self._log(self.language_fault)
        asks = error.guess and execution is None  # a goal is over: nothing can answer for it
        if asks:
            self._asked = moment.ros
            self._question.ask(error.guess, moment.steady + self.config.question_timeout)
            self._say(f"{reason}. Did you mean: {error.guess}? Say yes, or another command")
        else:
            self._say(f"{reason}. What shall I do?")
        if execution is not None:
            execution.result = ExecutionResult(Outcome.REJECTED, reason, 0.0)
            execution.phase = Phase.ENDED

    def _refuse_stopped(self, execution: Execution | None, moment: Moment) -> None:
        cause = self._stopped_because or "no cause given"
        self.refused += 1
        self._say(f"I am stopped ({cause}); call the reset service, then say it again")
        self._log(f"command refused: safety is stopped ({cause}); call the reset service first")
        if execution is not None:
            execution.end(moment.steady, End.STOP, f"safety is stopped ({cause}); reset it first")

    def _settle(self, execution: Execution, moment: Moment) -> None:
        """Follow a goal that has ended until the robot stands still."""
        if self.execution is not None:
            self.execution.end(moment.steady, End.NEWER, "a newer command came")
        self.execution = execution

    def _understood(self) -> None:
        self.language_fault = ""
        self._say("")


def _known(vocabulary: Vocabulary) -> str:
    return f" I know: {' | '.join(vocabulary.commands)}" if vocabulary.commands else ""
