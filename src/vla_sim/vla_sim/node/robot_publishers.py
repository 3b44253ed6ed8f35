"""The topics that the simulated robot publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState

from vla_contract import topics
from vla_contract.stamps import to_time
from vla_interfaces.msg import SimulationTick, TaskState
from vla_sim.node import simulator_conversions
from vla_sim.node.simulator_config import SimulatorConfig
from vla_sim.robot.render_thread import Images
from vla_sim.robot.simulation import Simulation

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.qos import QoSProfile

CLOCK_DEPTH = 10


class Publishers:
    """Publishers of one configured simulator."""

    def __init__(self, node: Node, config: SimulatorConfig) -> None:
        self._node = node
        self._jpeg_quality = config.jpeg_quality
        self._lock_step = config.lock_step
        self._all: list[Any] = []
        self._clock = self._make(Clock, "/clock", CLOCK_DEPTH)
        self._joint_states = self._make(JointState, topics.JOINT_STATES)
        self._pose = self._make(PoseStamped, topics.END_EFFECTOR_POSE)
        self._task_state = self._make(TaskState, topics.TASK_STATE)
        self._tick = self._make(SimulationTick, topics.TICK) if config.lock_step else None
        self._images: dict[str, Any] = {}
        self._compressed: dict[str, Any] = {}
        for name in config.cameras:
            topic = f"camera/{name}/image_raw"
            self._images[name] = self._make(Image, topic, self._qos(topics.CAMERA))
            if config.compressed:
                self._compressed[name] = self._make(
                    CompressedImage, f"{topic}/compressed", self._qos(topics.CAMERA)
                )

    def _qos(self, row: str) -> QoSProfile:
        return topics.qos_profile(row, lock_step=self._lock_step)

    def _make(self, kind: Any, topic: str, qos: QoSProfile | int | None = None) -> Any:
        publisher = self._node.create_publisher(kind, topic, qos or self._qos(topic))
        self._all.append(publisher)
        return publisher

    def destroy(self) -> None:
        """Destroy them all."""
        for publisher in self._all:
            self._node.destroy_publisher(publisher)
        self._all = []

    def robot(self, simulation: Simulation) -> None:
        """Clock, joint states and end-effector pose of the present tick."""
        stamp = to_time(simulation.stamp)
        state = simulation.environment.state()
        self._clock.publish(simulator_conversions.to_clock(simulation.stamp))
        self._joint_states.publish(simulator_conversions.to_joint_state(state, stamp))
        self._pose.publish(simulator_conversions.to_pose(state, stamp))

    def images(self, pictures: Images, stamp: Time) -> None:
        """Pictures of every camera, raw and where wanted as JPEG; from any thread."""
        for name, picture in pictures.items():
            self._images[name].publish(simulator_conversions.to_image(picture, stamp, name))
        for name, publisher in self._compressed.items():
            jpeg = simulator_conversions.to_compressed(
                pictures[name], stamp, name, self._jpeg_quality
            )
            publisher.publish(jpeg)

    def task_state(self, simulation: Simulation) -> None:
        """The verdict on the present state."""
        self._task_state.publish(simulator_conversions.to_task_state(simulation))

    def tick(self, simulation: Simulation) -> None:
        """In lock-step: the present tick, which asks for its answer."""
        assert self._tick is not None, "not in lock-step"
        self._tick.publish(simulator_conversions.to_tick(simulation))

    def without_reader(self) -> list[str]:
        """In lock-step: what nobody listens to that is needed for an answer.

        One camera with a reader is enough: which of them perception uses is not known here.
        """
        assert self._tick is not None, "not in lock-step"
        missing = [] if self._tick.get_subscription_count() else ["a subscriber of tick"]
        cameras = [p.get_subscription_count() for p in self._images.values()]
        return missing if not cameras or any(cameras) else [*missing, "a subscriber of a camera"]
