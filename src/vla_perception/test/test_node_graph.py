"""The node over DDS: QoS that does not fit, wrong paths, simulated time, life cycle."""

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from vla_contract import topics
from vla_contract.stamps import to_time
from vla_interfaces.msg import Fault

SECOND = 10**9
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def transition(graph, number: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=number))
    return graph.client.call(ChangeState, "perception/change_state", request).success


def test_cameras_that_cannot_be_heard_are_named_with_the_reason(start_one):
    graph = start_one(
        cameras=["strict", "typed"], startup_timeout=5.0, use_joint_states=False,
        **{"strict.reliable": True, "strict.required": True},
    )  # fmt: skip
    graph.client.node.create_publisher(Image, "camera/strict/image_raw", BEST_EFFORT)
    graph.client.node.create_publisher(CompressedImage, "camera/typed/image_raw", BEST_EFFORT)
    output = graph.process.wait_for_output("camera typed: no image")
    assert (
        "QoS of /test_client does not fit: it is best_effort, the subscription is reliable"
    ) in output
    assert (
        "/test_client publishes sensor_msgs/msg/CompressedImage, wanted is sensor_msgs/msg/Image"
    ) in output
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_ERROR, "camera strict")
    assert "does not fit" in graph.counts()["strict.problem"]


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"vocabulary": "/none/tokenizer.json"},
         "cannot configure: vocabulary /none/tokenizer.json: No such file or directory"),
        ({"slop": -1.0}, "cannot configure: parameter slop is -1.0; accepted: float, 0.001 to 10"),
        ({"cameras": ["front"], "front.width": 96},
         "cannot configure: front: parameters width and height are 96 and 0; accepted: both 0"),
        ({"cameras": ["front"], "front.absent": True},
         "cannot configure: every camera is absent (front); accepted: one that is there"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_one_line(start_one, parameters, line):
    graph = start_one(**parameters)
    output = graph.process.wait_for_output("cannot configure")
    assert line in output and "Traceback" not in output


def test_a_camera_that_the_robot_lacks_is_masked_and_no_fault(start_one):
    cameras = ["side", "front"]
    graph = start_one(cameras=cameras, use_joint_states=False, **{"side.absent": True})
    graph.front()
    seen = graph.next_observation()  # nothing is waited for
    assert seen.camera_names == cameras and list(seen.image_valid) == [False, True]
    assert not seen.images[0].data and seen.images[1].width
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_OK)
    assert not [key for key in graph.counts() if key.startswith("side.")]


def test_simulated_time_that_jumps_back_empties_the_buffers_and_the_life_cycle_goes_round(
    start_one,
):
    graph = start_one(cameras=["front"], use_sim_time=True, use_joint_states=False)
    graph.wait_for_fault(Fault.KIND_CLOCK, Fault.LEVEL_ERROR, "/clock")
    now = [100 * SECOND]

    def tick() -> None:
        now[0] += SECOND // 50
        graph.publish("/clock", Clock(clock=to_time(now[0])), topics.CAMERA)
        graph.publish("camera/front/image_raw", graph.image(to_time(now[0])))

    graph.every(0.02, tick)
    # A command given before the clock began to run would be over as soon as it runs.
    graph.wait_for_fault(Fault.KIND_CLOCK, Fault.LEVEL_OK)
    graph.say("open the drawer")
    graph.wait_for_command("open the drawer")
    now[0] = 5 * SECOND
    graph.wait_for_fault(Fault.KIND_CLOCK, Fault.LEVEL_WARN, "jumped back")
    seen = graph.next_observation(lambda each: each.observation_stamp.sec < 50)
    assert not seen.command_valid

    assert transition(graph, Transition.TRANSITION_DEACTIVATE)
    graph.observations.clear()
    graph.client.spin(0.2)
    graph.observations.clear()
    graph.client.spin(0.2)
    assert not graph.observations
    assert transition(graph, Transition.TRANSITION_CLEANUP)
    assert transition(graph, Transition.TRANSITION_CONFIGURE), graph.process.output
    assert transition(graph, Transition.TRANSITION_ACTIVATE)
    graph.next_observation()
    state = graph.client.call(GetState, "perception/get_state", GetState.Request())
    assert state.current_state.id == State.PRIMARY_STATE_ACTIVE
    assert graph.process.stop() == 0
    assert "Traceback" not in graph.process.output
