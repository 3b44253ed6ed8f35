"""Which points are the robot itself. Free of ROS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_safety.arm.levers import Body
from vla_safety.arm.points.outlines import outline
from vla_safety.arm.points.point_cloud import Place, PointCloud
from vla_safety.arm.points.point_source import Posture

Index = npt.NDArray[np.intp]


class Silhouette:
    """The robot's shapes in a posture, with kinematics of its own: for one thread."""

    def __init__(self, pin: Any, model: Any, shapes: Any, bodies: Sequence[Body]) -> None:
        """model, shapes: pinocchio's. bodies: those of the robot, and the payload."""
        self._pin, self._model, self._shapes = pin, model, shapes
        self._data, self._placed = model.createData(), shapes.createData()
        self._bodies = tuple(bodies)
        self._outlines = [outline(shapes.geometryObjects[body.index].geometry) for body in bodies]

    def covered(self, cloud: PointCloud, posture: Posture, distance: float) -> Index:
        """Numbers of the voxels that reach nearer than `distance`, m, to the robot."""
        self._pin.updateGeometryPlacements(
            self._model, self._data, self._shapes, self._placed, posture.configuration
        )
        found = []
        for body, shape in zip(self._bodies, self._outlines, strict=True):
            if body.payload and not posture.holding:
                continue
            at = self._placed.oMg[body.index]
            found.append(cloud.covered(Place(shape, at.rotation, at.translation), distance))
        return np.unique(np.concatenate(found))
