"""What comes in: every subscription of the safety node. Callbacks convert and tell the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Header, String

from vla_contract import topics
from vla_contract.joint_states import JointStateError, read_joints
from vla_contract.node.graph_node import UnreadableMessage, deserialising
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_interfaces.msg import ActionChunk, Command, Fault, SimulationTick
from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.node import safety_conversions
from vla_safety.node.newest_worker import NewestWorker
from vla_safety.plan import teleoperation
from vla_safety.plan.teleoperation import LockConfig, TeleopConfig
from vla_safety.surroundings.measured_pose import Pose
from vla_safety.surroundings.obstacles.obstacle_sources import SourceReader, stamp_problem
from vla_safety.surroundings.obstacles.obstacle_types import Reading
from vla_safety.surroundings.transforms import Transform
from vla_safety.watch.pending_tick import Tick
from vla_safety.watch.safety_inputs import joint_of_position

if TYPE_CHECKING:
    from vla_safety.node.node import SafetyNode
    from vla_safety.node.transform_lookup import TransformLookup

ODOM = "odom"
TF = "tf"
_SCANS = {"scan": LaserScan, "range": Range, "pointcloud": PointCloud2}


class _State(NamedTuple):
    """What a message told of the robot.

    problem: why it is refused, else empty. place: None where another input is the place's source.
    joints: those of the parameter required_joints of which it tells. age: ns, on arrival.
    """

    problem: str
    measured: dict[str, float]
    place: Pose | None
    joints: tuple[str, ...]
    age: int = 0


class _Arrival(NamedTuple):
    """A message of an obstacle source as it came.

    steady: when, ns. age: by its stamp, s. mount: sensor → base; None: from the parameters.
    problem: why it cannot be used, whatever it shows; else empty.
    """

    source: str
    steady: int
    age: float
    mount: Transform | None
    problem: str

    def read(self, reader: SourceReader, message: Any) -> Reading:
        """What the message shows."""
        if self.problem:
            return Reading.unusable(self.problem)
        return reader.read(message, self.mount)


def _header(data: bytes) -> Header:
    """The header that a serialised message begins with."""
    found: list[Header] = []
    deserialising(Header, found.append)(data)
    return found[0]


def _read_cloud(job: tuple[_Arrival, SourceReader, bytes]) -> tuple[_Arrival, Reading]:
    arrival, reader, data = job
    found: list[Reading] = []
    try:
        read = deserialising(PointCloud2, lambda m: found.append(arrival.read(reader, m)))
        read(data)
    except UnreadableMessage as error:
        return arrival, Reading.unusable(str(error))
    return arrival, found[0]


class Receivers:
    """Made when the node is configured; the node destroys the subscriptions."""

    def __init__(
        self,
        node: SafetyNode,
        sources: dict[str, SourceConfig],
        inputs: dict[str, TeleopConfig],
        locks: dict[str, LockConfig],
        transforms: TransformLookup | None,
    ) -> None:
        """transforms: None where nothing needs TF."""
        self._node = node
        self._core = node.core
        self._place = node.core.surroundings.place
        self._required = node.config.required_joints
        self._joints = frozenset((*self._required, *joint_of_position(node.core.space).values()))
        self._readers = {name: SourceReader(config) for name, config in sources.items()}
        self._transforms = transforms
        priority = 0 if node.config.lock_step else max(0, node.config.realtime_priority - 1)
        self._clouds = NewestWorker(_read_cloud, "clouds", priority)
        self._tip_stamp = 0
        self._last: dict[str, _State] = {}
        self._subscribe_graph()
        for name, source in sources.items():
            self._subscribe_source(name, source)
        for name, entry in inputs.items():
            self._subscribe_person(name, entry)
        for name, lock in locks.items():
            self._subscribe_lock(name, lock)

    def _subscribe_graph(self) -> None:
        subscribe = self._node.subscribe
        subscribe(ActionChunk, topics.ACTION_CHUNK, self._on_chunk)
        subscribe(JointState, topics.JOINT_STATES, self._on_joint_states)
        subscribe(PoseStamped, topics.END_EFFECTOR_POSE, self._on_pose)
        subscribe(Odometry, ODOM, self._on_odometry, topics.JOINT_STATES)
        subscribe(Fault, topics.FAULT, self._on_fault)
        subscribe(String, topics.COMMAND, lambda m: self._on_text(m.data))
        subscribe(Command, topics.COMMAND_STAMPED, lambda m: self._on_text(m.text))
        self._node.subscribe_level(topics.EMERGENCY_STOP, self._on_emergency_stop)
        if self._node.config.lock_step:
            subscribe(SimulationTick, topics.TICK, self._on_tick)

    # The graph.

    def _on_chunk(self, message: ActionChunk) -> None:
        node = self._node
        if not node.active:
            return
        chunk = safety_conversions.chunk_from_message(message)
        if node.config.lock_step:
            node.lock_step.take_chunk(chunk)
            node.answer()
        else:
            node.others.take_chunk(message, node.steady())
            node.take_chunk(chunk, node.now())

    def _on_fault(self, message: Fault) -> None:
        node = self._node
        if message.source == node.get_name():
            if node.active and not node.config.lock_step:
                node.heard_own_name(message)
            return
        if message.kind == Fault.KIND_STOP_WORD:
            self._on_stop_word(message)
            return
        report = safety_conversions.fault_from_message(message)
        if report is None:
            node.counters["fault of unknown kind or level"] += 1
            return
        self._core.faults.take(report, node.steady())

    def _on_stop_word(self, message: Fault) -> None:
        """Another node hands on a stop word that this one may not have heard."""
        node = self._node
        if message.level != Fault.LEVEL_ERROR or not node.active or node.config.lock_step:
            return
        word = safety_conversions.shortened(message.message)
        if self._core.obey_stop_word(word, to_nanoseconds(message.since), node.now()):
            source = safety_conversions.shortened(message.source)
            node.get_logger().warning(f'stop word "{word}", heard by {source}')

    def _on_text(self, text: str) -> None:
        node = self._node
        if not node.active:
            return
        word = self._core.take_text(text, node.now())
        if word:
            node.get_logger().warning(f'stop word "{word}"')

    def _on_emergency_stop(self, message: Bool) -> None:
        self._core.emergency_stop.take(message.data, self._node.steady())

    def _on_tick(self, message: SimulationTick) -> None:
        node = self._node
        tick = Tick(
            int(message.tick),
            to_nanoseconds(message.header.stamp),
            int(message.episode),
            bool(message.has_images),
        )
        if node.active and node.lock_step.take_tick(tick):
            for name in message.repeated_inputs:
                if name in self._last:
                    self._take(name, tick.stamp, self._last[name])
                else:
                    node.refuse(f"{name} is to be repeated and never came")
            node.answer()

    # The robot.

    def _on_joint_states(self, message: JointState) -> None:
        name, names = topics.JOINT_STATES, tuple(message.name)
        try:
            told = read_joints(message, self._joints)
        except JointStateError as error:
            self._take_state(name, message.header.stamp, f"{name}: {error}", {}, publisher=names)
            return
        measured = safety_conversions.measured_from_joints(told.joints, self._core.space)
        joints = tuple(joint for joint in self._required if joint in told.joints)
        self._take_state(name, message.header.stamp, "", measured, joints=joints, publisher=names)

    def _on_pose(self, message: PoseStamped) -> None:
        name, pose = topics.END_EFFECTOR_POSE, safety_conversions.pose_from_message(message)
        problem = safety_conversions.pose_problem(pose, name)
        self._take_state(name, message.header.stamp, problem, {}, None if problem else pose)

    def _on_odometry(self, message: Odometry) -> None:
        needed = self._place.source == ODOM
        measured = safety_conversions.measured_from_odometry(message, self._core.space)
        problem = safety_conversions.odometry_problem(message, measured, pose_needed=needed)
        pose = safety_conversions.pose_from_odometry(message) if needed and not problem else None
        self._take_state(ODOM, message.header.stamp, problem, measured, pose)

    def _take_state(
        self,
        name: str,
        stamp: Any,
        problem: str,
        measured: dict[str, float],
        pose: Pose | None = None,
        *,
        joints: tuple[str, ...] = (),
        publisher: tuple[str, ...] = (),
    ) -> None:
        """publisher: the joints that its messages name, where a topic has several."""
        node, core = self._node, self._core
        here = pose is not None and self._place.source == name
        if here and pose is not None:
            problem = problem or self._place.problem(pose)
        if not problem and not node.config.lock_step:
            problem = core.robot.check(
                name, to_nanoseconds(stamp), node.now(), node.config, publisher
            )
        # In lock-step the stamp is the tick that it belongs to, in whatever order it came.
        taken, lock_step = to_nanoseconds(stamp), node.config.lock_step
        received = taken if lock_step else node.steady()
        age = node.now() - taken if taken and not lock_step else 0
        self._last[name] = _State(problem, measured, pose if here else None, joints, age)
        self._take(name, received, self._last[name])
        node.received(name)

    def _take(self, name: str, received: int, state: _State) -> None:
        node = self._node
        if state.problem:
            node.refuse(state.problem)
        else:
            node.core.robot.take(name, state.measured, received, state.joints, state.age)
            if state.place is not None:
                self._place.take(state.place, received)
        node.note(name, received)

    def look_up_tip(self) -> None:
        """Once a period: where the tip is by TF, where that is the position's source."""
        if self._place.source != TF or self._transforms is None:
            return
        node, config = self._node, self._node.config
        found = self._transforms.find(config.workspace_frame, config.tip_frame)
        if isinstance(found, str):
            node.refuse(found)
            return
        stamp = to_nanoseconds(found.header.stamp)
        age = node.now() - stamp if stamp else 0
        # What stands still is known by its stamp: it is taken once, and then grows old.
        if (stamp and stamp == self._tip_stamp) or age > round(config.input_timeout * NANOSECONDS):
            return
        self._tip_stamp = stamp
        pose = safety_conversions.pose_from_transform(found)
        problem = safety_conversions.pose_problem(
            pose, f"transform {config.workspace_frame} ← {config.tip_frame}"
        )
        if problem:
            node.refuse(problem)
        else:
            self._place.take(pose, node.steady())

    # Obstacles.

    def _subscribe_source(self, name: str, config: SourceConfig) -> None:
        kind, reader = _SCANS[config.type], self._readers[name]

        def receive(message: Any) -> None:
            arrival = self._arrival(name, config, message.header)
            self._accept_reading(arrival, arrival.read(reader, message))

        def receive_cloud(data: bytes) -> None:
            arrival = self._arrival(name, config, _header(data))
            if arrival.problem:
                self._accept_reading(arrival, Reading.unusable(arrival.problem))
            else:
                self._clouds.submit(name, (arrival, reader, data))

        # In lock-step every message counts in its own tick, however long it takes to read.
        slow = config.type == "pointcloud" and not self._node.config.lock_step
        callback: Any = receive_cloud if slow else receive
        row = topics.JOINT_STATES if config.reliable else topics.CAMERA
        self._node.subscribe(kind, config.topic_of(name), callback, row, raw=slow)

    def _arrival(self, name: str, config: SourceConfig, header: Header) -> _Arrival:
        node, mount, problem = self._node, None, ""
        if config.use_tf and self._transforms is not None:
            frame = config.frame or header.frame_id
            found = self._transforms.mount(node.config.base_frame, frame)
            mount, problem = (None, found) if isinstance(found, str) else (found, "")
        # A stamp of 0 is none: the time of arrival counts.
        stamp = to_nanoseconds(header.stamp)
        age = (node.now() - stamp) / NANOSECONDS if stamp else 0.0
        if not node.config.lock_step and (late := stamp_problem(age, config.timeout)):
            problem = late
        return _Arrival(name, node.steady(), age, mount, problem)

    def _accept_reading(self, arrival: _Arrival, reading: Reading) -> None:
        if reading.problem:
            self._node.refuse(f"{arrival.source}: {reading.problem}")
        monitor = self._core.surroundings.obstacles
        assert monitor is not None, "there are sources"
        monitor.take(arrival.source, reading, arrival.steady, arrival.age)

    def collect_clouds(self) -> None:
        """Once a period: the point clouds that have been read since."""
        for arrival, reading in self._clouds.collect():
            self._accept_reading(arrival, reading)

    def close(self) -> None:
        """End the thread that reads the clouds."""
        self._clouds.close()

    # A person.

    def _subscribe_person(self, name: str, config: TeleopConfig) -> None:
        stamped = config.type == teleoperation.TWIST_STAMPED

        def receive(message: Any) -> None:
            twist = safety_conversions.twist_from_message(message.twist if stamped else message)
            stamp = to_nanoseconds(message.header.stamp) if stamped else 0
            age = self._node.now() - stamp if stamp else 0
            frame = message.header.frame_id if stamped else ""
            person = self._core.teleoperation
            assert person is not None
            refusal = person.take_twist(name, twist, self._node.steady(), frame=frame, age=age)
            if refusal is teleoperation.Refusal.FRAME:
                accepted = f"{person.frame_of(name)!r} or none"
                self._node.refuse(
                    f"{name}: the twist is in frame {frame[:60]!r}; accepted: {accepted}"
                )
            elif refusal is not None:
                self._node.refuse(f"{name}: {refusal.value}")

        kind = TwistStamped if stamped else Twist
        self._node.subscribe(kind, config.topic_of(name), receive, topics.ROBOT_COMMAND)
        if config.dead_man_topic:

            def held(message: Bool) -> None:
                person = self._core.teleoperation
                assert person is not None
                person.take_dead_man(name, message.data, self._node.steady())

            self._node.subscribe_level(config.dead_man_topic, held)

    def _subscribe_lock(self, name: str, config: LockConfig) -> None:
        def receive(message: Bool) -> None:
            person = self._core.teleoperation
            assert person is not None
            person.take_lock(name, message.data, self._node.steady())

        self._node.subscribe_level(config.topic_of(name), receive)
