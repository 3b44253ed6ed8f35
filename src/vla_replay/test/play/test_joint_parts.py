"""What several drivers of one topic tell together, as one message with a stamp of its own."""

import math

import numpy as np

from vla_replay.bags import made_bags
from vla_replay.bags.message_codec import Codec
from vla_replay.play.bag_messages import Part
from vla_replay.play.joint_parts import JOINT_STATE, JointMerger

SECOND = 1_000_000_000
MS = SECOND // 1000


def part(stamp, names, position, velocity=()):
    data = made_bags.serialised(
        JOINT_STATE, header=made_bags.header(stamp), name=list(names),
        position=np.array(position, dtype=float), velocity=np.array(velocity, dtype=float),
        effort=np.zeros(0),
    )  # fmt: skip
    return Part("/joints", stamp, data)


def content(merged):
    message = Codec().read(JOINT_STATE, merged.data)
    stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
    assert stamp == merged.stamp and merged.topic == "/joints" and not message.header.frame_id
    return dict(zip(message.name, message.position.tolist(), strict=True)), message


def test_a_publisher_is_its_topic_and_its_joints():
    merger = JointMerger(Codec())
    assert merger.merge_message(part(1, ["a", "b"], [1, 2]), first=True).publisher == (
        "/joints", "a", "b",
    )  # fmt: skip
    contradiction = part(2, ["c", "d"], [1])
    assert merger.merge_message(contradiction, first=True) == (
        ("/joints", "c", "d"), contradiction, contradiction,
    )  # fmt: skip
    nameless = part(3, [], [])
    assert merger.merge_message(nameless, first=True) == (("/joints",), nameless, nameless)


def test_what_one_period_told_has_the_last_stamp_and_what_is_known_the_newest():
    merger = JointMerger(Codec())
    arm = part(2 * SECOND + 7, ["arm"], [1.0], [0.25])
    assert merger.merge_message(arm, first=True)[1:] == (arm, arm)
    gripper = part(2 * SECOND + 3, ["gripper"], [0.5])
    _, told, together = merger.merge_message(gripper, first=False)
    joints, message = content(told)
    assert joints == {"arm": 1.0, "gripper": 0.5} and told.stamp == 2 * SECOND + 3
    assert message.velocity[0] == 0.25 and math.isnan(message.velocity[1])
    assert not len(message.effort)
    assert content(together)[0] == joints and together.stamp == 2 * SECOND + 7


def test_the_first_of_a_period_tells_alone_what_is_told_in_it():
    merger = JointMerger(Codec())
    merger.merge_message(part(SECOND, ["arm"], [1.0]), first=True)
    gripper = part(SECOND + MS, ["gripper"], [0.5])
    _, told, together = merger.merge_message(gripper, first=True)
    assert told is gripper and content(together)[0] == {"arm": 1.0, "gripper": 0.5}


def test_after_a_jump_nothing_of_before_is_told():
    merger = JointMerger(Codec())
    merger.merge_message(part(SECOND, ["arm"], [1.0]), first=True)
    merger.forget()
    gripper = part(SECOND + MS, ["gripper"], [0.5])
    assert merger.merge_message(gripper, first=False)[1:] == (gripper, gripper)


def test_a_contradiction_adds_nothing_to_what_is_known():
    merger = JointMerger(Codec())
    merger.merge_message(part(SECOND, ["arm"], [1.0]), first=True)
    merger.merge_message(part(SECOND, ["gripper", "x"], [1.0]), first=False)
    arm = part(SECOND + MS, ["arm"], [2.0])
    assert merger.merge_message(arm, first=False)[1:] == (arm, arm)
