"""Free-running: the wall clock makes the steps, the driver's watchdog watches the commands."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from vla_contract.stamps import to_time
from vla_sim.node.node_mode import ModeStatus, Parts
from vla_sim.node.pacing import Pacer
from vla_sim.node.tick_exchange import Twist, Unstamped
from vla_sim.robot.arm_driver import Driver
from vla_sim.robot.render_thread import Images

CHECKS_PER_STEP = 2  # so that a timer which comes late costs half a step


class FreeRunning:
    """Steps by a steady timer; pictures follow from the render thread when they are ready."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._timer: Any = None
        self._pacer: Pacer | None = None
        self._running = False
        self._reported_stops = 0

    def start(self) -> None:
        """Run from now on, at the factor that the config has now."""
        was_running = self._running
        self.stop()
        node = self._parts.node
        self._pacer = Pacer(
            self._parts.simulation.step_period, node.config.real_time_factor, self._now()
        )
        period = self._pacer.period / CHECKS_PER_STEP
        self._timer = node.create_timer(period, self._on_timer, clock=node.steady_clock)
        self._running = True
        if not was_running:
            self.begin_episode()

    def stop(self) -> None:
        """Stand still; time does not pass."""
        self._running = False
        if self._timer is not None:
            self._parts.node.destroy_timer(self._timer)
        self._timer = None

    def begin_episode(self) -> None:
        """Publish the first state of an episode that has just begun."""
        self._parts.publishers.task_state(self._parts.simulation)
        self._publish()

    def run(self, steps: int, stop_at_success: bool) -> str:
        """Refuse: there is nothing to wait for."""
        return "not in lock-step: the simulator runs by itself (parameter lock_step)"

    def on_twist(self, stamp: int, twist: Twist) -> None:
        """Hand a velocity to the driver."""
        driver = self._parts.simulation.driver
        assert isinstance(driver, Driver), "subscribed by a robot that takes no twists"
        driver.twist(twist.linear, twist.frame, self._now())

    def on_unstamped(self, command: Unstamped) -> None:
        """Hand a gripper's effort or joint positions to the driver."""
        driver = self._parts.simulation.driver
        if isinstance(driver, Driver):
            driver.effort(command.values[0])
        else:
            driver.target(command.names, command.values, self._now())

    def _now(self) -> float:
        return float(self._parts.node.steady_clock.now().nanoseconds * 1e-9)

    def _on_timer(self) -> None:
        assert self._pacer is not None, "not started"
        for _ in range(self._pacer.due(self._now())):
            self._parts.simulation.advance(self._now())
            self._parts.publishers.task_state(self._parts.simulation)
            self._publish()
        self._report_watchdog()

    def _publish(self) -> None:
        simulation, renderer = self._parts.simulation, self._parts.renderer
        self._parts.publishers.robot(simulation)
        if simulation.has_images and renderer is not None:
            pictures = renderer.submit(simulation.environment.scene())
            stamp = to_time(simulation.stamp)
            pictures.add_done_callback(partial(self._on_pictures, stamp))

    def _on_pictures(self, stamp: Time, pictures: Future[Images]) -> None:
        # In the render thread: rclpy publishes from any.
        if pictures.cancelled() or not self._running:
            return
        if (error := pictures.exception()) is not None:
            self._parts.node.get_logger().error(
                f"cannot render: {error}", throttle_duration_sec=5.0
            )
            return
        self._parts.publishers.images(pictures.result(), stamp)

    def _report_watchdog(self) -> None:
        counters = self._parts.simulation.driver.counters
        if counters.watchdog_stops != self._reported_stops:
            self._reported_stops = counters.watchdog_stops
            self._parts.node.get_logger().warning(
                f"driver: no command for {self._parts.node.config.command_timeout} s, braking"
            )

    def diagnose(self) -> ModeStatus:
        """Level, message and values of this mode."""
        skipped = self._pacer.skipped if self._pacer is not None else 0.0
        values = {"mode": "free-running", "time_given_up": round(skipped, 3)}
        if self._parts.simulation.driver.braking:
            message = "driver: no commands, the arm is held"
            return ModeStatus(DiagnosticStatus.WARN, message, values)
        return ModeStatus(DiagnosticStatus.OK, "running", values)
