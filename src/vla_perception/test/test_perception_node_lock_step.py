"""The node over DDS in lock-step: one observation for each tick with images."""

import pytest
from std_msgs.msg import Header

from vla_contract import topics
from vla_contract.stamps import to_nanoseconds, to_time
from vla_interfaces.msg import Fault, SimulationTick

PERIOD = 12_500_000  # ns
EVERY = 4
TEXT = "open the drawer"


class Simulator:
    """Sends ticks as the simulator does."""

    def __init__(self, graph) -> None:
        self.graph = graph
        self.tick = 1000  # perception joins a simulation that runs

    def step(self, *, bad_side: bool = False, tick_first: bool = False) -> int:
        """One tick; its stamp."""
        graph, stamp = self.graph, self.tick * PERIOD
        has_images = self.tick % EVERY == 0
        message = SimulationTick(tick=self.tick, episode=1, has_images=has_images)
        message.header.stamp = to_time(stamp)
        if tick_first:
            graph.publish("tick", message, topics.TICK)
        header = Header(stamp=to_time(stamp))
        graph.publish("joint_states", graph.joints(header=header), topics.JOINT_STATES)
        if has_images:
            graph.publish("camera/front/image_raw", graph.image(to_time(stamp)))
            side = graph.image(to_time(stamp), **({"step": 1} if bad_side else {}))
            graph.publish("camera/side/image_raw", side)
        if not tick_first:
            graph.publish("tick", message, topics.TICK)
        self.tick += 1
        return stamp

    def run(self, ticks: int, **kwargs) -> list[int]:
        """Several ticks; the stamps of those with images, each answered."""
        stamps = []
        for _ in range(ticks):
            has_images = self.tick % EVERY == 0
            stamp = self.step(**kwargs)
            if has_images:
                stamps.append(stamp)
                self.wait_for(stamp)
        return stamps

    def wait_for(self, stamp: int):
        def answered() -> bool:
            stamps = [to_nanoseconds(o.observation_stamp) for o in self.graph.observations]
            return stamp in stamps

        self.graph.client.wait(answered, 60.0)
        return self.graph.observations[-1]


@pytest.fixture(scope="module")
def simulator(start):
    graph = start(
        lock_step=True, cameras=["front", "side"], camera_timeout=0.2, command_timeout=1.0
    )
    return Simulator(graph)


def test_one_observation_for_each_tick_with_images_also_without_a_command(simulator):
    graph = simulator.graph
    stamps = simulator.run(12) + simulator.run(12, tick_first=True)
    graph.client.spin(0.1)
    assert [to_nanoseconds(each.observation_stamp) for each in graph.observations] == stamps
    assert [each.sequence for each in graph.observations] == list(range(1, len(stamps) + 1))
    for seen in graph.observations:
        assert list(seen.image_valid) == [True, True] and seen.joint_state_valid
        assert seen.joint_state.header.stamp == seen.observation_stamp
        assert seen.header.stamp == seen.observation_stamp, "no wall clock"
        assert not seen.command_valid


def test_the_order_of_cameras_and_ticks_does_not_matter_and_wall_time_neither(simulator):
    graph = simulator.graph
    simulator.run(EVERY)
    while simulator.tick % EVERY:
        simulator.step()
    number, stamp = len(graph.observations), simulator.tick * PERIOD
    message = SimulationTick(tick=simulator.tick, episode=1, has_images=True)
    message.header.stamp = to_time(stamp)
    graph.publish("tick", message, topics.TICK)
    graph.publish("camera/side/image_raw", graph.image(to_time(stamp)))
    graph.publish("camera/front/image_raw", graph.image(to_time(stamp)))
    graph.client.spin(0.5)  # longer than the cameras' time-out
    assert len(graph.observations) == number
    assert graph.counts()["waits_for"] == "joint_states"
    header = Header(stamp=to_time(stamp))
    graph.publish("joint_states", graph.joints(header=header), topics.JOINT_STATES)
    assert list(simulator.wait_for(stamp).image_valid) == [True, True]
    simulator.tick += 1


def test_a_refused_image_is_masked_and_a_fault_after_its_time_in_ticks(simulator):
    graph = simulator.graph
    seen = simulator.wait_for(simulator.run(EVERY, bad_side=True)[-1])
    assert list(seen.image_valid) == [True, False]
    simulator.run(5 * EVERY, bad_side=True)
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "camera side: no good image")
    masks = [simulator.wait_for(simulator.run(EVERY)[-1]).image_valid[1] for _ in range(3)]
    assert masks == [False, False, True], "back after three good images in a row"
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "camera side: step")


def test_what_a_tick_says_is_missing_is_no_fault(simulator):
    graph = simulator.graph
    while simulator.tick % EVERY:
        simulator.step()
    stamp = simulator.tick * PERIOD
    message = SimulationTick(tick=simulator.tick, episode=1, has_images=True)
    message.header.stamp = to_time(stamp)
    message.missing_inputs = ["side", "joint_states"]
    before = {name: count for name, count in graph.counts().items() if "dropped" in name}
    graph.faults.clear()
    graph.publish("camera/front/image_raw", graph.image(to_time(stamp)))
    graph.publish("tick", message, topics.TICK)
    seen = simulator.wait_for(stamp)
    assert list(seen.image_valid) == [True, False] and not seen.joint_state_valid
    simulator.tick += 1
    simulator.run(3 * EVERY)  # and they are taken in again
    graph.client.wait(lambda: any(f.kind == Fault.KIND_ROBOT_STATE for f in graph.faults))
    assert not [f.message for f in graph.faults if f.kind == Fault.KIND_ROBOT_STATE and f.level]
    counts = graph.counts()
    assert {name: count for name, count in counts.items() if "dropped" in name} == before


def test_with_a_command_each_observation_waits_for_the_chunk_before(simulator):
    graph = simulator.graph
    goal = graph.goal(TEXT)
    seen = simulator.wait_for(simulator.run(EVERY)[-1])
    assert seen.command_valid and seen.command.text == TEXT, "held since its acceptance"
    number = seen.command.command_id
    while simulator.tick % EVERY:
        simulator.step()
    stamp, count = simulator.step(), len(graph.observations)
    graph.client.spin(0.2)
    assert len(graph.observations) == count
    graph.chunk(number, sequence=seen.sequence, done=True)
    assert not simulator.wait_for(stamp).command_valid, "done counts from the next tick on"
    graph.status(standstill=True)
    assert goal.result()[:2] == (graph.SUCCEEDED, 0)


def test_with_a_chunk_that_promises_another_the_next_observation_does_not_wait(simulator):
    graph = simulator.graph
    goal = graph.goal(TEXT)
    seen = simulator.wait_for(simulator.run(EVERY)[-1])
    number, first = seen.command.command_id, seen.sequence
    graph.chunk(number, sequence=first, chunks_before_done=1)
    simulator.run(2 * EVERY)  # the second one while the first one's chunk is still to come
    while simulator.tick % EVERY:
        simulator.step()
    stamp, count = simulator.step(), len(graph.observations)
    graph.client.spin(0.2)
    assert len(graph.observations) == count, "nothing is known of the chunk after the promised one"
    graph.chunk(number, sequence=first + 1, chunks_before_done=0)
    graph.client.spin(0.2)
    assert len(graph.observations) == count
    graph.chunk(number, sequence=first + 2, done=True)
    assert not simulator.wait_for(stamp).command_valid
    graph.status(standstill=True)
    assert goal.result()[:2] == (graph.SUCCEEDED, 0)


def test_the_time_of_a_command_is_simulated_time(simulator):
    graph = simulator.graph
    goal = graph.goal(TEXT)
    seen = simulator.wait_for(simulator.run(EVERY)[-1])
    graph.client.spin(1.2)  # wall time: more than the command's
    ticks = 0
    while seen.command_valid:
        graph.chunk(seen.command.command_id, sequence=seen.sequence)
        seen = simulator.wait_for(simulator.run(EVERY)[-1])
        ticks += EVERY
    assert 1.0 - 2 * EVERY * PERIOD * 1e-9 <= ticks * PERIOD * 1e-9 <= 1.0
    graph.status(standstill=True)
    assert goal.result()[1] == 3
