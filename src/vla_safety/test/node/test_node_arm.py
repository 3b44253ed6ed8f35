"""The arm's shape in the running node: joint states in, a limited trajectory out."""

import time

import pytest
import yaml
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vla_contract import topics
from vla_contract.node_testing import node_process

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
    with safety(arm_parameters):
        g, command = graph(), new_id()
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
    with node_process(
        "vla_safety.node.node", DOMAIN, parameters, ["-r", f"__ns:={NAMESPACE}"]
    ) as process:
        deadline = time.monotonic() + 30.0
        while reason not in process.output and time.monotonic() < deadline:
            time.sleep(0.1)
        assert any(reason in line for line in process.output.splitlines()), process.output
