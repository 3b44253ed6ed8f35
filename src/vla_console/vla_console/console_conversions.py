"""Messages → what the page shows. Nothing is decided here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from cv_bridge import CvBridge
from vla_console.action_trace import ChunkView, DimensionView
from vla_console.camera_pictures import Encoded, jpeg_of
from vla_console.console_state import FaultView, LimitView, NodeView, SafetyView
from vla_contract.action_space import ActionSpace
from vla_contract.message_enums import FaultKind, Level, Limit, State, violation_text
from vla_contract.stamps import to_nanoseconds

_BRIDGE = CvBridge()
_JPEG = b"\xff\xd8"


def safety_view(message: Any) -> SafetyView:
    """Of a SafetyStatus."""
    return SafetyView(
        state=State(message.state),
        stamp=to_nanoseconds(message.header.stamp),
        since=to_nanoseconds(message.since),
        cause=message.cause,
        clears_when=message.clears_when,
        causes=tuple(message.causes),
        standstill=message.standstill,
        armed=message.armed,
        shadow=message.shadow,
        speed_scale=message.speed_scale,
        command=message.command,
        input=message.input,
        observation_age=_finite(message.observation_age),
        recovery_left=message.recovery_left,
        recording=message.recording,
        limits=tuple(map(_limit, message.violations)),
        warnings=tuple(map(_limit, message.warnings)),
        faults=tuple(map(_fault, message.faults)),
        period=message.period,
        jitter_p99=message.jitter_p99,
        duration_p99=message.duration_p99,
        overruns=message.overruns,
    )


def _limit(violation: Any) -> LimitView:
    kind = Limit.words_of(violation.limit)
    return LimitView(kind, violation.dimension or violation.name, violation_text(violation))


def _fault(fault: Any) -> FaultView:
    kind = FaultKind.words_of(fault.kind)
    return FaultView(fault.source, kind, Level(fault.level), fault.message)


def node_views(message: Any, namespace: str) -> list[NodeView]:
    """Of a DiagnosticArray: the nodes of one namespace."""
    views = []
    for status in message.status:
        place, _, name = status.name.rpartition("/")
        if place == namespace:
            level = status.level
            number = level[0] if isinstance(level, bytes) else int(level)
            values = {pair.key: pair.value for pair in status.values}
            views.append(NodeView(name, number, status.message, values))
    return views


def chunk_view(message: Any) -> ChunkView | None:
    """Of an ActionChunk; None where it plans nothing, or its rows are not whole."""
    width = len(message.dimension_names)
    if not width or not message.actions or len(message.actions) % width:
        return None
    values = list(message.actions)
    rows = tuple(tuple(values[i : i + width]) for i in range(0, len(values), width))
    return ChunkView(to_nanoseconds(message.observation_stamp), message.period, rows)


def task_page(message: Any) -> dict[str, Any]:
    """Of a TaskState, for JSON."""
    return {"task": message.task, "seed": message.seed, "success": message.success}


def known_commands(text: str) -> dict[str, list[str]]:
    """Task → wordings, of what perception publishes; empty where it is none."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    return {str(task): [str(each) for each in wordings] for task, wordings in data.items()}


def encoded_image(data: bytes, width: int, quality: int) -> Encoded:
    """A serialised sensor_msgs/Image as JPEG of at most `width` px.

    Raises:
        CvBridgeError, ValueError: it is no picture.
    """
    message = deserialize_message(data, Image)
    pixels = _BRIDGE.imgmsg_to_cv2(message, "bgr8")
    return jpeg_of(np.asarray(pixels), width, quality, to_nanoseconds(message.header.stamp))


def encoded_compressed(data: bytes, width: int, quality: int) -> Encoded:
    """A serialised sensor_msgs/CompressedImage likewise.

    Raises:
        ValueError: it is no picture.
    """
    message = deserialize_message(data, CompressedImage)
    stamp, content = to_nanoseconds(message.header.stamp), bytes(message.data)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"{len(content)} bytes are no {message.format[:40]} picture")
    if content.startswith(_JPEG) and pixels.shape[1] <= width:
        return Encoded(content, pixels.shape[1], pixels.shape[0], stamp)
    return jpeg_of(np.asarray(pixels, dtype=np.uint8), width, quality, stamp)


def dimension_views(space: ActionSpace) -> list[DimensionView]:
    """Units and ranges of an action space."""
    return [
        DimensionView(d.name, d.unit, d.kind.value, _finite(d.low), _finite(d.high))
        for d in space.dimensions
    ]


def jog_axes(space: ActionSpace) -> list[dict[str, Any]]:
    """Axes that a twist moves, for JSON: name, unit, and index in a twist (linear, angular)."""
    fields = [f"{part}.{axis}" for part in ("linear", "angular") for axis in "xyz"]
    axes = []
    for dimension in space.dimensions:
        output = dimension.output
        field = output.field.removeprefix("twist.")
        if dimension.kind.is_velocity and "/Twist" in output.type and field in fields:
            axes.append(
                {"name": dimension.name, "unit": dimension.unit, "index": fields.index(field)}
            )
    return axes


def twist_fields(twist: Sequence[float]) -> tuple[dict[str, float], dict[str, float]]:
    """Linear and angular of a geometry_msgs/Twist, of six numbers in m/s and rad/s."""
    linear, angular = twist[:3], twist[3:]
    return dict(zip("xyz", linear, strict=True)), dict(zip("xyz", angular, strict=True))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
