"""What the node's two modes, free-running and lock-step, are built from and offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from diagnostic_msgs.msg import DiagnosticStatus

from vla_sim.node.robot_publishers import Publishers
from vla_sim.node.simulator_config import SimulatorConfig
from vla_sim.node.tick_exchange import Twist, Unstamped
from vla_sim.robot.render_thread import RenderThread
from vla_sim.robot.simulation import Simulation

if TYPE_CHECKING:
    from vla_contract.node.graph_node import GraphNode


@dataclass
class ModeStatus:
    """What a mode says of itself: DiagnosticStatus level, one line, named values."""

    level: bytes = DiagnosticStatus.OK
    message: str = "running"
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """The configured parts of the node; no renderer where there are no cameras."""

    node: GraphNode[SimulatorConfig]
    simulation: Simulation
    publishers: Publishers
    renderer: RenderThread | None


class Mode(Protocol):
    """When to step, and what commands do."""

    def start(self) -> None:
        """Begin to work with the present episode; again after a change of parameters."""

    def stop(self) -> None:
        """Stop to step."""

    def begin_episode(self) -> None:
        """React to an episode that has just begun."""

    def run(self, steps: int, stop_at_success: bool) -> str:
        """Run for some steps; returns why not, or "" where it does."""

    def on_twist(self, stamp: int, twist: Twist) -> None:
        """Take a velocity command with its stamp, ns."""

    def on_unstamped(self, command: Unstamped) -> None:
        """Take a gripper's effort or joint positions."""

    def diagnose(self) -> ModeStatus:
        """Level, message and values of the mode."""
