"""Joint states of a bag to which several drivers publish: what they tell together, as one message.

In lock-step each tick has one message of an input, so what a robot's nodes put together from the
messages of an arm's driver and a gripper's is put together here, by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vla_contract.joint_states import (
    Joint,
    JointStateError,
    JointTable,
    message_fields,
    read_joints,
)
from vla_contract.stamps import NANOSECONDS
from vla_replay.bags.message_codec import Codec
from vla_replay.play.bag_messages import Part

JOINT_STATE = "sensor_msgs/msg/JointState"


class JointParts(NamedTuple):
    """What a message told. Each is the message itself where one driver tells of all joints.

    publisher: its topic and joints. told: it and the others of its control period. together: the
    newest state of every joint that is not silent.
    """

    publisher: tuple[str, ...]
    told: Part
    together: Part


class JointMerger:
    """Puts the messages of one topic together, in the order of their coming."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._table = JointTable()
        self._period: dict[str, Joint] = {}

    def merge_message(self, part: Part, *, first: bool) -> JointParts:
        """A message came, the first of its control period or not.

        One that contradicts itself is left as it is, for the nodes to refuse.
        """
        message = self._codec.read(JOINT_STATE, part.data)
        publisher = (part.topic, *message.name)
        if first:
            self._period.clear()
        try:
            joints = read_joints(message).joints
        except JointStateError:
            return JointParts(publisher, part, part)
        self._period.update(joints)
        self._table.add(joints, part.stamp)
        together, stamp = self._table.together(part.stamp)
        return JointParts(
            publisher,
            self._merged(part, joints, self._period, part.stamp),
            self._merged(part, joints, together, stamp),
        )

    def forget(self) -> None:
        """Time jumped: another episode begins."""
        self._table.forget()
        self._period.clear()

    def _merged(
        self, part: Part, told: Mapping[str, Joint], known: Mapping[str, Joint], stamp: int
    ) -> Part:
        if told.keys() == known.keys():
            return part
        types = self._codec.types(JOINT_STATE)
        seconds, rest = divmod(stamp, NANOSECONDS)
        fields = message_fields(known)
        message = types[JOINT_STATE](
            header=types["std_msgs/msg/Header"](
                stamp=types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=rest), frame_id=""
            ),
            name=fields.pop("name"),
            **{name: np.array(values, dtype=np.float64) for name, values in fields.items()},
        )
        return Part(part.topic, stamp, self._codec.write(JOINT_STATE, message))
