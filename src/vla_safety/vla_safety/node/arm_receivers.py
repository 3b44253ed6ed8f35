"""What sources of points for an arm send: every message is read aside, without the robot in it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sensor_msgs.msg import LaserScan, PointCloud2

from vla_contract import topics
from vla_contract.node.graph_node import deserialising
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.points.point_source import (
    PointReader,
    PointReading,
    PointSourceConfig,
    Posture,
)
from vla_safety.loop.control_loop import ControlLoop
from vla_safety.node.node_ports import Problems, Subscriptions
from vla_safety.node.obstacle_receivers import (
    Arrival,
    CloudJob,
    CloudReader,
    arrival,
    header_of,
)

if TYPE_CHECKING:
    from vla_safety.node.transform_lookup import TransformLookup

_MESSAGES = {"scan": LaserScan, "pointcloud": PointCloud2}


class PointReceivers:
    """The subscriptions of every source."""

    def __init__(
        self,
        loop: ControlLoop,
        arm: ArmGuard,
        subscriptions: Subscriptions,
        clouds: CloudReader,
        problems: Problems,
        transforms: TransformLookup | None,
    ) -> None:
        """clouds: reads messages aside. transforms: None where nothing needs TF."""
        self._loop, self._arm, self._clouds = loop, arm, clouds
        self._problems, self._transforms = problems, transforms
        for name, reader in arm.point_readers().items():
            config = arm.sources[name]
            row = topics.JOINT_STATES if config.reliable else topics.CAMERA
            receive = partial(self._receive, name, config, reader, _MESSAGES[config.type])
            topic, kind = config.topic_of(name), _MESSAGES[config.type]
            subscriptions.subscribe(kind, topic, receive, row, raw=True)

    def _receive(
        self, name: str, config: PointSourceConfig, reader: PointReader, kind: Any, data: bytes
    ) -> None:
        header = header_of(data)
        came = arrival(self._loop, self._transforms, self._arm.model.root, name, config, header)
        posture = self._arm.posture(came.age)
        if came.problem:
            self._accept(came, PointReading(None, came.problem))
        elif posture is None:
            return  # before the first period nothing moves, and where the robot is is not known
        elif self._clouds.aside:
            read = partial(_read, reader, came, posture)
            self._clouds.submit(CloudJob(came, data, kind, read, self._accept))
        else:
            deserialising(
                kind, lambda message: self._accept(came, reader.read(message, came.mount, posture))
            )(data)

    def _accept(self, came: Arrival, reading: PointReading) -> None:
        if reading.problem:
            self._problems.refuse(f"{came.source}: {reading.problem}")
        self._arm.points.accept(came.source, reading, came.steady, came.age)


def _read(
    reader: PointReader, came: Arrival, posture: Posture, message: Any, problem: str
) -> PointReading:
    if problem:
        return PointReading(None, problem)
    return reader.read(message, came.mount, posture)
