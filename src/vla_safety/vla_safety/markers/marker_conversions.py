"""Drawings ↔ visualization_msgs/MarkerArray."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vla_contract.message_enums import Limit
from vla_interfaces.msg import SafeAction
from vla_safety.markers.scene import Array, Drawing, Triggered, is_lit

LINE, LETTERS = 0.01, 0.04  # m
# Group → red, green, blue, opacity; what acts is RED.
COLOURS = {
    "workspace": (0.2, 0.5, 1.0, 0.9),
    "speed zones": (1.0, 0.8, 0.1, 0.9),
    "protective zones": (1.0, 0.5, 0.1, 0.9),
    "links": (0.6, 0.7, 0.8, 0.6),
    "payload": (0.3, 0.8, 0.3, 0.7),
    "surroundings": (0.5, 0.5, 0.5, 0.4),
    "pairs": (1.0, 0.9, 0.2, 1.0),
}
RED = (1.0, 0.1, 0.1, 0.9)
_PLACED = ("workspace", "speed zone", "obstacle", "self collision", "tool speed")


def triggered(action: SafeAction) -> list[Triggered]:
    """The limits of place and distance that acted in a period."""
    return [
        Triggered(violation.name, violation.value, violation.bound)
        for violation in action.violations
        if violation.name and Limit.words_of(violation.limit) in _PLACED
    ]


def marker_array(
    drawings: Iterable[Drawing], acting: Sequence[Triggered], stamp: Time, lifetime: float
) -> MarkerArray:
    """All of them; lifetime: s after which one that is not sent again disappears."""
    markers: list[Marker] = []
    for drawing in drawings:
        colour = RED if is_lit(drawing, acting) else COLOURS[drawing.group]
        for kind, points, size in (
            (Marker.LINE_LIST, drawing.lines, LINE),
            (Marker.TRIANGLE_LIST, drawing.faces, 1.0),
        ):
            if len(points):
                marker = _marker(drawing, colour, stamp, lifetime, len(markers))
                marker.type, marker.points = kind, _points(points)
                marker.scale = Vector3(x=size, y=size, z=size)
                markers.append(marker)
        if drawing.text:
            marker = _marker(drawing, colour, stamp, lifetime, len(markers))
            marker.type, marker.text = Marker.TEXT_VIEW_FACING, drawing.text
            marker.scale = Vector3(z=LETTERS)
            x, y, z = drawing.at
            marker.pose.position = Point(x=x, y=y, z=z)
            markers.append(marker)
    return MarkerArray(markers=markers)


def _marker(
    drawing: Drawing, colour: tuple[float, ...], stamp: Time, lifetime: float, number: int
) -> Marker:
    marker = Marker(ns=drawing.group, id=number, action=Marker.ADD, frame_locked=True)
    marker.header.frame_id, marker.header.stamp = drawing.frame, stamp
    marker.pose.orientation.w = 1.0
    red, green, blue, opacity = colour
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=opacity)
    marker.lifetime = Duration(sec=int(lifetime), nanosec=int(lifetime % 1.0 * 1e9))
    return marker


def _points(points: Array) -> list[Point]:
    rows = np.asarray(points, dtype=np.float64).reshape(-1, 3).tolist()
    return [Point(x=x, y=y, z=z) for x, y, z in rows]
