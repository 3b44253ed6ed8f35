"""A short-lived ROS client of the running graph, spun only while it waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from vla_cli.client import domains, paths
from vla_cli.client.client_node import ClientNode, refusable
from vla_cli.client.command_errors import CommandError
from vla_contract import topics
from vla_contract.node import network_sockets
from vla_contract.node.executor import OneThreadExecutor

if TYPE_CHECKING:
    from rclpy.action import ActionClient

try:
    from rclpy.experimental import EventsExecutor
except ImportError:  # Humble
    EventsExecutor = None  # type: ignore[assignment]

DISCOVERY_TIMEOUT = 5.0  # s
NEWCOMER_TIMEOUT = 1.0  # s for a graph of which there is no sign at the beginning
CALL_TIMEOUT = 10.0  # s
SPIN = 0.02  # s; bounds how long a signal waits, and what no message tells
FAST_DDS = ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")  # the first is the default


class Graph:
    """A node in the graph's namespace.

    Attributes:
        node: the rclpy node, for what this class does not offer.
        domain: the ROS domain.
    """

    def __init__(
        self, namespace: str = "vla", domain: int | None = None, *, topics_only: bool = False
    ) -> None:
        """Join the graph.

        Args:
            topics_only: no services, actions or timers are used, which allows a faster executor.

        Raises:
            CommandError: the middleware refuses, as where DDS security lacks a key.
        """
        self.domain = domains.current() if domain is None else domain
        self.namespace = "/" + namespace.strip("/")
        # Who names a domain starts the graph of it next.
        self._began_alone = (
            domain is None
            and network_sockets.kept_to_this_machine(os.environ)
            and not domains.in_use(self.domain)
        )
        use_profile()
        self._context = Context()
        with refusable("join the graph"):
            rclpy.init(
                args=[],
                context=self._context,
                domain_id=self.domain,
                signal_handler_options=SignalHandlerOptions.NO,
            )
            self.node = self._make_node()
        fast = topics_only and EventsExecutor is not None
        kind: Any = EventsExecutor if fast else OneThreadExecutor
        self._executor = kind(context=self._context)
        self._executor.add_node(self.node)

    def _make_node(self) -> Node:
        """It serves nothing: what it served under a name of its own, no permission could name."""
        return ClientNode(
            f"vla_cli_{os.getpid()}",
            namespace=self.namespace,
            context=self._context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
            parameter_overrides=[Parameter("start_type_description_service", value=False)],
        )

    def __enter__(self) -> Graph:
        """Itself; closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def spin(self, seconds: float = SPIN) -> None:
        """Handle what arrives first within `seconds`."""
        self._executor.spin_once(timeout_sec=seconds)

    def wait(self, condition: Callable[[], Any], timeout: float) -> bool:
        """Handle messages until `condition()` holds; False where it does not within `timeout` s."""
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            if left <= 0.0:
                return False
            self.spin(min(SPIN, left))
        return True

    def require(self, condition: Callable[[], Any], timeout: float, what: str) -> None:
        """As `wait`, but where nobody can be there it does not wait for long.

        Raises:
            CommandError: not in time; the message is `what` and the nodes that are there, or that
                there is no graph at all.
        """
        if self._began_alone:
            if self.wait(condition, min(timeout, NEWCOMER_TIMEOUT)):
                return
            self._began_alone = not self.nodes()
        if not self._began_alone and self.wait(condition, timeout):
            return
        nodes = ", ".join(self.nodes())
        raise CommandError(f"{what} (nodes there: {nodes})" if nodes else self.absence())

    def nodes(self) -> list[str]:
        """Names of the other nodes in the namespace."""
        return sorted(
            name
            for name, namespace in self.node.get_node_names_and_namespaces()
            if namespace == self.namespace and not name.startswith("vla_cli_")
        )

    def absence(self) -> str:
        """What to say where nobody is there."""
        return (
            f"no VLA graph found in domain {self.domain}, namespace {self.namespace}: start it "
            "with ./vla launch sim (or ./vla launch vla on a robot), or set ROS_DOMAIN_ID"
        )

    def collect(self, kind: Any, topic: str, keep: int = 0, qos: QoSProfile | None = None) -> list:
        """Subscribe; the list that is returned grows, to at most the `keep` newest (0: all)."""
        messages: list[Any] = []

        def receive(message: Any) -> None:
            messages.append(message)
            if keep:
                del messages[:-keep]

        self.subscribe(kind, topic, receive, qos)
        return messages

    def subscribe(
        self,
        kind: Any,
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile | None = None,
    ) -> Any:
        """Subscribe with the QoS table's row for the topic, or with `qos`."""
        profile = qos or topics.qos_profile(topic)
        return self.node.create_subscription(kind, topic, callback, profile)

    def publisher(self, kind: Any, topic: str, reader: str) -> Any:
        """A publisher that the node `reader` has matched.

        Raises:
            CommandError: that node does not subscribe within the discovery time.
        """
        publisher = self.node.create_publisher(kind, topic, topics.qos_profile(topic))
        try:
            self.require(
                lambda: publisher.get_subscription_count() and reader in self.readers(topic),
                DISCOVERY_TIMEOUT,
                f"node {reader} does not subscribe to {self.namespace}/{topic}; see ./vla status",
            )
        except BaseException:
            self.node.destroy_publisher(publisher)
            raise
        return publisher

    def all_matched(self, publisher: Any, topic: str) -> bool:
        """Every reader that is announced is matched; for its QoS, one may never be."""
        return bool(publisher.get_subscription_count() >= len(self._subscriptions(topic)))

    def readers(self, topic: str) -> set[str]:
        """Names of the nodes that subscribe to a topic of the namespace."""
        return {info.node_name for info in self._subscriptions(topic)}

    def _subscriptions(self, topic: str) -> list[Any]:
        name = f"{self.namespace.rstrip('/')}/{topic}"
        return list(self.node.get_subscriptions_info_by_topic(name))

    def call(
        self,
        kind: Any,
        name: str,
        request: Any,
        timeout: float = CALL_TIMEOUT,
        discovery: float = DISCOVERY_TIMEOUT,
    ) -> Any:
        """Call a service and return its response.

        Raises:
            CommandError: nobody serves it, or no answer in time.
        """
        client = self.node.create_client(kind, name)
        try:
            self.require(
                client.service_is_ready,
                discovery,
                f"nobody serves {self.namespace}/{name}; see ./vla status",
            )
            future = client.call_async(request)
            self.require(
                future.done, timeout, f"{self.namespace}/{name} gave no answer in {timeout:g} s"
            )
            return future.result()
        finally:
            self.node.destroy_client(client)

    def action(self, kind: Any, name: str) -> ActionClient:
        """A client of an action whose server is there.

        Raises:
            CommandError: nobody serves it.
        """
        from rclpy.action import ActionClient  # with numpy; most commands need neither

        with refusable(f"call the action {name}"):
            client = ActionClient(self.node, kind, name)
        self.require(
            client.server_is_ready,
            DISCOVERY_TIMEOUT,
            f"nobody serves the action {self.namespace}/{name}; see ./vla status",
        )
        return client


def use_profile() -> None:
    """Give this process the Fast DDS profile of the graph where none is chosen."""
    if "FASTRTPS_DEFAULT_PROFILES_FILE" in os.environ:
        return
    if network_sockets.kept_to_this_machine(os.environ):
        stay_on_this_machine()
    elif profile := _profile("fastdds.xml"):
        os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = profile


def stay_on_this_machine() -> None:
    """Keep this process to this machine, in the manner of launch/vla.launch.xml."""
    os.environ.pop("ROS_LOCALHOST_ONLY", None)
    profile = _profile("fastdds_local.xml")
    if profile and os.environ.get("RMW_IMPLEMENTATION", FAST_DDS[0]) in FAST_DDS:
        os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = profile
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"
        return
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"


def _profile(name: str) -> str:
    """The path of a profile; empty where vla_bringup is not built."""
    try:
        path = paths.share() / "config" / name
    except CommandError:
        return ""
    return str(path) if path.is_file() else ""
