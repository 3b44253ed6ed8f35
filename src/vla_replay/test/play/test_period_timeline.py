"""Every image of a bag is in exactly one step, and steps are evenly spaced within an episode."""

import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline_rig import (
    MS,
    PIXELS,
    ROLES,
    SECOND,
    images_of,
    joint_message,
    joints_of,
    picture,
    play,
    stored,
)

from vla_replay.bags import cdr_fields, made_bags
from vla_replay.bags.blocks import Key, Stored
from vla_replay.play.free_running_replay import FreeRunningReplay
from vla_replay.play.period_timeline import HISTORY, LEAD, Layout, Timeline


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 300), min_size=1, max_size=60),
    other=st.lists(st.integers(1, 300), max_size=60),
    period=st.sampled_from([5, 12, 20, 50]),
)
def test_every_image_is_in_exactly_one_step(gaps, other, period):
    a = [picture("/camera/a", int(t) * MS) for t in np.cumsum(gaps) + 1000]
    b = [picture("/camera/b", int(t) * MS) for t in np.cumsum(other) + 1000] if other else []
    messages = sorted([*a, *b], key=lambda m: m.key)
    timeline, steps = play(messages, ("a", "b") if b else ("a",), period * MS)
    assert sorted(images_of(steps)) == sorted(m.key.time for m in messages)
    assert timeline.images == len(messages)
    assert [step.tick for step in steps] == list(range(1, len(steps) + 1))
    stamps = [step.stamp for step in steps]
    assert set(np.diff(stamps)) <= {period * MS}
    for step in steps:
        for each in step.sets:
            assert all(part.stamp <= step.stamp for part in each.images.values())


def test_images_of_two_cameras_are_paired_by_their_stamps():
    messages = []
    for i in range(5):
        messages.append(picture("/camera/a", SECOND + i * 33 * MS))
        messages.append(picture("/camera/b", SECOND + i * 33 * MS + 8 * MS))
    _, steps = play(messages, ("a", "b"))
    sets = [each for step in steps for each in step.sets]
    assert [len(each.images) for each in sets] == [2] * 5
    assert {each.skew for each in sets} == {8 * MS}


def test_a_camera_that_ends_does_not_hold_back_the_other():
    messages = [picture("/camera/a", SECOND + i * 50 * MS) for i in range(20)]
    messages.insert(1, picture("/camera/b", SECOND + MS))
    _, steps = play(messages, ("a", "b"))
    assert len(images_of(steps)) == 21


def test_faster_than_the_control_period_is_several_sets_in_one_step():
    messages = [picture("/camera/a", SECOND + i * 8 * MS) for i in range(20)]
    _, steps = play(messages, period=50 * MS)
    assert max(len(step.sets) for step in steps) > 1
    assert len(images_of(steps)) == 20


def test_the_nearest_state_goes_with_an_image():
    states = [stored(made_bags.joint_state(SECOND + i * 10 * MS)) for i in range(20)]
    messages = sorted(
        [*states, picture("/camera/a", SECOND + 94 * MS, SECOND + 61 * MS)], key=lambda m: m.key
    )
    _, steps = play(messages)
    (found,) = [each for step in steps for each in step.sets]
    assert found.states["joint_states"].stamp == SECOND + 60 * MS


def test_one_stamp_of_years_ahead_does_not_keep_the_states_that_follow_it():
    ahead = stored(made_bags.joint_state(2**31 * SECOND - SECOND), time=SECOND)
    states = [stored(made_bags.joint_state(SECOND + i * 10 * MS)) for i in range(1, 1000)]
    timeline = Timeline(Layout(20 * MS, 100 * MS, ("a",), ROLES))
    kept = [len(timeline._states["joint_states"]) for _ in timeline.periods([ahead, *states])]
    assert max(kept) <= HISTORY // (10 * MS) + 2
    image = picture("/camera/a", 9 * SECOND)
    _, steps = play(sorted([ahead, *states, image], key=lambda message: message.key))
    (found,) = [each for step in steps for each in step.sets]
    assert found.states["joint_states"].stamp == 9 * SECOND


def test_time_that_falls_and_long_silence_begin_an_episode():
    first = [picture("/camera/a", 50 * SECOND + i * 50 * MS) for i in range(5)]
    second = [picture("/camera/a", 10 * SECOND + i * 50 * MS, segment=1) for i in range(5)]
    third = [picture("/camera/a", 60 * SECOND + i * 50 * MS, segment=1) for i in range(5)]
    timeline, steps = play([*first, *second, *third])
    assert {step.episode for step in steps} == {1, 2, 3}
    assert len(images_of(steps)) == 15
    assert all(b.stamp > a.stamp for a, b in zip(steps, steps[1:], strict=False))
    assert len(steps) < 400  # 50 s of silence are not stepped through
    assert timeline.notes == [
        "time jumps back in the bag: another episode begins",
        "50 s without any message are skipped; another episode begins",
    ]


def test_a_recorded_loop_is_seen_by_the_cameras_own_stamps():
    once = [SECOND * 20 + i * 50 * MS for i in range(40)]
    messages = [
        picture("/camera/a", SECOND * 100 + i * 50 * MS, stamp) for i, stamp in enumerate(once * 2)
    ]
    timeline, steps = play(messages)
    assert {step.episode for step in steps} == {1, 2}
    assert len(images_of(steps)) == 80


@pytest.mark.parametrize("begin", [0, 1, LEAD])
def test_a_bag_whose_time_begins_at_0_leaves_room_before_its_first_tick(begin):
    messages = [
        Stored(Key(0, begin + i * 33 * MS), "/camera/a", item.kind, item.data)
        for i in range(4)
        for item in [made_bags.image(begin + i * 33 * MS, PIXELS, False)]
    ]
    timeline, steps = play(messages)
    assert steps[0].stamp == begin + SECOND
    assert images_of(steps) == [message.key.time for message in messages]
    assert set(np.diff([step.stamp for step in steps])) == {20 * MS}
    assert timeline.notes == ["the bag's time begins at 0: the replay's times are 1 s later"]


def test_broken_messages_are_counted_by_topic_and_reason():
    good = picture("/camera/a", SECOND)
    broken = [
        replace(good, data=good.data[:40]),
        replace(good, data=b""),
        replace(good, data=good.data[:-5]),
        replace(good, data=b"\x05\x06" + good.data[2:]),
    ]
    timeline, steps = play([good, *broken])
    assert len(images_of(steps)) == 1
    assert sum(n for (_, why), n in timeline.drops.items() if "broken" in why) == 4


def odometry(time):
    types = made_bags.STORE.types
    vector = types["geometry_msgs/msg/Vector3"](x=0.1, y=0.0, z=0.0)
    pose = types["geometry_msgs/msg/Pose"](
        position=types["geometry_msgs/msg/Point"](x=0.0, y=0.0, z=0.0),
        orientation=types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
    )
    twist = types["geometry_msgs/msg/Twist"](linear=vector, angular=vector)
    data = made_bags.serialised(
        "nav_msgs/msg/Odometry",
        header=made_bags.header(time),
        child_frame_id="base_link",
        pose=types["geometry_msgs/msg/PoseWithCovariance"](pose=pose, covariance=np.zeros(36)),
        twist=types["geometry_msgs/msg/TwistWithCovariance"](twist=twist, covariance=np.zeros(36)),
    )
    return made_bags.Item("/odom", "nav_msgs/msg/Odometry", time, data)


@pytest.mark.parametrize("make", [made_bags.joint_state, made_bags.pose, odometry])
def test_robot_state_that_is_cut_anywhere_is_counted_and_not_replayed(make):
    good = stored(make(SECOND), topic="/joint_states")
    cut = [replace(good, data=good.data[:length]) for length in range(len(good.data))]
    timeline, steps = play([*cut, picture("/camera/a", SECOND)])
    assert not any(step.inputs for step in steps)
    assert not any(each.states for step in steps for each in step.sets)
    assert sum(n for (_, why), n in timeline.drops.items() if "broken" in why) == len(cut)


def test_what_fast_dds_leaves_behind_a_message_does_not_break_it():
    good = stored(made_bags.joint_state(SECOND))
    timeline, steps = play([replace(good, data=good.data + b"\x07" * 8)])
    assert steps[0].inputs and not timeline.drops


def test_commands_are_read():
    _, steps = play(
        [stored(made_bags.text(SECOND, "open the drawer")), picture("/camera/a", SECOND)]
    )
    assert steps[0].commands == ["open the drawer"]


def test_a_command_and_its_acceptance_are_one_command():
    """In either order; a goal of the action is there as accepted alone, and may be said again."""

    def said(time, words, topic="/vla/command"):
        return stored(made_bags.text(SECOND + time * MS, words, topic))

    accepted = "/vla/accepted_command"
    timeline, steps = play(
        [
            said(0, "", accepted),  # none is in force
            said(10, "Open  the Drawer"), said(14, "open the drawer", accepted),
            said(300, "close it", accepted), said(310, "close it"),
            said(600, "push", accepted), said(900, "push", accepted),
            said(1200, "stop", accepted),
            said(1300, "push", accepted), said(2400, "push"),  # too late to be the answer
        ],
        roles={**ROLES, accepted: "command"},
    )  # fmt: skip
    given = [text for step in steps for text in step.commands]
    assert given == ["Open  the Drawer", "close it", "push", "push", "stop", "push", "push"]
    assert not timeline.drops


def test_a_command_that_is_cut_or_empty_is_counted_and_not_given():
    good = stored(made_bags.text(SECOND, "open the drawer"))
    empty = stored(made_bags.text(SECOND, ""))
    cut = [replace(good, data=good.data[:length]) for length in range(len(good.data))]
    timeline, steps = play([*cut, empty, good])
    assert [text for step in steps for text in step.commands] == ["open the drawer"]
    assert sum(n for (_, why), n in timeline.drops.items() if "broken" in why) == len(cut)
    assert timeline.drops["/vla/command", "an empty command"] == 1


def test_a_stamp_is_put_into_a_message_and_read_back():
    item = made_bags.joint_state(SECOND)
    changed = cdr_fields.with_stamp(item.data, 77 * SECOND + 5)
    assert cdr_fields.stamp_of(changed) == 77 * SECOND + 5
    read = made_bags.STORE.deserialize_cdr(changed, item.kind)
    assert (read.header.stamp.sec, read.header.stamp.nanosec) == (77, 5)
    assert len(changed) == len(item.data)


class StillPlayer:
    """Keeps when each image was given, in the bag's time."""

    def __init__(self):
        session = SimpleNamespace(begin=0, drops=Counter())
        self.answers = SimpleNamespace(session=session, now=0, recording=False)
        self.images = []

    def clock(self, stamp):
        self.answers.now = stamp

    def image(self, camera, data, stamp):
        self.images.append(stamp)


@pytest.mark.parametrize("begin", [0, SECOND])
def test_at_a_rate_a_long_silence_is_not_waited_for(begin):
    times = [begin, begin + 3_600_000 * SECOND, begin + 3_600_000 * SECOND + 50 * MS]
    messages = []
    for time in times:
        item = made_bags.image(time, PIXELS, False)
        messages.append(Stored(Key(0, time), "/camera/a", item.kind, item.data))
    player = StillPlayer()
    timeline = Timeline(Layout(20 * MS, 100 * MS, ("a",), ROLES))

    def check():
        assert player.answers.now < begin + 10 * SECOND, "it waits for the silence to pass"

    replay = FreeRunningReplay(
        player, lambda seconds: None, check, rate=100.0, command=None, timeline=timeline
    )
    replay.run(messages, ROLES)
    assert player.images == [begin, begin + SECOND, begin + SECOND + 50 * MS]
    assert timeline.notes == ["3600000 s without any message are played as 1 s"]


def test_two_drivers_of_joint_states_tell_together():
    """Of a control period what both told in it, of an image the newest of each joint."""
    messages = [
        joint_message(SECOND, gripper=0.1),
        joint_message(SECOND + 5 * MS, arm=1.0, wrist=2.0),
        joint_message(SECOND + 25 * MS, arm=1.1, wrist=2.1),
        joint_message(SECOND + 26 * MS, gripper=0.2),
        picture("/camera/a", SECOND + 30 * MS),
    ]
    timeline, steps = play(messages)
    told = [joints_of(step.inputs["joint_states"]) for step in steps if step.inputs]
    assert told == [
        {"gripper": 0.1},
        {"arm": 1.0, "wrist": 2.0},
        {"arm": 1.1, "wrist": 2.1, "gripper": 0.2},
    ]
    (seen,) = (each for step in steps for each in step.sets)
    assert joints_of(seen.states["joint_states"]) == {"gripper": 0.2, "arm": 1.1, "wrist": 2.1}
    assert seen.states["joint_states"].stamp == SECOND + 26 * MS
    assert not timeline.drops, "two drivers of one period: nothing is lost"


def test_messages_of_one_driver_are_replayed_as_they_are():
    messages = [joint_message(SECOND + i * 5 * MS, arm=1.0 * i, wrist=2.0) for i in range(8)]
    _, steps = play([*messages, picture("/camera/a", SECOND + 36 * MS)])
    known = {message.data for message in messages}
    parts = [step.inputs["joint_states"] for step in steps if step.inputs]
    parts += [each.states["joint_states"] for step in steps for each in step.sets]
    assert parts and all(part.data in known for part in parts)


def test_a_joint_state_that_contradicts_itself_is_left_for_the_nodes_to_refuse():
    broken = joint_message(SECOND, arm=math.nan)
    _, steps = play([joint_message(SECOND - MS, gripper=0.1), broken])
    assert steps[-1].inputs["joint_states"].data == broken.data
