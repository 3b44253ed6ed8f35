"""Parameters of obstacle avoidance: footprint, sources and zones. Free of ROS.

`ObstacleParameters` is a part of the safety node's own config. Each name in `obstacle_sources`
has its `SourceConfig` as `<source>.<parameter>`, each in `obstacle_zones` its `ZoneConfig`.
`build` turns them all into what `ObstacleMonitor` takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vla_contract.node.parameters import Config, ParameterError, declare_prefixed, parameter, read
from vla_safety.surroundings.obstacles.footprint import Shape, ShapeError
from vla_safety.surroundings.obstacles.protective_zones import Action, Zone
from vla_safety.surroundings.transforms import Transform

if TYPE_CHECKING:
    from vla_contract.node.graph_node import GraphNode

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
SOURCE_TYPES = ("scan", "range", "pointcloud")
ZONE_ACTIONS = ("stop", "slowdown", "limit", "approach")
ZONE_SHAPES = ("footprint", "polygon", "circle")


@dataclass(frozen=True)
class SourceConfig(Config):
    """Parameters of one source of obstacles, declared as `<source>.<name>`."""

    type: str = parameter("scan", "Kind of the message.", choices=SOURCE_TYPES)
    topic: str = parameter("", "Topic; empty: the name of the source.")
    timeout: float = parameter(
        0.5, "Silence after which it counts as an obstacle.", "s", minimum=0.02, maximum=60.0
    )
    reliable: bool = parameter(False, "Subscribe reliable instead of best effort.")
    frame: str = parameter("", "Frame that its points are in; empty: the one in the message.")
    use_tf: bool = parameter(True, "Where it is mounted comes from TF; else from mount.")
    mount: tuple[float, ...] = parameter(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "Where it is in the base's frame: x, y, z (m), roll, pitch, yaw (rad).",
    )
    min_height: float = parameter(
        0.05, "pointcloud: lowest height that counts, in the base's frame.", "m"
    )
    max_height: float = parameter(2.0, "pointcloud: greatest height that counts.", "m")
    max_points: int = parameter(
        2000,
        "Of more points than this, only the nearest in each of so many directions count.",
        minimum=8,
        maximum=100000,
    )
    mask_body: bool = parameter(
        False, "Points inside the footprint are the robot's own body and do not count."
    )

    def check(self) -> None:
        """Refuse a mounting without six numbers and a slice without height."""
        if len(self.mount) != 6:
            raise ParameterError(
                f"parameter mount is {list(self.mount)}; accepted: x, y, z, roll, pitch, yaw"
            )
        if self.min_height >= self.max_height:
            raise ParameterError(
                f"parameters min_height and max_height are {self.min_height} and "
                f"{self.max_height}; accepted: the lower one first"
            )

    def topic_of(self, source: str) -> str:
        """The topic, given or by default."""
        return self.topic or source

    @property
    def mounted(self) -> Transform:
        """`mount` as a transform: the sensor's frame → the base's frame."""
        x, y, z, roll, pitch, yaw = self.mount
        return Transform.from_rpy((x, y, z), (roll, pitch, yaw))


@dataclass(frozen=True)
class ZoneConfig(Config):
    """Parameters of one zone, declared as `<zone>.<name>`."""

    action: str = parameter("slowdown", "What points in it do.", choices=ZONE_ACTIONS)
    shape: str = parameter(
        "footprint",
        "The footprint and margin around it, a polygon, or a circle.",
        choices=ZONE_SHAPES,
    )
    margin: float = parameter(
        0.0, "footprint: how far the zone goes beyond it.", "m", minimum=0.0, maximum=100.0
    )
    points: tuple[float, ...] = parameter(
        (0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5, 0.5), "polygon: x1, y1, x2, y2, ...", "m"
    )
    radius: float = parameter(
        0.5, "circle: radius about the base's origin.", "m", minimum=0.001, maximum=100.0
    )
    min_points: int = parameter(
        1, "Fewer points than this are not an obstacle.", minimum=1, maximum=100000
    )
    slowdown_ratio: float = parameter(
        0.5, "slowdown: share of the commanded speed.", minimum=0.0, maximum=1.0
    )
    linear_limit: float = parameter(
        0.5, "limit: greatest linear speed.", "m/s", minimum=0.0, maximum=100.0
    )
    angular_limit: float = parameter(
        0.5, "limit: greatest angular speed.", "rad/s", minimum=0.0, maximum=100.0
    )
    time_before_collision: float = parameter(
        2.0,
        "approach: time that there must be before a collision.",
        "s",
        minimum=0.05,
        maximum=60.0,
    )
    simulation_time_step: float = parameter(
        0.1, "approach: step in which the motion is looked ahead.", "s", minimum=0.005, maximum=5.0
    )
    sources: tuple[str, ...] = parameter((), "Sources whose points count; empty: all.")

    def check(self) -> None:
        """Refuse an outline that is none, and steps longer than what they look ahead."""
        if self.shape == "polygon":
            _polygon("points", self.points)
        if self.simulation_time_step > self.time_before_collision:
            raise ParameterError(
                f"parameter simulation_time_step is {self.simulation_time_step}; accepted: at "
                f"most time_before_collision, {self.time_before_collision} s"
            )


# What the names in the default of `obstacle_zones` are.
DEFAULT_ZONES: Mapping[str, ZoneConfig] = {
    "slow_zone": ZoneConfig(action="slowdown", margin=0.5, slowdown_ratio=0.5),
    "approach_zone": ZoneConfig(action="approach", margin=0.05),
}


@dataclass(frozen=True)
class ObstacleParameters(Config):
    """The part of the safety node's parameters that is about obstacles."""

    obstacle_sources: tuple[str, ...] = parameter(
        (), "Names of the sources of obstacles; empty: there are none, and nothing is looked at."
    )
    obstacle_zones: tuple[str, ...] = parameter(
        tuple(DEFAULT_ZONES), "Names of the zones around the base."
    )
    base_frame: str = parameter("base_link", "The base's frame: that of the velocity commands.")
    footprint: tuple[float, ...] = parameter(
        (0.25, 0.2, -0.25, 0.2, -0.25, -0.2, 0.25, -0.2),
        "Outline of the base: x1, y1, x2, y2, ...",
        "m",
    )
    footprint_radius: float = parameter(
        0.0, "Above 0: the base is round, and footprint is not used.", "m", minimum=0.0
    )
    obstacle_distance: float = parameter(
        0.15,
        "Least distance of the footprint from obstacles; the robot stops before it.",
        "m",
        minimum=0.0,
        maximum=10.0,
        runtime=True,
    )
    obstacle_warning: float = parameter(
        0.3,
        "Distance below which there is a warning.",
        "m",
        minimum=0.0,
        maximum=10.0,
        runtime=True,
    )

    def check(self) -> None:
        """Refuse names that cannot be parameters, and an outline that is none."""
        for name, names in (
            ("obstacle_sources", self.obstacle_sources),
            ("obstacle_zones", self.obstacle_zones),
        ):
            for one in names:
                if not _NAME.fullmatch(one):
                    raise ParameterError(
                        f"parameter {name} has {one!r}; accepted: a letter, then letters, digits, _"
                    )
        both = self.obstacle_sources + self.obstacle_zones
        if len(set(both)) != len(both):
            raise ParameterError(
                f"parameters obstacle_sources and obstacle_zones are {list(self.obstacle_sources)} "
                f"and {list(self.obstacle_zones)}; accepted: each name once"
            )
        if self.footprint_radius == 0.0:
            _polygon("footprint", self.footprint)
        super().check()

    @property
    def outline(self) -> Shape:
        """The footprint."""
        if self.footprint_radius > 0.0:
            return Shape.circle(self.footprint_radius)
        return Shape.polygon(self.footprint)


@dataclass(frozen=True)
class ZoneSetting:
    """A zone, the sources it looks at (empty: all), and its margin if it is the footprint's."""

    zone: Zone
    sources: tuple[str, ...] = ()
    margin: float | None = None


@dataclass(frozen=True)
class ObstacleConfig:
    """All that `ObstacleMonitor` takes. Distances in m."""

    footprint: Shape
    minimum_distance: float
    warning_distance: float
    sources: Mapping[str, SourceConfig]
    zones: tuple[ZoneSetting, ...]


def read_source(node: GraphNode[Any], name: str) -> SourceConfig:
    """Declare the parameters of a source on a node, and read them.

    Raises:
        ParameterError: a value is refused.
    """
    declare_prefixed(node, name, SourceConfig)
    return read(node, SourceConfig, name)


def read_zone(node: GraphNode[Any], name: str) -> ZoneConfig:
    """Declare the parameters of a zone on a node, and read them.

    Raises:
        ParameterError: a value is refused.
    """
    declare_prefixed(node, name, ZoneConfig, DEFAULT_ZONES.get(name))
    return read(node, ZoneConfig, name)


def build(
    parameters: ObstacleParameters,
    sources: Mapping[str, SourceConfig],
    zones: Mapping[str, ZoneConfig],
) -> ObstacleConfig:
    """Put the parts together; both mappings have a config for each name in `parameters`.

    Raises:
        ParameterError: a zone names a source that there is not.
    """
    settings = []
    for name in parameters.obstacle_zones:
        for source in zones[name].sources:
            if source not in parameters.obstacle_sources:
                raise ParameterError(
                    f"{name}: parameter sources has {source!r}; accepted: "
                    f"{', '.join(parameters.obstacle_sources) or 'none, there are no sources'}"
                )
        settings.append(_setting(name, zones[name], parameters.outline))
    return ObstacleConfig(
        parameters.outline,
        parameters.obstacle_distance,
        parameters.obstacle_warning,
        {name: sources[name] for name in parameters.obstacle_sources},
        tuple(settings),
    )


def _setting(name: str, config: ZoneConfig, footprint: Shape) -> ZoneSetting:
    margin = None
    if config.shape == "polygon":
        shape = Shape.polygon(config.points)
    elif config.shape == "circle":
        shape = Shape.circle(config.radius)
    else:
        margin = config.margin
        shape = footprint.inflated(margin)
    zone = Zone(
        name,
        Action(config.action),
        shape,
        config.min_points,
        config.slowdown_ratio,
        config.linear_limit,
        config.angular_limit,
        config.time_before_collision,
        config.simulation_time_step,
    )
    return ZoneSetting(zone, config.sources, margin)


def _polygon(name: str, flat: tuple[float, ...]) -> Shape:
    try:
        return Shape.polygon(flat)
    except ShapeError as error:
        raise ParameterError(f"parameter {name}: {error}") from error
