"""The layouts of Foxglove, RViz and PlotJuggler name topics, fields and services that exist."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import yaml

from vla_cli.docs import reference_tables
from vla_contract import topics
from vla_safety.markers import markers_node

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config"
# Of the robot's own, which drivers and robot_state_publisher have.
OUTSIDE = {"/diagnostics", "/robot_description", "/tf", "/camera/image_raw"}
# Display of RViz's rviz_default_plugins (Jazzy) → type of its topic; None: it has none to choose.
MARKERS = f"/vla/{markers_node.TOPIC}"  # of a node that is started on demand
DISPLAYS = {
    "Grid": None,
    "TF": None,
    "RobotModel": "std_msgs/String",
    "Image": "sensor_msgs/Image",
    "LaserScan": "sensor_msgs/LaserScan",
    "Odometry": "nav_msgs/Odometry",
    "Pose": "geometry_msgs/PoseStamped",
    "MarkerArray": "visualization_msgs/MarkerArray",
}


def graph_topics() -> set[str]:
    """The graph's own names, and where the launch file looks for the robot's."""
    own = {f"/vla/{name}" for name in topics.QOS}
    launch = ElementTree.parse(ROOT / "launch" / "vla.launch.xml").getroot()
    robot = {e.attrib.get("default", "") for e in launch.findall("arg")}
    return own | {name for name in robot if name.startswith("/")} | OUTSIDE


def message_fields(topic: str) -> set[str]:
    kind = topics.TYPES[topic.rsplit("/", 1)[-1]].split("/")[-1]
    text = (ROOT / "src" / "vla_interfaces" / "msg" / f"{kind}.msg").read_text()
    return set(re.findall(r"^\S+ +([a-z]\w*)\s*(?:#.*)?$", text, re.MULTILINE))


def test_foxglove():
    content = json.loads((CONFIG / "foxglove" / "vla.json").read_text())
    panels = content["configById"]
    shown = set(re.findall(r'"([A-Z]\w+!\w+)"', json.dumps(content["layout"])))
    assert shown == set(panels), "every panel has its place"
    for panel in panels.values():
        plain = [panel.get("topicPath"), panel.get("topicName"), panel.get("topicToRender")]
        plain.append(panel.get("imageMode", {}).get("imageTopic"))
        assert {name for name in plain if name} <= graph_topics()
        for path in panel.get("paths", []):
            # Of "[:]" a plot makes one zigzag through all dimensions.
            topic, field = re.fullmatch(r"(/[\w/]+)\.(\w+)(?:\[\d\])?", path["value"]).groups()
            assert topic in graph_topics() and field in message_fields(topic), path["value"]
        if "serviceName" in panel:
            assert panel["serviceName"].removeprefix("/vla/") in reference_tables.SERVICES


def test_rviz():
    content = yaml.safe_load((CONFIG / "rviz" / "vla.rviz").read_text())
    displays = content["Visualization Manager"]["Displays"]
    named = [
        d[key]["Value"] for d in displays for key in ("Topic", "Description Topic") if key in d
    ]
    assert named and set(named) <= graph_topics() | {MARKERS}
    launch = ElementTree.parse(ROOT / "launch" / "vla.launch.xml").getroot()
    types = {e.get("default"): e.get("description", "").split()[0] for e in launch.findall("arg")}
    types |= {"/robot_description": "std_msgs/String", MARKERS: "visualization_msgs/MarkerArray"}
    for display in displays:
        package, kind = display["Class"].split("/")
        assert package == "rviz_default_plugins"
        topic = display.get("Topic", display.get("Description Topic", {})).get("Value")
        assert types.get(topic) == DISPLAYS[kind], display["Name"]
        if kind in ("Image", "LaserScan"):
            assert display["Topic"]["Reliability Policy"] == "Best Effort", "as sensors publish"


def test_plotjuggler():
    root = ElementTree.parse(CONFIG / "plotjuggler" / "actions.xml").getroot()
    curves = [element.attrib["name"] for element in root.iter("curve")]
    assert curves
    for name in curves:
        topic, field = name.rsplit("/", 1)
        assert topic in graph_topics() and field.split("[")[0] in message_fields(topic), name
    subscribed = {element.attrib["name"] for element in root.iter("topic")}
    assert {name.rsplit("/", 1)[0] for name in curves} == subscribed
