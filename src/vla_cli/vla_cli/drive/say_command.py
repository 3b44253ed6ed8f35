"""`vla say`: sends a command to the running graph, and tells what was made of it."""

from __future__ import annotations

import json
import time
from typing import Any

from rclpy.duration import Duration
from std_msgs.msg import String

from vla_cli.client import options
from vla_cli.client.command_errors import raise_on_signals
from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, Graph
from vla_contract import topics
from vla_contract.language.near_names import near_names
from vla_contract.language.spoken_text import normalised, words
from vla_contract.language.stop_words import STOP_WORDS, StopWords
from vla_interfaces.msg import Command, Fault, SafetyStatus

PERCEPTION = "perception"
ACKNOWLEDGE_TIMEOUT = 3.5  # s; DDS asks for it every 3 s where no profile of ours is in force
PRESENT_TIMEOUT = 3.0  # s for what perception and safety have said last, which is latched
ANSWER_TIMEOUT = 3.0  # s; on a quiet machine it is there within 1
SETTLE_TIME = 0.2  # s in which who else listens, as a recorder, is seen


def main(arguments: list[str]) -> int:
    """0: understood, or with --wait fulfilled; 1: refused, not answered, or ended otherwise."""
    parser = options.client("say", "Send a command to the running graph.")
    parser.add_argument("text", nargs="*", help='e.g. "open the drawer"')
    parser.add_argument(
        "--wait", action="store_true", help="stay until it is done; Ctrl-C then cancels it"
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        help="with --wait, s of the graph's clock, which a simulator may run faster or slower than "
        "the one on the wall (default: perception's own)",
    )
    parser.add_argument("--list", action="store_true", help="the commands that the policy knows")
    chosen = parser.parse_args(arguments)
    if bool(chosen.text) == chosen.list:
        parser.error("accepted: a text, or --list")
    if chosen.time_limit is not None and not chosen.wait:
        parser.error("--time-limit goes with --wait")
    if chosen.time_limit is not None and not 0.0 < chosen.time_limit < float("inf"):
        parser.error(f"--time-limit is {chosen.time_limit:g}; accepted: seconds above 0")
    text = " ".join(chosen.text)
    raise_on_signals()
    with Graph(chosen.namespace) as graph:
        if chosen.list:
            return list_commands(graph)
        if chosen.wait:
            from vla_cli.drive.goal_client import execute  # with numpy: half of the time to start

            return execute(graph, text, chosen.time_limit or 0.0)
        return publish(graph, text)


def list_commands(graph: Graph) -> int:
    """Print every task that the policy was trained for, with its wordings.

    Raises:
        CommandError: perception does not tell them.
    """
    told = graph.collect(String, topics.KNOWN_COMMANDS)
    graph.require(lambda: told, DISCOVERY_TIMEOUT, "no active perception tells its commands")
    wordings = json.loads(told[-1].data)
    for task, texts in wordings.items():
        print(f"{task}: {' | '.join(texts)}")
    if not wordings:
        print("the policy lists none: it is given whatever is said")
    return 0


def publish(graph: Graph, text: str) -> int:
    """Publish the command, wait until it has arrived everywhere, and print what was made of it.

    Raises:
        CommandError: there is no perception node.
    """
    answers = Answers(graph)
    publisher = graph.publisher(String, topics.COMMAND, PERCEPTION)
    if StopWords(STOP_WORDS).match(text):
        publisher.publish(String(data=text))  # at once; it is said again for the answer to it
    settled = time.monotonic() + SETTLE_TIME
    graph.wait(
        lambda: (
            time.monotonic() >= settled
            and answers.present()
            and graph.all_matched(publisher, topics.COMMAND)
        ),
        PRESENT_TIMEOUT,
    )
    answers.begin(text)
    publisher.publish(String(data=text))
    if not publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_TIMEOUT)):
        print(f"not every reader acknowledged it within {ACKNOWLEDGE_TIMEOUT:g} s", flush=True)
    graph.wait(answers.find, ANSWER_TIMEOUT)
    print(answers.line())
    return 0 if answers.understood else 1


def _meant(strange: list[str], known: set[str]) -> str:
    """The known words that are most like these, as a question, behind a semicolon."""
    likest = [near for word in strange for near in near_names(word, known)]
    return f"; did you mean {', '.join(map(repr, likest))}?" if likest else ";"


class Answers:
    """What perception and safety say after a command.

    What they said before is latched. It is waited for first, and told by its place from what is
    said afterwards: stamps would be of the clock of a simulator, or of another machine.
    """

    def __init__(self, graph: Graph) -> None:
        self.understood = ""
        self.refused = ""
        self._accepted = graph.collect(Command, topics.ACCEPTED_COMMAND)
        self._questions = graph.collect(String, topics.PROMPT)
        self._known = graph.collect(String, topics.KNOWN_COMMANDS)
        self._statuses = graph.collect(SafetyStatus, topics.SAFETY_STATUS, keep=1)
        self._heartbeat = 0.0  # s, time.monotonic()
        graph.subscribe(Fault, topics.FAULT, self._on_fault)

    def _on_fault(self, fault: Any) -> None:
        if fault.source == PERCEPTION:
            self._heartbeat = time.monotonic()

    def present(self) -> bool:
        """What was said last of everything is there."""
        return bool(self._accepted and self._questions and self._known and self._statuses)

    def begin(self, text: str) -> None:
        """A command is given now: what came before is no answer to it."""
        self._spoken = " ".join(normalised(text).split())
        self._words = words(text)
        self._stop_word = self._stop_word_stamp()
        self._accepted.clear()
        self._questions.clear()

    def _stop_word_stamp(self) -> Any:
        return self._statuses[-1].stop_word_stamp if self._statuses else None

    def find(self) -> bool:
        """The answer is there."""
        if accepted := [command.text for command in self._accepted if command.text]:
            # Other words than the spoken ones: those that perception took it for.
            taken = self._spoken if self._spoken in accepted else accepted[-1]
            self._words = words(taken)
            self.understood = taken + self._task()
        elif self._stop_word is not None and self._stop_word_stamp() != self._stop_word:
            self.understood = f"{self._spoken}, a stop word: safety brakes, ./vla stop also latches"
        else:
            self.refused = next((asked.data for asked in self._questions if asked.data), "")
        return bool(self.understood or self.refused)

    def _task(self) -> str:
        """The task whose wording the command is, in brackets; else what of it is in none."""
        wordings = json.loads(self._known[-1].data) if self._known else {}
        for task, texts in wordings.items():
            if self._words in map(words, texts):
                return f" ({task})"
        known = {word for texts in wordings.values() for text in texts for word in words(text)}
        strange = [word for word in self._words if word not in known]
        if not known:
            return ""
        if not strange:
            return " (no wording of a task: ./vla say --list)"
        named = ", ".join(map(repr, strange)) + _meant(strange, known)
        return f" (no wording of a task has {named} ./vla say --list has them all)"

    def line(self) -> str:
        """What was made of the command, in one line."""
        if self.understood:
            return f"understood as: {self.understood}"
        if self.refused:
            return f"refused: {self.refused}" + (
                "; leave the stop with: ./vla reset" if self._stopped() else ""
            )
        silence = time.monotonic() - self._heartbeat
        heard = (
            f"perception is alive, heard {silence:.1f} s ago"
            if self._heartbeat
            else "nothing is heard of perception"
        )
        return f"no answer within {ANSWER_TIMEOUT:g} s: {heard}; see ./vla status"

    def _stopped(self) -> bool:
        return bool(self._statuses) and self._statuses[-1].state == SafetyStatus.STATE_STOPPED
