"""The node as a process, over DDS."""

import array
import os
import signal

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState

from vla_contract import topics
from vla_contract.node_testing import Client, node_process
from vla_interfaces.msg import ActionChunk, Fault, Observation
from vla_policy.attention.attention_maps import LABEL, TILE
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.test_support.small_server import Server
from vla_proof.test_support.tiny_checkpoints import (
    CAMERAS,
    STATE_THAT_GIVES_NAN,
    STATE_THAT_RAISES,
    write_checkpoint,
)

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "61"))
MODULE = "vla_policy.node"
DAY = 86_400  # s
# A busy machine must not make an observation too old.
PATIENT = {"max_observation_age": 3600.0, "observation_timeout": 3600.0}


class Graph(Client):
    """The policy's neighbours."""

    def __init__(self, *, lock_step=False):
        super().__init__(DOMAIN)

        def collect(kind, topic):
            return self.collect(kind, topic, topics.qos_profile(topic, lock_step=lock_step))

        self.chunks = collect(ActionChunk, topics.ACTION_CHUNK)
        self.faults = collect(Fault, topics.FAULT)
        self.diagnostics = self.collect(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self.sequence = 0
        self._lock_step = lock_step

    def connect(self):
        """Wait until the node is active and both directions are there."""
        qos = topics.qos_profile(topics.OBSERVATION, lock_step=self._lock_step)
        self.observations = self.publisher(Observation, topics.OBSERVATION, qos)
        self.wait(lambda: self.faults and self.count_publishers() == 1)

    def count_publishers(self):
        return self.node.count_publishers(topics.ACTION_CHUNK)

    def observe(self, *, age=0, x=0.1, command="open the drawer", names=CAMERAS, **changes):
        self.sequence += 1
        message = Observation(sequence=self.sequence, camera_names=list(names))
        message.observation_stamp = self.node.get_clock().now().to_msg()
        message.observation_stamp.sec -= age
        data = array.array("B", bytes(96 * 96 * 3))
        for _ in names:
            image = Image(height=96, width=96, step=288, encoding="rgb8", data=data)
            message.images.append(image)
            message.image_valid.append(True)
        message.joint_state.name, message.joint_state.position = ["gripper_opening"], [1.0]
        message.end_effector_pose.pose.position.x = x
        message.joint_state_valid = message.end_effector_pose_valid = True
        message.command.text, message.command.command_id = command or "", 11
        message.command_valid = command is not None
        for name, value in changes.items():
            setattr(message, name, value)
        self.observations.publish(message)
        return message

    def answer(self, **changes):
        """Publish an observation and wait for its chunk."""
        message = self.observe(**changes)
        self.wait(lambda: self.chunks and self.chunks[-1].observation_sequence == message.sequence)
        return message, self.chunks[-1]

    def wait_for_fault(self, kind, level, text=""):
        def seen():
            last = [fault for fault in self.faults if fault.kind == kind][-1:]
            return last and last[0].level == level and text in last[0].message

        self.wait(seen)

    def wait_for_diagnostics(self, **values):
        def seen():
            statuses = [a.status[0] for a in self.diagnostics if a.status[0].name == "/policy"]
            found = {value.key: value.value for status in statuses[-1:] for value in status.values}
            return all(found.get(key) == str(value) for key, value in values.items())

        self.wait(seen)

    def state(self):
        response = self.call(GetState, "policy/get_state", GetState.Request())
        return response.current_state.id

    def set_parameter(self, name, value):
        changed = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[changed])
        (result,) = self.call(SetParameters, "policy/set_parameters", request).results
        assert result.successful, result.reason

    def change_state(self, transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, "policy/change_state", request).success


@pytest.fixture
def graph():
    graph = Graph()
    yield graph
    graph.close()


@pytest.fixture
def lock_step():
    graph = Graph(lock_step=True)
    yield graph
    graph.close()


def test_observation_to_chunk_and_back_to_rest(graph, faulty_folder, action_space_file):
    parameters = {
        "checkpoint": str(faulty_folder),
        "action_space": str(action_space_file),
        **PATIENT,
    }
    with node_process(MODULE, DOMAIN, parameters) as node:
        graph.connect()
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_WARN, "no observation yet")

        message, chunk = graph.answer()
        assert chunk.observation_stamp == message.observation_stamp
        assert chunk.observation_sequence == message.sequence
        assert (chunk.command_id, chunk.command) == (11, "open the drawer")
        assert (len(chunk.actions), chunk.period, chunk.done) == (32 * 4, 0.0125, False)
        assert chunk.header.stamp.sec >= message.observation_stamp.sec
        assert 0.0 < chunk.inference_time < 1.0
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_OK)

        _, chunk = graph.answer(command=None)
        assert (len(chunk.actions), chunk.command_id) == (0, 0)

        _, chunk = graph.answer(command="fetch me some coffee")
        assert (len(chunk.actions), chunk.command_id) == (0, 11)
        graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_ERROR, "0 known of 4 words")

        _, chunk = graph.answer(names=("corner2", "wrist"))
        assert len(chunk.actions) == 0
        text = "accepted: corner2, gripper_pov"
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_ERROR, text)
        graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_OK)

        _, chunk = graph.answer(joint_state_valid=False)
        text = "lacks gripper_opening"
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_ERROR, text)

        _, chunk = graph.answer(image_valid=[True])
        text = "2 camera_names, 1 image_valid"
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_ERROR, text)

        # Twice there is no chunk, and the robot goes on with the last good one.
        answered = len(graph.chunks)
        graph.observe(x=STATE_THAT_GIVES_NAN)
        graph.wait_for_fault(Fault.KIND_ACTION, Fault.LEVEL_WARN, "not finite; accepted: finite")
        graph.observe(x=STATE_THAT_RAISES)
        graph.wait_for_fault(Fault.KIND_ACTION, Fault.LEVEL_WARN, "inference failed")
        assert len(graph.chunks) == answered
        _, chunk = graph.answer(x=STATE_THAT_GIVES_NAN)
        assert len(chunk.actions) == 0
        graph.wait_for_fault(Fault.KIND_ACTION, Fault.LEVEL_ERROR, "not finite")

        _, chunk = graph.answer()
        assert len(chunk.actions) == 32 * 4
        graph.wait_for_fault(Fault.KIND_ACTION, Fault.LEVEL_OK)

        graph.set_parameter("observation_timeout", 0.1)
        text = "no usable observation for more than 0.1 s"
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_ERROR, text)

        answered = len(graph.chunks)
        for skipped, age in ((1, DAY), (2, -DAY)):
            graph.observe(age=age)
            # Three bad outputs, each of which was inferred twice.
            graph.wait_for_diagnostics(observations_skipped=skipped, action_problems=6)
        assert len(graph.chunks) == answered
        assert node.stop(signal.SIGTERM) == 0
        assert "Traceback" not in node.output


def test_deactivate_forgets_and_activate_starts_anew(graph, checkpoint_folder):
    parameters = {"checkpoint": str(checkpoint_folder), "autostart": False, **PATIENT}
    with node_process(MODULE, DOMAIN, parameters):
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
        assert graph.change_state(Transition.TRANSITION_CONFIGURE)
        assert graph.change_state(Transition.TRANSITION_ACTIVATE)
        graph.connect()
        graph.answer()
        graph.answer()
        graph.wait_for_diagnostics(language_features_made=1, language_features_reused=1)
        assert graph.change_state(Transition.TRANSITION_DEACTIVATE)
        answered, known = len(graph.chunks), len(graph.faults)
        graph.observe()
        assert graph.state() == State.PRIMARY_STATE_INACTIVE
        assert (len(graph.chunks), len(graph.faults)) == (answered, known)
        assert graph.change_state(Transition.TRANSITION_ACTIVATE)
        graph.answer()
        graph.wait_for_diagnostics(language_features_made=2)
        assert graph.change_state(Transition.TRANSITION_DEACTIVATE)
        assert graph.change_state(Transition.TRANSITION_CLEANUP)
        assert graph.change_state(Transition.TRANSITION_CONFIGURE)


def test_what_is_set_at_run_time_decides_the_next_answers(graph, tmp_path, action_space_file):
    folder = write_checkpoint(tmp_path / "done", action_space_file, steps_left=0, confidence=0.5)
    with node_process(MODULE, DOMAIN, {"checkpoint": str(folder), **PATIENT}):
        graph.connect()
        _, chunk = graph.answer()
        assert not chunk.done and len(chunk.actions) == 32 * 4
        graph.set_parameter("done_count", 1)
        _, chunk = graph.answer()
        assert chunk.done and len(chunk.actions) == 0

        graph.set_parameter("min_known_share", 0.9)
        graph.answer(command="open the drawer slowly")
        graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_ERROR, "3 known of 4 words")
        graph.set_parameter("min_known_share", 0.5)
        graph.answer(command="open the drawer slowly")
        graph.wait_for_fault(Fault.KIND_LANGUAGE, Fault.LEVEL_WARN, "unknown words: slowly")

        graph.set_parameter("min_confidence", 0.6)
        graph.observe()
        text = "low confidence: 0.50; accepted: at least 0.6"
        graph.wait_for_fault(Fault.KIND_ACTION, Fault.LEVEL_WARN, text)

        # Set while it is inactive, it counts from the next activation on.
        assert graph.change_state(Transition.TRANSITION_DEACTIVATE)
        graph.set_parameter("min_confidence", 0.4)
        graph.set_parameter("done_count", 3)
        assert graph.change_state(Transition.TRANSITION_ACTIVATE)
        done = [graph.answer()[1].done for _ in range(3)]
        assert done == [False, False, True]


def test_a_checkpoint_that_cannot_be_used_leaves_it_unconfigured(graph, checkpoint_folder):
    with (checkpoint_folder / "policy.onnx").open("ab") as file:
        file.write(b"x")
    for folder, words in (
        ("/nowhere", "checkpoint /nowhere: no such folder"),
        (checkpoint_folder, "policy.onnx is altered"),
    ):
        with node_process(MODULE, DOMAIN, {"checkpoint": str(folder)}) as node:
            node.wait_for_output("cannot configure")
            assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
            lines = [line for line in node.output.splitlines() if words in line]
            assert len(lines) == 1
            assert "Traceback" not in node.output
            assert node.stop() == 0


def test_another_robot_s_cameras_leave_it_unconfigured(graph, checkpoint_folder):
    parameters = {"checkpoint": str(checkpoint_folder), "cameras": ["corner2", "wrist"]}
    with node_process(MODULE, DOMAIN, parameters) as node:
        node.wait_for_output("cannot configure")
        assert "the robot has the cameras corner2, wrist; accepted by checkpoint" in node.output
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
        assert "Traceback" not in node.output


def test_where_the_words_look_is_published_while_somebody_looks(graph, checkpoint_folder):
    parameters = {"checkpoint": str(checkpoint_folder), "attention_overlay": True, **PATIENT}
    with node_process(MODULE, DOMAIN, parameters):
        graph.connect()
        graph.answer()
        pictures = graph.collect(Image, topics.ATTENTION, topics.qos_profile(topics.ATTENTION))
        for _ in range(300):  # until the node has found the subscription
            message, _ = graph.answer()
            if pictures:
                break
        picture = pictures[-1]
        assert (picture.encoding, picture.step) == ("rgb8", 3 * picture.width)
        assert (picture.height, picture.width) == (LABEL + 2 * TILE, 4 * TILE)
        assert len(picture.data) == picture.height * picture.step
        assert picture.header.stamp.sec <= message.observation_stamp.sec


def test_lock_step_answers_every_observation_once_in_order(lock_step, checkpoint_folder):
    parameters = {"checkpoint": str(checkpoint_folder), "lock_step": True}
    with node_process(MODULE, DOMAIN, parameters):
        lock_step.connect()
        ages = (0, DAY, 0, 2 * DAY)
        commands = ("open the drawer", None, "fetch me some coffee")
        for i in range(200):
            # Half of it in bursts that no answer is awaited for.
            lock_step.observe(age=ages[i % 4], command=commands[i % 3])
            if i % 20 > 10:
                lock_step.wait(lambda i=i: len(lock_step.chunks) == i + 1)
        lock_step.wait(lambda: len(lock_step.chunks) >= 200)
        lock_step.wait_for_diagnostics(observations_received=200, observations_answered=200)
        assert [c.observation_sequence for c in lock_step.chunks] == list(range(1, 201))
        assert [len(c.actions) for c in lock_step.chunks[:3]] == [128, 0, 0]


def test_under_overload_only_the_newest_observation_counts(graph, action_space_file):
    parameters = {
        "backend": "constant",
        "action_space": str(action_space_file),
        "constant_forward_time": 0.3,
        "warm_up": 1,
        "worker_timeout": 0.1,
        **PATIENT,
    }
    with node_process(MODULE, DOMAIN, parameters) as node:
        graph.connect()
        last = None
        while len(graph.chunks) < 3:
            last = graph.observe(names=("front",))
            graph.spin(0.02)
        graph.wait(lambda: graph.chunks[-1].observation_sequence == last.sequence)
        assert len(graph.chunks) < last.sequence
        stamps = [chunk.observation_sequence for chunk in graph.chunks]
        assert stamps == sorted(set(stamps))
        # The heartbeat goes on while an inference runs, and tells that it runs for too long.
        text = "has run for more than 0.1 s"
        assert any(f.kind == Fault.KIND_ACTION and text in f.message for f in graph.faults)
        assert "a forward pass took " in node.output


def test_an_inference_that_hangs_does_not_keep_the_node_from_ending(graph, action_space_file):
    parameters = {
        "backend": "constant",
        "action_space": str(action_space_file),
        "constant_forward_time": 4.0,
        "warm_up": 1,
        "worker_timeout": 0.2,
    }
    with node_process(MODULE, DOMAIN, parameters) as node:
        graph.connect()
        graph.observe(names=("front",))
        graph.wait_for_fault(Fault.KIND_ACTION, Fault.LEVEL_ERROR, "more than 0.2 s")
        assert node.stop() == 0
        assert "an inference has not ended within 1.0 s" in node.output
        assert graph.chunks == []


def test_held_images_give_rows_for_the_time_of_the_state(graph, checkpoint_folder):
    with node_process(MODULE, DOMAIN, {"checkpoint": str(checkpoint_folder), **PATIENT}):
        graph.connect()

        def stamped(delay, repeated):
            message = Observation()
            stamp = graph.node.get_clock().now()
            message.observation_stamp = (stamp + Duration(nanoseconds=repeated)).to_msg()
            data = array.array("B", bytes(96 * 96 * 3))
            images = [
                Image(height=96, width=96, step=288, encoding="rgb8", data=data) for _ in CAMERAS
            ]
            for image in images:
                image.header.stamp = stamp.to_msg()
            joints = JointState(name=["gripper_opening"], position=[1.0])
            joints.header.stamp = (stamp + Duration(seconds=delay)).to_msg()
            return {
                "images": images,
                "joint_state": joints,
                "observation_stamp": message.observation_stamp,
            }

        _, fresh = graph.answer(**stamped(0.1, 0))
        _, held = graph.answer(**stamped(0.1, 3))
        assert list(held.actions[8 * 4 :]) == list(fresh.actions[: -8 * 4]), "0.1 s of 12.5 ms"
        assert list(held.actions[:4]) == list(fresh.actions[:4])


def test_the_server_drives_then_the_checkpoint_then_the_server(
    graph, checkpoint_folder, action_space_file
):
    mapping = action_space_file.parents[1] / "remote" / "metaworld.yaml"
    server = Server()
    parameters = {
        "backend": "remote",
        "remote_url": server.url,
        "remote_mapping": str(mapping),
        "remote_longest_pause": 0.2,
        "remote_inference_timeout": 2.0,
        "fallback_checkpoint": str(checkpoint_folder),
        "recovery_time": 0.5,
        **PATIENT,
    }
    with node_process(MODULE, DOMAIN, parameters) as node:
        graph.connect()
        _, chunk = graph.answer()
        assert (len(chunk.actions), chunk.actions[0]) == (16 * 4, pytest.approx(0.4))
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_OK)
        server.stop()
        while len(chunk.actions) != 32 * 4:
            _, chunk = graph.answer()
            assert len(chunk.actions) in (16 * 4, 32 * 4), "none is left unanswered"
        text = "remote end gone"
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_WARN, text)
        driver = Checkpoint.load(checkpoint_folder).identity
        graph.wait_for_diagnostics(driver=driver, remote="gone")
        server = Server(server.port)
        while len(chunk.actions) != 16 * 4:
            _, chunk = graph.answer()
        graph.wait_for_fault(Fault.KIND_COMMUNICATION, Fault.LEVEL_OK)
        graph.wait_for_diagnostics(driver="remote", remote="connected", remote_losses=1)
        assert node.stop(signal.SIGTERM) == 0
        assert "Traceback" not in node.output
    server.stop()
