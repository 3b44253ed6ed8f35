"""Sources of points for an arm: parameters, messages → clouds without the robot, freshness.

Free of ROS: messages are only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_contract.stamps import NANOSECONDS
from vla_safety.arm.points.point_cloud import PointCloud, occupied
from vla_safety.surroundings.obstacles.obstacle_sources import MessageError, scan_hits
from vla_safety.surroundings.obstacles.point_clouds import CloudError, cloud_points
from vla_safety.surroundings.transforms import Transform
from vla_safety.watch.safety_states import Cause, Reason, Severity

Array = npt.NDArray[np.float64]
POINT_SOURCE_TYPES = ("pointcloud", "scan")


@dataclass(frozen=True)
class PointSourceConfig(Config):
    """Parameters of one source of points for an arm, declared as `<source>.<name>`."""

    type: str = parameter("pointcloud", "Kind of the message.", choices=POINT_SOURCE_TYPES)
    topic: str = parameter("", "Topic; empty: the name of the source.")
    timeout: float = parameter(
        0.5, "Silence after which the arm holds.", "s", minimum=0.02, maximum=60.0
    )
    reliable: bool = parameter(False, "Subscribe reliable instead of best effort.")
    frame: str = parameter("", "Frame that its points are in; empty: the one in the message.")
    use_tf: bool = parameter(True, "Where it is mounted comes from TF; else from mount.")
    mount: tuple[float, ...] = parameter(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "Where it is in the frame of the URDF's root link: x, y, z (m), roll, pitch, yaw (rad).",
    )
    voxel: float = parameter(
        0.01,
        "Side of the voxels that points are thinned to, each of which counts whole.",
        "m",
        minimum=0.002,
        maximum=0.5,
    )
    max_points: int = parameter(
        5000,
        "Greatest number of voxels; of more, larger ones are taken.",
        minimum=8,
        maximum=100000,
    )
    self_distance: float = parameter(
        0.03,
        "Points nearer than this to a link or the payload are the robot itself. The links keep "
        "this and arm_margin from all others.",
        "m",
        minimum=0.0,
        maximum=0.5,
    )

    def check(self) -> None:
        """Refuse a mounting without six numbers."""
        if len(self.mount) != 6:
            raise ParameterError(
                f"parameter mount is {list(self.mount)}; accepted: x, y, z, roll, pitch, yaw"
            )

    def topic_of(self, source: str) -> str:
        """The topic, given or by default."""
        return self.topic or source

    @property
    def mounted(self) -> Transform:
        """`mount` as a transform: the sensor's frame → the root link's."""
        x, y, z, roll, pitch, yaw = self.mount
        return Transform.from_rpy((x, y, z), (roll, pitch, yaw))


class Posture(NamedTuple):
    """Where the robot itself was. configuration: of all joints. holding: the payload."""

    configuration: Array
    holding: bool


class PointReading(NamedTuple):
    """What a message says: a cloud, or why it cannot be used."""

    cloud: PointCloud | None
    problem: str = ""


class PointReader:
    """Reads the messages of one source, in a thread of its own: nothing here is shared."""

    def __init__(self, config: PointSourceConfig, silhouette: Any, reach: float) -> None:
        """silhouette: the arm's `Silhouette`, of this reader alone. reach: of the arm, m."""
        self._config = config
        self._silhouette = silhouette
        self._reach = reach
        self._mounted = config.mounted
        self._points = {"scan": _scan_points, "pointcloud": cloud_points}[config.type]

    def read(self, message: Any, mount: Transform | None, posture: Posture) -> PointReading:
        """The points without the robot's own. mount: sensor → root link; None: as configured.

        posture: of the robot when the message's points were seen.
        """
        try:
            points = self._points(message)
        except (MessageError, CloudError) as error:
            return PointReading(None, str(error))
        placed = _placed(self._mounted if mount is None else mount, points)
        config = self._config
        cloud = PointCloud(occupied(placed, self._reach, config.voxel, config.max_points))
        own = self._silhouette.covered(cloud, posture, config.self_distance)
        return PointReading(cloud.without(own))


def _scan_points(message: Any) -> Array:
    beams, distances = scan_hits(message)
    angles = float(message.angle_min) + float(message.angle_increment) * beams
    flat = (distances * np.cos(angles), distances * np.sin(angles), np.zeros(len(beams)))
    return np.stack(flat, axis=1)


def _placed(mount: Transform, points: Array) -> Array:
    """Axis by axis: a matrix product would wake threads that other processes keep waiting."""
    x, y, z = points.T
    placed = np.empty((3, len(points)))
    for row, (a, b, c), offset in zip(placed, mount.rotation, mount.translation, strict=True):
        np.multiply(x, a, out=row)
        row += b * y
        row += c * z
        row += offset
    return placed.T


class PointSources:
    """The newest good cloud of each source, and what is missing. Times are ns, steady."""

    def __init__(self, configs: Mapping[str, PointSourceConfig]) -> None:
        self._configs = dict(configs)
        self.forget()

    def forget(self) -> None:
        """Know of nothing that was seen."""
        self._seen: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._fresh: dict[str, PointCloud | None] = dict.fromkeys(self._configs)

    def accept(self, source: str, reading: PointReading, steady: int, age: float) -> None:
        """Note what a message says. steady: when it arrived; age: how old it was then, s.

        One that cannot be used does not hide the last good one before its timeout.
        """
        seen = steady - round(max(0.0, age) * NANOSECONDS)
        self._problems[source] = reading.problem
        if reading.cloud is None or seen < self._seen.get(source, seen):
            return
        self._seen[source], self._fresh[source] = seen, reading.cloud

    def fresh(self) -> dict[str, PointCloud | None]:
        """The clouds that are new since the last call, by source; None: forget the one before."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def causes(self, steady: int) -> Iterator[Cause]:
        """Why the arm holds: a source is silent, or what it sends cannot be used."""
        for name, config in self._configs.items():
            seen, problem = self._seen.get(name), self._problems.get(name, "")
            if seen is None:
                reason = problem or "was never received"
            elif steady - seen > config.timeout * NANOSECONDS:
                reason = problem or f"nothing newer than {config.timeout:g} s"
            else:
                continue
            text = f"invalid source {name}: {reason}"
            yield Cause(Reason.OBSTACLE, Severity.HOLD, text, f"{name} is received", True)
