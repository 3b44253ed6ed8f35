"""The running safety node, fed over DDS by this process, and what it measures of its own loop."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from vla_cli.client import domains, paths
from vla_cli.client.command_errors import CommandError, ignore_signals
from vla_cli.client.processes import end_with_parent

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph

ACTION_SPACE = "arm_6dof.yaml"  # 7 dimensions at 50 Hz
STATE_RATE, CHUNK_RATE = 50.0, 20.0  # Hz
CLOUD = (640, 480)  # points, of 16 bytes each
WARM_UP = 3.0  # s
READY_TIMEOUT = 30.0  # s
# s after which a command that moves nothing is given again: one from before the node listened, or
# before it had all that it needs, is not new to it.
AGAIN = 2.0
NAMESPACE = "/vla"


@dataclass(frozen=True)
class Sensors:
    """What sees obstacles in a run: a scan of so many beams, perhaps a point cloud; rate: Hz."""

    beams: int
    rate: float
    cloud: bool = False

    @property
    def sources(self) -> list[str]:
        """Their names."""
        return ["scan", "cloud"] if self.cloud else ["scan"]

    def __str__(self) -> str:
        cloud = f" and a cloud of {CLOUD[0]}x{CLOUD[1]} points" if self.cloud else ""
        return f"scan of {self.beams} beams{cloud} at {self.rate:g} Hz"


SCANNER, DEPTH_CAMERA = Sensors(720, 20.0), Sensors(1080, 30.0, cloud=True)


@dataclass(frozen=True)
class LoopFigures:
    """Of the node's loop while it acted; times in s, cpu as a share of one core.

    sensors, scheduling: what came, and how the loop's thread runs, in words. recorder_holds: s that
    a recording of a stop would reach back to.
    """

    sensors: str
    duration_p50: float
    duration_p99: float
    jitter_p99: float
    overruns: int
    periods: int
    acted: int
    cpu: float
    scheduling: str
    recorder_holds: float

    def lines(self) -> list[str]:
        """As text."""
        return [
            f"safety node at 50 Hz, 7 dimensions, {self.sensors}: "
            f"{self.periods} periods, {self.acted} of them acting",
            f"  scheduling                   {self.scheduling}",
            f"  time spent in a period, p50  {self.duration_p50 * 1e3:7.3f} ms",
            f"  time spent in a period, p99  {self.duration_p99 * 1e3:7.3f} ms",
            f"  jitter of a period, p99      {self.jitter_p99 * 1e3:7.3f} ms",
            f"  periods missed               {self.overruns:7d}",
            f"  cpu of one core              {self.cpu * 100.0:7.1f} %",
            f"  the recorder holds           {self.recorder_holds:7.1f} s",
        ]


def measure_loop(duration: float, sensors: Sensors = SCANNER) -> LoopFigures:
    """Run the node for so long, s.

    Raises:
        CommandError: it does not come up, or does not act.
    """
    from vla_cli.client.graph_client import Graph, stay_on_this_machine, use_profile

    stay_on_this_machine()
    use_profile()
    domain = domains.free()
    with tempfile.TemporaryDirectory(prefix="vla_bench_") as folder:
        log = Path(folder) / "safety.log"
        process = start_node(Path(folder), log, domain, sensors)
        try:
            with Graph(NAMESPACE.strip("/"), domain) as graph:
                return Feed(graph, process, log, sensors).run(duration)
        finally:
            ignore_signals()
            process.terminate()
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start_node(folder: Path, log: Path, domain: int, sensors: Sensors) -> subprocess.Popen[bytes]:
    """The node as a process, with a parameter file in `folder`."""
    parameters = {
        "action_space": str(paths.share() / "config" / "action_spaces" / ACTION_SPACE),
        "armed_on_start": True,
        "required_inputs": ["joint_states", "odom", "end_effector_pose"],
        "heartbeat_sources": ["policy"],
        "obstacle_sources": sensors.sources,
        "scan": {"use_tf": False},
        **({"cloud": {"type": "pointcloud", "use_tf": False}} if sensors.cloud else {}),
        "workspace_low": [-1.0, -1.0, 0.0],
        "workspace_high": [1.0, 1.0, 1.5],
        "closed_loop": False,  # the pretended robot does not move
        "limited_timeout": 0.0,
        "progress_timeout": 0.0,
        "state_file": "none",
        "recording_folder": str(folder / "recordings"),
    }
    file = folder / "safety.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "vla_safety.node.node", "--ros-args", "-r", f"__ns:={NAMESPACE}",
             "--params-file", str(file)],
            env={**os.environ, "ROS_DOMAIN_ID": str(domain), "PYTHONUNBUFFERED": "1"},
            stdout=output, stderr=subprocess.STDOUT, preexec_fn=end_with_parent(),
        )  # fmt: skip


class Feed:
    """Publishes what the node needs, and listens to what it says."""

    def __init__(
        self, graph: Graph, process: subprocess.Popen[bytes], log: Path, sensors: Sensors
    ) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from geometry_msgs.msg import PoseStamped
        from nav_msgs.msg import Odometry
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import JointState, LaserScan, PointCloud2

        from vla_contract import topics
        from vla_contract.action_space import ActionSpace
        from vla_interfaces.msg import ActionChunk, Fault, SafeAction, SafetyStatus

        self._graph, self._process, self._log = graph, process, log
        self._sensors = sensors
        self._space = ActionSpace.load(paths.share() / "config" / "action_spaces" / ACTION_SPACE)
        self._clock = graph.node.get_clock()
        self._out = {
            kind: graph.node.create_publisher(kind, topic, topics.qos_profile(row))
            for kind, topic, row in (
                (JointState, topics.JOINT_STATES, topics.JOINT_STATES),
                (Odometry, "odom", topics.JOINT_STATES),
                (PoseStamped, topics.END_EFFECTOR_POSE, topics.END_EFFECTOR_POSE),
                (LaserScan, "scan", topics.CAMERA),
                (PointCloud2, "cloud", topics.CAMERA),
                (ActionChunk, topics.ACTION_CHUNK, topics.ACTION_CHUNK),
                (Fault, topics.FAULT, topics.FAULT),
            )
        }
        self._statuses = graph.collect(
            SafetyStatus, topics.SAFETY_STATUS, 1, topics.qos_profile(topics.SAFETY_STATUS)
        )
        self._actions = graph.collect(
            SafeAction, topics.SAFE_ACTION, 0, topics.qos_profile(topics.SAFE_ACTION)
        )
        self._diagnostics = graph.collect(
            DiagnosticArray, topics.DIAGNOSTICS, 1, QoSProfile(depth=10)
        )
        self._scan = self._a_scan(sensors.beams)
        graph.node.create_timer(1.0 / STATE_RATE, self._publish_state)
        graph.node.create_timer(1.0 / sensors.rate, lambda: self._publish(self._scan))
        if sensors.cloud:
            # Without a stamp: made new for each message, it would cost this process too much.
            data = a_cloud()
            publisher = self._out[PointCloud2]
            graph.node.create_timer(1.0 / sensors.rate, lambda: publisher.publish(data))
        graph.node.create_timer(1.0 / CHUNK_RATE, self._publish_chunk)
        self._command_id = time.time_ns()
        self._chunks = 0

    def run(self, duration: float) -> LoopFigures:
        """Figures of the node's last thousand periods."""
        given = time.monotonic()

        def acting() -> bool:
            nonlocal given
            if time.monotonic() - given > AGAIN:
                given, self._command_id = time.monotonic(), time.time_ns()
            return any(action.command_id for action in self._actions[-3:])

        if not self._graph.wait(acting, READY_TIMEOUT):
            cause = self._statuses[-1].cause if self._statuses else "it says nothing"
            tail = self._log.read_text(errors="replace")[-400:].strip()
            raise CommandError(f"the safety node does not act: {cause}; its output: {tail}")
        self._graph.wait(lambda: False, WARM_UP)
        before, cpu, begin = self._statuses[-1].overruns, self._cpu(), time.monotonic()
        self._actions.clear()
        self._graph.wait(lambda: False, duration)
        status, values = self._statuses[-1], self._diagnosed()
        return LoopFigures(
            str(self._sensors),
            float(values.get("duration_p50_ms", "nan")) * 1e-3,
            float(status.duration_p99),
            float(status.jitter_p99),
            int(status.overruns - before),
            len(self._actions),
            sum(1 for action in self._actions if action.command_id),
            (self._cpu() - cpu) / (time.monotonic() - begin),
            values.get("scheduling", ""),
            float(values.get("recorder_holds_s", "nan")),
        )

    def _diagnosed(self) -> dict[str, str]:
        """What the node said last on /diagnostics."""
        if not self._diagnostics:
            return {}
        return {pair.key: pair.value for pair in self._diagnostics[-1].status[0].values}

    def _cpu(self) -> float:
        """CPU time of the node so far, s."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _publish(self, message: Any) -> None:
        if hasattr(message, "header"):
            message.header.stamp = self._clock.now().to_msg()
        self._out[type(message)].publish(message)

    def _publish_state(self) -> None:
        from geometry_msgs.msg import PoseStamped
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import JointState

        self._publish(JointState(name=["joint_1", "joint_2"], position=[0.1, 0.2]))
        pose = PoseStamped()
        pose.header.frame_id = "base_link"
        pose.pose.position.z, pose.pose.orientation.w = 0.5, 1.0
        self._publish(pose)
        odometry = Odometry(child_frame_id="base_link")
        odometry.header.frame_id = "odom"
        odometry.pose.pose.orientation.w = 1.0
        self._publish(odometry)

    def _a_scan(self, beams: int) -> Any:
        from sensor_msgs.msg import LaserScan

        ranges = np.random.default_rng(0).uniform(2.0, 6.0, beams).astype(np.float32)
        scan = LaserScan(
            angle_min=-np.pi, angle_max=np.pi, angle_increment=2.0 * np.pi / beams,
            range_min=0.1, range_max=12.0, ranges=ranges.tolist(),
        )  # fmt: skip
        scan.header.frame_id = "base_link"
        return scan

    def _publish_chunk(self) -> None:
        from vla_interfaces.msg import ActionChunk, Fault

        self._publish(Fault(source="policy", kind=Fault.KIND_ACTION, level=Fault.LEVEL_OK))
        self._chunks += 1
        space = self._space
        phase = 0.05 * self._chunks + 0.1 * np.arange(space.chunk_length)[:, None]
        shares = 0.4 * np.sin(phase + np.arange(space.width)[None, :])
        highs = np.array([dimension.high for dimension in space.dimensions])
        chunk = ActionChunk(
            action_space=space.name, dimension_names=list(space.dimension_names),
            period=space.chunk_period, actions=(shares * highs).ravel().tolist(),
            command_id=self._command_id, command="bench",
        )  # fmt: skip
        chunk.progress = chunk.confidence = float("nan")
        chunk.observation_stamp = self._clock.now().to_msg()
        self._publish(chunk)


def a_cloud() -> bytes:
    """A serialised PointCloud2 of a depth camera: x, y, z and four bytes of colour a point."""
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import PointCloud2, PointField

    width, height = CLOUD
    points = np.zeros((height * width, 4), dtype=np.float32)
    points[:, :3] = np.random.default_rng(0).uniform(2.0, 6.0, (height * width, 3))
    cloud = PointCloud2(height=height, width=width, point_step=16, row_step=16 * width)
    cloud.header.frame_id = "base_link"
    cloud.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate("xyz")
    ]
    cloud.data = points.tobytes()
    return bytes(serialize_message(cloud))
