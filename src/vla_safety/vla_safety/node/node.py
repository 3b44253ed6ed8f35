"""The lifecycle node `safety`: action chunks → limited commands to the robot.

Callbacks convert, tell the core, and publish. One thread does everything: the control timer runs
on a steady clock and no callback takes longer than a fraction of a control period. What comes in
is in `receivers`, what goes out in `senders`.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.duration import Duration
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.node.graph_node import Diagnosis, GraphNode, UnreadableMessage, deserialising, run
from vla_contract.node.parameters import ParameterError
from vla_contract.recording import type_name
from vla_contract.stamps import NANOSECONDS, to_time
from vla_safety.config import parameter_lock
from vla_safety.config.safety_config import SafetyConfig, check_space
from vla_safety.core import SafetyCore
from vla_safety.decision import Decision
from vla_safety.node.assembly import assemble, recorder_settings, state_path
from vla_safety.node.graph_watch import Others
from vla_safety.node.loop_timing import LoopTiming
from vla_safety.node.realtime_priority import Priority
from vla_safety.node.receivers import Receivers
from vla_safety.node.reports import diagnosis, is_faulty
from vla_safety.node.senders import Senders
from vla_safety.node.transform_lookup import TransformLookup
from vla_safety.plan.sequencing import Chunk
from vla_safety.watch.pending_tick import LockStep
from vla_safety.watch.repeated_levels import Once
from vla_safety.watch.state_file import Kept, StateFile, StateFileError, StateWriter

STATUS_PERIOD = 1.0  # s
COMMANDS_AT_REST = 3
FLUSH_TIMEOUT = 2.0  # s, of the state file, once the robot is at rest
DELIVERY_TIMEOUT = Duration(seconds=0.2)
FULL_COLLECTION = 60  # status periods between two whole garbage collections
MOST_PROBLEMS = 64  # told apart: their words may hold what a stranger sent
LISTENED_BEATS = 5.0  # of another safety node that a newcomer waits for before it connects


class SafetyNode(GraphNode[SafetyConfig]):
    """Limits what leaves for the robot; see the package's README for topics and parameters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("safety", SafetyConfig, **kwargs)
        self._core: SafetyCore | None = None
        self._senders: Senders | None = None
        self._receivers: Receivers | None = None
        self._state_writer: StateWriter | None = None
        self._defect = ""  # what raised since the last control period, in words
        self._made: list[Any] = []

    # Lifecycle.

    def configure(self) -> None:
        """Read action space and state file, create everything."""
        config = self.config
        if not config.action_space:
            raise ParameterError("parameter action_space is empty; accepted: the path of a file")
        space = ActionSpace.load(config.action_space)
        check_space(config, space)
        file = StateFile(state_path(config, self.get_namespace()))
        assembly = assemble(self, config, space, self._read_state(file))
        self._state_writer = StateWriter(file)
        self._core = assembly.core
        self.timing = LoopTiming(space.period)
        self.lock_step = LockStep()
        self.priority = Priority()
        self.counters: Counter[str] = Counter()
        self._tick = 0
        self._tick_time = 0
        self._received: dict[str, int] = {}
        self._decision: Decision | None = None
        self._beats = 0
        self._faulty = 0
        self._senders = Senders(self, recorder_settings(config, self.get_namespace()))
        self.others = self._new_others()
        self._receivers = Receivers(
            self,
            assembly.sources,
            assembly.inputs,
            assembly.locks,
            TransformLookup(self) if assembly.uses_tf else None,
        )
        self._create_services()
        self._create_timers(space.period)

    def activate(self) -> None:
        """Begin to control, in HOLD or in the stop of before."""
        core = self.core
        # A full collection can take longer than a control period; see _on_status_timer.
        gc.collect()
        gc.freeze()
        gc.disable()
        self.timing = LoopTiming(core.space.period)
        self._defect = ""
        self.others = self._new_others()
        if not self.config.lock_step:
            self._listen()
        core.reconfigure(self.config, self.now(), self.steady())
        core.activate(self.now(), self.steady())
        self._keep(running=True)
        for timer in self._periodic:
            timer.reset()
        self._decision = None
        self._send_status()
        if core.machine.latched:
            self.get_logger().error(f"still stopped: {core.machine.latched.text}; call reset")
        if not self.config.lock_step:
            self.priority.take(self.config.realtime_priority)

    def brake(self) -> None:
        """Bring the robot to rest, in real time; nothing else is handled meanwhile."""
        core = self.core
        core.close()
        if self.config.lock_step:
            return  # the simulator waits for an answer and does not move
        self._control_timer.cancel()
        end = time.monotonic() + core.space.braking_time + 5.0 * core.space.period
        due = time.monotonic()
        at_rest = 0
        # More than one command at rest: the first still carries an acceleration.
        while time.monotonic() < end and at_rest < COMMANDS_AT_REST:
            self._period()
            at_rest = at_rest + 1 if core.limiter.standstill else 0
            due += core.space.period
            time.sleep(max(0.0, due - time.monotonic()))

    def deactivate(self) -> None:
        """Stop to control; the robot is at rest."""
        for timer in self._periodic:
            timer.cancel()
        self.core.deactivate(self.now())
        self._keep(running=False)
        assert self._state_writer is not None
        self._state_writer.flush(FLUSH_TIMEOUT)
        self._send_status()
        # A publisher that is destroyed takes along what it has not delivered.
        for sender in [*(sender for sender, _ in self.senders.robot), self.senders.statuses]:
            sender.publisher.wait_for_all_acked(DELIVERY_TIMEOUT)
        self.priority.give_back()
        gc.enable()
        gc.unfreeze()

    def clean_up(self) -> None:
        """Destroy what `configure` made."""
        if self._receivers is not None:
            self._receivers.close()
        if self._senders is not None:
            self._senders.close()
        if self._state_writer is not None:
            self._state_writer.close()
        destroy: dict[str, Any] = {
            "publisher": self.destroy_publisher,
            "subscription": self.destroy_subscription,
            "service": self.destroy_service,
            "timer": self.destroy_timer,
        }
        for what, entity in self._made:
            destroy[what](entity)
        self._made = []
        self._core = self._senders = self._receivers = self._state_writer = None

    def check_change(self, old: SafetyConfig, new: SafetyConfig) -> None:
        """Refuse what loosens a limit while the parameters are locked."""
        parameter_lock.check(old, new, locked=old.parameter_lock)

    def config_changed(self) -> None:
        """Take parameters that changed at run time."""
        if self.active:  # else `activate` does
            self.core.reconfigure(self.config, self.now(), self.steady())

    def diagnose(self) -> Diagnosis:
        """State, figures, counters."""
        counters = self.counters + Counter({"chunk dropped in lock-step": self.lock_step.dropped})
        values: dict[str, Any] = {"scheduling": self.priority.how}
        if self.senders.recorder is not None:
            counters.update({f"stop {k}": v for k, v in self.senders.recorder.counters.items()})
            values["recorder_holds_s"] = round(self.senders.recorder.held, 2)
        self._faulty = self._faulty + 1 if is_faulty(self.core) else 0
        diagnosed = diagnosis(self.core, self.timing, counters, self._faulty)
        return replace(diagnosed, values={**diagnosed.values, **values})

    # Creation; the entities are destroyed by `clean_up`.

    def publisher(self, message_type: Any, topic: str, row: str = "") -> Any:
        """A lifecycle publisher with the QoS of the topic's row."""
        qos = topics.qos_profile(row or topic, lock_step=self.config.lock_step)
        publisher = self.create_lifecycle_publisher(message_type, topic, qos)
        self._made.append(("publisher", publisher))
        return publisher

    def subscribe(
        self,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        row: str = "",
        raw: bool = False,
    ) -> None:
        """A subscription whose messages are recorded, as they came, before `callback` gets them.

        raw: it gets the bytes.
        """
        qos = topics.qos_profile(row or topic, lock_step=self.config.lock_step)
        receive = callback if raw else deserialising(message_type, callback)
        self._subscribe_raw(message_type, topic, self._recorded(message_type, topic, receive), qos)

    def subscribe_level(self, topic: str, callback: Callable[[Any], None]) -> None:
        """The same of a std_msgs/Bool, in whatever QoS its publishers offer it."""
        receive = self._recorded(Bool, topic, deserialising(Bool, callback))
        once = Once(receive, self.wall_steady)
        profiles = topics.level_profiles(topics.EMERGENCY_STOP, lock_step=self.config.lock_step)
        for qos in profiles:
            # That one of them does not fit a publisher which another fits is nothing to warn of.
            self._subscribe_raw(Bool, topic, once.take, qos, quiet=True)

    def _subscribe_raw(
        self, kind: Any, topic: str, receive: Callable[[bytes], None], qos: Any, **options: Any
    ) -> None:
        made = self.create_subscription(kind, topic, receive, qos, raw=True, **options)
        self._made.append(("subscription", made))

    def _recorded(
        self, message_type: Any, topic: str, callback: Callable[[bytes], None]
    ) -> Callable[[bytes], None]:
        name, kind, senders = self.resolve_topic_name(topic), type_name(message_type), self.senders

        def receive(data: bytes) -> None:
            senders.record_bytes(name, kind, data)
            callback(data)

        return receive

    def _create_services(self) -> None:
        for service_type, name, callback in (
            (Trigger, topics.STOP_SERVICE, self._on_stop),
            (Trigger, topics.RESET_SERVICE, self._on_reset),
            (SetBool, topics.ARM_SERVICE, self._on_arm),
        ):
            self._made.append(("service", self.create_service(service_type, name, callback)))

    def _create_timers(self, period: float) -> None:
        self._control_timer = self._timer(period, self._on_control)
        # Not "_timers": that is rclpy's own list of what the executor waits for.
        self._periodic = [
            self._timer(self.config.fault_period, self.senders.send_levels),
            self._timer(STATUS_PERIOD, self._on_status_timer),
        ]
        if not self.config.lock_step:
            self._periodic.append(self._control_timer)
            look = self._timer(self.config.publishers_period, self._on_look)
            self._periodic.append(look)

    def _timer(self, period: float, callback: Any) -> Any:
        timer = self.create_timer(period, callback, clock=self.steady_clock)
        timer.cancel()
        self._made.append(("timer", timer))
        return timer

    # What came in, as the receivers tell it.

    def take_chunk(self, chunk: Chunk, now: int) -> None:
        """Tell the core, and log a refusal."""
        refusal = self.core.take_chunk(chunk, now)
        if refusal is not None:
            self.get_logger().warning(f"chunk refused: {refusal.value}", throttle_duration_sec=1.0)

    def refuse(self, problem: str) -> None:
        """A message that cannot be used: counted, and logged at most once a second."""
        known = problem in self.counters or len(self.counters) < MOST_PROBLEMS
        self.counters[problem if known else "other problems"] += 1
        self.get_logger().warning(problem, throttle_duration_sec=1.0)

    def note(self, name: str, when: int) -> None:
        """What a message of the robot's state told, good or refused, holds as of then, ns."""
        self._received[name] = when

    def received(self, name: str) -> None:
        """Such a message came, and was noted; lock-step may have waited for it."""
        required = name in self.config.required_inputs
        if self.config.lock_step and (required or name == self._place_input()):
            self.answer()

    def heard_own_name(self, message: Any) -> None:
        """A fault level in this node's name: where it is another's, this one does not connect."""
        if self.others.take_level(message, self.steady()) and not self.core.connected:
            self._listen()

    def sent_level(self, stamp: int) -> None:
        """This node sent a fault level."""
        self.others.twin.sent(stamp)

    def _listen(self) -> None:
        beats = LISTENED_BEATS * self.config.fault_period
        self.core.listen_until = self.steady() + round(beats * NANOSECONDS)

    # Services.

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.core.stop("the stop service was called", self.now())
        self._keep(running=self.active)
        response.success, response.message = True, "stopped; call reset to go on"
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        result = self.core.reset(self.now(), self.steady())
        self._keep(running=self.active)
        self.get_logger().info(f"reset: {result.message}")
        response.success, response.message = result.done, result.message
        return response

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.core.arm(bool(request.data), self.now(), self.steady())
        text = "armed" if request.data else "disarmed: braking, then outputs are disconnected"
        if request.data and self.config.shadow:
            text += ", but shadow mode keeps the outputs disconnected"
        self.get_logger().info(text)
        response.success, response.message = True, text
        return response

    # Periods.

    def _on_control(self) -> None:
        self.timing.begin(time.monotonic())
        self._period()
        self.timing.end(time.monotonic())

    def _period(self) -> None:
        now, steady = self.now(), self.steady()
        decision = self._decide(now, steady)
        self._tick += 1 + decision.missed
        self._send(decision, to_time(now))

    def _decide(self, now: int, steady: int) -> Decision:
        """The core's decision; after a defect a braking one, and the stop stays latched."""
        core = self.core
        try:
            if not self._defect and not self.config.lock_step:
                self.receivers.look_up_tip()
                core.other_publishers = self.others.problem(steady)
            if not self._defect:
                self.receivers.collect_clouds()
                return core.step(now, steady)
        except Exception as error:
            self.callback_failed("a control period", error)
        why, self._defect = self._defect, ""
        try:
            return core.brake(why, now)
        except Exception as error:
            self.callback_failed("braking", error)
        return core.rest(why, now)

    def callback_failed(self, what: str, error: Exception) -> str:
        """Stop and stay stopped: what failed may be what the motion relies on.

        The next control period brakes, whatever raised. A message that cannot be read says nothing
        of this node, and is refused as other bad input is.
        """
        if isinstance(error, UnreadableMessage):
            self.refuse(f"{what}: {error}")
            return str(error)
        reason = super().callback_failed(what, error)
        self._defect = f"internal error: {reason}"
        return reason

    def answer(self) -> None:
        """Lock-step: answer the pending tick once all that it needs is here."""
        tick = self.lock_step.pending
        if not self.lock_step.ready or not self.active or tick is None:
            return
        missing = set(self.config.required_inputs) - self._received.keys()
        if missing:
            self.get_logger().warning(
                f"waiting for {', '.join(sorted(missing))}", throttle_duration_sec=5.0
            )
            return
        place = self._place_input()
        if place and self._received.get(place, -1) < tick.stamp:
            return  # the pose of this tick is on its way
        core = self.core
        tick, chunks, new_episode = self.lock_step.begin()
        self._tick, self._tick_time = tick.number, tick.stamp
        self.timing.begin(time.monotonic())
        if new_episode:
            core.new_episode()
        for chunk in chunks:
            self.take_chunk(chunk, tick.stamp)
        self._send(self._decide(tick.stamp, tick.stamp), to_time(tick.stamp))
        self.timing.end(time.monotonic())

    def _place_input(self) -> str:
        """The input that the place depends on, where something does."""
        place = self.core.surroundings.place
        return place.source if place.needed else ""

    def _send(self, decision: Decision, stamp: Any) -> None:
        self._decision = decision
        # One that fails keeps none of the others back; the robot's commands are the first.
        for what, action in (
            *self.senders.actions(decision, self._tick, stamp),
            ("the recorder", self.senders.poll_recorder),
            ("the state file", lambda: self._keep(running=True)),
        ):
            try:
                action()
            except Exception as error:
                self.callback_failed(what, error)

    def _send_status(self) -> None:
        self.senders.send_status(self._decision or self.core.standing(), force=True)

    # Now and then.

    def _on_look(self) -> None:
        steady = self.steady()
        self.others.look(steady)
        self.core.unread_outputs = self.others.unread
        if self.others.commands_shared and not self.core.connected:
            self._listen()

    def _on_status_timer(self) -> None:
        self._send_status()
        self._beats += 1
        if not gc.isenabled():
            gc.collect(2 if self._beats % FULL_COLLECTION == 0 else 1)

    def _new_others(self) -> Others:
        senders = self.senders
        return Others(self, senders.robot_topics, senders.own_ids, self.config.fault_period)

    # State file and clocks.

    def _read_state(self, file: StateFile) -> Kept:
        try:
            return file.read()
        except StateFileError as error:
            self.get_logger().error(str(error))
            return Kept(stopped=f"{error}: it may have held a stop")

    def _keep(self, running: bool) -> None:
        """Let what must survive be written, in another thread; tell what could not be."""
        assert self._state_writer is not None
        self._state_writer.write(self.core.kept(running))
        if problem := self._state_writer.take_problem():
            self.counters["state file not written"] += 1
            self.get_logger().error(problem, throttle_duration_sec=10.0)

    @property
    def core(self) -> SafetyCore:
        """The core, while the node is configured."""
        if self._core is None:
            raise RuntimeError("the node is not configured")
        return self._core

    @property
    def senders(self) -> Senders:
        """What goes out, while the node is configured."""
        if self._senders is None:
            raise RuntimeError("the node is not configured")
        return self._senders

    @property
    def receivers(self) -> Receivers:
        """What comes in, while the node is configured."""
        if self._receivers is None:
            raise RuntimeError("the node is not configured")
        return self._receivers

    def now(self) -> int:
        """Node clock, ns; in lock-step the tick's."""
        return self._tick_time if self.config.lock_step else self.get_clock().now().nanoseconds

    def steady(self) -> int:
        """A clock that never jumps, ns; in lock-step the tick's."""
        return self._tick_time if self.config.lock_step else time.monotonic_ns()

    def wall_steady(self) -> int:
        """A clock that never jumps and always runs, ns."""
        return time.monotonic_ns()


def main() -> None:
    """Entry point of `ros2 run vla_safety safety`."""
    sys.exit(run(SafetyNode))


if __name__ == "__main__":
    main()
