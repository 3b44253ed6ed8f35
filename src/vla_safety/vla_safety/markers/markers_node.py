"""The node `markers`: what the safety node keeps the robot within, as a MarkerArray on demand.

It reads the safety node's own parameters, so that what is seen is what is in force, and works only
while somebody subscribes. It is a process of its own: nothing of it runs in the safety node.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import rclpy
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from sensor_msgs.msg import JointState

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.node.parameters import ParameterError, read
from vla_contract.node.parent_process import end_with_parent
from vla_interfaces.msg import SafeAction
from vla_safety.arm.arm_geometry import ArmError
from vla_safety.arm.arm_guard import make_guard
from vla_safety.config import obstacle_config
from vla_safety.config.config_sections import URDF_TOPIC
from vla_safety.config.obstacle_config import SourceConfig, ZoneConfig
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.markers import scene
from vla_safety.markers.scene import ArmScene, Drawing, Triggered
from vla_safety.surroundings.measured_pose import SpeedZoneConfig

TOPIC = "safety_markers"
PERIOD = 0.2  # s between two arrays
ASK_PERIOD = 5.0  # s between two looks at the parameters of the safety node
LIFETIME = 1.0  # s
SHOWN = 1.0  # s for which what acted stays lit


class MarkersNode(Node):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("markers")
        # Imported here, so that a robot without a screen need not have the package.
        from visualization_msgs.msg import MarkerArray

        from vla_safety.markers import marker_conversions

        self._conversions = marker_conversions
        self._values: dict[str, Any] = {}
        self._still: list[Drawing] = []
        self._arm: ArmScene | None = None
        self._positions: dict[str, float] = {}
        self._acting: list[Triggered] = []
        self._acted = -math.inf
        self._names = self.create_client(ListParameters, "safety/list_parameters")
        self._told = self.create_client(GetParameters, "safety/get_parameters")
        self._publisher = self.create_publisher(MarkerArray, TOPIC, 1)
        for kind, topic, receive in (
            (JointState, topics.JOINT_STATES, self._on_joints),
            (SafeAction, topics.SAFE_ACTION, self._on_action),
        ):
            self.create_subscription(kind, topic, receive, topics.qos_profile(topic))
        self._due = 0.0  # s, time.monotonic(), of the next look at the parameters
        self.create_timer(PERIOD, self._publish)

    # What is to be drawn.

    def _ask(self) -> None:
        if time.monotonic() >= self._due and self._names.service_is_ready():
            self._due = time.monotonic() + ASK_PERIOD
            self._names.call_async(ListParameters.Request()).add_done_callback(self._on_names)

    def _on_names(self, future: Any) -> None:
        names = list(future.result().result.names)
        request = GetParameters.Request(names=names)
        told = self._told.call_async(request)
        told.add_done_callback(lambda values: self._on_values(names, values))

    def _on_values(self, names: list[str], future: Any) -> None:
        told = map(parameter_value_to_python, future.result().values)
        values = dict(zip(names, told, strict=True))
        if values == self._values:
            return
        self._values = values
        self._positions.clear()
        try:
            config = _read(values, SafetyConfig)
            self._still = list(still_drawings(config, lambda *each: _read(values, *each)))
            self._arm = self._arm_scene(config)
        except (ParameterError, ArmError, OSError, ValueError) as error:
            self.get_logger().error(f"the safety node's parameters cannot be drawn: {error}")

    def _arm_scene(self, config: SafetyConfig) -> ArmScene | None:
        if not config.arm_urdf:
            return None
        if config.arm_urdf == URDF_TOPIC:
            self.get_logger().warning("arm_urdf is a topic; accepted of what is drawn: a file")
            return None
        guard = make_guard(ActionSpace.load(config.action_space), config)
        return ArmScene(guard) if guard is not None else None

    # What happens.

    def _on_joints(self, message: JointState) -> None:
        self._positions.update(zip(message.name, message.position, strict=False))

    def _on_action(self, message: SafeAction) -> None:
        found = self._conversions.triggered(message)
        now = self.get_clock().now().nanoseconds * 1e-9
        if found or now - self._acted > SHOWN:
            self._acting, self._acted = found, now

    def _publish(self) -> None:
        if not self._publisher.get_subscription_count():
            return
        self._ask()
        drawings = list(self._still)
        if self._arm is not None:
            drawings += self._arm.drawings(self._positions, self._acting)
        now = self.get_clock().now().to_msg()
        self._publisher.publish(
            self._conversions.marker_array(drawings, self._acting, now, LIFETIME)
        )


def still_drawings(config: SafetyConfig, read_config: Callable[..., Any]) -> Iterator[Drawing]:
    """Workspace and zones. read_config: (config class, prefix) → what is in force of it.

    Raises:
        ParameterError: a value is refused.
    """
    if config.box is not None:
        yield from scene.workspace(*config.box, config.workspace_frame)
    for name in config.speed_zones:
        zone = read_config(SpeedZoneConfig, name).zone(name)
        yield scene.speed_zone(zone, config.workspace_frame)
    if config.obstacle_sources:
        sources = {name: read_config(SourceConfig, name) for name in config.obstacle_sources}
        zones = {name: read_config(ZoneConfig, name) for name in config.obstacle_zones}
        for setting in obstacle_config.build(config, sources, zones).zones:
            yield scene.protective_zone(setting.zone, config.base_frame)


def _read(values: dict[str, Any], config_class: Any, prefix: str = "") -> Any:
    node: Any = SimpleNamespace(get_parameter=lambda name: SimpleNamespace(value=values.get(name)))
    return read(node, config_class, prefix)


def main() -> int:
    """Entry point of `ros2 run vla_safety markers`."""
    try:
        end_with_parent(os.environ)
        rclpy.init()
        node = MarkersNode()
    except ImportError as error:
        print(f"markers: {error.name} is missing; accepted: visualization_msgs", file=sys.stderr)
        return 1
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
