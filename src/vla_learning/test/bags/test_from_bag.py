"""Bags to episodes, by perception's own synchronisation; whatever is wrong is one line."""

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("av")
pytest.importorskip("pyarrow")

from rosbags.rosbag1 import Writer as Writer1
from rosbags.typesys import Stores, get_typestore

from vla_contract.action_space import ActionSpace
from vla_learning.bags.from_bag import convert
from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset import load_frames
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.lerobot_reader import LeRobotDataset
from vla_learning.learn_cli import main
from vla_learning.learning_settings import Settings
from vla_learning.tiny_learning import tiny_config
from vla_replay.bags import cdr_fields
from vla_replay.bags.made_bags import (
    STORE,
    Item,
    Recipe,
    header,
    items,
    serialised,
    text,
    write_bag,
)
from vla_replay.bags.message_codec import Codec

ROOT = Path(__file__).resolve().parents[4]
ARM = ROOT / "src/vla_replay/test/data/drawer_open.mcap"
TWO = (("/camera/corner2/image_raw", 20.0), ("/camera/gripper_pov/image_raw", 20.0))
RECIPE = Recipe(TWO, seconds=2.0, state_rate=80.0, command="", distinct=7)
TICK = 12_500_000  # ns
TWIST, EFFORT = "geometry_msgs/msg/TwistStamped", "std_msgs/msg/Float64"


def commands(recipe, moving=(0.2, 1.5), stamped=True):
    """What the robot is sent at 80 Hz: moves along x within these seconds."""
    types = STORE.types
    for tick in range(round(recipe.seconds * 80)):
        time = recipe.start + tick * TICK
        speed = 0.001 * tick if moving[0] <= tick / 80 < moving[1] else 0.0
        vector = types["geometry_msgs/msg/Vector3"]
        twist = types["geometry_msgs/msg/Twist"](
            linear=vector(x=speed, y=0.0, z=0.0), angular=vector(x=0.0, y=0.0, z=0.0)
        )
        stamp = header(time if stamped else 0)
        yield Item(
            "/arm/end_effector_twist", TWIST, time, serialised(TWIST, header=stamp, twist=twist)
        )
        yield Item("/arm/gripper_effort", EFFORT, time, serialised(EFFORT, data=1.0))


def recorded(recipe=RECIPE, extra=(), without="", **options):
    found = [*items(recipe), *commands(recipe, **options), *extra]
    return sorted((i for i in found if i.topic != without), key=lambda item: item.time)


def run(bag, folder, settings, space, command=None, **remaps):
    names = {f"/{topic}": target for topic, target in remaps.items()}
    return convert([bag], folder, settings, space, command, names)


def test_the_arm_of_the_simulator(tmp_path, space):
    """Images, states and actions of the replay's bag, at their ticks."""
    settings = Settings.load(ROOT / "config/learning/metaworld.yaml")
    report = run(ARM, tmp_path / "data", settings, space, "open the drawer")
    assert (report.episodes, report.notes) == (1, [])
    dataset = LeRobotDataset(tmp_path / "data")
    episode = dataset.episodes[0]
    assert episode.tasks == ("open the drawer",) and episode.length >= 20
    requested = dataset.column(episode, form.REQUESTED).reshape(-1, 4, 4)
    assert np.abs(np.diff(requested.reshape(-1, 4)[:, :3], axis=0)).max() < 0.2  # within its limits
    state = dataset.column(episode, form.STATE)
    moved = np.diff(state[:, :3], axis=0)
    asked = dataset.column(episode, form.EXECUTED).reshape(-1, 4, 4)[:-1, :, :3].sum(1) * 0.0125
    assert np.corrcoef(moved.ravel(), asked.ravel())[0, 1] > 0.9
    again = run(ARM, tmp_path / "data", settings, space, "open the drawer")
    assert (again.episodes, again.present) == (0, 1)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3", "ros1"])
def test_every_kind_of_bag(tmp_path, settings, space, storage):
    content = recorded()
    bag = tmp_path / "bag.bag" if storage == "ros1" else tmp_path / "bag"
    if storage == "ros1":
        write_ros1(bag, content)
    else:
        write_bag(bag, content, storage)
    report = run(bag, tmp_path / "data", settings, space, "Open the door!")
    assert report.episodes == 1
    dataset = LeRobotDataset(tmp_path / "data")
    episode = dataset.episodes[0]
    rows = dataset.column(episode, form.REQUESTED).reshape(-1, 4)
    begin = 12  # one frame before the first motion, at tick 16
    assert rows[:8, 0].tolist() == pytest.approx([0, 0, 0, 0, 0.016, 0.017, 0.018, 0.019])
    assert dataset.column(episode, form.SUCCESS_TICK)[0] == 120 - begin
    assert dataset.column(episode, form.ROW_COUNT).sum() == 120 - begin + 32
    assert set(dataset.column(episode, form.TASK_NAME)) == {"one"}
    frames = load_frames(
        tmp_path / "data", replace(settings, commands={"one": settings.commands["one"]}), space
    )
    assert frames.count == episode.length


def test_another_driver_on_the_topic_of_joint_states_changes_nothing(tmp_path, settings, space):
    """Its messages hold none of the needed joints, one that is NaN, and stamps that cross."""
    kind, empty = "sensor_msgs/msg/JointState", np.zeros(0)
    extra = [
        Item("/joint_states", kind, time, serialised(
            kind, header=header(time - 2 * TICK), name=["arm", "wheel"],
            position=np.array([1.0, np.nan]), velocity=np.full(2, np.nan), effort=empty,
        ))
        for time in range(RECIPE.start + TICK // 2, RECIPE.start + 2 * 10**9, TICK)
    ]  # fmt: skip
    states, notes = [], []
    for name, content in (("alone", recorded()), ("shared", recorded(extra=extra))):
        write_bag(tmp_path / f"{name}_bag", content)
        report = run(tmp_path / f"{name}_bag", tmp_path / name, settings, space, "open the door")
        assert report.episodes == 1
        notes.append(report.notes)
        dataset = LeRobotDataset(tmp_path / name)
        states.append(dataset.column(dataset.episodes[0], form.STATE))
    np.testing.assert_array_equal(states[0], states[1])
    assert notes[0] == notes[1], "no set of images without a state, but for the first"


def write_ros1(path, content):
    store, codec = get_typestore(Stores.ROS1_NOETIC), Codec()

    def old(message):
        kind = getattr(message, "__msgtype__", None)
        if kind is None:
            return message
        values = {
            f.name: old(getattr(message, f.name))
            for f in fields(message)
            if f.name != "__msgtype__"
        }
        return store.types[kind](**({"seq": 0} if kind == "std_msgs/msg/Header" else {}), **values)

    with Writer1(path) as writer:
        known = {}
        for item in content:
            if item.topic not in known:
                known[item.topic] = writer.add_connection(item.topic, item.kind, typestore=store)
            data = store.serialize_ros1(old(codec.read(item.kind, item.data)), item.kind)
            writer.write(known[item.topic], item.time, data)


def test_commands_delimit_episodes(tmp_path, settings, space):
    start = RECIPE.start
    words = [(0, "open the door"), (0.6, "dance"), (1.0, "shut it"), (1.6, "stop")]
    spoken = [text(start + round(seconds * 1e9), said) for seconds, said in words]
    bag = write_bag(tmp_path / "bag", recorded(extra=spoken))
    report = run(bag, tmp_path / "data", settings, space)
    assert report.episodes == 2
    assert report.skipped == {"'dance'": "it is none of the config's commands"}
    assert not any("training takes" in note for note in report.notes)
    found = LeRobotDataset(tmp_path / "data")
    assert [e.tasks[0] for e in found.episodes] == ["open the door", "shut it"]
    ends = [found.column(e, form.SEED)[0] + e.length * 50 for e in found.episodes]
    assert ends[0] <= start // 10**6 + 650 and ends[1] <= start // 10**6 + 1650
    for relabelled, noted in ((1, False), (0, True)):
        collect = replace(settings.collect, episodes=1, relabelled_episodes=relabelled)
        report = run(bag, tmp_path / "data", replace(settings, collect=collect), space, "shut it")
        note = "2 episodes of two; training takes the first 1: collect.episodes and relabelled_ep"
        assert any(note in each for each in report.notes) == noted


def test_a_broken_command_ends_the_episode_and_is_counted(tmp_path, settings, space):
    whole = text(RECIPE.start, "open the door")
    cut = text(RECIPE.start + 10**9, "shut it")
    bag = write_bag(
        tmp_path / "bag", recorded(extra=[whole, replace(cut, data=bytes(cut.data[:6]))])
    )
    report = run(bag, tmp_path / "data", settings, space)
    assert "/vla/command: 1 lost (broken message)" in report.notes
    dataset = LeRobotDataset(tmp_path / "data")
    assert [episode.tasks[0] for episode in dataset.episodes] == ["open the door"]
    first = dataset.column(dataset.episodes[0], form.SEED)[0]
    assert first + dataset.episodes[0].length * 50 <= RECIPE.start // 10**6 + 1050


def safe_actions(recipe, space, name="metaworld"):
    codec, kind = Codec(), "vla_interfaces/msg/SafeAction"
    types = codec.types(kind)
    for tick in range(round(recipe.seconds * 80)):
        time = recipe.start + tick * TICK
        asked = [0.5, 0.0, 0.0, 1.0] if tick > 40 else [np.nan] * 4
        message = types[kind](
            header=header(time), tick=tick, period=0.0125, observation_stamp=header(0).stamp,
            observation_age=0.0, action_space=name, dimension_names=list(space.dimension_names),
            requested=np.array(asked), safe=np.array([0.25, 0.0, 0.0, 0.5]), violations=[],
            warnings=[], input="joystick", verdict=1, state=1, emergency=False,
            outputs_connected=True, command_id=1, path_speed=1.0, slowed_by="",
        )  # fmt: skip
        yield Item("/vla/safe_action", kind, time, codec.write(kind, message))


def test_safe_actions_tell_what_was_asked_for_and_what_was_sent(tmp_path, settings, space):
    bag = tmp_path / "bag"
    save(bag, [*recorded(), *safe_actions(RECIPE, space)])
    run(bag, tmp_path / "data", settings, space, "pull")
    dataset = LeRobotDataset(tmp_path / "data")
    rows = dataset.column(dataset.episodes[0], form.REQUESTED).reshape(-1, 4)
    assert rows[0].tolist() == [0.25, 0.0, 0.0, 0.5] and rows[-1].tolist() == [0.5, 0.0, 0.0, 1.0]
    assert (dataset.column(dataset.episodes[0], form.EXECUTED).reshape(-1, 4)[:, 0] == 0.25).all()


def save(bag, content):
    from vla_contract.recording import BagWriter

    with BagWriter(bag) as writer:
        for item in sorted(content, key=lambda item: item.time):
            if not writer.has(item.topic):
                writer.add_topic(item.topic, item.kind)
            writer.write(item.topic, item.data, item.time)


def other_space(space):
    return [*recorded(), *safe_actions(RECIPE, space, "crane")]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (lambda s: recorded(without="/camera/gripper_pov/image_raw"), "no images of gripper_pov"),
        (lambda s: recorded(without="/end_effector_pose"), "the policy needs end_effector_pose"),
        (
            lambda s: recorded(without="/arm/gripper_effort"),
            "which topic holds the actions of grip",
        ),
        (lambda s: recorded(moving=(9, 9)), "the robot did not move, or images did not come"),
        (lambda s: recorded(replace(RECIPE, cameras=(TWO[0], (TWO[1][0], 4.0)))), "sets a second"),
        (
            other_space,
            "/vla/safe_action is of the action space crane .*; the config's is metaworld",
        ),
    ],
)
def test_a_bag_that_cannot_be_used_is_one_line(
    tmp_path, settings, space, capsys, monkeypatch, content, text
):
    save(tmp_path / "bag", content(space))
    assert command_line(tmp_path, "--command", "open the door") == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and line.startswith("vla learn: ")
    assert re.search(text, line), line


def command_line(tmp_path, *more):
    config = tmp_path / "learning" / "tiny.yaml"
    arguments = ["from-bag", str(tmp_path / "bag"), "--config", str(config)]
    return main([*arguments, "--out", str(tmp_path / "data"), *more])


def test_wrong_use_is_one_line(tmp_path, settings, capsys):
    assert command_line(tmp_path) == 1
    assert "there is no such file" in capsys.readouterr().err
    save(tmp_path / "bag", recorded())
    assert command_line(tmp_path) == 1
    assert "no episode came of" in capsys.readouterr().err
    assert command_line(tmp_path, "--command", "dance") == 1
    assert "'dance': it is none of the config's commands" in capsys.readouterr().err
    assert command_line(tmp_path, "--command", "pull", "--remap", "/x:=action/gripper_effort") == 1
    assert "--remap /x:=action/gripper_effort: there is no such topic" in capsys.readouterr().err
    assert command_line(tmp_path, "--command", "pull") == 0
    assert "1 new episodes in" in capsys.readouterr().out


def test_clocks_that_differ_are_refused(tmp_path, settings, space):
    late = [replace(item, time=item.time + 10**12) for item in recorded()]
    save(tmp_path / "bag", late)
    with pytest.raises(
        DemonstrationError, match="gripper_effort tells no action: it has no stamps.* by 1000.0 s"
    ):
        run(tmp_path / "bag", tmp_path / "data", settings, space, "pull")


SO101 = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"


@pytest.fixture
def arm(tmp_path):
    """Settings and action space of an arm that a JointTrajectory moves, with one camera."""
    content = tiny_config(ROOT)
    content["action_space"] = str(ROOT / "config/action_spaces/so101.yaml")
    content["cameras"], content["state_names"] = ["front"], list(SO101)
    content["collect"]["image_period"], content["train"]["state_noise"] = 2, [0.02] * 6
    path = tmp_path / "so101.yaml"
    path.write_text(yaml.safe_dump(content))
    loaded = Settings.load(path)
    return loaded, ActionSpace.load(loaded.action_space)


def arm_bag(path, plans, seconds=5.0, joints=0.0, stamped=True):
    """Images and joints at 25 Hz; plans: (s when sent, [(time_from_start in s, position)])."""
    types, kind = STORE.types, "sensor_msgs/msg/JointState"
    recipe = Recipe((("/camera/front/image_raw", 25.0),), seconds=seconds, state_rate=25.0,
                    command="", pose=False, width=128, height=128)  # fmt: skip
    content = [item for item in items(recipe) if item.topic != "/joint_states"]
    for tick in range(round(seconds * 25)):
        time = recipe.start + tick * 40_000_000
        values = np.full(6, joints)
        fields = {"position": values, "velocity": np.full(6, np.nan), "effort": np.zeros(0)}
        data = serialised(kind, header=header(time), name=list(SO101), **fields)
        content.append(Item("/joint_states", kind, time, data))
    for sent, points in plans:
        time = recipe.start + round(sent * 1e9)
        made = [
            types["trajectory_msgs/msg/JointTrajectoryPoint"](
                positions=np.full(6, position), velocities=np.zeros(0), accelerations=np.zeros(0),
                effort=np.zeros(0),
                time_from_start=types["builtin_interfaces/msg/Duration"](
                    sec=int(after), nanosec=round(after % 1 * 1e9)
                ),
            )
            for after, position in points
        ]  # fmt: skip
        head = header(time if stamped else 0)
        data = serialised(TRAJECTORY, header=head, joint_names=list(SO101), points=made)
        content.append(Item("/controller/joint_trajectory", TRAJECTORY, time, data))
    return write_bag(path, sorted(content, key=lambda item: item.time)), recipe.start


def labels(folder, start):
    """(time in s since `start`, requested position of the first joint) of each row."""
    dataset = LeRobotDataset(folder)
    (episode,) = dataset.episodes
    rows = dataset.column(episode, form.REQUESTED).reshape(-1, 6)
    begin = dataset.column(episode, form.SEED)[0] / 1e3 - start / 1e9
    return begin + 0.02 * np.arange(len(rows)), rows[:, 0]


@pytest.mark.parametrize("stamped", [True, False])
def test_the_points_of_a_plan_are_due_at_their_times(tmp_path, arm, stamped):
    """Two motions as a planner sends them, 40 points each: 0 to 0.6 to -0.4."""
    first = [(0.05 * (i + 1), 0.6 * (i + 1) / 40) for i in range(40)]
    second = [(0.05 * (i + 1), 0.6 - (i + 1) / 40) for i in range(40)]
    bag, start = arm_bag(tmp_path / "bag", [(0.2, first), (2.7, second)], stamped=stamped)
    report = run(bag, tmp_path / "data", *arm, "open the door")
    assert report.episodes == 1
    times, found = labels(tmp_path / "data", start)
    expected = np.interp(times, [0.2, 2.2, 2.7, 4.7], [0.0, 0.6, 0.6, -0.4])
    assert found == pytest.approx(expected, abs=0.002)
    assert times[0] < 0.25 and times[-1] > 4.7  # the whole motion, nothing of it cut as waiting


def test_a_lone_point_far_away_in_time_is_no_setpoint(tmp_path, arm):
    bag, start = arm_bag(tmp_path / "bag", [(1.0, [(2.0, 1.0)])], joints=0.2)
    run(bag, tmp_path / "data", *arm, "open the door")
    times, found = labels(tmp_path / "data", start)
    assert found == pytest.approx(np.interp(times, [1.0, 3.0], [0.2, 1.0]), abs=0.002)


def test_an_empty_trajectory_stops(tmp_path, arm):
    bag, start = arm_bag(tmp_path / "bag", [(1.0, [(2.0, 1.0)]), (2.0, [])])
    run(bag, tmp_path / "data", *arm, "open the door")
    times, found = labels(tmp_path / "data", start)
    assert found == pytest.approx(np.interp(times, [1.0, 2.0], [0.0, 0.5]), abs=0.002)


def test_a_stream_of_setpoints_is_as_sent(tmp_path, arm):
    """As the safety node sends them: one point, due within a period."""
    plans = [(0.04 * i, [(0.04, 0.03 * i)]) for i in range(50)]
    bag, start = arm_bag(tmp_path / "bag", plans, seconds=2.0)
    run(bag, tmp_path / "data", *arm, "open the door")
    times, found = labels(tmp_path / "data", start)
    assert found == pytest.approx(0.03 * np.floor(times / 0.04 + 1e-3), abs=1e-4)


def test_one_bad_message_costs_itself_and_not_the_bag(tmp_path, settings, space):
    """Cut short, not finite, of another clock, and a camera's stamp of the year 2033."""
    content = recorded()
    twists = [i for i, item in enumerate(content) if item.topic == "/arm/end_effector_twist"]
    images = [i for i, item in enumerate(content) if "corner2" in item.topic]
    nan = next(commands(RECIPE, moving=(0, 9)))
    vector = STORE.types["geometry_msgs/msg/Vector3"](x=np.nan, y=0.0, z=0.0)
    body = STORE.types["geometry_msgs/msg/Twist"](linear=vector, angular=vector)
    time = content[twists[40]].time
    data = serialised(TWIST, header=header(time), twist=body)
    content[twists[40]] = replace(nan, time=time, data=data)
    content[twists[50]] = replace(content[twists[50]], data=content[twists[50]].data[:30])
    odd = cdr_fields.with_stamp(content[twists[60]].data, 10**9)
    content[twists[60]] = replace(content[twists[60]], data=odd)
    late = cdr_fields.with_stamp(content[images[3]].data, 2 * 10**18)
    content[images[3]] = replace(content[images[3]], data=late)
    report = run(write_bag(tmp_path / "bag", content), tmp_path / "data", settings, space, "pull")
    assert report.episodes >= 1
    notes = "; ".join(report.notes)
    for words in ("a value is not a finite number", "broken message", "its stamps are -1699999"):
        assert f"/arm/end_effector_twist: 1 lost ({words}" in notes
    assert "corner2/image_raw: 1 lost (its stamp is of another clock" in notes


def test_a_topic_of_which_no_message_tells_an_action_is_one_line(tmp_path, settings, space):
    content = [
        replace(item, data=item.data[:6]) if item.topic == "/arm/gripper_effort" else item
        for item in recorded()
    ]
    with pytest.raises(DemonstrationError, match="gripper_effort tells no action: broken message"):
        run(write_bag(tmp_path / "bag", content), tmp_path / "data", settings, space, "pull")


def test_a_bag_without_its_metadata_or_cut_off_is_read(tmp_path, settings, space):
    bag = write_bag(tmp_path / "bag", recorded())
    (bag / "metadata.yaml").unlink()
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-40])
    report = run(bag, tmp_path / "data", settings, space, "pull")
    assert report.episodes == 1
    assert any("no metadata.yaml" in note for note in report.notes)
