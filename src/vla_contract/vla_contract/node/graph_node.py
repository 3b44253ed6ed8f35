"""The lifecycle node that every node of the graph is built on, and its main function.

It gives what is the same everywhere: parameters from a config dataclass, autostart, exceptions of
transitions reported as one line, `/diagnostics`, and an orderly shutdown. A node overrides
`configure`, `activate`, `deactivate`, `clean_up`, `brake`, `diagnose` and `config_changed`.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, Generic

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions

from vla_contract import topics
from vla_contract.node import parameter_files, parameters
from vla_contract.node.diagnosis import Diagnosis
from vla_contract.node.executor import CallbackError, OneThreadExecutor
from vla_contract.node.network_sockets import open_to_network
from vla_contract.node.parameters import ConfigType, ParameterError, Specification
from vla_contract.node.parent_process import end_parent, end_with_parent

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = [
    "DIAGNOSTICS_PERIOD", "Diagnosis", "GraphNode", "UnreadableMessage", "autostart",
    "deserialising", "run", "run_together",
]  # fmt: skip

DIAGNOSTICS_PERIOD = 1.0  # s
EXIT_CANNOT_START = 78  # as EX_CONFIG of sysexits.h
# Environment variable of a launch: whether it starts again what ends, as YAML spells it.
RESPAWNED = "VLA_RESPAWNED"
_TRUE = ("true", "yes", "on", "1")
# What rcl does not say with its refusals.
_ACCEPTED = (
    ("remap rule", "names of letters, digits and _, none with a digit first, joined by single /"),
    ("log directory", "a folder that can be written, in ROS_LOG_DIR"),
    ("Cannot have a value before", "a node's name or /**, then ros__parameters, then values"),
    ("Sequence should be of same type", "lists of one type: [1.0, 0.5], and words in quotes"),
)
_PLACES_IN_RCL = re.compile(r",? at (?:/project/|\./)src/\S+")  # of its own source, in its errors


class UnreadableMessage(ValueError):
    """What came on a topic is not of its type: another distribution's, or cut short."""


class GraphNode(LifecycleNode, Generic[ConfigType]):
    """A lifecycle node whose parameters are the fields of `config_class`.

    Attributes:
        config: the validated parameters; set before `configure` is called and kept up to date.
        declared: name → default and specification of every parameter that is a config's field.
        configured: True from `configure` until `clean_up`; `config` is in force.
        active: True between `activate` and `deactivate`.
        last_error: why the last transition failed, one line; empty after one that succeeded.
        steady_clock: for periods and time-outs that must not follow ROS time.
        companions: the other nodes of the process, which are given the same parameters.
        sections: of the parameters files that the process was given.
    """

    config: ConfigType

    def __init__(self, name: str, config_class: type[ConfigType], **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self._config_class = config_class
        self.declared: dict[str, tuple[Any, Specification]] = {}
        self.configured = False
        self.active = False
        self.last_error = ""
        self.callback_errors = 0
        self.companions: Sequence[GraphNode[Any]] = ()
        self.sections: Sequence[parameter_files.Section] = ()
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        if not self.has_parameter("autostart"):
            once = ParameterDescriptor(description="Activate by itself.", read_only=True)
            self.declare_parameter("autostart", True, once)
        parameters.declare(self, config_class)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        # Not a lifecycle publisher: a node that could not be configured must be able to say so.
        # Latched: whoever joins, such as `./vla status`, hears at once how the node is.
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, latched)
        self.create_timer(DIAGNOSTICS_PERIOD, self.publish_diagnostics, clock=self.steady_clock)
        for service in self.services:  # of parameters and of the life cycle
            service.callback = self._answering(
                service.callback, service.srv_name, self.count_failure
            )

    # Topics.

    def create_publisher(self, *args: Any, **kwargs: Any) -> Any:
        """As rclpy's; in lock-step without its event handlers."""
        options: Any = {**self._events(PublisherEventCallbacks), **kwargs}
        return super().create_publisher(*args, **options)

    def create_lifecycle_publisher(self, *args: Any, **kwargs: Any) -> Any:
        """As rclpy's; in lock-step without its event handlers."""
        options: Any = {**self._events(PublisherEventCallbacks), **kwargs}
        return super().create_lifecycle_publisher(*args, **options)

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Any, qos_profile: Any, **kwargs: Any
    ) -> Any:
        """As rclpy's; in lock-step, and where it is to be `quiet`, without its event handlers.

        The bytes of a message are taken and read here, because rclpy says nothing of a message
        that cannot be read, such as one of another distribution's definition.
        """
        quiet = kwargs.pop("quiet", False)
        options: Any = {**self._events(SubscriptionEventCallbacks, quiet), **kwargs}
        if not options.pop("raw", False):
            callback = deserialising(msg_type, callback)
        return super().create_subscription(
            msg_type, topic, callback, qos_profile, raw=True, **options
        )

    # Services.

    def create_service(self, srv_type: Any, srv_name: str, callback: Any, **kwargs: Any) -> Any:
        """As rclpy's; whoever calls it gets an answer also where `callback` raises."""
        answering = self._answering(callback, srv_name, self.callback_failed)
        return super().create_service(srv_type, srv_name, answering, **kwargs)

    def _answering(self, callback: Any, name: str, failed: Callable[[str, Exception], str]) -> Any:
        def answer(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:  # rclpy would send nothing, and the caller wait for ever
                reason = failed(f"service {name}", error)
                if hasattr(response, "success"):
                    response.success = False
                if hasattr(response, "message"):
                    response.message = reason
                return response

        return answer

    def callback_failed(self, what: str, error: Exception) -> str:
        """A callback of this node raised; what the node does about it beside going on.

        Returns:
            One line that says what failed and how.
        """
        return self.count_failure(what, error)

    def count_failure(self, what: str, error: Exception) -> str:
        """Count a failure and log one line of it, which is returned."""
        self.callback_errors += 1
        reason = f"{what}: {type(error).__name__}: {' '.join(str(error).split())}"
        self.get_logger().error(f"callback failed: {reason}", throttle_duration_sec=1.0)
        return reason

    def _events(self, kind: Any, quiet: bool = False) -> dict[str, Any]:
        # Each handler is one more thing that every wait of the executor looks at: without them a
        # node takes a quarter less time. They warn of a QoS that does not fit, and in lock-step
        # every QoS is this project's own; before there is a config, rclpy makes what is its own.
        config = getattr(self, "config", None)
        needed = config is not None and not quiet and not getattr(config, "lock_step", False)
        return {} if needed else {"event_callbacks": kind(use_default_callbacks=False)}

    # What a node overrides.

    def configure(self) -> None:
        """Load and create everything, from `self.config`. Any exception fails the transition."""

    def activate(self) -> None:
        """Start to work."""

    def deactivate(self) -> None:
        """Stop to work; what `configure` made stays."""

    def clean_up(self) -> None:
        """Destroy what `configure` made, also when it made it only in part."""

    def brake(self) -> None:
        """Bring the robot to rest before the node deactivates or ends. May take its time."""

    def diagnose(self) -> Diagnosis:
        """The node's own part of its diagnostics, while it is configured."""
        return Diagnosis()

    def check_change(self, old: ConfigType, new: ConfigType) -> None:
        """Refuse a change while active by raising ParameterError."""

    def config_changed(self) -> None:
        """`self.config` has new values, of parameters that may change while it is configured."""

    # Transitions. rclpy swallows what they raise, hence the catch-all in `_transition`.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and `configure`; on failure `clean_up`."""
        return self._transition("configure", self._configure, clean_up_on_failure=True)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """`activate`."""
        result = super().on_activate(state)
        if result != TransitionCallbackReturn.SUCCESS:
            return result
        return self._transition("activate", self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """`brake`, then `deactivate`."""
        result = self._transition("deactivate", self._deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """`clean_up`."""
        return self._transition("clean up", self._clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate where active, then `clean_up`."""
        if self.active:
            self._transition("deactivate", self._deactivate)
        return self._transition("shut down", self._clean_up)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """`clean_up`, and be unconfigured again."""
        return self._transition("recover from an error", self._clean_up)

    def _configure(self) -> None:
        self._refuse_lost_parameters()
        self.config = parameters.read(self, self._config_class)
        self.configured = True
        self.configure()

    def _refuse_lost_parameters(self) -> None:
        full_name = self.get_fully_qualified_name()
        unknown = parameter_files.unknown(
            {name: override.value for name, override in self._parameter_overrides.items()},
            {name for node in (self, *self.companions) for name in node._parameters},
            self.sections,
            full_name,
        )
        if unknown:
            package = self._config_class.__module__.partition(".")[0]
            raise ParameterError(
                f"no parameter of this node: {unknown}; accepted: those in the README of {package}"
            )
        defaults = {name: default for name, (default, _) in self.declared.items()}
        if lost := parameter_files.overruled(defaults, self.sections, full_name):
            raise ParameterError(f"{lost}, which comes last; accepted: a launch argument for it")

    def _clean_up(self) -> None:
        self.configured = False  # also where it fails: nothing is in force any more
        self.clean_up()

    def _activate(self) -> None:
        self.activate()
        self.active = True

    def _deactivate(self) -> None:
        self.brake()
        self.active = False
        self.deactivate()

    def _transition(
        self, what: str, action: Callable[[], None], *, clean_up_on_failure: bool = False
    ) -> TransitionCallbackReturn:
        try:
            action()
        except Exception as error:  # rclpy would swallow it without a word
            self.last_error = " ".join(str(error).split()) or type(error).__name__
            self.get_logger().fatal(f"cannot {what}: {self.last_error}")
            if clean_up_on_failure:
                self._transition_clean_up_after_failure()
            self.publish_diagnostics()
            return TransitionCallbackReturn.FAILURE
        self.last_error = ""
        return TransitionCallbackReturn.SUCCESS

    def _transition_clean_up_after_failure(self) -> None:
        try:
            self._clean_up()
        except Exception as error:  # the first failure is the one to report
            self.get_logger().error(f"cannot clean up either: {error}")

    # Parameters.

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """What is accepted of a parameter now: read-only where `_on_set_parameters` refuses it."""
        if name not in self.declared:
            return super().describe_parameter(name)
        return parameters.descriptor(name, *self.declared[name], configured=self.configured)

    def _on_set_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        changes = {p.name: p.value for p in changed if p.name in self.declared}
        try:
            for name, value in changes.items():
                parameters.check_set(name, value, *self.declared[name], configured=self.configured)
            if changes and self.configured:
                self._change_config(replace(self.config, **changes))
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _change_config(self, config: ConfigType) -> None:
        if self.active:
            self.check_change(self.config, config)
        self.config = config
        self.config_changed()

    # Diagnostics.

    def publish_diagnostics(self) -> None:
        """Publish the node's state on `/diagnostics` now."""
        diagnosis = self._diagnosis()
        values = {**diagnosis.values, "callback_errors": self.callback_errors}
        status = DiagnosticStatus(
            level=diagnosis.level,
            name=self.get_fully_qualified_name(),
            message=diagnosis.message,
            hardware_id=self.get_namespace(),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _diagnosis(self) -> Diagnosis:
        if self.last_error:
            return Diagnosis(DiagnosticStatus.ERROR, self.last_error)
        if not self.active:
            return Diagnosis(DiagnosticStatus.OK, "inactive")
        return self.diagnose()


def deserialising(message_type: Any, callback: Any) -> Any:
    """A callback that gets the bytes of a message in place of one that gets the message."""
    name = f"{message_type.__module__.split('.')[0]}/msg/{message_type.__name__}"

    def read(data: bytes) -> None:
        try:
            message = deserialize_message(data, message_type)
        except Exception as error:
            raise UnreadableMessage(f"{len(data)} bytes are no {name} of this ROS") from error
        callback(message)

    return read


class _Signals:
    """SIGINT and SIGTERM as a flag that wakes the executor at once.

    rclpy's own handlers close the context before a last command can be sent, so they are not
    installed. The executor waits in C, where no Python handler runs: a byte in a pipe is read by
    a thread, which triggers a guard condition that ends the wait.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)

    def wake(self, node: GraphNode[Any]) -> None:
        """From now on end the wait of the executor that spins this node."""
        guard = node.create_guard_condition(lambda: None)

        def forward() -> None:
            while os.read(self._read_end, 1):
                guard.trigger()

        threading.Thread(target=forward, name="signals", daemon=True).start()

    def wait(self) -> None:
        """Sleep until one comes."""
        while self.received is None:
            os.read(self._read_end, 1)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number


def run(factory: Callable[[], GraphNode[Any]], args: list[str] | None = None) -> int:
    """Make the node, start it as its `autostart` says, spin until SIGINT or SIGTERM, brake, end.

    It also ends when the launch that started it is gone.

    Returns:
        The process's exit status, as `run_together`.
    """
    return run_together(lambda: [factory()], args)


def run_together(
    make_nodes: Callable[[], Sequence[GraphNode[Any]]], args: list[str] | None = None
) -> int:
    """As `run`, with several nodes in one process and thread, started and ended in their order.

    Returns:
        The process's exit status: 0; 1 when the middleware could not make the node;
        EXIT_CANNOT_START when its arguments or parameters are such that no further try can, which
        ends the launch as well; where that respawns, or there is none, a node that cannot be
        configured stays, and can be configured once its cause is mended.
    """
    signals = _Signals()
    try:
        end_with_parent(os.environ)
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        return _cannot_start(error, signals)
    try:
        nodes = make_nodes()
    except ParameterError as error:
        return _cannot_start(error, signals)
    except Exception as error:  # one line instead of a traceback
        _say_why(error)
        rclpy.try_shutdown()
        return 1
    sections = parameter_files.sections_of(sys.argv if args is None else args)
    names = [_full_name(node) for node in nodes]
    for warning in (open_to_network(), *parameter_files.files_of_others(sections, *names)):
        if warning:
            nodes[0].get_logger().warning(warning)
    executor = OneThreadExecutor()
    for node in nodes:
        node.companions = [other for other in nodes if other is not node]
        node.sections = sections
        executor.add_node(node)
    signals.wake(nodes[0])
    try:
        wanted = (node for node in nodes if node.get_parameter("autostart").value)
        started = [autostart(node) for node in wanted if signals.received is None]
        status = EXIT_CANNOT_START if not all(started) and _ends_launch() else 0
        while signals.received is None and status == 0 and rclpy.ok():
            _spin_once(executor, nodes)
        for node in nodes:
            _end(node)
    finally:
        for node in nodes:
            executor.remove_node(node)
            node.destroy_node()
        rclpy.try_shutdown()
    return status


def _full_name(node: GraphNode[Any]) -> str:
    return str(node.get_fully_qualified_name())


def _cannot_start(error: Exception, signals: _Signals) -> int:
    """Say why once, and end; where the launch would start the process again, wait for it to end.

    A launch file's respawn asks for no exit status: it starts whatever has ended, every second, and
    what cannot start would say so for ever.
    """
    _say_why(error)
    rclpy.try_shutdown()
    if not _ends_launch() and RESPAWNED in os.environ:
        signals.wait()
    return EXIT_CANNOT_START


def _ends_launch() -> bool:
    """End the launch, if there is one that does not respawn; whether there is."""
    ends = os.environ.get(RESPAWNED, "true").lower() not in _TRUE
    if ends:
        end_parent(os.environ)
    return ends


def _say_why(error: Exception) -> None:
    words = _PLACES_IN_RCL.sub("", " ".join(str(error).split())) or type(error).__name__
    words += next((f"; accepted: {hint}" for part, hint in _ACCEPTED if part in words), "")
    rclpy.logging.get_logger("vla").fatal(f"cannot start: {words}")


def autostart(node: GraphNode[Any]) -> bool:
    """Configure and activate; False where a transition failed (it has said why)."""
    success = TransitionCallbackReturn.SUCCESS
    return node.trigger_configure() == success and node.trigger_activate() == success


def _spin_once(executor: OneThreadExecutor, nodes: Sequence[GraphNode[Any]]) -> None:
    try:
        executor.spin_once()
    except ExternalShutdownException:
        return
    except CallbackError as failure:  # one bad callback must not end the node
        owners = (n for n in nodes if failure.entity in (*n.timers, *n.subscriptions))
        next(owners, nodes[0]).callback_failed(failure.what, failure.error)
    except Exception as error:
        nodes[0].callback_failed("a service or an action", error)


def _end(node: GraphNode[Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the braking short
    node.get_logger().info("shutting down")
    try:
        if node.active:
            node.trigger_deactivate()
        node.trigger_shutdown()
    except Exception as error:  # the process ends in any case
        node.get_logger().error(f"shutdown: {error}")
