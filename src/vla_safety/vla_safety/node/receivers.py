"""What comes in: the subscriptions of the safety node. Callbacks convert and tell core or loop."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from geometry_msgs.msg import PoseArray, PoseStamped, Twist, TwistStamped, WrenchStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String

from vla_contract import topics
from vla_contract.frames import frame_name
from vla_contract.joint_states import JointStateError, read_joints
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import ActionChunk, Command, Fault, SimulationTick
from vla_safety.loop.control_clock import WallClock
from vla_safety.loop.control_loop import ControlLoop
from vla_safety.loop.tick_queue import Tick
from vla_safety.node import safety_conversions
from vla_safety.node.node_ports import Problems, Subscriptions
from vla_safety.plan import teleoperation
from vla_safety.plan.teleoperation import LockConfig, TeleopConfig, Teleoperation
from vla_safety.surroundings.contact import WRENCH
from vla_safety.surroundings.measured_pose import Pose
from vla_safety.surroundings.separation import PEOPLE

ODOM = "odom"


class _State(NamedTuple):
    """What a message told of the robot.

    problem: why it is refused, else empty. pose: None where another input is the pose's source.
    joints: positions of those of the parameter required_joints of which it tells. age: ns, on
    arrival.
    """

    problem: str
    measured: dict[str, float]
    pose: Pose | None
    joints: Mapping[str, float]
    age: int = 0


class Receivers:
    """Those of the graph and of the robot's state."""

    def __init__(
        self, name: str, loop: ControlLoop, subscriptions: Subscriptions, problems: Problems
    ) -> None:
        """name: of the node, as the source of its fault levels."""
        self._name = name
        self._loop = loop
        self._core = loop.core
        self._pose = loop.core.surroundings.pose
        self._problems = problems
        watch = loop.core.watch
        self._required = (*loop.core.config.required_joints, *watch.ranged)
        self._joints = frozenset((*self._required, *watch.positions.values()))
        self._last: dict[str, _State] = {}
        subscribe = subscriptions.subscribe
        subscribe(ActionChunk, topics.ACTION_CHUNK, self._on_chunk)
        subscribe(JointState, topics.JOINT_STATES, self._on_joint_states)
        subscribe(PoseStamped, topics.END_EFFECTOR_POSE, self._on_pose)
        subscribe(Odometry, ODOM, self._on_odometry, topics.JOINT_STATES)
        subscribe(Fault, topics.FAULT, self._on_fault)
        subscribe(String, topics.COMMAND, lambda m: self._on_text(m.data))
        subscribe(Command, topics.COMMAND_STAMPED, lambda m: self._on_text(m.text))
        self._contact = loop.core.surroundings.contact
        if self._contact.needs_wrench:
            subscribe(WrenchStamped, WRENCH, self._on_wrench, topics.JOINT_STATES)
        self._people = loop.core.surroundings.people
        if self._people.enabled:
            subscribe(PoseArray, PEOPLE, self._on_people, topics.JOINT_STATES)
        subscriptions.subscribe_level(topics.EMERGENCY_STOP, self._on_emergency_stop)
        loop.subscribe_ticks(subscriptions, self._on_tick)

    # The graph.

    def _on_chunk(self, message: ActionChunk) -> None:
        if self._loop.active:
            self._loop.accept_chunk(safety_conversions.chunk_from_message(message))

    def _on_fault(self, message: Fault) -> None:
        if message.source == self._name:
            if self._loop.active:
                self._loop.hear_twin(message)
            return
        if message.kind == Fault.KIND_STOP_WORD:
            self._on_stop_word(message)
            return
        report = safety_conversions.fault_from_message(message)
        if report is None:
            self._problems.counters["fault of unknown kind or level"] += 1
            return
        self._core.watch.faults.report_fault(report, self._loop.clock.steady())

    def _on_stop_word(self, message: Fault) -> None:
        """Another node hands on a stop word that this one may not have heard."""
        if message.level != Fault.LEVEL_ERROR or not self._loop.active:
            return
        word = safety_conversions.shortened(message.message)
        if self._loop.obey_stop_word(word, to_nanoseconds(message.since)):
            source = safety_conversions.shortened(message.source)
            self._problems.log.warning(f'stop word "{word}", heard by {source}')

    def _on_text(self, text: str) -> None:
        if not self._loop.active:
            return
        word = self._core.accept_text(text, self._loop.clock.now())
        if word:
            self._problems.log.warning(f'stop word "{word}"')

    def _on_emergency_stop(self, message: Bool) -> None:
        self._core.watch.emergency_stop.set_level(message.data, self._loop.clock.steady())

    def _on_tick(self, message: SimulationTick) -> None:
        tick = Tick(
            int(message.tick),
            to_nanoseconds(message.header.stamp),
            int(message.episode),
            bool(message.has_images),
        )
        if self._loop.accept_tick(tick):
            for name in message.missing_inputs:
                if name in self._last:
                    self._apply_state(name, tick.stamp, self._last[name])
                else:
                    self._problems.refuse(f"{name} is to be repeated and never came")
            self._loop.run_due()

    # The robot.

    def _on_joint_states(self, message: JointState) -> None:
        name, names = topics.JOINT_STATES, tuple(message.name)
        try:
            told = read_joints(message, self._joints)
        except JointStateError as error:
            self._accept_state(name, message.header.stamp, f"{name}: {error}", {}, publisher=names)
            return
        if self._contact.joints:
            efforts = {joint: state.effort for joint, state in told.joints.items()}
            self._contact.measure_efforts(efforts, self._loop.clock.steady())
        measured = safety_conversions.measured_from_joints(told.joints, self._core.space)
        joints = {j: told.joints[j].position for j in self._required if j in told.joints}
        self._accept_state(name, message.header.stamp, "", measured, joints=joints, publisher=names)

    def _on_pose(self, message: PoseStamped) -> None:
        name, pose = topics.END_EFFECTOR_POSE, safety_conversions.pose_from_message(message)
        space = self._core.space
        problem = safety_conversions.pose_problem(pose, name)
        problem = problem or safety_conversions.pose_frame_problem(pose, space, name)
        measured = {} if problem else safety_conversions.measured_from_pose(pose, space)
        self._accept_state(name, message.header.stamp, problem, measured, None if problem else pose)

    def _on_wrench(self, message: WrenchStamped) -> None:
        f, t = message.wrench.force, message.wrench.torque
        problem = self._contact.measure_wrench(
            (f.x, f.y, f.z), (t.x, t.y, t.z), message.header.frame_id, self._loop.clock.steady()
        )
        if problem:
            self._problems.refuse(problem)

    def _on_people(self, message: PoseArray) -> None:
        frame, own = frame_name(message.header.frame_id), frame_name(self._core.config.base_frame)
        if frame not in ("", own):
            problem = f"{PEOPLE} is in frame {frame[:60]!r}; accepted: base_frame, {own!r}"
        else:
            arrival, age = self._loop.arrival(to_nanoseconds(message.header.stamp))
            places = [(p.position.x, p.position.y) for p in message.poses]
            problem = self._people.accept_people(places, arrival, age)
        if problem:
            self._problems.refuse(problem)

    def _on_odometry(self, message: Odometry) -> None:
        needed = self._pose.source == ODOM
        measured = safety_conversions.measured_from_odometry(message, self._core.space)
        problem = safety_conversions.odometry_problem(message, measured, pose_needed=needed)
        pose = safety_conversions.pose_from_odometry(message) if needed and not problem else None
        self._accept_state(ODOM, message.header.stamp, problem, measured, pose)

    def _accept_state(
        self,
        name: str,
        stamp: Any,
        problem: str,
        measured: dict[str, float],
        pose: Pose | None = None,
        *,
        joints: Mapping[str, float] = MappingProxyType({}),
        publisher: tuple[str, ...] = (),
    ) -> None:
        """publisher: the joints that its messages name, where a topic has several."""
        loop, nanoseconds = self._loop, to_nanoseconds(stamp)
        if pose is not None and self._pose.source != name:
            pose = None
        if pose is not None:
            problem = problem or self._pose.problem(pose)
        problem = problem or loop.stamp_problem(name, nanoseconds, publisher)
        received, age = loop.arrival(nanoseconds)
        self._last[name] = _State(problem, measured, pose, joints, age)
        self._apply_state(name, received, self._last[name])
        loop.run_due()

    def _apply_state(self, name: str, received: int, state: _State) -> None:
        if state.problem:
            self._problems.refuse(state.problem)
        else:
            robot = self._core.watch.robot
            robot.update(name, state.measured, received, state.joints, state.age)
            if state.pose is not None:
                self._pose.update_pose(state.pose, received)
        self._loop.state_is_known(name, received)


class PersonReceivers:
    """Those of teleoperation inputs and of locks."""

    def __init__(
        self,
        person: Teleoperation,
        clock: WallClock,
        subscriptions: Subscriptions,
        problems: Problems,
        inputs: dict[str, TeleopConfig],
        locks: dict[str, LockConfig],
    ) -> None:
        self._person = person
        self._clock = clock
        self._subscriptions = subscriptions
        self._problems = problems
        for name, config in inputs.items():
            self._subscribe_input(name, config)
        for name, lock in locks.items():
            self._subscribe_lock(name, lock)

    def _subscribe_input(self, name: str, config: TeleopConfig) -> None:
        stamped = config.type == teleoperation.TWIST_STAMPED

        def receive(message: Any) -> None:
            twist = safety_conversions.twist_from_message(message.twist if stamped else message)
            stamp = to_nanoseconds(message.header.stamp) if stamped else 0
            age = self._clock.now() - stamp if stamp else 0
            frame = message.header.frame_id if stamped else ""
            person = self._person
            refusal = person.accept_twist(name, twist, self._clock.steady(), frame=frame, age=age)
            if refusal is teleoperation.Refusal.FRAME:
                accepted = f"{person.frame_of(name)!r} or none"
                self._problems.refuse(
                    f"{name}: the twist is in frame {frame[:60]!r}; accepted: {accepted}"
                )
            elif refusal is not None:
                self._problems.refuse(f"{name}: {refusal.value}")

        kind, topic = TwistStamped if stamped else Twist, config.topic_of(name)
        self._subscriptions.subscribe(kind, topic, receive, topics.ROBOT_COMMAND)
        if config.dead_man_topic:
            self._subscriptions.subscribe_level(
                config.dead_man_topic,
                lambda m: self._person.set_dead_man(name, m.data, self._clock.steady()),
            )

    def _subscribe_lock(self, name: str, config: LockConfig) -> None:
        self._subscriptions.subscribe_level(
            config.topic_of(name),
            lambda m: self._person.set_lock(name, m.data, self._clock.steady()),
        )
