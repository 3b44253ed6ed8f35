"""The links of an arm as convex shapes, where they are, and how far joints can move them. ROS-free.

Kinematics and distances are those of pinocchio and coal (PyPI: pin, coal), which are imported only
where a URDF is configured.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vla_safety.arm import convex_shapes
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry, Solid
from vla_safety.arm.levers import Array, Body, Pair, Trace, Ways
from vla_safety.arm.urdf_text import Urdf


def _libraries() -> tuple[Any, Any]:
    try:
        import coal
        import pinocchio

        return pinocchio, coal
    except ImportError as error:
        raise ArmError(
            f"arm_urdf is set and {error.name} is not installed; accepted: pip install pin coal"
        ) from error


class ArmModel:
    """A configuration is an array of all moving joints of the URDF, in the order of `joints`."""

    def __init__(self, urdf: Urdf, geometry: ArmGeometry) -> None:
        """Raises ArmError: a library is missing, or the URDF or a mesh cannot be used."""
        self._pin, self._coal = _libraries()
        self.urdf = urdf
        try:
            self._model = self._pin.buildModelFromXML(urdf.text)
            self._shapes = self._load_shapes(urdf.text)
        except (ValueError, RuntimeError) as error:
            raise ArmError(f"arm_urdf cannot be used: {' '.join(str(error).split())}") from error
        self.joints: tuple[str, ...] = tuple(self._model.names)[1:]
        limits = {joint.name: (joint.low, joint.high) for joint in urdf.joints}
        self.low, self.high = np.array([limits[name] for name in self.joints]).T
        self._add_surroundings(geometry)
        self.bodies = self._bodies()
        if not any(body.joint for body in self.bodies):
            raise ArmError("arm_urdf has no link with <collision> that a joint moves")
        slides = {joint.name for joint in urdf.joints if joint.prismatic}
        turns = np.array([0.0 if name in slides else 1.0 for name in self.joints])
        self._trace = Trace(self._model, self._shapes, turns, self.bodies, self._link_ends())
        self._data = self._model.createData()

    # Construction.

    def _load_shapes(self, text: str) -> Any:
        pin = self._pin
        shapes = pin.buildGeomFromUrdfString(self._model, text, pin.GeometryType.COLLISION)
        for shape in shapes.geometryObjects:
            mesh = shape.geometry
            if isinstance(mesh, self._coal.BVHModelBase):
                vertices = np.array(mesh.vertices())
                shape.geometry = convex_shapes.hull(self._coal, vertices, f"mesh {shape.meshPath}")
        return shapes

    def _add_surroundings(self, geometry: ArmGeometry) -> None:
        pin = self._pin
        for shape in geometry.surroundings:
            self._add(shape, 0, 0, pin.SE3.Identity())
        carried = geometry.payload
        self._payload = self._shapes.ngeoms if carried is not None else -1
        self._first_surrounding = self._payload - len(geometry.surroundings)
        if carried is None:
            self._first_surrounding = self._shapes.ngeoms - len(geometry.surroundings)
            return
        if not self._model.existFrame(carried.link):
            raise ArmError(f"payload is on link {carried.link!r}; accepted: a link of arm_urdf")
        number = self._model.getFrameId(carried.link)
        frame = self._model.frames[number]
        self._add(carried.box, frame.parentJoint, number, frame.placement)

    def _add(self, shape: Solid, joint: int, frame: int, link: Any) -> None:
        pin, placed = self._pin, shape.placement
        placement = link * pin.SE3(placed.rotation, placed.translation)
        made = convex_shapes.solid(self._coal, shape)
        self._shapes.addGeometryObject(
            pin.GeometryObject(shape.name, joint, frame, placement, made)
        )

    def _bodies(self) -> tuple[Body, ...]:
        found = []
        for i, shape in enumerate(self._shapes.geometryObjects):
            added = i == self._payload or i >= self._first_surrounding
            link = shape.name if added else self._model.frames[shape.parentFrame].name
            surrounding = added and i != self._payload
            found.append(
                Body(i, shape.name, link, shape.parentJoint, i == self._payload, surrounding)
            )
        return tuple(found)

    def _link_ends(self) -> list[tuple[int, Array]]:
        """Where links end: joints, and frames of links that nothing follows (tools).

        (joint that moves it, place in its frame).
        """
        model = self._model
        follows = {joint.parent for joint in self.urdf.joints}
        # A joint's own turning does not move its place: the joint before it does.
        places = {
            (model.parents[j], tuple(model.jointPlacements[j].translation.tolist()))
            for j in range(1, model.njoints)
        }
        for frame in model.frames:
            if frame.type == self._pin.FrameType.BODY and frame.name not in follows:
                places.add((frame.parentJoint, tuple(frame.placement.translation.tolist())))
        return [(joint, np.array(place)) for joint, place in sorted(places) if joint]

    # What is fixed.

    def parent(self, joint: int) -> int:
        """The joint before a joint, 0 for none."""
        return int(self._model.parents[joint])

    def moves(self, pair: Pair) -> bool:
        """Whether any joint moves the two against each other."""
        return bool(self._trace.between(pair).any())

    def trace(self, pairs: Iterable[Pair]) -> Ways:
        """How far joints can move these pairs."""
        return Ways(self._trace, tuple(pairs))

    # What depends on the configuration.

    def watch(self, pairs: Iterable[Pair]) -> None:
        """Choose the pairs that `distance` tells of."""
        self._shapes.removeAllCollisionPairs()
        for pair in pairs:
            self._shapes.addCollisionPair(
                self._pin.CollisionPair(pair.first.index, pair.second.index)
            )
        self._distances = self._shapes.createData()

    def move_to(self, configuration: Array) -> None:
        """Place every body."""
        self._pin.updateGeometryPlacements(
            self._model, self._data, self._shapes, self._distances, configuration
        )

    def distance(self, pair: int) -> float:
        """Between the bodies of a pair, m; below 0 where they overlap."""
        found = self._pin.computeDistance(self._shapes, self._distances, pair)
        return float(found.min_distance)

    def distances(self, which: Iterable[int]) -> Array:
        """Of these pairs, m."""
        compute, shapes, data = self._pin.computeDistance, self._shapes, self._distances
        return np.array([compute(shapes, data, pair).min_distance for pair in which])

    def look_around(self, configuration: Array) -> None:
        """Take the levers of a configuration, for `Ways` and `end_levers`."""
        jacobian = self._pin.computeJointJacobians(self._model, self._data, configuration)
        self._trace.look_around(jacobian, self._data.oMi)

    @property
    def end_levers(self) -> Array:
        """Speed of each link's end per rad/s (m/s for a slide) of each joint, m.

        Where `look_around` looked; shape (ends, joints).
        """
        return self._trace.end_levers

    def end_places(self, configuration: Array) -> Array:
        """Where each link's end is, shape (ends, 3), m."""
        self._pin.forwardKinematics(self._model, self._data, configuration)
        return self._trace.end_places(self._data.oMi)
