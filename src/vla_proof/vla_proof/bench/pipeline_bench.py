"""`vla bench pipeline`: from a camera's stamp to the robot's command, with the simulator off.

Perception, policy and safety run as three processes from the robot's launch file; a fourth process
is the robot. Every time is from the messages' own stamps, all of one machine's clock. That a chunk
has reached safety is taken from a subscriber beside it, in this process.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import CommandError, ignore_signals, raise_on_signals
from vla_contract.stamps import to_nanoseconds
from vla_proof.bench import pipeline_report
from vla_proof.bench.pipeline_report import Sample, hop

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph

CAMERA_RATE = 30.0  # Hz
CAMERA = "640x480 rgb8, 30 Hz"
COMMAND = "open the drawer"
WARM_UP = 2.0  # s that are not counted
# The pretended robot does not move, which must not count as a fault of what moves it.
STILL_ROBOT = {
    "closed_loop": False,
    "limited_timeout": 0.0,
    "progress_timeout": 0.0,
    "workspace_low": [-1.0, -1.0, -1.0],
    "workspace_high": [1.0, 2.0, 1.0],
    "workspace_frame": "base_link",
}
READY_TIMEOUT = 60.0  # s


def main(arguments: list[str]) -> int:
    """0: every target is met; 1: one is missed."""
    parser = options.parser("bench pipeline", __doc__.split("\n")[0])
    parser.add_argument("--duration", type=float, default=20.0, help="s of measuring (default: 20)")
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    parser.add_argument(
        "--composed",
        action="store_true",
        help="measure perception and policy in one process as well",
    )
    parser.add_argument("--out", help="folder for bench_pipeline.json (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    checkpoint, out = paths.checkpoint(chosen.checkpoint), paths.output_folder(chosen.out)
    from vla_cli.client.graph_client import stay_on_this_machine, use_profile

    stay_on_this_machine()
    use_profile()
    raw, one_way = measure_raw(chosen.duration / 2.0)
    missed = False
    about = {"cores": os.cpu_count(), "checkpoint": str(checkpoint), "camera": CAMERA}
    for composed in (False, True) if chosen.composed else (False,):
        name = "composed" if composed else "pipeline"
        if chosen.composed:
            print("perception and policy in", "one process:" if composed else "two processes:")
        samples, memories, processing = measure_graph(
            checkpoint, chosen.duration, out / f"bench_{name}.log", composed=composed
        )
        measured = pipeline_report.hops(samples)
        print("\n".join(pipeline_report.lines(measured, raw, one_way, memories, processing)))
        content = pipeline_report.as_dict(measured, raw, one_way, memories, about)
        file = out / f"bench_{name}.json"
        file.write_text(json.dumps(content, indent=1) + "\n")
        print(f"written: {file}\n")
        total = next(h for h in measured if h.name == pipeline_report.TOTAL)
        rss = sum(m["rss"] for m in memories.values())
        missed |= any(value > most for _, value, most, _ in pipeline_report.targets(total, rss))
    return int(missed)


@contextmanager
def child(domain: int, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of bench_feed in a domain, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vla_proof.bench.pipeline_feed", *words],
        env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
        start_new_session=True,
        preexec_fn=processes.end_with_parent(),
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure_raw(duration: float) -> tuple[pipeline_report.Hop, pipeline_report.Hop]:
    """(round trip, one way) of the same image between two bare rclpy processes."""
    from sensor_msgs.msg import Image
    from std_msgs.msg import Float64MultiArray

    from vla_cli.client.graph_client import Graph
    from vla_contract import topics
    from vla_proof.bench import pipeline_feed

    domain = domains.free()
    trips: list[float] = []
    ways: list[float] = []
    with child(domain, "echo"), Graph("", domain) as graph:
        clock, qos = graph.node.get_clock(), topics.qos_profile(topics.CAMERA)
        publisher = graph.node.create_publisher(Image, pipeline_feed.RAW_IMAGE, qos)

        def on_reply(message: Any) -> None:
            trips.append(clock.now().nanoseconds * 1e-9 - message.data[0])
            ways.append(message.data[1] - message.data[0])

        graph.subscribe(Float64MultiArray, pipeline_feed.RAW_REPLY, on_reply, qos)
        graph.require(publisher.get_subscription_count, READY_TIMEOUT, "the echo did not start")
        picture = pipeline_feed.picture()

        def send() -> None:
            picture.header.stamp = clock.now().to_msg()
            publisher.publish(picture)

        graph.node.create_timer(1.0 / CAMERA_RATE, send)
        graph.wait(lambda: False, WARM_UP)
        trips.clear()
        ways.clear()
        graph.wait(lambda: False, duration)
    if not trips:
        raise CommandError("the raw round trip gave no reply; see ./vla doctor")
    return (
        hop("raw rclpy, two processes: image there and reply back", trips),
        hop("raw rclpy, two processes: image there", ways),
    )


def measure_graph(
    checkpoint: Path, duration: float, log: Path, *, composed: bool = False
) -> tuple[list[Sample], dict[str, dict[str, float]], str]:
    """Samples, memory of each node, and perception's own processing time in words."""
    from vla_cli.client.graph_client import Graph

    domain = domains.free()
    with tempfile.TemporaryDirectory(prefix="vla_bench_") as folder:
        topic, settings = write_settings(Path(folder), checkpoint)
        settings["composed"] = composed
        launched = processes.LaunchedGraph("vla", settings, domain, log, {"ROS_HOME": folder})
        try:
            robot = child(domain, "robot", "/vla", topic, str(CAMERA_RATE))
            with robot, Graph(domain=domain) as graph:
                listener = Listener(graph, composed=composed)
                listener.wait_until_moving(launched)
                samples = listener.measure(duration)
                nodes = sorted(launched.nodes().items())
                memories = {name: memory_of(pid) for name, pid in nodes}
                return samples, memories, listener.processing
        finally:
            ignore_signals()
            launched.stop()


def write_settings(folder: Path, checkpoint: Path) -> tuple[str, dict[str, Any]]:
    """The camera's topic, and the launch arguments, with files written to `folder`."""
    config = yaml.safe_load((checkpoint / "config.yaml").read_text())
    names, size = list(config["cameras"]) or ["camera"], config["image"]
    cameras: dict[str, Any] = {"cameras": names}
    for name in names:  # only the first one publishes; the policy was trained without some
        cameras[name] = {
            "topic": f"camera/{name}/image_raw",
            "width": int(size["width"]),
            "height": int(size["height"]),
        }
    written = {
        "cameras": {"/**": cameras},
        "perception_config": {
            "/**/perception": {"command_timeout": 3600.0, "startup_timeout": 2.0}
        },
        "policy_config": {"/**/policy": {"done_count": 0}},  # noise never looks done
        "safety_overrides": {"/**": STILL_ROBOT},
    }
    for name, content in written.items():
        parameters = {node: {"ros__parameters": values} for node, values in content.items()}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(parameters))
    files = {name: folder / f"{name}.yaml" for name in written}
    return str(cameras[names[0]]["topic"]), {
        "model": checkpoint,
        "armed": True,
        "respawn": False,
        "use_end_effector_pose": True,
        "joint_states": "joint_states",
        "end_effector_pose": "end_effector_pose",
        "end_effector_twist": "end_effector_twist",
        "gripper_effort": "gripper_effort",
        **files,
    }


def memory_of(pid: int) -> dict[str, float]:
    """RSS and PSS of a process, MB."""
    return pipeline_report.memory(Path(f"/proc/{pid}/smaps_rollup").read_text())


class Listener:
    """Follows each image through observation, chunk and robot command.

    While it measures it only notes when each message came: reading them takes time that would
    count against the graph, and is done afterwards.

    composed: observations are not listened to, because they would be sent for it alone.
    """

    def __init__(self, graph: Graph, *, composed: bool = False) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import QoSProfile

        from vla_contract import topics
        from vla_interfaces.msg import ActionChunk, Observation, SafeAction

        self._graph = graph
        self._observations: dict[int, float] = {}
        self._chunks: dict[int, tuple[float, float, float]] = {}  # published, received, forward
        self._commands: dict[int, float] = {}
        self.processing = ""
        self._raw: list[tuple[int, Any, Any, bytes]] = []
        self._measuring = False
        self._composed = composed
        if not composed:
            self._follow(Observation, topics.OBSERVATION, self._on_observation)
        self._follow(ActionChunk, topics.ACTION_CHUNK, self._on_chunk)
        self._follow(SafeAction, topics.SAFE_ACTION, self._on_safe_action)
        qos = QoSProfile(depth=10)
        graph.subscribe(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, qos)

    def _follow(self, kind: Any, topic: str, read: Callable[[Any, float], None]) -> None:
        from vla_contract import topics

        def receive(data: bytes) -> None:
            self._raw.append((time.time_ns(), kind, read, data))
            if not self._measuring:
                self._read()

        profile = topics.qos_profile(topic)
        self._graph.node.create_subscription(kind, topic, receive, profile, raw=True)

    def _read(self) -> None:
        from rclpy.serialization import deserialize_message

        for received, kind, read, data in self._raw:
            read(deserialize_message(data, kind), received * 1e-9)
        self._raw.clear()

    def _on_observation(self, message: Any, received: float) -> None:
        stamp = to_nanoseconds(message.observation_stamp)
        self._observations[stamp] = to_nanoseconds(message.header.stamp) * 1e-9

    def _on_chunk(self, message: Any, received: float) -> None:
        if len(message.actions) > 0:
            published = to_nanoseconds(message.header.stamp) * 1e-9
            self._chunks[to_nanoseconds(message.observation_stamp)] = (
                published, received, float(message.inference_time),
            )  # fmt: skip

    def _on_safe_action(self, message: Any, received: float) -> None:
        stamp = to_nanoseconds(message.observation_stamp)
        if stamp and stamp not in self._commands:
            self._commands[stamp] = to_nanoseconds(message.header.stamp) * 1e-9

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if "processing_p50" in values:
                self.processing = f"{values['processing_p50']}, p99 {values['processing_p99']}"

    def wait_until_moving(self, launched: processes.LaunchedGraph) -> None:
        """Give the command and wait for commands that act on an image.

        Raises:
            CommandError: they do not come.
        """
        from std_msgs.msg import String

        from vla_contract import topics

        topic = topics.COMMAND
        publisher = self._graph.node.create_publisher(String, topic, topics.qos_profile(topic))
        said = 0.0

        def moving() -> bool:
            nonlocal said
            launched.check()
            if time.monotonic() - said > 2.0 and publisher.get_subscription_count() >= 2:
                publisher.publish(String(data=COMMAND))
                said = time.monotonic()
            return len(self._commands) > 3

        what = f"no robot command within {READY_TIMEOUT:g} s; see {launched.log}"
        self._graph.require(moving, READY_TIMEOUT, what)

    def measure(self, duration: float) -> list[Sample]:
        """Collect for `duration` s after the warm-up."""
        self._graph.wait(lambda: False, WARM_UP)
        for table in (self._observations, self._chunks, self._commands):
            table.clear()
        self._measuring = True
        self._graph.wait(lambda: False, duration)
        self._measuring = False
        self._read()
        samples = [
            Sample(stamp * 1e-9, self._observations.get(stamp, math.nan), published, received,
                   forward, self._commands.get(stamp, math.nan))
            for stamp, (published, received, forward) in self._chunks.items()
            if self._composed or stamp in self._observations
        ]  # fmt: skip
        if not samples:
            raise CommandError("no chunk came while measuring; see the log in the output folder")
        return samples
