"""Lock-step: one SafeAction per tick makes one step, and wall time decides nothing."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from vla_contract import topics
from vla_contract.stamps import to_time
from vla_interfaces.msg import SafeAction
from vla_sim.node import simulator_conversions
from vla_sim.node.node_mode import ModeStatus, Parts
from vla_sim.node.pacing import Run
from vla_sim.node.tick_exchange import Answer, Exchange, Twist, Unstamped
from vla_sim.robot.arm_driver import Driver

CHECK_PERIOD = 0.05  # s
# This node may see both ends of a topic a moment before they see each other, and what is sent
# in that moment is lost. Waited once, before the first tick; no result depends on it.
MATCHING_TIME = 0.25  # s
# What passes between other nodes in every tick with images.
CHAIN = (topics.OBSERVATION, topics.ACTION_CHUNK)


class LockStep:
    """Sends a tick, waits for its answer, steps; and waits for RunEpisode between runs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._takes_twists = isinstance(parts.simulation.driver, Driver)
        words = "gripper effort" if self._takes_twists else "joint positions"
        self._exchange = Exchange(self._takes_twists, words)
        self._run = Run()
        self._timer: Any = None
        self._waiting_since = 0.0  # s, steady clock: for reports only
        self._sent = False  # the present tick is out
        self._complete_since: float | None = None  # s, since when no peer is missing

    def start(self) -> None:
        """Wait for RunEpisode."""
        if self._timer is None:
            node = self._parts.node
            self._timer = node.create_timer(CHECK_PERIOD, self._check, clock=node.steady_clock)
            self.begin_episode()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._run = Run()
        self._exchange.cancel()
        if self._timer is not None:
            self._parts.node.destroy_timer(self._timer)
        self._timer = None

    def begin_episode(self) -> None:
        """Pause at the first tick of the episode."""
        self._run = Run()
        self._exchange.cancel()
        self._sent = False
        self._parts.publishers.task_state(self._parts.simulation)

    def run(self, steps: int, stop_at_success: bool) -> str:
        """Run for some steps; 0 pauses once the present tick is answered."""
        self._run = Run(steps, stop_at_success)
        self._waiting_since = self._now()
        self._send()
        return ""

    def on_twist(self, stamp: int, twist: Twist) -> None:
        """Note a velocity for the tick with this stamp."""
        self._exchange.twist(stamp, twist)
        self._step_when_answered()

    def on_unstamped(self, command: Unstamped) -> None:
        """Note a gripper's effort or joint positions."""
        self._exchange.unstamped(command)
        self._step_when_answered()

    def on_safe_action(self, message: SafeAction) -> None:
        """Note the answer of the safety node."""
        read = simulator_conversions
        values = read.gripper_effort(message) if self._takes_twists else read.positions(message)
        self._exchange.safe_action(message.tick, message.outputs_connected, values)
        self._step_when_answered()

    def _now(self) -> float:
        return float(self._parts.node.steady_clock.now().nanoseconds * 1e-9)

    def _send(self) -> None:
        """Publish the present tick, once, if a run wants it and somebody listens."""
        if self._sent or not self._run.steps or not self._peers_ready():
            return
        simulation, publishers = self._parts.simulation, self._parts.publishers
        publishers.robot(simulation)
        if simulation.has_images and self._parts.renderer is not None:
            pictures = self._parts.renderer.submit(simulation.environment.scene()).result()
            publishers.images(pictures, to_time(simulation.stamp))
        self._exchange.ask(simulation.tick, simulation.stamp)
        self._sent = True
        self._waiting_since = self._now()
        publishers.tick(simulation)

    def _step_when_answered(self) -> None:
        answer = self._exchange.pop_answer()
        if answer is None:
            return
        simulation = self._parts.simulation
        self._give_to_driver(answer)
        result = simulation.advance(simulation.time)
        self._sent = False
        self._run.step_done(result.success)
        self._parts.publishers.task_state(simulation)
        self._send()

    def _give_to_driver(self, answer: Answer) -> None:
        # Simulated time is the driver's clock, so its watchdog counts ticks.
        driver, now = self._parts.simulation.driver, self._parts.simulation.time
        if not answer.connected:
            driver.reset()
            return
        unstamped = answer.unstamped
        if not isinstance(driver, Driver):
            if unstamped is not None:
                driver.target(unstamped.names, unstamped.values, now)
            return
        if answer.twist is not None:
            driver.twist(answer.twist.linear, answer.twist.frame, now)
        if unstamped is not None:
            driver.effort(unstamped.values[0])

    def _missing_peers(self) -> list[str]:
        missing = self._parts.publishers.without_reader()
        node = self._parts.node
        if not node.count_publishers(topics.SAFE_ACTION):
            missing.append("a publisher of safe_action")
        # Both ends, or neither where another graph than ours answers.
        for topic in CHAIN:
            if bool(node.count_publishers(topic)) != bool(node.count_subscribers(topic)):
                missing.append(f"the other end of {topic}")
        return missing

    def _peers_ready(self) -> bool:
        if self._missing_peers():
            self._complete_since = None
            return False
        if self._complete_since is None:
            self._complete_since = self._now()
        return self._now() - self._complete_since >= MATCHING_TIME

    def _missing(self) -> list[str]:
        if self._sent:
            return self._exchange.missing()
        return self._missing_peers() if self._run.steps else []

    def _check(self) -> None:
        self._send()
        waited = self._now() - self._waiting_since
        missing = self._missing()
        if missing and waited > self._parts.node.config.answer_timeout:
            self._waiting_since = self._now()
            self._parts.node.get_logger().error(
                f"tick {self._parts.simulation.tick} waits for {', '.join(missing)}; "
                f"nothing moves until it comes, or until {topics.RESET_EPISODE_SERVICE}"
            )

    def diagnose(self) -> ModeStatus:
        """Level, message and values of this mode."""
        missing = self._missing()
        waited = self._now() - self._waiting_since if missing else 0.0
        values = {
            "mode": "lock-step",
            "steps_left": self._run.steps,
            "waiting_for": ", ".join(missing) or "–",
            "ignored_messages": self._exchange.ignored,
        }
        if waited > self._parts.node.config.answer_timeout / 2.0:
            message = f"waits for {', '.join(missing)}"
            return ModeStatus(DiagnosticStatus.ERROR, message, values)
        message = "running" if self._run.steps else "paused"
        return ModeStatus(DiagnosticStatus.OK, message, values)
