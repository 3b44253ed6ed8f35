"""Messages of a bag put together by perception's own parts, as on the robot that runs freely.

Images of the cameras go through message_filters' approximate time, as in perception's
`camera_matcher`, with the parameters that the perception node has by default; the robot's state is
the one nearest to the oldest image (`robot_states`). Stamps that fall or come twice are refused, as
are images that are black, uniform or came by half. Time here is that of the stamps. A set needs
all cameras: where one is missing there is no demonstration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from std_msgs.msg import Header

from vla_contract.image_pixels import Image, resize_area
from vla_contract.joint_states import JointStateError, JointTable, PerPublisher, read_joints
from vla_contract.stamps import to_time
from vla_learning.bags.bag_episodes import Sight
from vla_perception.cameras import camera_images
from vla_perception.cameras.image_defects import ContentCheck
from vla_perception.observe.camera_matcher import Matcher  # with message_filters
from vla_perception.observe.robot_states import StateBuffer
from vla_perception.observe.stamped_streams import Drop, DropCounter, Refused, StampGate
from vla_perception.perception_config import CameraConfig, PerceptionConfig
from vla_perception.perception_conversions import Frame, check_pose, raw_pixels
from vla_policy.checkpoint.checkpoint import END_EFFECTOR_STATES

SECOND = 1_000_000_000
JOINT_STATE = "sensor_msgs/msg/JointState"


class BagSynchroniser:
    """Takes messages in the order of their arrival, gives the sets that they complete."""

    def __init__(
        self,
        cameras: Sequence[str],
        state_names: Sequence[str],
        size: tuple[int, int],
        config: PerceptionConfig | None = None,
    ) -> None:
        """size: height and width of the pictures. config: of perception; None: its defaults."""
        config = config or PerceptionConfig()
        self.drops = DropCounter()
        self.incomplete: dict[str, int] = {}  # state name → sets without it
        self._cameras = tuple(cameras)
        self._state_names = tuple(state_names)
        self._size = size
        self._slop = int(config.slop * SECOND)
        self._matcher = Matcher(config.queue_size, config.slop, self.drops)
        self._gates: dict[str, PerPublisher[StampGate]] = {}
        self._content = {name: ContentCheck(CameraConfig().detectors) for name in cameras}
        self._states: dict[str, StateBuffer[Mapping[str, float]]] = {}
        self._joints: dict[str, JointTable] = {}
        self._timeout = int(config.state_timeout * SECOND)
        self.restart()

    def restart(self) -> None:
        """Time jumped: forget what waits."""
        self._matcher.rebuild(self._cameras)
        self._gates.clear()
        self._states.clear()
        self._joints.clear()

    def image(self, camera: str, message: Any, stamp: int) -> list[Sight]:
        """An Image or CompressedImage came; stamp: ns, above 0."""
        try:
            self._gate(camera, stamp)
            frame = self._frame(camera, message, stamp)
        except Refused as refused:
            self.drops.count(camera, refused.reason)
            return []
        sights = (self._sight(frames) for frames in self._matcher.add(frame))
        return [sight for sight in sights if sight is not None]

    def state(self, source: str, kind: str, message: Any, stamp: int) -> None:
        """The robot's state came, in part: `source` is the topic, `kind` its type."""
        try:
            if kind == JOINT_STATE:
                values, stamp = self._joint_values(source, message, stamp)
            else:
                self._gate(source, stamp)
                check_pose(message.pose)
                position = message.pose.position
                xyz = (position.x, position.y, position.z)
                values = dict(zip(END_EFFECTOR_STATES, xyz, strict=True))
        except Refused as refused:
            self.drops.count(source, refused.reason)
            return
        span = self._slop + 2 * SECOND
        self._states.setdefault(source, StateBuffer(span)).add(stamp, values)

    def _joint_values(self, source: str, message: Any, stamp: int) -> tuple[dict[str, float], int]:
        """Positions of all joints that the topic tells of, and the newest of their stamps, ns."""
        self._gate(source, stamp, message.name)
        try:
            joints = read_joints(message).joints
        except JointStateError as error:
            raise Refused(Drop.NAMES, str(error)) from error
        table = self._joints.setdefault(source, JointTable(self._timeout))
        table.add(joints, stamp)
        together, newest = table.together(stamp)
        return {name: joint.position for name, joint in together.items()}, newest

    def _gate(self, stream: str, stamp: int, publisher: Sequence[str] = ()) -> None:
        gates = self._gates.setdefault(stream, PerPublisher(lambda: StampGate(None)))
        gates.of(publisher).check(stamp, 0)

    def _frame(self, camera: str, message: Any, stamp: int) -> Frame:
        reduction = 1
        if hasattr(message, "encoding"):
            pixels, bgr = raw_pixels(message)
        else:
            camera_images.check_format(message.format)
            (pixels, reduction), bgr = camera_images.decode(message.data, *self._size), True
        defect = self._content[camera].check(pixels, reduction)
        if defect is not None:
            raise Refused(defect.reason, defect.text)
        return Frame(camera, stamp, Header(stamp=to_time(stamp)), self._resized(pixels), bgr)

    def _resized(self, pixels: Image) -> Image:
        height, width = self._size
        if pixels.shape[0] < height or pixels.shape[1] < width:
            raise Refused(Drop.SIZE, f"it is smaller than {width}x{height}")
        return np.ascontiguousarray(resize_area(pixels, height, width))

    def _sight(self, frames: Mapping[str, Frame]) -> Sight | None:
        stamp = min(frame.stamp for frame in frames.values())
        values: dict[str, float] = {}
        for buffer in self._states.values():
            values.update(buffer.nearest(stamp, self._slop) or {})
        missing = [name for name in self._state_names if name not in values]
        for name in missing:
            self.incomplete[name] = self.incomplete.get(name, 0) + 1
        if missing:
            return None
        rgb = [
            frames[name].pixels[:, :, ::-1] if frames[name].bgr else frames[name].pixels
            for name in self._cameras
        ]
        state = np.array([values[name] for name in self._state_names], np.float32)
        return Sight(stamp, np.stack(rgb), state)


def state_values(kind: str, message: Any) -> dict[str, float]:
    """State names → SI values of a JointState or PoseStamped; what is not finite is not there."""
    if kind == "sensor_msgs/msg/JointState":
        values = zip(message.name, map(float, message.position), strict=False)
    else:
        place = message.pose.position
        values = zip(END_EFFECTOR_STATES, (place.x, place.y, place.z), strict=True)
    return {name: value for name, value in values if math.isfinite(value)}
