"""`vla replay` of bags that lack what robots mostly tell, or tell it wrongly."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vla_cli.client.command_errors import CommandError
from vla_cli.replay import replay_command as command
from vla_cli.replay import replay_graph
from vla_proof.test_support.tiny_checkpoints import write_checkpoint
from vla_replay.bags import made_bags

pytestmark = pytest.mark.system
STATES = ("/joint_states", "/end_effector_pose")
RECIPE = made_bags.Recipe(seconds=0.6, state_rate=80.0)


def replay(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "vla_cli", "replay", *map(str, arguments), "--no-report"],
        capture_output=True, text=True, timeout=180, env=os.environ, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_bag_without_robot_state_serves_a_policy_that_needs_none(tmp_path):
    pytest.importorskip("onnx")
    space = Path(__file__).resolve().parents[4] / "models/metaworld/action_space.yaml"
    checkpoint = write_checkpoint(tmp_path / "checkpoint", space, state_names=())
    content = (item for item in made_bags.items(RECIPE) if item.topic not in STATES)
    bag = made_bags.write_bag(tmp_path / "bag", content)
    status, output = replay(
        bag, "--lock-step", "--checkpoint", checkpoint, "--out", tmp_path / "out"
    )
    assert status == 0, output
    document = json.loads((tmp_path / "out/result.json").read_text())
    assert document["observations"] == 18 and document["verdicts"]["LIMITED"]
    assert any("does not tell where the robot is" in note for note in document["notes"])
    # The shipped policy needs them: one line says so.
    status, output = replay(bag, "--lock-step", "--out", tmp_path / "other")
    assert status == 2 and "vla: the policy needs joint_states" in output


def test_poses_that_are_not_finite_are_counted_and_hold_the_robot(tmp_path):
    def broken(item):
        late = item.time > made_bags.START + 200_000_000
        return made_bags.pose(item.time, math.nan) if late and item.topic == STATES[1] else item

    bag = made_bags.write_bag(tmp_path / "bag", map(broken, made_bags.items(RECIPE)))
    status, output = replay(bag, "--lock-step", "--out", tmp_path / "out")
    assert status == 0, output
    document = json.loads((tmp_path / "out/result.json").read_text())
    assert document["observations"] == 18 and document["ticks"] == 48
    assert document["verdicts"]["HELD"] > 10
    assert any("no images for gripper_pov: masked" in note for note in document["notes"])
    assert not [drop for drop in document["drops"] if "gripper_pov" in drop]
    assert document["drops"]["safety: refused: end_effector_pose is not finite"] > 25


def test_what_a_bag_lacks_is_no_fault_and_a_standstill_is_told(tmp_path):
    """Images without robot state near them are observed without it, and nobody complains."""
    gap = range(made_bags.START + 150_000_000, made_bags.START + 450_000_000)
    content = (
        item for item in made_bags.items(RECIPE)
        if item.topic != "/vla/command" and (item.topic not in STATES or item.time not in gap)
    )  # fmt: skip
    bag = made_bags.write_bag(tmp_path / "bag", content)
    out = tmp_path / "out"
    status, output = replay(bag, "--lock-step", "--out", out)
    last = output.strip().splitlines()[-1]
    assert status == 3 and last.startswith("WARNING: nothing moved: no command was given"), output
    document = json.loads((out / "result.json").read_text())
    assert document["standstill"] == last.removeprefix("WARNING: ")
    lacking = {f"{topic[1:]}: none within slop of an image" for topic in STATES}
    assert lacking == {drop for drop in document["drops"] if "repeated" not in drop}
    assert not [fault for fault in document["faults"] if fault["source"] == "perception"]
    log = (out / "replay.log").read_text()
    assert not [line for line in log.splitlines() if "said once" in line or "refused" in line]


def test_at_its_own_pace_only_the_bags_time_is_judged(tmp_path):
    recipe = made_bags.Recipe(seconds=3.0, state_rate=80.0)
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(recipe))
    status, output = replay(bag, "--rate", "1", "--out", tmp_path / "out")
    assert status == 0, output
    document = json.loads((tmp_path / "out/result.json").read_text())
    # 3 s and the tail of half a second at 80 Hz; not what came before the bag, nor after it.
    assert 100 < document["ticks"] < 1.1 * 3.5 * 80
    assert document["images"] == 90
    assert document["observations"] > 45, "the camera that the bag lacks is not waited for"
    assert document["verdicts"]["PASS"] + document["verdicts"]["LIMITED"] > 50
    assert all(0.0 <= change["time"] < 4.0 for change in document["state_changes"])


def test_a_safety_node_that_is_not_in_shadow_ends_the_replay(tmp_path, monkeypatch):
    arguments = replay_graph.Setup.arguments
    monkeypatch.setattr(
        replay_graph.Setup,
        "arguments",
        lambda setup, folder: {**arguments(setup, folder), "shadow": False},
    )
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE))
    with pytest.raises(CommandError, match="the safety node is not in shadow: the replay ends"):
        command.run(command.parse([str(bag), "--lock-step", "--out", str(tmp_path / "out")]))
    assert not (tmp_path / "out/result.json").exists()
