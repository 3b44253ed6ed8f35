"""The arm's shape in the running node: joint states in, a limited trajectory out."""

import time

import numpy as np
import pytest
import yaml
from sensor_msgs.msg import JointState, PointCloud2, PointField
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_contract import topics
from vla_contract.node_testing import Client, node_process

pytest.importorskip("pinocchio", reason="pip install pin coal")

from arm_rig import TWO_ARMS
from node_rig import DOMAIN, NAMESPACE, PERIOD, new_id, safety

SPACE = {
    "name": "test", "control_rate": 20.0, "chunk": {"length": 40, "period": 0.05},
    "braking_time": 1.0,
    "dimensions": [
        {"name": f"left_{name}", "kind": "joint_position", "unit": "rad", "range": [-2.5, 2.5],
         "normal": {"velocity": 2.0, "acceleration": 6.0, "jerk": 120.0},
         "emergency": {"velocity": 2.0, "acceleration": 12.0, "jerk": 240.0}, "frame": "base",
         "output": {"topic": "joints", "type": "trajectory_msgs/msg/JointTrajectory",
                    "field": f"left_{name}"}}
        for name in ("pan", "lift", "elbow")
    ],
}  # fmt: skip
OTHER = {"right_pan": 0.9, "right_lift": 1.5, "right_elbow": 0.0}


@pytest.fixture
def arm_parameters(parameters, space_file, tmp_path):
    space_file.write_text(yaml.safe_dump(SPACE))
    (tmp_path / "arms.urdf").write_text(TWO_ARMS)
    geometry = {"pairs": "pairs.yaml", "joints": {"left_grip": 0.0, "right_grip": 0.0}}
    (tmp_path / "geometry.yaml").write_text(yaml.safe_dump(geometry))
    return {
        **parameters,
        "arm_urdf": str(tmp_path / "arms.urdf"),
        "arm_geometry": str(tmp_path / "geometry.yaml"),
        "required_joints": list(OTHER),
        "arm_speed": 0.0,
    }


def test_an_arm_stops_before_one_that_is_only_measured(arm_parameters, graph):
    with safety(arm_parameters) as process:
        g, command = graph(), new_id()
        process.wait_for_output("pairs are kept")
        qos = topics.qos_profile(topics.ROBOT_COMMAND)
        sent = g.client.collect(JointTrajectory, "joints", qos)
        last = time.monotonic()
        names = [f"left_{name}" for name in ("pan", "lift", "elbow")]

        def beat():
            nonlocal last
            if time.monotonic() - last < PERIOD:
                return
            last = time.monotonic()
            row = list(sent[-1].points[0].positions) if sent else [0.0] * 3
            told = {**dict(zip(names, row, strict=True)), **OTHER}
            g.states.publish(JointState(name=list(told), position=list(told.values())))
            g.beat(states=False)
            rows = [-0.9, 1.5, 0.0] * 40
            g.chunk(command, actions=rows, dimension_names=names)

        def limited():
            beat()
            found = g.safe[-1].violations if g.safe else []
            return any(
                v.limit == v.LIMIT_SELF_COLLISION
                and v.name.startswith("left_")
                and "–right_" in v.name
                for v in found
            )

        g.client.wait(limited, 30.0)


def test_the_urdf_may_come_from_its_topic_as_robot_state_publisher_keeps_it(arm_parameters, graph):
    """What xacro gives begins with a declaration and comments."""
    publisher = Client(DOMAIN, NAMESPACE, "robot_state_publisher")
    with safety({**arm_parameters, "arm_urdf": "topic"}):
        qos = topics.qos_profile(topics.ROBOT_DESCRIPTION)
        kept = publisher.node.create_publisher(String, topics.ROBOT_DESCRIPTION, qos)
        kept.publish(String(data=f'<?xml version="1.0" ?>\n<!-- by xacro -->\n{TWO_ARMS}'))
        g = graph()
        g.client.wait(lambda: g.status, 30.0)
    publisher.close()


def test_a_description_that_nobody_publishes_is_told_in_one_line(arm_parameters):
    parameters = {**arm_parameters, "arm_urdf": "topic"}
    told_in_one_line(parameters, f"nothing came on {NAMESPACE}/robot_description within 10 s")


def test_a_cloud_holds_the_arm_while_it_is_silent_and_then_stops_it_before_the_points(
    arm_parameters, graph
):
    """From a camera that is mounted by parameters; the rest of the arm stands out of the way."""
    camera = {"camera.use_tf": False, "camera.mount": [0.0, 0.25, 0.2, 0.0, 0.0, 0.0]}
    with safety({**arm_parameters, **camera, "arm_point_sources": ["camera"]}):
        g, command = graph(), new_id()
        qos = topics.qos_profile(topics.ROBOT_COMMAND)
        sent = g.client.collect(JointTrajectory, "joints", qos)
        clouds = g.client.node.create_publisher(
            PointCloud2, "camera", topics.qos_profile(topics.CAMERA)
        )
        last, seeing = time.monotonic(), False
        names = [f"left_{name}" for name in ("pan", "lift", "elbow")]
        ys, zs = np.meshgrid(np.arange(-0.3, 0.3, 0.01), np.arange(0.0, 0.8, 0.01))
        points = np.stack((np.full(ys.size, 0.45), ys.ravel(), zs.ravel()), 1).astype("<f4")
        fields = [
            PointField(name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")
        ]
        cloud = PointCloud2(
            width=len(points), height=1, point_step=12, row_step=12 * len(points), fields=fields,
            data=points.tobytes(),
        )  # fmt: skip

        def beat():
            nonlocal last
            if time.monotonic() - last < PERIOD:
                return
            last = time.monotonic()
            row = list(sent[-1].points[0].positions) if sent else [0.0] * 3
            told = {**dict(zip(names, row, strict=True)), **OTHER, "right_pan": -1.5}
            g.states.publish(JointState(name=list(told), position=list(told.values())))
            g.beat(states=False)
            if seeing:
                clouds.publish(cloud)
            g.chunk(command, actions=[0.0, 1.57, 0.0] * 40, dimension_names=names)

        def held():
            beat()
            causes = g.status[-1].causes if g.status else []
            return any("invalid source camera: was never received" in cause for cause in causes)

        def limited():
            beat()
            found = g.safe[-1].violations if g.safe else []
            return any(v.limit == v.LIMIT_OBSTACLE and v.name.endswith("–camera") for v in found)

        g.client.wait(held, 30.0)
        seeing = True
        g.client.wait(limited, 30.0)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"required_joints": []}, "does not command joint right_pan of arm_urdf"),
        ({"arm_urdf": "/none.urdf"}, "arm_urdf /none.urdf: No such file or directory"),
    ],
)
def test_a_shape_that_cannot_be_used_is_told_in_one_line(change, reason, arm_parameters):
    parameters = {**arm_parameters, **change}
    if not parameters["required_joints"]:
        parameters["required_joints"] = [""]
    told_in_one_line(parameters, reason)


def told_in_one_line(parameters, reason):
    with node_process(
        "vla_safety.node.node", DOMAIN, parameters, ["-r", f"__ns:={NAMESPACE}"]
    ) as process:
        deadline = time.monotonic() + 30.0
        while reason not in process.output and time.monotonic() < deadline:
            time.sleep(0.1)
        assert any(reason in line for line in process.output.splitlines()), process.output


def test_markers_show_the_links_and_the_pair_that_acts(arm_parameters, graph):
    markers = pytest.importorskip("visualization_msgs.msg", reason="visualization_msgs is missing")
    with (
        safety(arm_parameters),
        node_process("vla_safety.markers.markers_node", DOMAIN, {}, ["-r", f"__ns:={NAMESPACE}"]),
    ):
        g, command = graph(), new_id()
        shown = g.client.collect(markers.MarkerArray, "safety_markers", 1)
        names = [f"left_{name}" for name in ("pan", "lift", "elbow")]
        sent = g.client.collect(JointTrajectory, "joints", topics.qos_profile(topics.ROBOT_COMMAND))
        last = time.monotonic()

        def lit():
            nonlocal last
            if time.monotonic() - last >= PERIOD:
                last = time.monotonic()
                row = list(sent[-1].points[0].positions) if sent else [0.0] * 3
                told = {**dict(zip(names, row, strict=True)), **OTHER}
                g.states.publish(JointState(name=list(told), position=list(told.values())))
                g.beat(states=False)
                g.chunk(command, actions=[-0.9, 1.5, 0.0] * 40, dimension_names=names)
            found = shown[-1].markers if shown else []
            return any(
                m.ns == "pairs" and m.type == m.TEXT_VIEW_FACING and "of at least" in m.text
                for m in found
            )

        g.client.wait(lit, 60.0)
        array = shown[-1].markers
        assert {m.ns for m in array} >= {"links", "pairs"}
        assert len({(m.ns, m.id) for m in array}) == len(array)
        assert all(m.header.frame_id == array[0].header.frame_id for m in array)
        red = [m for m in array if m.color.r == 1.0 and m.color.g < 0.2]
        assert any(m.ns == "links" for m in red) and any(m.ns == "pairs" for m in red)
