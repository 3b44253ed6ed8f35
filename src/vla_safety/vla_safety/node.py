"""The lifecycle node `safety`: action chunks → limited commands to the robot.

Callbacks convert, tell the core, and publish. One thread does everything: the control timer runs
on a steady clock and no callback takes longer than a fraction of a control period.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool, Trigger

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.graph_node import Diagnosis, GraphNode, run
from vla_contract.parameters import ParameterError
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import (
    ActionChunk,
    Command,
    Fault,
    SafeAction,
    SafetyStatus,
    SimulationTick,
)
from vla_safety import conversions
from vla_safety.config import SafetyConfig, check_space
from vla_safety.core import Decision, SafetyCore
from vla_safety.lock_step import LockStep, Tick
from vla_safety.outputs import make_outputs
from vla_safety.publishers import other_publishers
from vla_safety.reports import FaultLevels, diagnosis, status_key, status_message
from vla_safety.sequencing import Chunk
from vla_safety.state_file import Kept, StateFile, StateFileError, default_path
from vla_safety.timing import LoopTiming

ODOM = "odom"
STATUS_PERIOD = 1.0  # s
COMMANDS_AT_REST = 3
DELIVERY_TIMEOUT = Duration(seconds=0.2)
FULL_COLLECTION = 60  # status periods between two whole garbage collections


class SafetyNode(GraphNode[SafetyConfig]):
    """Limits what leaves for the robot; see the package's README for topics and parameters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("safety", SafetyConfig, **kwargs)
        self._core: SafetyCore | None = None
        self._made: list[Any] = []

    # Lifecycle.

    def configure(self) -> None:
        """Read action space and state file, create everything."""
        config = self.config
        if not config.action_space:
            raise ParameterError("parameter action_space is empty; accepted: the path of a file")
        space = ActionSpace.load(config.action_space)
        check_space(config, space)
        self._outputs = make_outputs(space)
        self._file = StateFile(self._state_path())
        self._core = SafetyCore(space, config, self._read_state())
        self._timing = LoopTiming(space.period)
        self._lock_step = LockStep()
        self._levels = FaultLevels(self.get_name())
        self._counters: Counter[str] = Counter()
        self._joints = tuple(config.required_joints) + tuple(
            d.output.field for d in space.dimensions if d.kind.value == "joint_position"
        )
        self._tick = 0
        self._tick_time = 0
        self._received: set[str] = set()
        self._status_key: Any = None
        self._decision: Decision | None = None
        self._beats = 0
        self._create_publishers()
        self._create_subscriptions()
        self._create_services()
        self._create_timers(space.period)

    def activate(self) -> None:
        """Begin to control, in HOLD or in the stop of before."""
        core = self._the_core
        # A full collection can take longer than a control period; see _on_status_timer.
        gc.collect()
        gc.freeze()
        gc.disable()
        self._timing = LoopTiming(core.space.period)
        core.reconfigure(self.config, self._now())
        core.activate(self._now())
        self._keep(running=True)
        for timer in self._periodic:
            timer.reset()
        self._decision = None
        self._publish_status(force=True)
        if core.machine.latched:
            self.get_logger().error(f"still stopped: {core.machine.latched.text}; call reset")

    def brake(self) -> None:
        """Bring the robot to rest, in real time; nothing else is handled meanwhile."""
        core = self._the_core
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
        core = self._the_core
        core.deactivate(self._now())
        self._keep(running=False)
        self._publish_status(force=True)
        # A publisher that is destroyed takes along what it has not delivered.
        for publisher in [publisher for publisher, _ in self._robot] + [self._statuses]:
            publisher.wait_for_all_acked(DELIVERY_TIMEOUT)
        gc.enable()
        gc.unfreeze()

    def clean_up(self) -> None:
        """Destroy what `configure` made."""
        destroy: dict[str, Any] = {
            "publisher": self.destroy_publisher,
            "subscription": self.destroy_subscription,
            "service": self.destroy_service,
            "timer": self.destroy_timer,
        }
        for what, entity in self._made:
            destroy[what](entity)
        self._made = []
        self._core = None

    def config_changed(self) -> None:
        """Take parameters that changed at run time."""
        self._the_core.reconfigure(self.config, self._now())

    def diagnose(self) -> Diagnosis:
        """State, figures, counters."""
        counters = self._counters + Counter({"chunk dropped in lock-step": self._lock_step.dropped})
        return diagnosis(self._the_core, self._timing, counters)

    # Creation.

    def _create_publishers(self) -> None:
        self._safe_actions = self._publisher(SafeAction, topics.SAFE_ACTION)
        self._statuses = self._publisher(SafetyStatus, topics.SAFETY_STATUS)
        self._faults = self._publisher(Fault, topics.FAULT)
        self._robot = [
            (self._publisher(o.message_type, o.topic, topics.ROBOT_COMMAND), o)
            for o in self._outputs
        ]

    def _create_subscriptions(self) -> None:
        self._subscribe(ActionChunk, topics.ACTION_CHUNK, self._on_chunk)
        self._subscribe(JointState, topics.JOINT_STATES, self._on_joint_states)
        self._subscribe(PoseStamped, topics.END_EFFECTOR_POSE, self._on_pose)
        self._subscribe(Odometry, ODOM, self._on_odometry, topics.JOINT_STATES)
        self._subscribe(Fault, topics.FAULT, self._on_fault)
        self._subscribe(String, topics.COMMAND, lambda m: self._on_text(m.data))
        self._subscribe(Command, topics.COMMAND_STAMPED, lambda m: self._on_text(m.text))
        self._subscribe(Bool, topics.EMERGENCY_STOP, self._on_emergency_stop)
        if self.config.lock_step:
            self._subscribe(SimulationTick, topics.TICK, self._on_tick)

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
            self._timer(self.config.fault_period, self._publish_faults),
            self._timer(STATUS_PERIOD, self._on_status_timer),
        ]
        if not self.config.lock_step:
            self._periodic.append(self._control_timer)

    def _publisher(self, message_type: Any, topic: str, row: str = "") -> Any:
        qos = topics.qos_profile(row or topic, lock_step=self.config.lock_step)
        publisher = self.create_lifecycle_publisher(message_type, topic, qos)
        self._made.append(("publisher", publisher))
        return publisher

    def _subscribe(self, message_type: Any, topic: str, callback: Any, row: str = "") -> None:
        qos = topics.qos_profile(row or topic, lock_step=self.config.lock_step)
        subscription = self.create_subscription(message_type, topic, callback, qos)
        self._made.append(("subscription", subscription))

    def _timer(self, period: float, callback: Any) -> Any:
        timer = self.create_timer(period, callback, clock=self.steady_clock)
        timer.cancel()
        self._made.append(("timer", timer))
        return timer

    # Inputs.

    def _on_chunk(self, message: ActionChunk) -> None:
        if not self.active:
            return
        chunk = conversions.chunk_from_message(message)
        if self.config.lock_step:
            self._lock_step.take_chunk(chunk)
            self._answer()
        else:
            self._take_chunk(chunk, self._now())

    def _take_chunk(self, chunk: Chunk, now: int) -> None:
        refusal = self._the_core.take_chunk(chunk, now)
        if refusal is not None:
            self.get_logger().warning(f"chunk refused: {refusal.value}", throttle_duration_sec=1.0)

    def _on_joint_states(self, message: JointState) -> None:
        problem = conversions.joints_problem(message, self._joints)
        measured = (
            {} if problem else conversions.measured_from_joints(message, self._the_core.space)
        )
        self._take_state(topics.JOINT_STATES, message.header.stamp, problem, measured)

    def _on_pose(self, message: PoseStamped) -> None:
        problem = conversions.pose_problem(message)
        self._take_state(topics.END_EFFECTOR_POSE, message.header.stamp, problem, {})

    def _on_odometry(self, message: Odometry) -> None:
        problem = conversions.odometry_problem(message)
        space = self._the_core.space
        measured = {} if problem else conversions.measured_from_odometry(message, space)
        self._take_state(ODOM, message.header.stamp, problem, measured)

    def _take_state(self, name: str, stamp: Any, problem: str, measured: dict[str, float]) -> None:
        if problem:
            self._counters[problem] += 1
            self.get_logger().warning(problem, throttle_duration_sec=1.0)
            return
        # In lock-step the stamp is the tick that it belongs to, in whatever order it came.
        received = to_nanoseconds(stamp) if self.config.lock_step else self._steady()
        self._the_core.robot.take(name, measured, received)
        if name not in self._received:
            self._received.add(name)
            self._answer()

    def _on_fault(self, message: Fault) -> None:
        if message.source == self.get_name():
            return
        report = conversions.fault_from_message(message)
        if report is None:
            self._counters["fault of unknown kind or level"] += 1
            return
        self._the_core.faults.take(report, self._steady())

    def _on_text(self, text: str) -> None:
        if not self.active:
            return
        word = self._the_core.take_text(text, self._now())
        if word:
            self.get_logger().warning(f'stop word "{word}"')

    def _on_emergency_stop(self, message: Bool) -> None:
        self._the_core.emergency_stop.take(message.data, self._steady())

    def _on_tick(self, message: SimulationTick) -> None:
        tick = Tick(
            int(message.tick),
            to_nanoseconds(message.header.stamp),
            int(message.episode),
            bool(message.has_images),
        )
        if self.active and self._lock_step.take_tick(tick):
            self._answer()

    # Services.

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._the_core.stop("the stop service was called", self._now())
        self._keep(running=self.active)
        response.success, response.message = True, "stopped; call reset to go on"
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        result = self._the_core.reset(self._now(), self._steady())
        self._keep(running=self.active)
        self.get_logger().info(f"reset: {result.message}")
        response.success, response.message = result.done, result.message
        return response

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._the_core.arm(bool(request.data), self._now())
        text = "armed" if request.data else "disarmed: braking, then outputs are disconnected"
        if request.data and self.config.shadow:
            text += ", but shadow mode keeps the outputs disconnected"
        self.get_logger().info(text)
        response.success, response.message = True, text
        return response

    # Periods.

    def _on_control(self) -> None:
        self._timing.begin(time.monotonic())
        try:
            self._period()
        except Exception as error:
            # A defect here must end in a stop, not in the last command going on.
            self._the_core.stop(f"internal error: {type(error).__name__}: {error}", self._now())
            raise
        self._timing.end(time.monotonic())

    def _period(self) -> Decision:
        now = self._now()
        decision = self._the_core.step(now, self._steady())
        self._tick += 1
        self._publish(decision, to_time(now))
        return decision

    def _answer(self) -> None:
        """Lock-step: answer the pending tick once all that it needs is here."""
        missing = set(self.config.required_inputs) - self._received
        if not self.config.lock_step or not self._lock_step.ready or not self.active:
            return
        if missing:
            self.get_logger().warning(
                f"waiting for {', '.join(sorted(missing))}", throttle_duration_sec=5.0
            )
            return
        core = self._the_core
        tick, chunks, new_episode = self._lock_step.begin()
        self._tick, self._tick_time = tick.number, tick.stamp
        self._timing.begin(time.monotonic())
        if new_episode:
            core.new_episode()
        for chunk in chunks:
            self._take_chunk(chunk, tick.stamp)
        self._publish(core.step(tick.stamp, tick.stamp), to_time(tick.stamp))
        self._timing.end(time.monotonic())

    def _publish(self, decision: Decision, stamp: Any) -> None:
        core = self._the_core
        if decision.connected:
            values = decision.safe.tolist()
            for publisher, output in self._robot:
                publisher.publish(output.message(values, stamp))
        self._safe_actions.publish(
            conversions.safe_action_to_message(decision, core.space, self._tick, stamp)
        )
        self._decision = decision
        self._publish_status()
        self._keep(running=True)

    # Reports.

    def _publish_status(self, force: bool = False) -> None:
        core = self._the_core
        decision = self._decision or core.standing()
        key = status_key(core, decision)
        if key == self._status_key and not force:
            return
        if self._status_key is None or key.state is not self._status_key.state:
            self.get_logger().info(f"{key.state.name}" + (f": {key.cause}" if key.cause else ""))
        self._status_key = key
        stamp = to_time(self._now())
        self._statuses.publish(status_message(core, decision, self._timing, stamp))

    def _publish_faults(self) -> None:
        for message in self._levels.messages(self._the_core, self._now()):
            self._faults.publish(message)

    def _on_status_timer(self) -> None:
        self._publish_status(force=True)
        infos = self.get_publishers_info_by_topic(self.resolve_topic_name(topics.ACTION_CHUNK))
        self._the_core.other_publishers = other_publishers(
            [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos]
        )
        self._beats += 1
        if not gc.isenabled():
            gc.collect(2 if self._beats % FULL_COLLECTION == 0 else 1)

    # State file and clocks.

    def _state_path(self) -> Path | None:
        chosen = self.config.state_file
        if chosen == "none":
            return None
        if chosen:
            return Path(chosen).expanduser()
        return default_path(self.get_namespace(), os.environ.get("ROS_DOMAIN_ID", "0"))

    def _read_state(self) -> Kept:
        try:
            return self._file.read()
        except StateFileError as error:
            self.get_logger().error(str(error))
            return Kept(stopped=f"{error}: it may have held a stop")

    def _keep(self, running: bool) -> None:
        try:
            self._file.write(self._the_core.kept(running))
        except StateFileError as error:
            self._counters["state file not written"] += 1
            self.get_logger().error(str(error), throttle_duration_sec=10.0)

    @property
    def _the_core(self) -> SafetyCore:
        if self._core is None:
            raise RuntimeError("the node is not configured")
        return self._core

    def _now(self) -> int:
        return self._tick_time if self.config.lock_step else self.get_clock().now().nanoseconds

    def _steady(self) -> int:
        return self._tick_time if self.config.lock_step else time.monotonic_ns()


def main() -> None:
    """Entry point of `ros2 run vla_safety safety`."""
    sys.exit(run(SafetyNode))


if __name__ == "__main__":
    main()
