"""Points of a sensor_msgs PointCloud2, whatever its layout. The message is only read: ROS-free."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# The numbers of sensor_msgs/msg/PointField.
_DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
_AXES = ("x", "y", "z")
MAX_CLOUD = 10_000_000
# What is farther away along an axis, m, is no measurement; its square is still a number.
MAX_COORDINATE = 1e9


class CloudError(ValueError):
    """A cloud that cannot be used; one line."""


def cloud_points(message: Any) -> Array:
    """The points that are measurements, shape (n, 3), in its own frame; without any it is empty.

    A point that is not finite is none, nor is one at the sensor's own origin: drivers fill a cloud
    with them where nothing came back.

    Raises:
        CloudError: its layout contradicts itself, x, y or z is missing, or no point is one.
    """
    width, height = int(message.width), int(message.height)
    if width * height == 0:
        if len(message.data):
            raise CloudError(
                f"a cloud of {width} x {height} points has {len(message.data)} bytes; accepted: "
                "a height of 1 where the points are in no rows"
            )
        return np.empty((0, 3))
    if width * height > MAX_CLOUD:
        raise CloudError(f"a cloud has {width * height} points; accepted: at most {MAX_CLOUD}")
    dtype = _point_type(message)
    row = int(message.row_step) or width * dtype.itemsize
    data = np.frombuffer(message.data, dtype=np.uint8)
    if row < width * dtype.itemsize or len(data) < (height - 1) * row + width * dtype.itemsize:
        raise CloudError(
            f"a cloud of {width} x {height} points of {dtype.itemsize} bytes has row_step "
            f"{message.row_step} and {len(data)} bytes; accepted: enough for all of them"
        )
    table: npt.NDArray[np.void] = np.ndarray(
        (height, width), dtype, data.data, strides=(row, dtype.itemsize)
    )
    # Each axis by itself: numpy is fastest along the last one.
    xyz = np.empty((3, width * height))
    for row, axis in enumerate(_AXES):
        xyz[row].reshape(height, width)[:] = table[axis]
    farthest = np.abs(xyz[0])
    for axis_values in xyz[1:]:
        np.maximum(farthest, np.abs(axis_values), out=farthest)
    # Of what is no number, neither.
    measured = ((farthest > 0.0) & (farthest <= MAX_COORDINATE)).nonzero()[0]
    if not measured.size:
        raise CloudError(
            f"none of a cloud's {width * height} points is a measurement: they are not finite, or 0"
        )
    return xyz.T if measured.size == xyz.shape[1] else xyz.take(measured, axis=1).T


def _point_type(message: Any) -> np.dtype[np.void]:
    """Where x, y and z are in a point."""
    step = int(message.point_step)
    fields = {field.name: field for field in message.fields}
    order = ">" if message.is_bigendian else "<"
    formats, offsets = [], []
    for axis in _AXES:
        if axis not in fields:
            raise CloudError(
                f"a cloud has fields {', '.join(fields) or 'none'}; accepted: x, y and z among them"
            )
        field = fields[axis]
        kind = _DATATYPES.get(int(field.datatype))
        if kind is None:
            raise CloudError(f"a cloud's field {axis} has datatype {field.datatype}; accepted: 1-8")
        offset, size = int(field.offset), int(kind[1])
        if offset + size > step:
            raise CloudError(
                f"a cloud's field {axis} ends at byte {offset + size} of a point of {step} bytes; "
                "accepted: inside"
            )
        formats.append(order + kind)
        offsets.append(offset)
    return np.dtype({"names": _AXES, "formats": formats, "offsets": offsets, "itemsize": step})
