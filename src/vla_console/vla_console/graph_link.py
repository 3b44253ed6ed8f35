"""The console's ends of the graph: what it hears, what it says, and that it asks for no more.

Everything runs in the node's thread; what the page's thread wants done is put in a queue, and a
guard condition wakes the executor. Topics of many messages are subscribed only while a page looks
at them, best effort, so that no publisher ever keeps a message for the console.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist, Vector3
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vla_console import console_conversions as conversions
from vla_console.action_trace import ActionTrace
from vla_console.camera_pictures import CameraPictures
from vla_console.console_config import ConsoleConfig
from vla_console.console_state import ConsoleState
from vla_contract import topics
from vla_contract.action_space import ActionSpace, ActionSpaceError
from vla_contract.message_enums import State
from vla_contract.node.graph_node import GraphNode
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import ActionChunk, Command, SafeAction, SafetyStatus, TaskState

LOOK_PERIOD = 1.0  # s between two looks at the graph
ASK_PERIOD = 5.0  # s between two questions for safety's parameters
STOP_PERIOD = 0.5  # s after which a stop that is not latched is asked for again
STOP_LONGEST = 10.0  # s
STOP_WORD = "stop"
PERCEPTION, SAFETY = "perception", "safety"
IMAGE_TYPES = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}
GENERIC = ("image_raw", "image", "image_rect", "compressed", "color", "rgb")
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
EVERY = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)

Answer = Callable[[bool, str], None]


class GraphLink:
    """The RobotPort of a running graph; its methods may be called from any thread."""

    def __init__(
        self,
        node: GraphNode[ConsoleConfig],
        state: ConsoleState,
        trace: ActionTrace,
        pictures: CameraPictures,
    ) -> None:
        self.namespace = node.get_namespace()
        self._node, self._config = node, node.config
        self._state, self._trace, self._pictures = state, trace, pictures
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._guard = node.create_guard_condition(self._run_tasks)
        self._cameras: dict[str, tuple[str, str]] = {}  # name → topic and type
        self._drive: dict[str, Any] = {"axes": [], "why_not": "the action space is not known yet"}
        self._wanted: tuple[frozenset[str], bool] = (frozenset(), False)
        self._camera_subscriptions: dict[str, Any] = {}
        self._live_subscriptions: list[Any] = []
        self._stop_until = 0.0  # s, monotonic
        self._stop_answers: list[Answer] = []
        self._asked_at = 0.0
        self._made = self._subscribe_always()
        self._commands = node.create_publisher(
            String, topics.COMMAND, topics.qos_profile(topics.COMMAND)
        )
        self._twists = node.create_publisher(
            Twist, f"teleop/{self._config.teleop_input}", topics.qos_profile(topics.ROBOT_COMMAND)
        )
        self._stop = node.create_client(Trigger, topics.STOP_SERVICE)
        self._reset = node.create_client(Trigger, topics.RESET_SERVICE)
        self._arm = node.create_client(SetBool, topics.ARM_SERVICE)
        self._set = node.create_client(SetParameters, f"{SAFETY}/set_parameters")
        self._get = node.create_client(GetParameters, f"{SAFETY}/get_parameters")
        self._clients = [self._stop, self._reset, self._arm, self._set, self._get]
        clock = node.steady_clock
        self._timers = [
            node.create_timer(LOOK_PERIOD, self._look, clock=clock),
            node.create_timer(STOP_PERIOD, self._stop_again, clock=clock),
        ]

    def close(self) -> None:
        """Destroy every end."""
        node = self._node
        for timer in self._timers:
            node.destroy_timer(timer)
        self._sync(frozenset(), False)
        for subscription in self._made:
            node.destroy_subscription(subscription)
        for client in self._clients:
            node.destroy_client(client)
        for publisher in (self._commands, self._twists):
            node.destroy_publisher(publisher)
        node.destroy_guard_condition(self._guard)

    # What a page asks for; from any thread.

    def command(self, text: str) -> None:
        """Say a command on the topic."""
        self._post(lambda: self._commands.publish(String(data=text)))

    def stop(self, answer: Answer) -> None:
        """Say the stop word and call the service, again until it is latched."""

        def begin() -> None:
            self._stop_answers.append(answer)
            self._stop_until = time.monotonic() + STOP_LONGEST
            self._commands.publish(String(data=STOP_WORD))
            self._call(self._stop, Trigger.Request(), self._stop_answered)

        self._post(begin)

    def reset(self, answer: Answer) -> None:
        """Call safety's reset."""
        self._post(lambda: self._call(self._reset, Trigger.Request(), answer))

    def arm(self, on: bool, answer: Answer) -> None:
        """Call safety's arm."""
        self._post(lambda: self._call(self._arm, SetBool.Request(data=on), answer))

    def set_safety_parameter(self, name: str, value: bool | float, answer: Answer) -> None:
        """Set a parameter of the safety node, which may refuse it."""
        kind = ParameterType.PARAMETER_BOOL
        if isinstance(value, bool):
            setting = ParameterValue(type=kind, bool_value=value)
        else:
            setting = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=setting)])
        self._post(lambda: self._call(self._set, request, answer))

    def drive(self, twist: tuple[float, ...]) -> None:
        """Publish a twist of the teleoperation input."""
        linear, angular = conversions.twist_fields(twist)
        message = Twist(linear=Vector3(**linear), angular=Vector3(**angular))
        self._post(lambda: self._twists.publish(message))

    def demand(self, cameras: frozenset[str], live: bool) -> None:
        """Subscribe to what somebody looks at, and to nothing else."""
        self._post(lambda: self._sync(cameras, live))

    def offered(self) -> dict[str, Any]:
        """Cameras, and how the page may drive."""
        names = sorted(set(self._cameras) - {topics.ATTENTION})
        attention = topics.ATTENTION in self._cameras
        return {"cameras": names, "attention": attention, "drive": self._drive}

    def _post(self, task: Callable[[], None]) -> None:
        self._tasks.put(task)
        self._guard.trigger()

    def _run_tasks(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            task()

    # Services.

    def _call(self, client: Any, request: Any, answer: Answer) -> None:
        if not client.service_is_ready():
            answer(False, f"safety's {client.srv_name} is not there; see ./vla status")
            return

        def done(future: Any) -> None:
            response = future.result()
            results = getattr(response, "results", None)
            if results is None:
                answer(bool(response.success), response.message)
            else:
                answer(bool(results[0].successful), results[0].reason)

        client.call_async(request).add_done_callback(done)

    def _stop_answered(self, done: bool, text: str) -> None:
        """An answer of the stop service: the stop is latched, or it is asked for again."""
        if done:
            self._end_stop(True, text)

    def _stop_again(self) -> None:
        if not self._stop_answers:
            return
        safety = self._state.safety
        if safety is not None and safety.state is State.STOPPED:
            self._end_stop(True, "stopped")
        elif time.monotonic() > self._stop_until:
            self._end_stop(False, f"NOT LATCHED within {STOP_LONGEST:g} s; see ./vla status")
        else:
            self._call(self._stop, Trigger.Request(), self._stop_answered)

    def _end_stop(self, done: bool, text: str) -> None:
        answers, self._stop_answers = self._stop_answers, []
        for answer in answers:
            answer(done, text)

    # What is heard.

    def _subscribe_always(self) -> list[Any]:
        state, node = self._state, self._node
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)

        def hear(kind: Any, topic: str, callback: Any, qos: Any = None) -> Any:
            return node.create_subscription(
                kind, topic, callback, qos or topics.qos_profile(topic), quiet=True
            )

        return [
            hear(SafetyStatus, topics.SAFETY_STATUS, self._on_safety),
            hear(String, topics.PROMPT, lambda m: state.accept_question(m.data)),
            hear(Command, topics.ACCEPTED_COMMAND, lambda m: state.accept_command(m.text)),
            hear(String, topics.KNOWN_COMMANDS, self._on_known_commands),
            hear(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, latched),
        ]

    def _on_safety(self, message: SafetyStatus) -> None:
        self._state.accept_safety(conversions.safety_view(message), time.monotonic_ns())

    def _on_known_commands(self, message: String) -> None:
        self._state.accept_known_commands(conversions.known_commands(message.data))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for view in conversions.node_views(message, self.namespace):
            self._state.accept_node(view)

    def _on_safe_action(self, message: SafeAction) -> None:
        stamp, steady = to_nanoseconds(message.header.stamp), time.monotonic_ns()
        self._state.clock.observe(stamp, steady)
        names = tuple(message.dimension_names)
        self._trace.add(stamp, names, message.requested, message.safe, steady)

    def _on_chunk(self, message: ActionChunk) -> None:
        chunk = conversions.chunk_view(message)
        if chunk is not None:
            self._trace.set_chunk(chunk)
            self._state.accept_inference_time(message.inference_time)

    def _on_task(self, message: TaskState) -> None:
        self._state.accept_task(conversions.task_page(message))

    # What somebody looks at.

    def _sync(self, cameras: frozenset[str], live: bool) -> None:
        self._wanted = (cameras, live)
        node = self._node
        wanted = {name: self._cameras[name] for name in cameras if name in self._cameras}
        for name in [n for n in self._camera_subscriptions if n not in wanted]:
            node.destroy_subscription(self._camera_subscriptions.pop(name))
            self._pictures.forget(name)
        for name, (topic, kind) in wanted.items():
            if name not in self._camera_subscriptions:
                self._camera_subscriptions[name] = self._subscribe_camera(name, topic, kind)
        if not live:
            while self._live_subscriptions:
                node.destroy_subscription(self._live_subscriptions.pop())
        elif not self._live_subscriptions:
            kinds = (
                (SafeAction, topics.SAFE_ACTION, self._on_safe_action, EVERY),
                (ActionChunk, topics.ACTION_CHUNK, self._on_chunk, NEWEST),
                (TaskState, topics.TASK_STATE, self._on_task, NEWEST),
            )
            self._live_subscriptions = [
                node.create_subscription(kind, topic, callback, qos, quiet=True)
                for kind, topic, callback, qos in kinds
            ]

    def _subscribe_camera(self, name: str, topic: str, kind: str) -> Any:
        compressed = kind.endswith("CompressedImage")
        encoded = conversions.encoded_compressed if compressed else conversions.encoded_image
        encode = partial(encoded, width=self._config.image_width, quality=self._config.jpeg_quality)
        return self._node.create_subscription(
            IMAGE_TYPES[kind], topic, lambda data: self._pictures.offer(name, data, encode),
            NEWEST, raw=True, quiet=True,
        )  # fmt: skip

    # What there is.

    def _look(self) -> None:
        found = self._find_cameras()
        if found and found != self._cameras:
            self._cameras = found
            self._sync(*self._wanted)
        now = time.monotonic()
        if now - self._asked_at > ASK_PERIOD and self._get.service_is_ready():
            self._asked_at = now
            request = GetParameters.Request(names=["action_space", "teleop_inputs"])
            self._get.call_async(request).add_done_callback(self._on_parameters)

    def _find_cameras(self) -> dict[str, tuple[str, str]]:
        """Name → topic and type of what perception looks at; empty where it is not there."""
        if (PERCEPTION, self.namespace) not in self._node.get_node_names_and_namespaces():
            return {}
        heard = self._node.get_subscriber_names_and_types_by_node(PERCEPTION, self.namespace)
        images = [(topic, kinds[0]) for topic, kinds in heard if kinds[0] in IMAGE_TYPES]
        names = [camera_name(topic) for topic, _ in images]
        found = {
            name if names.count(name) == 1 else topic.strip("/"): (topic, kind)
            for name, (topic, kind) in zip(names, images, strict=True)
        }
        attention = f"{self.namespace.rstrip('/')}/{topics.ATTENTION}"
        if self._node.count_publishers(attention):
            found[topics.ATTENTION] = (attention, "sensor_msgs/msg/Image")
        return found

    def _on_parameters(self, future: Any) -> None:
        values = future.result().values
        if len(values) != 2:
            return  # it is not configured yet
        file, inputs = values[0].string_value, values[1].string_array_value
        try:
            space = ActionSpace.load(Path(file))
        except (ActionSpaceError, OSError) as error:
            self._drive = {"axes": [], "why_not": f"the action space is not here: {error}"}
            return
        self._trace.describe(conversions.dimension_views(space))
        axes, name = conversions.jog_axes(space), self._config.teleop_input
        why_not = ""
        if not axes:
            why_not = f"the action space {space.name} has no velocities that a twist could move"
        elif name not in inputs:
            why_not = (
                f'safety has no teleoperation input "{name}"; start the launch with '
                "console:=true, or add it to teleop_inputs"
            )
        self._drive = {"axes": axes, "why_not": why_not}


def camera_name(topic: str) -> str:
    """A short name of a camera's topic, e.g. "corner2" of /vla/camera/corner2/image_raw."""
    parts = [part for part in topic.split("/") if part and part not in GENERIC]
    return parts[-1] if parts else topic
