"""The command itself: the shipped bag against its golden result, and no robot moves."""

import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from geometry_msgs.msg import TwistStamped
from rosbags.typesys import Stores, get_typestore
from std_msgs.msg import Float64

from vla_contract.node_testing import Client, wait_until
from vla_replay.bags import made_bags
from vla_replay.results import result_comparison
from vla_replay.results.replay_result import load, safe_actions

pytestmark = pytest.mark.system
DATA = Path(__file__).parents[1] / "data"
BAG, GOLDEN = DATA / "drawer_open.mcap", DATA / "golden"
GAPS = made_bags.Recipe(
    cameras=(("/camera/corner2/image_raw", 30.0), ("/camera/gripper_pov/image_raw", 30.0)),
    compressed=True,
    seconds=3.0,
    state_rate=80.0,
)
COMMAND = "Open a drawer"
TIMEOUT = 180


def start(*arguments):
    command = [sys.executable, "-m", "vla_cli", "replay", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )


def replay(*arguments):
    process = start(*arguments)
    output = process.communicate(timeout=TIMEOUT)[0]
    return process.returncode, output


def test_gaps_and_damage_are_the_same_every_time(tmp_path):
    """What a bag lacks must not act by the wall clock: not through faults, and not when ahead."""
    rng = random.Random(1)
    content = []
    for item in made_bags.items(GAPS):
        camera, luck = "image" in item.topic, rng.random()
        if luck < (0.2 if camera else 0.1):
            continue
        if camera and luck > 0.85:
            half = len(item.data) // 2
            broken = item.data[:half] + b"\xff\xd0" * 20 + item.data[half + 40 :]
            item = dataclasses.replace(item, data=broken)
        content.append(item)
    bag = made_bags.write_bag(tmp_path / "bag", content)
    digests = []
    for mode in ("--as-fast-as-possible", "--lock-step", "--as-fast-as-possible"):
        out = tmp_path / str(len(digests))
        status, output = replay(bag, mode, "--command", COMMAND, "--out", out, "--no-report")
        assert status == 0, output
        document = json.loads((out / "result.json").read_text())
        assert document["drops"]["camera corner2: none for an observation, masked"] > 3
        assert document["drops"]["perception: dropped.corner2.corrupt"] > 3
        assert document["observations"] > 40
        digests.append(document["actions_sha256"])
    assert len(set(digests)) == 1


def test_the_number_of_threads_changes_nothing(played, tmp_path):
    for threads in (1, 2):
        out = tmp_path / str(threads)
        setting = f"policy.threads:={threads}"
        status, output = replay(
            BAG, "--lock-step", "--command", COMMAND, "--out", out, "--set", setting, "--no-report"
        )
        assert status == 0, output
        document = json.loads((out / "result.json").read_text())
        assert document["threads"] == threads
        assert document["actions_sha256"] == load(played[0]).document["actions_sha256"]


def nodes(client):
    return {name for name, _ in client.node.get_node_names_and_namespaces()}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The shipped bag in lock-step, with somebody who listens for robot commands meanwhile."""
    out = tmp_path_factory.mktemp("replay")
    process = start(BAG, "--lock-step", "--command", COMMAND, "--out", out)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"ROS domain (\d+)", line):
            break
    client = Client(int(found[1]), namespace="vla", name="spy")
    heard = []
    for topic in ("end_effector_twist", "replay/disconnected/end_effector_twist"):
        heard.append(client.collect(TwistStamped, topic, 10))
    for topic in ("gripper_effort", "replay/disconnected/gripper_effort"):
        heard.append(client.collect(Float64, topic, 10))
    try:
        # A player that is stopped waits: the spy has joined before the first message is played.
        client.wait(lambda: any(name.startswith("vla_cli") for name in nodes(client)))
        process.send_signal(signal.SIGSTOP)
        client.wait(lambda: {"perception", "policy", "safety"} <= nodes(client))
        process.send_signal(signal.SIGCONT)
        while process.poll() is None:
            client.spin(0.1)
    finally:
        process.kill()
        client.close()
    lines += process.stdout.readlines()
    assert process.returncode == 0, "".join(lines)
    return out, "".join(lines), heard


def test_the_shipped_bag_gives_its_golden_result(played):
    out, output, _ = played
    found = result_comparison.compare(load(GOLDEN), load(out), result_comparison.Tolerances())
    assert found["same"], found["differences"]
    assert load(out).document["images"] == 46


def test_the_same_again_is_identical_byte_for_byte(played, tmp_path):
    out, _, _ = played
    status, output = replay(
        BAG, "--as-fast-as-possible", "--command", COMMAND, "--out", tmp_path, "--no-report"
    )
    assert status == 0, output
    first, second = (load(folder).document for folder in (out, tmp_path))
    assert first["actions_sha256"] == second["actions_sha256"]
    assert first["verdicts"] == second["verdicts"]


def test_nothing_reaches_a_robot(played):
    out, output, heard = played
    assert not any(heard)
    actions = list(safe_actions(out / "actions.mcap"))
    assert actions and not any(action.outputs_connected for action in actions)
    assert any(abs(value) > 0.05 for action in actions for value in action.safe)  # it wanted to
    assert "/vla/end_effector_twist (92): a robot's command: never replayed" in output


def test_the_result_holds_every_stream(played):
    out, _, _ = played
    document = json.loads((out / "result.json").read_text())
    assert document["ticks"] == 92 and document["observations"] == 23
    assert "no progress" in document["off"]
    text = (out / "report.html").read_text()
    for name in ("frames", "actions", "latency", "sync", "faults", "worst"):
        assert f'<section id="{name}">' in text
    from vla_replay.bags.bag_reader import open_bag

    with open_bag(out / "actions.mcap") as bag:
        kinds = {topic.type.split("/")[-1] for topic in bag.topics.values()}
    assert {"SafeAction", "ActionChunk", "Fault", "SafetyStatus", "SimulationTick"} <= kinds
    assert "TimeReference" in kinds


def test_what_cannot_be_replayed_is_one_line(tmp_path):
    (tmp_path / "empty.mcap").touch()
    status, output = replay(tmp_path / "empty.mcap", "--out", tmp_path)
    assert status == 2
    assert output.strip().splitlines() == [f"vla: {tmp_path / 'empty.mcap'}: the file is empty"]


def test_where_nothing_can_be_replayed_it_says_why(tmp_path):
    broken = (dataclasses.replace(item, data=item.data[:7]) for item in made_bags.items(GAPS))
    bag = made_bags.write_bag(tmp_path / "bag", broken)
    status, output = replay(bag, "--lock-step", "--command", COMMAND, "--out", tmp_path / "out")
    last = output.strip().splitlines()[-1]
    assert status == 2
    assert last.startswith("vla: nothing was replayed: no control period was answered (")
    assert "/joint_states: broken message: it cannot be read as its type: 240" in last


def ranges(store):
    """What a range sensor says that sees something far away, as a distribution has it."""
    kind = "sensor_msgs/msg/Range"
    stamped, more = store.types["std_msgs/msg/Header"], {}
    if any(name == "variance" for name, _ in store.fielddefs[kind][1]):
        more = {"variance": 0.0}
    for tick in range(round(GAPS.seconds * 20)):
        time = GAPS.start + tick * 50_000_000
        head = stamped(stamp=made_bags.header(time).stamp, frame_id="base_link")
        message = store.types[kind](
            header=head, radiation_type=0, field_of_view=0.1, min_range=0.02, max_range=4.0,
            range=3.25, **more,
        )  # fmt: skip
        yield made_bags.Item("/range", kind, time, bytes(store.serialize_cdr(message, kind)))


@pytest.mark.parametrize("which", [Stores.ROS2_HUMBLE, Stores.ROS2_JAZZY])
def test_a_range_sensor_of_any_distribution_is_obeyed(tmp_path, which):
    store = get_typestore(which)
    config = tmp_path / "safety.yaml"
    config.write_text(
        "/**/safety:\n  ros__parameters:\n    obstacle_sources: [range]\n    range: {type: range, "
        "use_tf: false, mount: [0.2, 0.0, 0.3, 0.0, 0.0, 0.0]}\n    workspace_required: false\n"
    )
    content = sorted([*made_bags.items(GAPS), *ranges(store)], key=lambda item: item.time)
    bag = made_bags.write_bag(tmp_path / "bag", content, store=store)
    out = tmp_path / "out"
    options = ("--safety-config", config, "--lock-step", "--command", COMMAND, "--no-report")
    status, output = replay(bag, *options, "--out", out)
    assert status == 0, output
    assert json.loads((out / "result.json").read_text())["verdicts"]["PASS"] > 50, output


def test_record_ends_cleanly(tmp_path):
    domain = int(os.environ.get("ROS_DOMAIN_ID", "42"))
    client = Client(domain, namespace="vla", name="talker")
    process = subprocess.Popen(
        [sys.executable, "-m", "vla_cli", "record", "--out", str(tmp_path / "bag"), "/vla/number"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ,
    )  # fmt: skip
    try:
        publisher = client.publisher(Float64, "number", 10)
        for index in range(20):
            publisher.publish(Float64(data=float(index)))
            client.spin(0.02)
        process.send_signal(2)
        output = process.communicate(timeout=30)[0]
    finally:
        client.close()
    assert process.returncode == 0, output
    from vla_replay.bags.bag_reader import open_bag

    with open_bag(tmp_path / "bag") as bag:
        assert len(list(bag.messages())) == bag.topics["/vla/number"].count >= 10
    wait_until(lambda: process.poll() is not None, 5.0)
