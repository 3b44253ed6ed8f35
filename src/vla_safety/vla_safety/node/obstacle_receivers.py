"""What sources of obstacles send: scans and ranges, and point clouds, which are read aside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sensor_msgs.msg import LaserScan, PointCloud2, Range
from std_msgs.msg import Header

from vla_contract import topics
from vla_contract.node.graph_node import UnreadableMessage, deserialising
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_safety.arm.points.point_source import PointSourceConfig
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


def header_of(data: bytes) -> Header:
    """The header that a serialised message begins with."""
    found: list[Header] = []
    deserialising(Header, found.append)(data)
    return found[0]


class CloudJob(NamedTuple):
    """A message to be read aside.

    read: makes a reading of the message, or of None and why it cannot be read.
    accept: is given the arrival and the reading, in the thread of the loop.
    """

    arrival: Arrival
    data: bytes
    message_type: Any
    read: Callable[[Any, str], Any]
    accept: Callable[[Arrival, Any], None]


def _read_cloud(job: CloudJob) -> tuple[CloudJob, Any]:
    found: list[Any] = []
    try:
        deserialising(job.message_type, lambda m: found.append(job.read(m, "")))(job.data)
    except UnreadableMessage as error:
        return job, job.read(None, str(error))
    return job, found[0]


class CloudReader:
    """Readings of clouds, which are made in a thread, on their way to who wants them."""

    def __init__(self, surroundings: Surroundings, problems: Problems, priority: int | None):
        """priority: real-time one of the thread; None: every message is read as it comes."""
        self.aside = priority is not None
        self._surroundings = surroundings
        self._problems = problems
        self._worker = NewestWorker(_read_cloud, "clouds", priority or 0)

    def submit(self, job: CloudJob) -> None:
        """Let a cloud be read."""
        self._worker.submit(job.arrival.source, job)

    def collect(self) -> None:
        """Once a period: accept the clouds that have been read since."""
        for job, reading in self._worker.collect():
            job.accept(job.arrival, reading)

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
            arrival = self._arrival(name, config, header_of(data))
            if arrival.problem:
                self._clouds.accept_reading(arrival, Reading.unusable(arrival.problem))
            else:
                read = partial(_reading, arrival, reader)
                accept = self._clouds.accept_reading
                self._clouds.submit(CloudJob(arrival, data, PointCloud2, read, accept))

        slow = config.type == "pointcloud" and self._clouds.aside
        callback: Any = receive_cloud if slow else receive
        row = topics.JOINT_STATES if config.reliable else topics.CAMERA
        kind = _MESSAGES[config.type]
        self._subscriptions.subscribe(kind, config.topic_of(name), callback, row, raw=slow)

    def _arrival(self, name: str, config: SourceConfig, header: Header) -> Arrival:
        target = self._loop.core.config.base_frame
        return arrival(self._loop, self._transforms, target, name, config, header)


def _reading(found: Arrival, reader: SourceReader, message: Any, problem: str) -> Reading:
    return Reading.unusable(problem) if problem else found.read(reader, message)


def arrival(
    loop: ControlLoop,
    transforms: TransformLookup | None,
    target: str,
    name: str,
    config: SourceConfig | PointSourceConfig,
    header: Header,
) -> Arrival:
    """Of a message that came now. target: frame that its points are to be in."""
    clock, mount, problem = loop.clock, None, ""
    if config.use_tf and transforms is not None:
        found = transforms.mount(target, config.frame or header.frame_id)
        mount, problem = (None, found) if isinstance(found, str) else (found, "")
    # A stamp of 0 is none: the time of arrival counts.
    stamp = to_nanoseconds(header.stamp)
    age = (clock.now() - stamp) / NANOSECONDS if stamp else 0.0
    problem = loop.reading_problem(age, config.timeout) or problem
    return Arrival(name, clock.steady(), age, mount, problem)
