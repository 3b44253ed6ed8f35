"""What sources of obstacles send: scans and ranges, and point clouds, which are read aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sensor_msgs.msg import LaserScan, PointCloud2, Range
from std_msgs.msg import Header

from vla_contract import topics
from vla_contract.node.graph_node import UnreadableMessage, deserialising
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.loop.control_loop import ControlLoop
from vla_safety.node.newest_worker import NewestWorker
from vla_safety.node.node_ports import Problems, Subscriptions
from vla_safety.surroundings.environment import Surroundings
from vla_safety.surroundings.obstacles.obstacle_sources import SourceReader
from vla_safety.surroundings.obstacles.obstacle_types import Reading
from vla_safety.surroundings.transforms import Transform

if TYPE_CHECKING:
    from vla_safety.node.transform_lookup import TransformLookup

_MESSAGES = {"scan": LaserScan, "range": Range, "pointcloud": PointCloud2}


class Arrival(NamedTuple):
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


def _read_cloud(job: tuple[Arrival, SourceReader, bytes]) -> tuple[Arrival, Reading]:
    arrival, reader, data = job
    found: list[Reading] = []
    try:
        read = deserialising(PointCloud2, lambda m: found.append(arrival.read(reader, m)))
        read(data)
    except UnreadableMessage as error:
        return arrival, Reading.unusable(str(error))
    return arrival, found[0]


class CloudReader:
    """Readings on their way to the obstacle monitor; those of clouds are made in a thread."""

    def __init__(self, surroundings: Surroundings, problems: Problems, priority: int | None):
        """priority: real-time one of the thread; None: every message is read as it comes."""
        self.aside = priority is not None
        self._surroundings = surroundings
        self._problems = problems
        self._worker = NewestWorker(_read_cloud, "clouds", priority or 0)

    def submit(self, arrival: Arrival, reader: SourceReader, data: bytes) -> None:
        """Let a cloud be read."""
        self._worker.submit(arrival.source, (arrival, reader, data))

    def collect(self) -> None:
        """Once a period: accept the clouds that have been read since."""
        for arrival, reading in self._worker.collect():
            self.accept_reading(arrival, reading)

    def accept_reading(self, arrival: Arrival, reading: Reading) -> None:
        """Tell the obstacle monitor, and of a reading that cannot be used why."""
        if reading.problem:
            self._problems.refuse(f"{arrival.source}: {reading.problem}")
        monitor = self._surroundings.obstacles
        assert monitor is not None, "there are sources"
        monitor.accept_reading(arrival.source, reading, arrival.steady, arrival.age)

    def close(self) -> None:
        """End the thread."""
        self._worker.close()


class ObstacleReceivers:
    """The subscriptions of every source."""

    def __init__(
        self,
        loop: ControlLoop,
        subscriptions: Subscriptions,
        clouds: CloudReader,
        sources: dict[str, SourceConfig],
        transforms: TransformLookup | None,
    ) -> None:
        """transforms: None where nothing needs TF."""
        self._loop = loop
        self._subscriptions = subscriptions
        self._clouds = clouds
        self._transforms = transforms
        for name, config in sources.items():
            self._subscribe(name, config, SourceReader(config))

    def _subscribe(self, name: str, config: SourceConfig, reader: SourceReader) -> None:
        def receive(message: Any) -> None:
            arrival = self._arrival(name, config, message.header)
            self._clouds.accept_reading(arrival, arrival.read(reader, message))

        def receive_cloud(data: bytes) -> None:
            arrival = self._arrival(name, config, _header(data))
            if arrival.problem:
                self._clouds.accept_reading(arrival, Reading.unusable(arrival.problem))
            else:
                self._clouds.submit(arrival, reader, data)

        slow = config.type == "pointcloud" and self._clouds.aside
        callback: Any = receive_cloud if slow else receive
        row = topics.JOINT_STATES if config.reliable else topics.CAMERA
        kind = _MESSAGES[config.type]
        self._subscriptions.subscribe(kind, config.topic_of(name), callback, row, raw=slow)

    def _arrival(self, name: str, config: SourceConfig, header: Header) -> Arrival:
        clock, mount, problem = self._loop.clock, None, ""
        if config.use_tf and self._transforms is not None:
            frame = config.frame or header.frame_id
            found = self._transforms.mount(self._loop.core.config.base_frame, frame)
            mount, problem = (None, found) if isinstance(found, str) else (found, "")
        # A stamp of 0 is none: the time of arrival counts.
        stamp = to_nanoseconds(header.stamp)
        age = (clock.now() - stamp) / NANOSECONDS if stamp else 0.0
        problem = self._loop.reading_problem(age, config.timeout) or problem
        return Arrival(name, clock.steady(), age, mount, problem)
