"""The simulator as a process, in lock-step: wall time and message order decide nothing."""

import os

import numpy as np
import pytest

pytest.importorskip("metaworld")

from simulated_safety import NAMESPACE, SimulatedSafety

from vla_contract.node_testing import node_process
from vla_contract.stamps import to_nanoseconds
from vla_sim.robot.metaworld_robot import MetaworldEnvironment
from vla_sim.tasks.task_list import instruction

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
PERIOD = 12_500_000  # ns
PARAMETERS = {"lock_step": True, "answer_timeout": 0.5, "image_width": 64, "image_height": 64}
ARGUMENTS = ["-r", f"__ns:={NAMESPACE}"]


@pytest.fixture(scope="module")
def process():
    with node_process("vla_sim.node.node", DOMAIN, PARAMETERS, ARGUMENTS) as process:
        yield process


@pytest.fixture(scope="module")
def connection(process):
    safety = SimulatedSafety(DOMAIN, lock_step=True)
    safety.wait_until_connected()
    yield safety
    safety.client.close()


@pytest.fixture
def safety(connection):
    yield connection
    connection.run(0)


def begin(safety, task="drawer-open", seed=1):
    answer = safety.reset(task, seed)
    assert answer.success, answer.message
    safety.client.wait(lambda: safety.heard.tasks and safety.heard.tasks[-1].step == 0)
    safety.client.wait(lambda: safety.heard.tasks[-1].episode == answer.episode)
    safety.heard.clear()
    return answer


def next_tick(safety, count):
    safety.client.wait(lambda: len(safety.heard.ticks) >= count)
    return safety.heard.ticks[count - 1]


def motion(step):
    return (0.3 * np.sin(step / 5.0), 0.2, -0.1 * np.cos(step / 7.0)), float(np.sin(step / 9.0))


def play(safety, steps, delay=lambda step: 0.0, order=lambda step: "tes"):
    """Run an episode of `motion`; returns the digest of what was measured."""
    begin(safety)
    assert safety.run(steps).success
    for step in range(steps):
        tick = next_tick(safety, step + 1)
        if delay(step):
            safety.client.spin(delay(step))
        safety.answer(tick, *motion(step), order=order(step))
    safety.client.wait(lambda: len(safety.heard.tasks) == steps)
    safety.client.wait(lambda: len(safety.heard.images) == (steps + 3) // 4)
    safety.client.wait(lambda: len(safety.heard.joints) == len(safety.heard.poses) == steps)
    return safety.heard.digest()


def test_a_tick_carries_one_stamp_everywhere_and_nothing_runs_ahead(safety):
    play(safety, 9)
    heard = safety.heard
    ticks = [tick.tick for tick in heard.ticks]
    assert ticks == list(range(ticks[0], ticks[0] + 9))
    stamps = [to_nanoseconds(tick.header.stamp) for tick in heard.ticks]
    assert stamps == [tick * PERIOD for tick in ticks]
    assert [to_nanoseconds(joint.header.stamp) for joint in heard.joints] == stamps
    assert [to_nanoseconds(pose.header.stamp) for pose in heard.poses] == stamps
    assert [tick.has_images for tick in heard.ticks] == [i % 4 == 0 for i in range(9)]
    assert [to_nanoseconds(image.header.stamp) for image in heard.images] == stamps[::4]
    assert [task.step for task in heard.tasks] == list(range(1, 10))
    assert {tick.period for tick in heard.ticks} == {0.0125}
    safety.client.spin(0.2)
    assert len(heard.ticks) == 9, "paused after the run"


def test_an_episode_of_the_grounding_scene_tells_its_own_command(safety):
    said = set()
    for seed in (1, 2):
        answer = begin(safety, "ground-push-blue-left", seed)
        assert answer.instruction == instruction("ground-push-blue-left", seed)
        assert safety.run(1).success
        safety.answer(next_tick(safety, 1), (0.0, 0.0, 0.0), 0.0)
        safety.client.wait(lambda: safety.heard.tasks and safety.heard.tasks[-1].step == 1)
        state = safety.heard.tasks[-1]
        assert (state.task, state.seed) == ("ground-push-blue-left", seed)
        assert state.instruction == answer.instruction
        said.add(state.instruction)
    assert len(said) == 2
    refused = safety.reset("ground-push-blue", 1)
    assert not refused.success and "did you mean" in refused.message


def test_delays_and_orders_change_nothing(safety):
    steps = 30
    prompt = play(safety, steps)
    orders = ["tes", "set", "est", "ste"]
    slow = play(
        safety,
        steps,
        delay=lambda step: 0.1 if step % 7 == 3 else 0.0,
        order=lambda step: orders[step % 4],
    )
    assert slow == prompt


def test_another_process_gives_the_same_episode(safety):
    """Another run of the node, with a different past."""
    here = play(safety, 20)
    domain = DOMAIN + 1 if DOMAIN < 100 else DOMAIN - 1
    with node_process("vla_sim.node.node", domain, {**PARAMETERS, "task": "reach"}, ARGUMENTS):
        other = SimulatedSafety(domain, lock_step=True)
        other.wait_until_connected()
        there = play(other, 20)
        other.client.close()
    assert there == here


def test_the_node_gives_the_environments_own_episode_and_stops_at_success(safety):
    environment = MetaworldEnvironment(cameras=())
    environment.reset("window-open", 3)
    answer = begin(safety, "window-open", 3)
    assert answer.instruction == "Push and open a window"
    safety.run(500, stop_at_success=True)
    step = 0
    while not environment.result.success:
        step += 1
        tick = next_tick(safety, step)
        position = safety.heard.poses[-1].pose.position
        np.testing.assert_array_equal(
            (position.x, position.y, position.z), environment.state().end_effector
        )
        action = environment.expert_action()
        safety.answer(tick, action[:3], action[3])
        environment.step(action[:3], action[3])
    safety.client.wait(lambda: safety.heard.tasks and safety.heard.tasks[-1].success)
    assert safety.heard.tasks[-1].step == step == environment.result.step
    safety.client.spin(0.2)
    assert len(safety.heard.ticks) == step, "stopped at the first success"


def test_disconnected_outputs_move_nothing(safety):
    environment = MetaworldEnvironment(cameras=())
    environment.reset("drawer-open", 1)
    begin(safety)
    safety.run(10)
    for step in range(10):
        tick = next_tick(safety, step + 1)
        position = safety.heard.poses[-1].pose.position
        # The arm still sways a little from its reset, and does just that.
        np.testing.assert_array_equal(
            (position.x, position.y, position.z), environment.state().end_effector
        )
        environment.step((0.0, 0.0, 0.0), 0.0)
        safety.twist((0.8, 0.8, 0.0), tick.header.stamp)
        safety.effort(1.0)
        safety.safe_action(tick, 1.0, connected=False)
    safety.client.wait(lambda: len(safety.heard.tasks) == 10)


def test_no_answer_is_reported_with_the_tick_and_what_is_missing(safety, process):
    begin(safety)
    safety.run(3)
    tick = next_tick(safety, 1)
    process.wait_for_output(f"tick {tick.tick} waits for SafeAction; nothing moves")
    safety.safe_action(tick, 0.5)
    process.wait_for_output(f"tick {tick.tick} waits for twist, gripper effort; nothing moves")
    assert not safety.heard.tasks
    safety.twist((0, 0, 0), tick.header.stamp)
    safety.effort(0.5)
    safety.client.wait(lambda: safety.heard.tasks)


def test_a_new_episode_cuts_a_tick_short_and_its_late_answer_is_ignored(safety):
    reference = play(safety, 10)
    begin(safety, "reach", 2)
    safety.run(5)
    cut_short = next_tick(safety, 1)
    last = cut_short.tick
    begin(safety)
    safety.answer(cut_short, (0.8, 0.0, 0.0), 0.77)
    safety.run(10)
    for step in range(10):
        tick = next_tick(safety, step + 1)
        assert tick.tick == last + 1 + step, "ticks never go back"
        safety.answer(tick, *motion(step))
    safety.client.wait(lambda: len(safety.heard.tasks) == 10)
    safety.client.wait(lambda: len(safety.heard.images) == 3)
    assert safety.heard.digest() == reference


def test_nan_does_not_reach_the_robot(safety):
    begin(safety)
    safety.run(4)
    for step in range(4):
        safety.answer(next_tick(safety, step + 1), (float("nan"), 0.0, 0.0), float("nan"))
    safety.client.wait(lambda: len(safety.heard.tasks) == 4)
    assert all(np.isfinite(joint.position).all() for joint in safety.heard.joints)
