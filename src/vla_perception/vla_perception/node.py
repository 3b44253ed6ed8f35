"""The perception node: cameras, robot state and a command become one observation."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecyclePublisher
from std_msgs.msg import String

from vla_contract import topics
from vla_contract.message_enums import FaultKind, Level, done_cause
from vla_contract.node import parameters
from vla_contract.node.fault_publisher import FaultPublisher
from vla_contract.node.graph_node import Diagnosis, GraphNode, run
from vla_contract.node.parameters import ParameterError
from vla_contract.percentiles import percentiles
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import (
    ActionChunk,
    Command,
    Fault,
    Observation,
    SafetyStatus,
    TaskState,
)
from vla_perception.command.active_command import HeldCommand
from vla_perception.command.command_desk import CommandDesk, Moment, Utterance
from vla_perception.command.command_vocabulary import Vocabulary
from vla_perception.command.execute_command import ExecuteCommandServer
from vla_perception.command.ready_line import ready_line
from vla_perception.command.sentence_reader import SentenceReader
from vla_perception.observe.free_running_observer import FreeRunningObserver
from vla_perception.observe.lock_step_observer import LockStepObserver
from vla_perception.observe.observer import SUPERVISION_PERIOD, ObservedSet, Observer
from vla_perception.perception_config import CameraConfig, PerceptionConfig
from vla_perception.perception_conversions import to_image, to_observation

REPORT_PERIOD = 0.2  # s, of faults and of feedback
GRAPH_PERIOD = 1.0  # s, between two looks at who publishes what
READY_REPORTS = 2  # in a row; the first status of safety comes before it has looked at anything
FAULT_KINDS = (
    FaultKind.VISION,
    FaultKind.LANGUAGE,
    FaultKind.ROBOT_STATE,
    FaultKind.CLOCK,
    FaultKind.STOP_WORD,
)
# The others are logged where they arise: cameras one by one, language as it is said.
LOGGED_FAULTS = (FaultKind.ROBOT_STATE, FaultKind.CLOCK)
DIAGNOSTIC_LEVELS = {
    Level.OK: DiagnosticStatus.OK,
    Level.WARN: DiagnosticStatus.WARN,
    Level.ERROR: DiagnosticStatus.ERROR,
}


class Perception(GraphNode[PerceptionConfig]):
    """Publishes what the observer puts together with the command that the desk holds.

    observation_receiver: is given each observation itself where the policy is in this process, and
    returns how many subscriptions of its own the topic has: it is published only for others.
    """

    def __init__(
        self, *, observation_receiver: Callable[[Observation], int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__("perception", PerceptionConfig, **kwargs)
        self._observation_receiver = observation_receiver
        self._made: list[Any] = []  # publishers, subscriptions and timers, to be destroyed

    # Life cycle.

    def configure(self) -> None:
        """Make everything from the parameters."""
        config = self.config
        cv2.setNumThreads(1)  # small images: handing work to a pool costs more than it saves
        vocabulary = Vocabulary.load(config.vocabulary) if config.vocabulary else Vocabulary()
        self._sequence = 0
        self._question = ""
        self._durations: deque[float] = deque(maxlen=1000)
        self._example = next(iter(vocabulary.commands), "")
        self._status: SafetyStatus | None = None
        self._ready_reports = 0
        self._create_publishers()
        self._known_commands = json.dumps(vocabulary.wordings, ensure_ascii=False)
        log = self.get_logger().info
        reader = SentenceReader.beside(config.vocabulary, vocabulary.wordings)
        if reader.note:
            self.get_logger().warning(reader.note)
        self._desk = CommandDesk(config, vocabulary, self._publish_accepted, self._say, log, reader)
        self._actions = ExecuteCommandServer(self, self._desk, self._moment, lambda: self.active)
        self._observer = self._create_observer()
        self._create_subscriptions()
        for period, callback in (
            (SUPERVISION_PERIOD, self._observer.on_timer),
            (REPORT_PERIOD, self._on_report),
            (GRAPH_PERIOD, self._observer.look_at_graph),
        ):
            self._made.append(self.create_timer(period, callback, clock=self.steady_clock))

    def activate(self) -> None:
        """Start to wait for the inputs; tell what is latched, be it that there is nothing yet."""
        self._known.publish(String(data=self._known_commands))
        self._accepted.publish(Command())
        self._question = ""
        self._prompts.publish(String())
        self._observer.restart()

    def deactivate(self) -> None:
        """End the command and its goal."""
        self._desk.abandon("perception was deactivated", self._moment())
        self._actions.update()

    def clean_up(self) -> None:
        """Destroy what `configure` made."""
        for name in ("_observer", "_actions"):
            part = self.__dict__.pop(name, None)
            if part is not None:
                part.destroy()
        for entity in self._made:
            if isinstance(entity, LifecyclePublisher):
                self.destroy_lifecycle_publisher(entity)
            elif hasattr(entity, "timer_period_ns"):
                self.destroy_timer(entity)
            else:
                self.destroy_subscription(entity)
        self._made = []

    def config_changed(self) -> None:
        """Parameters that concern the command changed."""
        self._desk.config = self.config

    def _create_publishers(self) -> None:
        def publisher(message_type: type, topic: str) -> Any:
            qos = topics.qos_profile(topic, lock_step=self.config.lock_step)
            self._made.append(self.create_lifecycle_publisher(message_type, topic, qos))
            return self._made[-1]

        self._observations = publisher(Observation, topics.OBSERVATION)
        self._prompts = publisher(String, topics.PROMPT)
        self._accepted = publisher(Command, topics.ACCEPTED_COMMAND)
        self._known = publisher(String, topics.KNOWN_COMMANDS)
        fault = publisher(Fault, topics.FAULT)
        self._faults = FaultPublisher(
            self.get_name(), FAULT_KINDS, fault.publish, self.get_logger(), logged=LOGGED_FAULTS
        )

    def _create_observer(self) -> Observer:
        declared = {name: self._camera(name) for name in self.config.cameras}
        cameras = {name: camera for name, camera in declared.items() if not camera.absent}
        if not cameras:
            raise ParameterError(
                f"every camera is absent ({', '.join(declared)}); accepted: one that is there"
            )
        kind = LockStepObserver if self.config.lock_step else FreeRunningObserver
        return kind(self, self.config, cameras)

    def _camera(self, name: str) -> CameraConfig:
        parameters.declare_prefixed(self, name, CameraConfig)
        return parameters.read(self, CameraConfig, name)

    def _create_subscriptions(self) -> None:
        subscriptions = [
            (String, topics.COMMAND, self._on_command),
            (Command, topics.COMMAND_STAMPED, self._on_command_stamped),
            (ActionChunk, topics.ACTION_CHUNK, self._on_chunk),
            (SafetyStatus, topics.SAFETY_STATUS, self._on_safety_status),
            *self._observer.subscriptions(),
        ]
        if not self.config.lock_step:
            subscriptions.append((TaskState, topics.TASK_STATE, self._on_task_state))
        for message_type, topic, callback in subscriptions:
            qos = topics.qos_profile(topic, lock_step=self.config.lock_step)
            self._made.append(self.create_subscription(message_type, topic, callback, qos))

    def _moment(self) -> Moment:
        return Moment(self._observer.now(), self._observer.steady(), time.time_ns())

    # What the observer calls.

    @property
    def command(self) -> HeldCommand | None:
        """The command in force."""
        return self._desk.hold.current

    def publish_observation(self, seen: ObservedSet) -> int:
        """Publish a set with the command in force; its sequence."""
        if not self.active:
            return self._sequence
        images = {}
        for name, frame in seen.frames.items():
            camera = self._observer.cameras[name]
            images[name] = frame.message or to_image(frame, camera.height, camera.width)
        message = to_observation(
            self.config.cameras,
            images,
            seen.states.get(topics.JOINT_STATES),
            seen.states.get(topics.END_EFFECTOR_POSE),
            self.command,
        )
        self._sequence += 1
        message.sequence = self._sequence
        message.observation_stamp = to_time(seen.stamp)
        message.header.stamp = to_time(self._observer.now())
        receiver = self._observation_receiver
        if receiver is None or receiver(message) < self._observations.get_subscription_count():
            self._observations.publish(message)
        self._durations.append(time.perf_counter() - seen.received)
        return self._sequence

    def clock_started(self) -> None:
        """The first tick came."""
        if self.active:
            self._desk.clock_started(self._moment())

    def clock_jumped(self) -> None:
        """The clock went back."""
        self._desk.clock_jumped(self._moment())

    def advance(self) -> None:
        """Time went on: end what is over."""
        if self.active:
            self._desk.check(self._moment())
            self._actions.update()

    def update_faults(self) -> None:
        """Publish the faults whose level changed."""
        if not self.active:
            return
        language, stop = self._desk.language_fault, self._desk.unanswered_stop
        reports = [each.report() for each in self._observer.inputs.values()]
        findings = {
            FaultKind.VISION: self._observer.camera_findings(),
            FaultKind.LANGUAGE: [(Level.ERROR, language)] if language else [],
            FaultKind.STOP_WORD: [(Level.ERROR, stop.text)] if stop is not None else [],
            FaultKind.ROBOT_STATE: self._observer.state_findings(),
            FaultKind.CLOCK: self._observer.clock_findings(reports),
        }
        self._faults.update(findings, self._observer.now())

    # Commands.

    def _on_command(self, message: String) -> None:
        self._speak(Utterance(message.data))

    def _on_command_stamped(self, message: Command) -> None:
        stamp = to_nanoseconds(message.header.stamp)
        self._speak(Utterance(message.text, message.command_id, stamp))

    def _speak(self, utterance: Utterance) -> None:
        if self.active:
            self._desk.speak(utterance, self._moment())
            self._actions.update()
            self.update_faults()

    def _on_chunk(self, message: ActionChunk) -> None:
        moment = self._moment()
        self._desk.chunk(message.command_id, message.done, message.progress, moment)
        self._actions.update()
        self._observer.on_chunk(message)

    def _on_task_state(self, message: TaskState) -> None:
        """A simulator says what its robot is to do."""
        self._example = message.instruction

    def _on_safety_status(self, message: SafetyStatus) -> None:
        self._status = message
        self._actions.safety_status(message)
        stopped = message.state == SafetyStatus.STATE_STOPPED
        self._desk.safety_status(stopped, message.cause, message.standstill, self._moment())
        if _serves_its_command(message):
            self._desk.command_served(message.command_id)
        self._desk.stop_word_obeyed(to_nanoseconds(message.stop_word_stamp), self._moment())
        self._desk.action_fault(_holding_action_fault(message))
        self._actions.update()

    def _publish_accepted(self, command: HeldCommand) -> None:
        message = Command(command_id=command.command_id, text=command.text)
        message.header.stamp = to_time(command.given)
        self._accepted.publish(message)

    def _say(self, text: str) -> None:
        """Ask the user; what is asked stays asked until it is taken back with "".

        The same question again is published again: it answers another command.
        """
        if not text and not self._question:
            return
        self._question = text
        self._prompts.publish(String(data=text))
        if text:
            self.get_logger().warning(f"prompt: {text}")

    # Supervision.

    def _on_report(self) -> None:
        """The heartbeat, and feedback of the goals."""
        if self.active:
            self.update_faults()
            self._faults.repeat(self._observer.now())
            self._actions.publish_feedback()
            if not self.config.lock_step and self._ready_reports < READY_REPORTS:
                self._report_ready()

    def _report_ready(self) -> None:
        """Say once how to give a command, when everything that a motion needs is heard."""
        line = ""
        if self._sequence and self._status and self._faults.worst().level < Level.ERROR:
            line = ready_line(self._status, self._example, self.get_namespace())
        self._ready_reports = self._ready_reports + 1 if line else 0
        if self._ready_reports == READY_REPORTS:
            self.get_logger().info(line)

    def diagnose(self) -> Diagnosis:
        """The worst fault, the drops by reason, and how long an observation takes."""
        worst = self._faults.worst()
        level = DIAGNOSTIC_LEVELS[worst.level]
        if self._faults.errors_in_a_row < self.config.diagnostics_count:
            level = min(level, DiagnosticStatus.WARN)
        command = self.command
        values: dict[str, Any] = {
            "observations": self._sequence,
            "command": command.text if command else "",
            "command_id": command.command_id if command else 0,
            "refused_commands": self._desk.refused,
            **self._observer.values(),
        }
        if self._durations:
            p50, p99 = percentiles(self._durations, 50, 99)
            values["processing_p50"] = f"{p50 * 1e3:.2f} ms"
            values["processing_p99"] = f"{p99 * 1e3:.2f} ms"
        return Diagnosis(level, worst.message or "ok", values)


def _serves_its_command(status: SafetyStatus) -> bool:
    """The robot may move for the command of the status; or only its being done forbids it."""
    if status.state == SafetyStatus.STATE_HOLD:
        return status.cause == done_cause(status.command) and status.recovery_left == 0.0
    return status.state in (SafetyStatus.STATE_NOMINAL, SafetyStatus.STATE_DEGRADED)


def _holding_action_fault(status: SafetyStatus) -> str:
    """The action fault for which the robot holds, in words; empty where there is none."""
    if status.state != SafetyStatus.STATE_HOLD:
        return ""
    faults = (f for f in status.faults if f.kind == Fault.KIND_ACTION)
    return next((f.message for f in faults if f.level == Fault.LEVEL_ERROR), "")


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable `perception`."""
    return run(Perception, args)


if __name__ == "__main__":
    sys.exit(main())
