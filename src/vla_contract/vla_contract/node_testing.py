"""For the packages' tests: nodes as processes, and a client that waits on conditions.

Every process and client gets the domain of the test run and stays on this machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vla_contract.node.parameters import as_yaml

CALLS = 3  # of a service whose response does not come


def isolated_environment(domain: int) -> dict[str, str]:
    """The process environment with DDS kept to this machine and to `domain`."""
    return {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_LOCALHOST_ONLY": "1",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_PYTHON_CHECK_FIELDS": "1",
        "PYTHONUNBUFFERED": "1",
    }


class NodeProcess:
    """A node running as `python -m module` in its own process; output is kept in a file."""

    def __init__(self, module: str, domain: int, arguments: list[str]) -> None:
        self._log = tempfile.NamedTemporaryFile("w+b", suffix=".log", delete=False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=isolated_environment(domain),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def output(self) -> str:
        """Everything that the process has printed so far."""
        return Path(self._log.name).read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 60.0) -> str:
        """Wait until `text` was printed; returns the output. Raises AssertionError in time."""
        wait_until(lambda: text in self.output or self.process.poll() is not None, timeout)
        assert text in self.output, f"{text!r} not in the output:\n{self.output}"
        return self.output

    def stop(self, number: int = signal.SIGINT, timeout: float = 45.0) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


@contextlib.contextmanager
def node_process(
    module: str,
    domain: int,
    parameters: dict[str, Any] | None = None,
    arguments: list[str] | None = None,
    before: list[str] | None = None,
) -> Iterator[NodeProcess]:
    """Run a node with ROS parameters (bool, number, string, list) until the block ends.

    Args:
        module: e.g. "vla_safety.node.node".
        arguments: further `--ros-args` arguments, e.g. ["-r", "__ns:=/vla"].
        before: arguments of the module itself.
    """
    ros_arguments = [*(before or []), "--ros-args", *(arguments or [])]
    for name, value in (parameters or {}).items():
        ros_arguments += [
            "-p",
            f"{name}:={as_yaml(tuple(value) if isinstance(value, list) else value)}",
        ]
    process = NodeProcess(module, domain, ros_arguments)
    try:
        yield process
    finally:
        process.stop()


class Client:
    """A node in the test's own process, spun only while the test waits."""

    def __init__(self, domain: int, namespace: str = "", name: str = "test_client") -> None:
        self.context = Context()
        # A client process reads these when its context is made.
        os.environ.update({key: isolated_environment(domain)[key] for key in _DDS_VARIABLES})
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node(name, namespace=namespace, context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)

    def collect(self, message_type: Any, topic: str, qos: Any) -> list[Any]:
        """Subscribe; the list that is returned grows with every message."""
        messages: list[Any] = []
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def publisher(self, message_type: Any, topic: str, qos: Any, timeout: float = 60.0) -> Any:
        """A publisher that has a subscriber."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.wait(lambda: publisher.get_subscription_count() > 0, timeout)
        return publisher

    def call(self, service_type: Any, name: str, request: Any, timeout: float = 60.0) -> Any:
        """Call a service and return its response.

        Again where none comes: a service that does not know this client's reader yet, which the
        client cannot see, gives up its response after 0.1 s (rmw_fastrtps).
        """
        client = self.node.create_client(service_type, name)
        self.wait(client.service_is_ready, timeout)
        for left in reversed(range(CALLS)):
            future = client.call_async(request)
            try:
                self.wait(future.done, timeout / CALLS)
                break
            except AssertionError:
                if not left:
                    raise
        self.node.destroy_client(client)
        return future.result()

    def spin(self, seconds: float) -> None:
        """Handle messages for a while (to see that something does not happen)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.01)

    def wait(self, condition: Callable[[], Any], timeout: float = 60.0) -> None:
        """Handle messages until `condition()` holds; AssertionError when it does not in time."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"not within {timeout} s: {_source_line(condition)}"
            self._executor.spin_once(timeout_sec=0.01)

    def close(self) -> None:
        """Destroy the node and its context."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


_DDS_VARIABLES = ("ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_PYTHON_CHECK_FIELDS")


def wait_until(condition: Callable[[], Any], timeout: float) -> None:
    """Poll a condition that needs no messages; AssertionError when it does not hold in time."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s"
        time.sleep(0.01)


def _source_line(condition: Callable[[], Any]) -> str:
    code = getattr(condition, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(condition)
