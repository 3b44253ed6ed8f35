"""Which messages belong together, which control period they go to, and what is counted as lost."""

import pytest
from timeline_rig import MS, SECOND, images_of, joint_message, joints_of, picture, play, stored

from vla_replay.bags import made_bags
from vla_replay.bags.blocks import JUMP, Key, Stored
from vla_replay.play.period_timeline import GAP, HISTORY, LEAD, PAUSE

BEGIN = 10 * SECOND
SLOP = 100 * MS
NEWER = "a newer one in the same control period"
SAME = "stamp as of the one before (replayed all the same)"
OLDER = "stamp out of order (replayed all the same)"


def sets_of(periods):
    return [each for period in periods for each in period.sets]


def test_of_two_states_in_one_period_the_newer_one_is_replayed_and_one_counted():
    messages = [joint_message(BEGIN + i * MS, arm=1.0 * i) for i in range(5)]
    timeline, periods = play(messages)
    told = [joints_of(period.inputs["joint_states"]) for period in periods]
    assert told == [{"arm": 0.0}, {"arm": 4.0}]
    assert timeline.drops == {("/joint_states", NEWER): 3}
    assert timeline.images == 0


def test_one_state_in_each_period_loses_nothing():
    timeline, periods = play([joint_message(BEGIN + i * 20 * MS, arm=1.0) for i in range(5)])
    assert len(periods) == 5 and all(period.inputs for period in periods)
    assert not timeline.drops and not timeline.notes


@pytest.mark.parametrize(
    ("stamps", "drops"),
    [
        ([0, 20, 40], {}),
        ([0, 0, 20], {SAME: 1}),
        ([0, 0, 0], {SAME: 2}),
        ([40, 0, 20, 60], {OLDER: 2}),
        ([40, 0, 40], {OLDER: 1, SAME: 1}),
    ],
)
@pytest.mark.parametrize("topic", ["/joint_states", "/camera/a"])
def test_a_stamp_that_does_not_rise_is_counted_by_how(stamps, drops, topic):
    messages = []
    for index, stamp in enumerate(stamps):
        if topic == "/camera/a":
            item = made_bags.image(BEGIN + stamp * MS, made_bags.picture(0, 8, 6), False)
        else:
            item = made_bags.joint_state(BEGIN + stamp * MS)
        messages.append(stored(item, time=BEGIN + index * 20 * MS, topic=topic))
    timeline, _ = play(messages)
    assert timeline.drops == {(topic, reason): n for reason, n in drops.items()}


def test_a_camera_is_no_input_of_the_safety_node_and_each_waits_in_its_own_queue():
    messages = [picture("/camera/b", BEGIN), picture("/camera/a", BEGIN + MS)]
    timeline, periods = play(messages, ("a", "b"))
    assert not any(period.inputs for period in periods) and timeline.images == 2
    (found,) = sets_of(periods)
    assert {name: part.topic for name, part in found.images.items()} == {
        "a": "/camera/a", "b": "/camera/b",
    }  # fmt: skip
    assert (found.stamp, found.skew) == (BEGIN, MS)


@pytest.mark.parametrize(
    ("second", "partner"), [(9, BEGIN), (10, BEGIN), (11, BEGIN + 20 * MS), (30, BEGIN + 20 * MS)]
)
def test_an_image_goes_with_the_nearest_one_of_the_other_camera(second, partner):
    messages = [
        picture("/camera/a", BEGIN),
        picture("/camera/b", BEGIN + second * MS),
        picture("/camera/a", BEGIN + 20 * MS),
    ]
    _, periods = play(sorted(messages, key=lambda m: m.key), ("a", "b"), period=500 * MS)
    pairs = [each for each in sets_of(periods) if len(each.images) == 2]
    assert [each.images["a"].stamp for each in pairs] == [partner]


@pytest.mark.parametrize(("apart", "together"), [(SLOP, True), (SLOP + 1, False)])
@pytest.mark.parametrize("cameras", ["ab", "ba"])
def test_images_within_slop_belong_together(apart, together, cameras):
    first, second = cameras
    messages = [picture(f"/camera/{first}", BEGIN), picture(f"/camera/{second}", BEGIN + apart)]
    _, periods = play(messages, ("a", "b"), period=SECOND, slop=SLOP)
    assert [len(each.images) for each in sets_of(periods)] == ([2] if together else [1, 1])


def test_an_image_waits_for_its_partner_until_slop_has_passed():
    messages = [picture("/camera/a", BEGIN)]
    messages += [joint_message(BEGIN + i * 20 * MS, arm=1.0) for i in range(1, 9)]
    _, periods = play(messages, ("a", "b"), slop=SLOP)
    assert [period.stamp - BEGIN for period in periods if period.sets] == [SLOP]


@pytest.mark.parametrize(("apart", "near"), [(SLOP, True), (SLOP + 1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_state_within_slop_of_an_image_goes_with_it(apart, near, sign):
    item = made_bags.joint_state(BEGIN + sign * apart)
    messages = [stored(item, time=BEGIN), picture("/camera/a", BEGIN)]
    _, periods = play(messages, slop=SLOP)
    (found,) = sets_of(periods)
    assert ("joint_states" in found.states) == near


@pytest.mark.parametrize(("later", "kept"), [(HISTORY, True), (HISTORY + 1, False)])
def test_states_are_kept_as_long_as_images_may_be_late(later, kept):
    """The image is of the first state's time, and the second state is years ahead."""
    ahead = made_bags.joint_state(BEGIN + 900 * SECOND)
    messages = [
        joint_message(BEGIN, arm=1.0),
        stored(ahead, time=BEGIN + later),
        picture("/camera/a", BEGIN + later, BEGIN),
    ]
    _, periods = play(messages)
    (found,) = sets_of(periods)
    assert ("joint_states" in found.states) == kept


@pytest.mark.parametrize(("gap", "episodes"), [(GAP, {1}), (GAP + 1, {1, 2})])
def test_a_silence_of_more_than_the_gap_begins_an_episode(gap, episodes):
    timeline, periods = play([picture("/camera/a", BEGIN), picture("/camera/a", BEGIN + gap)])
    assert {period.episode for period in periods} == episodes
    assert len(timeline.notes) == len(episodes) - 1


def test_each_episode_follows_the_one_before_after_a_pause():
    times = [(0, 100), (0, 100.03), (1, 5), (1, 5.05), (1, 90), (1, 90.01), (2, 90.5)]
    messages = [picture("/camera/a", round(t * SECOND), segment=s) for s, t in times]
    timeline, periods = play(messages)
    ends = [100 * SECOND + 40 * MS]
    ends.append(ends[0] + PAUSE + 60 * MS)
    ends.append(ends[1] + PAUSE + 20 * MS)
    first = {}
    for period in periods:
        first.setdefault(period.episode, period.stamp)
    assert first == {
        1: 100 * SECOND, 2: ends[0] + PAUSE, 3: ends[1] + PAUSE, 4: ends[2] + PAUSE,
    }  # fmt: skip
    assert [period.tick for period in periods] == list(range(1, len(periods) + 1))
    assert images_of(periods) == [message.key.time for message in messages]
    back = "time jumps back in the bag: another episode begins"
    silence = "85 s without any message are skipped; another episode begins"
    assert timeline.notes == [back, silence, back]


def test_a_jump_back_is_one_however_long_the_silence_was():
    messages = [picture("/camera/a", 10 * SECOND), picture("/camera/a", 90 * SECOND, segment=1)]
    timeline, _ = play(messages)
    assert timeline.notes == ["time jumps back in the bag: another episode begins"]


def test_silence_is_counted_from_the_newest_message_though_an_older_one_came_last():
    times = (BEGIN + 3 * SECOND, BEGIN + 2 * SECOND, BEGIN + 3 * SECOND + GAP)
    messages = [joint_message(time, arm=1.0) for time in times]
    _, periods = play([joint_message(BEGIN, arm=1.0), *messages])
    assert {period.episode for period in periods} == {1}


def test_topics_without_a_role_and_broken_messages_leave_the_rest_as_it_is():
    good = [joint_message(BEGIN + i * 20 * MS, arm=1.0) for i in range(3)]
    other = Stored(Key(0, BEGIN + MS), "/else", good[0].type, good[0].data)
    broken = Stored(Key(0, BEGIN + 2 * MS), "/joint_states", good[0].type, b"")
    _, periods = play([good[0], other, broken, *good[1:]])
    assert [len(period.inputs) for period in periods] == [1, 1, 1]


def test_a_bag_that_begins_behind_the_lead_keeps_its_time():
    timeline, periods = play([picture("/camera/a", LEAD + 1)])
    assert periods[0].stamp == LEAD + 1 and periods[0].tick == 1 and not timeline.notes


@pytest.mark.parametrize(("fall", "episodes"), [(JUMP - 1, {1}), (JUMP, {1, 2})])
def test_a_camera_whose_stamps_fall_by_a_jump_is_a_loop(fall, episodes):
    stamp = BEGIN + 50 * SECOND
    messages = [picture("/camera/a", BEGIN, stamp), picture("/camera/a", BEGIN + MS, stamp - fall)]
    timeline, periods = play(messages)
    assert {period.episode for period in periods} == episodes
    assert timeline.notes == ["time jumps back in the bag: another episode begins"] * (
        len(episodes) - 1
    )


def test_a_state_whose_stamps_fall_is_no_loop():
    old = stored(made_bags.joint_state(SECOND), time=BEGIN + MS)
    timeline, periods = play([joint_message(BEGIN, arm=1.0), old])
    assert {period.episode for period in periods} == {1}


def test_an_episode_knows_nothing_of_the_one_before():
    """No state of it is paired, no stamp of it counts as newer, no joint of it is told again."""
    once = [
        joint_message(BEGIN, gripper=0.5),
        joint_message(BEGIN + MS, arm=1.0),
        picture("/camera/a", BEGIN + 2 * MS),
    ]
    again = [
        Stored(Key(1, BEGIN), "/camera/a", once[2].type, once[2].data),
        Stored(Key(1, BEGIN + MS), "/joint_states", once[1].type, once[1].data),
        picture("/camera/a", BEGIN + 3 * MS, segment=1),
    ]
    timeline, periods = play([*once, *again])
    states = [each.states.get("joint_states") for each in sets_of(periods)]
    assert [part and joints_of(part) for part in states] == [
        {"gripper": 0.5, "arm": 1.0}, None, {"arm": 1.0},
    ]  # fmt: skip
    assert not timeline.drops


def test_two_drivers_have_an_order_of_stamps_each():
    messages = [
        joint_message(BEGIN, arm=1.0),
        joint_message(BEGIN, gripper=0.5),
        stored(joint_item(BEGIN - 5 * MS, gripper=0.6), time=BEGIN + 19 * MS),
        stored(joint_item(BEGIN, arm=2.0), time=BEGIN + 20 * MS),
    ]
    timeline, periods = play(messages)
    assert timeline.drops == {("/joint_states", OLDER): 1, ("/joint_states", SAME): 1}
    assert joints_of(periods[-1].inputs["joint_states"]) == {"gripper": 0.6, "arm": 2.0}


def joint_item(time, **positions):
    message = joint_message(time, **positions)
    return made_bags.Item(message.topic, message.type, time, message.data)


def test_a_pose_is_an_input_and_goes_with_an_image():
    pose = stored(made_bags.pose(BEGIN))
    _, periods = play([pose, picture("/camera/a", BEGIN + MS)])
    assert periods[0].inputs["end_effector_pose"].data == pose.data
    (found,) = sets_of(periods)
    assert found.states["end_effector_pose"].data == pose.data


def test_each_empty_command_is_counted():
    timeline, periods = play([stored(made_bags.text(BEGIN + i * MS, "")) for i in range(3)])
    assert timeline.drops == {("/vla/command", "an empty command"): 3} and not periods
