"""The `simulator` node: a simulated robot as a driver, cameras and a clock."""

from __future__ import annotations

import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from std_msgs.msg import Float64
from trajectory_msgs.msg import JointTrajectory

from vla_contract import topics
from vla_contract.node.graph_node import Diagnosis, GraphNode, run
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import SafeAction
from vla_interfaces.srv import ResetEpisode, RunEpisode
from vla_sim.node import simulator_conversions
from vla_sim.node.free_running_mode import FreeRunning
from vla_sim.node.lock_step_mode import LockStep
from vla_sim.node.node_mode import Mode, Parts
from vla_sim.node.robot_publishers import Publishers
from vla_sim.node.simulator_config import SimulatorConfig
from vla_sim.robot.arm_driver import Driver
from vla_sim.robot.joint_driver import JointDriver
from vla_sim.robot.render_thread import RenderThread
from vla_sim.robot.robots import ROBOTS, make_robot
from vla_sim.robot.simulation import Simulation
from vla_sim.tasks import task_list

END_EFFECTOR_TWIST = "end_effector_twist"
GRIPPER_EFFORT = "gripper_effort"
JOINT_TRAJECTORY = "joint_trajectory"


class SimulatorNode(GraphNode[SimulatorConfig]):
    """Runs by itself at a real-time factor, or in lock-step with the safety node.

    Nothing in it depends on ROS time: it is where ROS time comes from.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("simulator", SimulatorConfig, **kwargs)
        self._simulation: Simulation | None = None
        self._outputs: Publishers | None = None
        self._renderer: RenderThread | None = None
        self._mode: Mode | None = None
        self._subscriptions_made: list[Any] = []
        self._services_made: list[Any] = []

    # Lifecycle.

    def configure(self) -> None:
        """Make the scene, render it once, and create everything."""
        config = self.config
        # Running freely, a robot waits for its user as long as it takes.
        facts = ROBOTS[config.robot]
        limit = (config.step_limit or facts.step_limit) if config.lock_step else sys.maxsize
        environment = make_robot(
            config.robot, config.cameras, config.image_width, config.image_height, limit
        )
        image_period = config.image_period_ticks or facts.image_period_ticks
        self._simulation = Simulation(environment, self._make_driver(), image_period)
        self._simulation.begin(config.first_task, config.seed)
        if config.cameras:
            self._renderer = RenderThread(environment)
            # Whatever is wrong with OpenGL shows here, and not in the first episode.
            self._renderer.submit(environment.scene()).result()
        self._outputs = Publishers(self, config)
        parts = Parts(self, self._simulation, self._outputs, self._renderer)
        self._subscribe(parts)
        self._services_made = [
            self.create_service(ResetEpisode, topics.RESET_EPISODE_SERVICE, self._on_reset_episode),
            self.create_service(RunEpisode, topics.RUN_EPISODE_SERVICE, self._on_run_episode),
        ]
        pace = "lock-step" if config.lock_step else f"real-time factor {config.real_time_factor}"
        self.get_logger().info(f"{config.first_task}, seed {config.seed}, {pace}")

    def _make_driver(self) -> Driver | JointDriver:
        if self.config.robot == "so101":
            from vla_sim.so101.so101_scene import JOINTS

            return JointDriver(JOINTS, self.config.command_timeout)
        return Driver(self.config.command_timeout, self.config.braking_deceleration)

    def _subscribe(self, parts: Parts) -> None:
        lock_step = self.config.lock_step
        command = topics.qos_profile(topics.ROBOT_COMMAND, lock_step=lock_step)
        wanted: list[tuple[Any, str, Any]] = [
            (TwistStamped, END_EFFECTOR_TWIST, self._on_twist),
            (Float64, GRIPPER_EFFORT, self._on_effort),
        ]
        if isinstance(parts.simulation.driver, JointDriver):
            wanted = [(JointTrajectory, JOINT_TRAJECTORY, self._on_trajectory)]
        self._subscriptions_made = [self.create_subscription(*each, command) for each in wanted]
        if not lock_step:
            self._mode = FreeRunning(parts)
            return
        mode = LockStep(parts)
        self._mode = mode
        answer = topics.qos_profile(topics.SAFE_ACTION, lock_step=True)
        self._subscriptions_made.append(
            self.create_subscription(SafeAction, topics.SAFE_ACTION, mode.on_safe_action, answer)
        )

    def activate(self) -> None:
        """Let the robot live."""
        assert self._mode is not None, "not configured"
        self._mode.start()

    def deactivate(self) -> None:
        """Let time stand still."""
        if self._mode is not None:
            self._mode.stop()

    def config_changed(self) -> None:
        """Take a new real-time factor."""
        if self.active and self._mode is not None:
            self._mode.start()

    def clean_up(self) -> None:
        """End the render thread and destroy what `configure` made."""
        if self._mode is not None:
            self._mode.stop()
        if self._renderer is not None:
            self._renderer.close()
        if self._outputs is not None:
            self._outputs.destroy()
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        for service in self._services_made:
            self.destroy_service(service)
        self._subscriptions_made, self._services_made = [], []
        self._mode = self._renderer = self._outputs = self._simulation = None

    # Topics.

    def _on_twist(self, message: TwistStamped) -> None:
        if self.active and self._mode is not None:
            stamp = to_nanoseconds(message.header.stamp)
            self._mode.on_twist(stamp, simulator_conversions.from_twist(message))

    def _on_effort(self, message: Float64) -> None:
        if self.active and self._mode is not None:
            self._mode.on_unstamped(simulator_conversions.from_effort(message))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if self.active and self._mode is not None:
            self._mode.on_unstamped(simulator_conversions.from_trajectory(message))

    # Services.

    def _on_reset_episode(
        self, request: ResetEpisode.Request, response: ResetEpisode.Response
    ) -> ResetEpisode.Response:
        if not self.active or self._simulation is None or self._mode is None:
            response.message = "the simulator is not active; activate it first"
            return response
        environment = self._simulation.environment
        task = request.task or environment.task
        seed = request.seed if request.seed >= 0 else environment.seed + 1
        try:
            self._simulation.begin(task, seed)
        except task_list.TaskError as error:
            response.message = str(error)
            return response
        self._mode.begin_episode()
        response.success = True
        response.episode = self._simulation.episode
        response.seed = seed
        response.instruction = task_list.instruction(task, seed)
        response.message = f"{task}, seed {seed}, episode {response.episode}"
        self.get_logger().info(response.message)
        return response

    def _on_run_episode(
        self, request: RunEpisode.Request, response: RunEpisode.Response
    ) -> RunEpisode.Response:
        if not self.active or self._mode is None:
            response.message = "the simulator is not active; activate it first"
            return response
        refusal = self._mode.run(request.steps, request.stop_at_success)
        response.success = not refusal
        response.message = refusal or f"{request.steps} steps"
        return response

    # Diagnostics.

    def diagnose(self) -> Diagnosis:
        """The mode's own state, the episode, the driver's counters and the rendering time."""
        assert self._simulation is not None and self._mode is not None, "not configured"
        status = self._mode.diagnose()
        diagnosis = Diagnosis(status.level, status.message, status.values)
        environment, counters = self._simulation.environment, self._simulation.driver.counters
        diagnosis.values.update(
            task=environment.task,
            seed=environment.seed,
            episode=self._simulation.episode,
            step=environment.result.step,
            driver_refused=counters.refused,
            driver_last_refusal=counters.last_refusal or "–",
            driver_watchdog_stops=counters.watchdog_stops,
        )
        if self._renderer is not None:
            diagnosis.values.update(
                render_ms=round(self._renderer.duration * 1e3, 1),
                frames=self._renderer.rendered,
                frames_dropped=self._renderer.dropped,
            )
        if environment.result.unstable:
            diagnosis.level = DiagnosticStatus.ERROR
            diagnosis.message = "the physics diverged; reset the episode"
        return diagnosis


def main() -> None:
    """Run the node until it is told to end."""
    sys.exit(run(SimulatorNode))


if __name__ == "__main__":
    main()
