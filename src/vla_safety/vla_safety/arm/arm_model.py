"""The links of an arm as convex shapes, where they are, and how far joints can move them. ROS-free.

Kinematics and distances are those of pinocchio and coal (PyPI: pin, coal), which are imported only
where a URDF is configured.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from vla_safety.arm import convex_shapes
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry, Solid
from vla_safety.arm.levers import Array, Body, Pair, Trace, Ways
from vla_safety.arm.points.outlines import outline
from vla_safety.arm.points.point_cloud import NOTHING, Place, PointCloud
from vla_safety.arm.points.silhouette import Silhouette
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

    def __init__(self, urdf: Urdf, geometry: ArmGeometry, sources: Sequence[str] = ()) -> None:
        """sources: of points, each of which is a body that has no shape yet.

        Raises:
            ArmError: a library is missing, or the URDF or a mesh cannot be used.
        """
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
        self._add_sources(sources)
        self.bodies = self._bodies()
        if not any(body.joint for body in self.bodies):
            raise ArmError("arm_urdf has no link with <collision> that a joint moves")
        slides = {joint.name for joint in urdf.joints if joint.prismatic}
        turns = np.array([0.0 if name in slides else 1.0 for name in self.joints])
        self._trace = Trace(self._model, self._shapes, turns, self.bodies, self._link_ends())
        self._data = self._model.createData()
        self._clouds: dict[int, PointCloud] = {}
        # Views of pinocchio's own memory: to fetch them anew takes as long as the kinematics.
        places = [self._data.oMi[joint] for joint in range(self._model.njoints)]
        self._rotations = [place.rotation for place in places]
        self._origins = [place.translation for place in places]

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

    def _add_sources(self, names: Sequence[str]) -> None:
        # A shape that stands for the points, of which only the number counts.
        pin, nowhere = self._pin, self._pin.SE3.Identity()
        self._first_source = self._shapes.ngeoms
        for name in names:
            made = self._coal.Sphere(1e-3)
            self._shapes.addGeometryObject(pin.GeometryObject(name, 0, 0, nowhere, made))

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
            surrounding, source = added and i != self._payload, i >= self._first_source
            joint, payload = shape.parentJoint, i == self._payload
            found.append(Body(i, shape.name, link, joint, payload, surrounding, source))
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

    def silhouette(self) -> Silhouette:
        """The robot's own shape, for another thread."""
        own = [body for body in self.bodies if not body.surrounding]
        return Silhouette(self._pin, self._model, self._shapes, own)

    @property
    def root(self) -> str:
        """Name of the root link, in whose frame everything is."""
        return str(self._model.frames[1].name)

    @property
    def tools(self) -> tuple[str, ...]:
        """Links that a joint moves and no joint follows, of which the last are tools."""
        follows = {joint.parent for joint in self.urdf.joints}
        body = self._pin.FrameType.BODY
        return tuple(
            frame.name
            for frame in self._model.frames
            if frame.type == body and frame.parentJoint and frame.name not in follows
        )

    def reach(self) -> float:
        """How far from the root link any part of the arm can be, m."""
        farthest = [0.0] * self._model.njoints
        slides = {joint.name for joint in self.urdf.joints if joint.prismatic}
        for joint in range(1, self._model.njoints):
            way = float(np.linalg.norm(self._model.jointPlacements[joint].translation))
            if self.joints[joint - 1] in slides:
                way += float(np.abs((self.low[joint - 1], self.high[joint - 1])).max())
            farthest[joint] = farthest[self._model.parents[joint]] + way
        centres, radii = self._trace.balls
        return max(
            farthest[body.joint] + float(np.linalg.norm(centre)) + radius
            for body, centre, radius in zip(self.bodies, centres, radii, strict=True)
        )

    # What depends on the configuration.

    def watch(self, pairs: Iterable[Pair]) -> None:
        """Choose the pairs that `distances` tells of; those with a source come last."""
        self._watched = tuple(pairs)
        self._shapes.removeAllCollisionPairs()
        solid = [pair for pair in self._watched if not pair.second.source]
        for pair in solid:
            self._shapes.addCollisionPair(
                self._pin.CollisionPair(pair.first.index, pair.second.index)
            )
        self._solid = len(solid)
        self._distances = self._shapes.createData()
        self._outlines = {
            pair.first.index: outline(self._shapes.geometryObjects[pair.first.index].geometry)
            for pair in self._watched[self._solid :]
        }

    def see(self, source: str, cloud: PointCloud | None) -> None:
        """Take what a source shows; None: nothing."""
        body = next(body for body in self.bodies if body.source and body.name == source)
        self._clouds.pop(body.index, None)
        if cloud is not None:
            self._clouds[body.index] = cloud

    def move_to(self, configuration: Array) -> None:
        """Place every body."""
        self._pin.updateGeometryPlacements(
            self._model, self._data, self._shapes, self._distances, configuration
        )

    def distance(self, pair: int) -> float:
        """Between the bodies of a pair, m; below 0 where they overlap.

        From points that are not near it may be less.
        """
        return float(self.distances([pair])[0])

    def distances(self, which: Sequence[int]) -> Array:
        """Of these pairs, in ascending order, m."""
        compute, shapes, data = self._pin.computeDistance, self._shapes, self._distances
        solid = self._solid
        if not which or which[-1] < solid:
            return np.array([compute(shapes, data, pair).min_distance for pair in which])
        found = [compute(shapes, data, pair).min_distance for pair in which if pair < solid]
        return np.array(found + self._from_points(which[len(found) :]))

    def closest_points(self, pair: int) -> Array:
        """Of the bodies of a pair, where `move_to` placed them; shape (2, 3), the root's frame."""
        found = self._pin.computeDistance(self._shapes, self._distances, pair)
        ends = found.getNearestPoint1(), found.getNearestPoint2()
        return np.array([np.asarray(end).ravel() for end in ends])

    def _from_points(self, which: Sequence[int]) -> list[float]:
        found: list[float] = []
        for source, group in itertools.groupby(
            (self._watched[pair] for pair in which), key=lambda pair: pair.second.index
        ):
            places = [self._place(pair.first.index) for pair in group]
            cloud = self._clouds.get(source)
            found += [NOTHING] * len(places) if cloud is None else cloud.distances(places)
        return found

    def _place(self, body: int) -> Place:
        at = self._distances.oMg[body]
        return Place(self._outlines[body], at.rotation, at.translation)

    def surfaces(
        self, configuration: Array, of_shape: Callable[[Any], Array]
    ) -> list[tuple[Body, Array]]:
        """Every body with its surface: triangles, shape (n, 3, 3), in the root link's frame.

        of_shape: the triangles of a shape of coal in its own frame.
        """
        placed = self._shapes.createData()
        self._pin.updateGeometryPlacements(
            self._model, self._data, self._shapes, placed, configuration
        )
        found = []
        for body in self.bodies:
            if not body.source:
                place = placed.oMg[body.index]
                faces = of_shape(self._shapes.geometryObjects[body.index].geometry)
                found.append((body, faces @ place.rotation.T + place.translation))
        return found

    def look_around(self, configuration: Array) -> None:
        """Take the levers of a configuration, for `grown` and `end_jacobians`."""
        jacobian = self._pin.computeJointJacobians(self._model, self._data, configuration)
        self._trace.look_around(jacobian, *self._joint_places())

    def grown(self, way: Array) -> Array:
        """Levers from where `look_around` looked, as far as `way`; see `Trace.grown`."""
        return self._trace.grown(way)

    @property
    def end_jacobians(self) -> Array:
        """Velocity of each link's end per rad/s (m/s for a slide) of each joint.

        Where `look_around` looked; shape (ends, 3, joints).
        """
        return self._trace.end_jacobians

    def end_speeds(self, steps: Array, ways: Array, grown: Array, period: float) -> Array:
        """Bounds of the speeds of links' ends on a path that begins where `look_around` looked.

        steps: changes of the configuration, one per period; ways: up to the end of each, of every
        joint. Both of shape (rows, joints). grown: levers for the last of these ways.
        Returns shape (rows, ends), m/s.
        """
        jacobians = self._trace.end_jacobians
        ends = len(jacobians)
        moved = (steps @ jacobians.reshape(3 * ends, -1).T).reshape(-1, ends, 3)
        straight = np.sqrt(np.einsum("kei,kei->ke", moved, moved))
        bent = self._trace.bending(ways, np.abs(steps)) @ grown[self._trace.bodies :].T
        return np.asarray((straight + bent) / period)

    def end_places(self, configuration: Array) -> Array:
        """Where each link's end is, shape (ends, 3), m."""
        self._pin.forwardKinematics(self._model, self._data, configuration)
        return self._trace.end_places(*self._joint_places())

    def _joint_places(self) -> tuple[Array, Array]:
        return np.array(self._rotations), np.array(self._origins)
