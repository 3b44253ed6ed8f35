"""The perception node: cameras, robot state and a command become one observation."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecyclePublisher
from rclpy.parameter import Parameter
from std_msgs.msg import String

from vla_contract import parameters, topics
from vla_contract.faults import FaultPublisher
from vla_contract.graph_node import Diagnosis, GraphNode, run
from vla_contract.message_enums import FaultKind, Level
from vla_contract.parameters import ParameterError
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import (
    ActionChunk,
    Command,
    Fault,
    Observation,
    SafetyStatus,
    SimulationTick,
)
from vla_perception import health
from vla_perception.config import CameraConfig, PerceptionConfig
from vla_perception.conversions import to_image, to_observation
from vla_perception.desk import CommandDesk, Moment, Utterance
from vla_perception.execute_command import ExecuteCommandServer
from vla_perception.free_running import FreeRunningObserver
from vla_perception.observer import ObservedSet, Observer
from vla_perception.streams import ClockEvent, ClockWatch, DropCounter
from vla_perception.ticked import LockStepObserver
from vla_perception.vocabulary import Vocabulary

SUPERVISION_PERIOD = 0.02  # s
REPORT_PERIOD = 0.2  # s, of faults and of feedback
GRAPH_PERIOD = 1.0  # s, between two looks at who publishes what
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
        self.add_on_set_parameters_callback(self._refuse_camera_changes)

    # Life cycle.

    def configure(self) -> None:
        """Make everything from the parameters."""
        config = self.config
        cv2.setNumThreads(1)  # small images: handing work to a pool costs more than it saves
        vocabulary = Vocabulary.load(config.vocabulary) if config.vocabulary else Vocabulary()
        self._drops = DropCounter()
        self._clock_watch = ClockWatch()
        self._clock_event = ClockEvent.RUNS
        self._jumped_at = -health.NEVER
        self._sequence = 0
        self._unanswered: list[int] = []  # sequences of observations with a command, lock-step
        self._goes_on = 0  # id of the command that the first of them does not end for certain
        self._tick_stamp = 0
        self._question = ""
        self._durations: deque[float] = deque(maxlen=1000)
        self._create_publishers()
        self._desk = CommandDesk(config, vocabulary, self._say, self.get_logger().info)
        self._actions = ExecuteCommandServer(self, self._desk, self._moment, lambda: self.active)
        self._observer = self._create_observer()
        self._create_subscriptions()
        for period, callback in (
            (SUPERVISION_PERIOD, self._on_supervision),
            (REPORT_PERIOD, self._on_report),
            (GRAPH_PERIOD, self._observer.look_at_graph),
        ):
            self._made.append(self.create_timer(period, callback, clock=self.steady_clock))

    def activate(self) -> None:
        """Start to wait for the inputs."""
        self._unanswered, self._goes_on = [], 0
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
        options: dict[str, Any] = {
            "drops": self._drops,
            "now": self._now,
            "emit": self._publish,
            "on_change": self._on_camera_change,
        }
        if not self.config.lock_step:
            return FreeRunningObserver(self, self.config, cameras, **options)
        return LockStepObserver(
            self,
            self.config,
            cameras,
            may_emit=self._knows_the_command,
            on_tick=self._on_tick_stamp,
            **options,
        )

    def _camera(self, name: str) -> CameraConfig:
        parameters.declare_prefixed(self, name, CameraConfig)
        return parameters.read(self, CameraConfig, name)

    def _refuse_camera_changes(self, changed: list[Parameter]) -> SetParametersResult:
        """Cameras are made when the node is configured: a change would have no effect."""
        configured = "_observer" in self.__dict__
        for each in changed:
            if configured and each.name.split(".")[0] in self.config.cameras:
                reason = f"parameter {each.name} is fixed while the node is configured"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _create_subscriptions(self) -> None:
        subscriptions: list[tuple[type, str, Any]] = [
            (String, topics.COMMAND, self._on_command),
            (Command, topics.COMMAND_STAMPED, self._on_command_stamped),
            (ActionChunk, topics.ACTION_CHUNK, self._on_chunk),
            (SafetyStatus, topics.SAFETY_STATUS, self._on_safety_status),
        ]
        if isinstance(self._observer, LockStepObserver):
            subscriptions.append((SimulationTick, topics.TICK, self._observer.tick))
        for message_type, topic, callback in subscriptions:
            qos = topics.qos_profile(topic, lock_step=self.config.lock_step)
            self._made.append(self.create_subscription(message_type, topic, callback, qos))

    # Time.

    def _now(self) -> int:
        """Node clock, ns; in lock-step the stamp of the last tick."""
        if self.config.lock_step:
            return self._tick_stamp
        return int(self.get_clock().now().nanoseconds)

    def _moment(self) -> Moment:
        now = self._now()
        steady = now * 1e-9 if self.config.lock_step else time.monotonic()
        return Moment(now, steady, time.time_ns())

    # Observations.

    def _publish(self, seen: ObservedSet) -> None:
        if not self.active:
            return
        command = self._desk.hold.current
        images = {}
        for name, frame in seen.frames.items():
            camera = self._observer.cameras[name]
            images[name] = frame.message or to_image(frame, camera.height, camera.width)
        message = to_observation(
            self.config.cameras,
            images,
            seen.states.get(topics.JOINT_STATES),
            seen.states.get(topics.END_EFFECTOR_POSE),
            command,
        )
        self._sequence += 1
        message.sequence = self._sequence
        message.observation_stamp = to_time(seen.stamp)
        message.header.stamp = to_time(self._now())
        if self.config.lock_step:
            if command is not None:
                self._unanswered.append(self._sequence)
            self._update_faults()
        receiver = self._observation_receiver
        if receiver is None or receiver(message) < self._observations.get_subscription_count():
            self._observations.publish(message)
        self._durations.append(time.perf_counter() - seen.received)

    def _knows_the_command(self) -> bool:
        """In lock-step: no chunk that is still to come can change the next observation's command.

        The chunk that answers the last observation may end it, unless the one before has said that
        it does not.
        """
        command = self._desk.hold.current
        goes_on = command is not None and command.command_id == self._goes_on
        return self.active and len(self._unanswered) <= int(goes_on)

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
            self._update_faults()

    def _on_chunk(self, message: ActionChunk) -> None:
        moment = self._moment()
        self._desk.chunk(message.command_id, message.done, message.progress, moment)
        self._actions.update()
        if isinstance(self._observer, LockStepObserver):
            self._goes_on = message.command_id if message.chunks_before_done else 0
            self._unanswered = [s for s in self._unanswered if s > message.observation_sequence]
            self._observer.pump()

    def _on_safety_status(self, message: SafetyStatus) -> None:
        self._actions.safety_status(message)
        stopped = message.state == SafetyStatus.STATE_STOPPED
        self._desk.safety_status(stopped, message.cause, message.standstill, self._moment())
        if not self.config.lock_step:
            self._desk.stop_word_obeyed(to_nanoseconds(message.stop_word_stamp), self._moment())
        self._desk.action_fault(_holding_action_fault(message))
        self._actions.update()

    def _say(self, text: str) -> None:
        """Ask the user; what is asked stays asked until it is taken back with ""."""
        if text == self._question:
            return
        self._question = text
        self._prompts.publish(String(data=text))
        if text:
            self.get_logger().warning(f"prompt: {text}")

    # Supervision.

    def _on_supervision(self) -> None:
        if self.active and not self.config.lock_step:
            self._watch_clock()
            self._observer.supervise()
            self._desk.check(self._moment())
            self._actions.update()
            self._update_faults()

    def _on_tick_stamp(self, stamp: int) -> None:
        first = self._tick_stamp == 0
        self._tick_stamp = stamp
        if self.active:
            if first:
                self._desk.clock_started(self._moment())
            self._desk.check(self._moment())
            self._actions.update()

    def _watch_clock(self) -> None:
        self._clock_event = self._clock_watch.update(self._now())
        if self._clock_event == ClockEvent.JUMPED_BACK:
            self._jumped_at = time.monotonic()
            self.get_logger().warning("the clock jumped back: buffers emptied, command withdrawn")
            self._observer.forget()
            self._desk.clock_jumped(self._moment())

    def _on_report(self) -> None:
        """The heartbeat, and feedback of the goals."""
        if self.active:
            self._update_faults()
            self._faults.repeat(self._now())
            self._actions.publish_feedback()

    def _on_camera_change(self) -> None:
        """Tell it now and not with the next supervision."""
        if self.active and not self.config.lock_step:
            self._update_faults()

    def _update_faults(self) -> None:
        now = self._now()
        language, stop = self._desk.language_fault, self._desk.unanswered_stop
        reports = [each.report() for each in self._observer.inputs.values()]
        jumped = time.monotonic() - self._jumped_at
        findings = {
            FaultKind.VISION: self._observer.camera_findings(),
            FaultKind.LANGUAGE: [(Level.ERROR, language)] if language else [],
            FaultKind.STOP_WORD: [(Level.ERROR, stop.text)] if stop is not None else [],
            FaultKind.ROBOT_STATE: self._observer.state_findings(),
            FaultKind.CLOCK: health.clock_findings(
                self._clock_event == ClockEvent.NOT_STARTED, jumped, reports
            ),
        }
        self._faults.update(findings, now)

    def diagnose(self) -> Diagnosis:
        """The worst fault, the drops by reason, and how long an observation takes."""
        worst = self._faults.worst()
        level = DIAGNOSTIC_LEVELS[worst.level]
        if self._faults.errors_in_a_row < self.config.diagnostics_count:
            level = min(level, DiagnosticStatus.WARN)
        command = self._desk.hold.current
        values: dict[str, Any] = {
            "observations": self._sequence,
            "command": command.text if command else "",
            "command_id": command.command_id if command else 0,
            "refused_commands": self._desk.refused,
            **self._observer.values(),
            **self._drops.values(),
        }
        if self._durations:
            p50, p99 = np.percentile(np.array(self._durations) * 1e3, (50, 99))
            values["processing_p50"] = f"{p50:.2f} ms"
            values["processing_p99"] = f"{p99:.2f} ms"
        return Diagnosis(level, worst.message or "ok", values)


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
