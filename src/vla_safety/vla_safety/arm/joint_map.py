"""Where the position of each joint of a URDF comes from. Free of ROS.

It is commanded by a dimension of the action space, measured (`required_joints`), fixed by the
geometry file, or follows another joint (mimic).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vla_contract.action_space import ActionSpace, Dimension, Kind
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry
from vla_safety.arm.levers import Array
from vla_safety.arm.urdf_text import Urdf, UrdfJoint
from vla_safety.watch.safety_inputs import joint_of_dimension

_SLACK = 1e-6  # rad or m, of a range beyond the URDF's limits


class JointMap:
    """configuration = matrix @ command + offset, and what is measured.

    Attributes:
        matrix: shape (joints, dimensions).
        measured: joints whose positions come from joint_states.
    """

    def __init__(
        self,
        urdf: Urdf,
        joints: Sequence[str],
        space: ActionSpace,
        geometry: ArmGeometry,
        required_joints: Sequence[str],
    ) -> None:
        """joints: the order of a configuration.

        Raises:
            ArmError: a joint has no source, or two; a dimension has no joint, or leaves its limits.
        """
        self._joints = {joint.name: joint for joint in urdf.joints}
        self._rows = {name: row for row, name in enumerate(joints)}
        self.matrix = np.zeros((len(joints), space.width))
        self._offset = np.zeros(len(joints))
        self._commanded = self._command(space)
        commanded = set(self._commanded)
        self._fix(geometry.joints, commanded)
        self.measured = tuple(
            self._measured(joint, required_joints, space.name)
            for joint in urdf.joints
            if joint.mimic is None and joint.name not in {*commanded, *geometry.joints}
        )
        # One that follows a follower comes after it.
        self._mimics = [joint for joint in urdf.joints if joint.mimic is not None]
        self._mimics.sort(key=self._depth)
        for joint in self._mimics:
            mimic = joint.mimic
            assert mimic is not None
            row, source = self._rows[joint.name], self._rows[mimic.joint]
            self.matrix[row] = mimic.multiplier * self.matrix[source]

    def _command(self, space: ActionSpace) -> dict[str, int]:
        """Joint → the dimension that commands it."""
        commanded: dict[str, int] = {}
        for i, dimension in enumerate(space.dimensions):
            if dimension.kind.is_velocity:
                raise ArmError(
                    f"arm_urdf is set and dimension {dimension.name} of action space {space.name} "
                    f"is a {dimension.kind.value}; accepted: positions of joints and grippers"
                )
            name = joint_of_dimension(dimension)
            joint = self._joints.get(name)
            if dimension.kind is Kind.GRIPPER and (joint is None or dimension.unit in ("1", "N")):
                continue
            if joint is None or joint.mimic is not None:
                accepted = ", ".join(n for n, j in self._joints.items() if j.mimic is None)
                raise ArmError(
                    f"dimension {dimension.name} of action space {space.name} commands joint "
                    f"{name}; accepted of arm_urdf: {accepted}"
                )
            _check_range(dimension, joint)
            commanded[name] = i
            self.matrix[self._rows[name], i] = 1.0
        return commanded

    def _fix(self, positions: Mapping[str, float], commanded: set[str]) -> None:
        for name, position in positions.items():
            if name not in self._rows or name in commanded or self._joints[name].mimic is not None:
                raise ArmError(
                    f"joints of arm_geometry has {name}; accepted: joints of arm_urdf that the "
                    "action space does not command and that follow no other"
                )
            self._offset[self._rows[name]] = position

    def _measured(self, joint: UrdfJoint, required: Sequence[str], space: str) -> str:
        if joint.name not in required:
            raise ArmError(
                f"action space {space} does not command joint {joint.name} of arm_urdf; accepted: "
                "its name in required_joints (it is then measured), or its position in joints of "
                "arm_geometry"
            )
        return joint.name

    def _depth(self, joint: UrdfJoint) -> int:
        depth = 0
        while joint.mimic is not None:
            joint, depth = self._joints[joint.mimic.joint], depth + 1
            if depth > len(self._joints):
                raise ArmError(f"joint {joint.name} of arm_urdf mimics itself; accepted: another")
        return depth

    def missing(self, positions: Mapping[str, float]) -> str:
        """A measured joint that is not told of, or an empty text."""
        return next((name for name in self.measured if name not in positions), "")

    def configuration(self, positions: Mapping[str, float]) -> Array | None:
        """Where the arm is by what is measured of its joints; None where one is not known."""
        if self.missing(positions) or any(name not in positions for name in self._commanded):
            return None
        command = np.zeros(self.matrix.shape[1])
        for name, dimension in self._commanded.items():
            command[dimension] = positions[name]
        return self.matrix @ command + self.resting(positions)

    def resting(self, positions: Mapping[str, float]) -> Array:
        """The part of a configuration that no command decides. positions: as measured."""
        part = self._offset.copy()
        for name in self.measured:
            part[self._rows[name]] = positions[name]
        for joint in self._mimics:
            mimic = joint.mimic
            assert mimic is not None
            source = part[self._rows[mimic.joint]]
            part[self._rows[joint.name]] = mimic.multiplier * source + mimic.offset
        return part


def _check_range(dimension: Dimension, joint: UrdfJoint) -> None:
    if dimension.low < joint.low - _SLACK or dimension.high > joint.high + _SLACK:
        raise ArmError(
            f"range of {dimension.name} is [{dimension.low}, {dimension.high}]; accepted by joint "
            f"{joint.name} of arm_urdf: within [{joint.low}, {joint.high}]"
        )
