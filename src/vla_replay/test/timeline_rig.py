"""Bags as lists of messages, and what a timeline makes of them."""

import numpy as np

from vla_replay.bags import made_bags
from vla_replay.bags.blocks import Key, Stored
from vla_replay.bags.message_codec import Codec
from vla_replay.play.period_timeline import Layout, Timeline

MS = 1_000_000
SECOND = 1000 * MS
ROLES = {
    "/camera/a": "camera/a",
    "/camera/b": "camera/b",
    "/joint_states": "joint_states",
    "/end_effector_pose": "end_effector_pose",
    "/vla/command": "command",
}
PIXELS = made_bags.picture(0, 8, 6)


def stored(item, segment=0, time=None, topic=None):
    return Stored(Key(segment, time or item.time), topic or item.topic, item.kind, item.data)


def picture(topic, time, stamp=None, segment=0):
    item = made_bags.image(stamp if stamp is not None else time, PIXELS, False)
    return stored(item, segment, time, topic)


def play(messages, cameras=("a",), period=20 * MS, slop=100 * MS, roles=ROLES):
    timeline = Timeline(Layout(period, slop, cameras, roles))
    return timeline, list(timeline.periods(messages))


def images_of(steps):
    return [part.stamp for step in steps for s in step.sets for part in s.images.values()]


def joints_of(part):
    message = Codec().read("sensor_msgs/msg/JointState", part.data)
    return dict(zip(message.name, message.position.tolist(), strict=True))


def joint_message(time, **positions):
    kind = "sensor_msgs/msg/JointState"
    empty = np.zeros(0)
    data = made_bags.serialised(
        kind, header=made_bags.header(time), name=list(positions),
        position=np.array(list(positions.values())), velocity=empty, effort=empty,
    )  # fmt: skip
    return stored(made_bags.Item("/joint_states", kind, time, data))
