"""The lifecycle node `safety`: action chunks → limited commands to the robot.

It makes the parts and joins them: `receivers` tell the loop and the core what comes in, the loop
(`control_loop` or `lock_step`) decides on every period, `senders` send it. One thread does
everything; no callback takes longer than a fraction of a control period.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

from rclpy.duration import Duration

from vla_contract.action_space import ActionSpace
from vla_contract.node.graph_node import Diagnosis, GraphNode, run
from vla_contract.node.parameters import ParameterError
from vla_safety.config import parameter_lock
from vla_safety.config.config_sections import URDF_TOPIC
from vla_safety.config.safety_config import SafetyConfig, check_space
from vla_safety.loop.control_loop import ControlLoop
from vla_safety.loop.lock_step import LockStep
from vla_safety.loop.loop_timing import LoopTiming
from vla_safety.node.arm_receivers import PointReceivers
from vla_safety.node.assembly import Assembly, assemble, recorder_settings, state_path
from vla_safety.node.description import wait_for_description
from vla_safety.node.graph_watch import OtherPublishers
from vla_safety.node.node_ports import Entities, Problems, Subscriptions
from vla_safety.node.obstacle_receivers import CloudReader, ObstacleReceivers
from vla_safety.node.outputs.senders import Senders
from vla_safety.node.receivers import PersonReceivers, Receivers
from vla_safety.node.reports import diagnosis, is_faulty
from vla_safety.node.safety_services import SafetyServices
from vla_safety.node.transform_lookup import TipLookup, TransformLookup
from vla_safety.watch.state_file import SavedState, StateFile, StateFileError, StateWriter

STATUS_PERIOD = 1.0  # s
FLUSH_TIMEOUT = 2.0  # s, of the state file, once the robot is at rest
DELIVERY_TIMEOUT = Duration(seconds=0.2)
FULL_COLLECTION = 60  # status periods between two whole garbage collections


class SafetyNode(GraphNode[SafetyConfig]):
    """Limits what leaves for the robot; see the package's README for topics and parameters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("safety", SafetyConfig, **kwargs)
        self._problems = Problems(self)
        self._loop: ControlLoop | None = None
        self._parts: list[Entities | StateWriter | Senders | CloudReader] = []  # to be closed

    # Lifecycle.

    def configure(self) -> None:
        """Read action space and state file, create everything."""
        config = self.config
        if not config.action_space:
            raise ParameterError("parameter action_space is empty; accepted: the path of a file")
        space = ActionSpace.load(config.action_space)
        check_space(config, space)
        if config.arm_urdf == URDF_TOPIC:
            config = replace(config, arm_urdf=wait_for_description(self))
        mode = LockStep if config.lock_step else ControlLoop
        file = StateFile(state_path(config, self.get_namespace()))
        saved = mode.usable_state(self._read_state(file))
        assembly = assemble(self, config, space, saved, mode.make_watch(space, config))
        self._problems = Problems(self)
        self._beats = 0
        self._faulty = 0
        self._timing = LoopTiming(space.period)
        entities, writer = Entities(self, mode.lock_step), StateWriter(file)
        self._parts += [entities, writer]
        self._join_parts(mode, assembly, entities, writer)
        due = [
            (config.fault_period, self.loop.send_levels),
            (STATUS_PERIOD, self._on_status_timer),
            *self.loop.periodic(),
        ]
        # Not "_timers": that is rclpy's own list of what the executor waits for.
        self._periodic = [entities.timer(period, callback) for period, callback in due]

    def _join_parts(
        self,
        mode: type[ControlLoop],
        assembly: Assembly,
        entities: Entities,
        writer: StateWriter,
    ) -> None:
        config, core, problems = self.config, assembly.core, self._problems
        clock = mode.make_clock(self.get_clock())
        settings = recorder_settings(config, self.get_namespace())
        self._senders = senders = Senders(entities, core.space, clock, self._timing, settings)
        clouds = CloudReader(core.surroundings, problems, mode.cloud_priority(config))
        self._parts += [senders, clouds]
        transforms = TransformLookup(self) if assembly.uses_tf else None
        publishers = OtherPublishers(
            self, senders.robot_topics, senders.own_ids, config.fault_period
        )
        tip = TipLookup(core, problems, transforms)
        self._loop = loop = mode(
            core, clock, senders, problems, publishers, tip, clouds, self._timing, writer
        )
        subscriptions = Subscriptions(entities, senders)
        Receivers(self.get_name(), loop, subscriptions, problems)
        ObstacleReceivers(loop, subscriptions, clouds, assembly.sources, transforms)
        if (arm := core.connection.arm) is not None:
            self.get_logger().info(arm.summary)
            PointReceivers(loop, arm, subscriptions, clouds, problems, transforms)
        if core.teleoperation is not None:
            PersonReceivers(
                core.teleoperation, clock, subscriptions, problems, assembly.inputs, assembly.locks
            )
        SafetyServices(entities, loop, problems)

    def activate(self) -> None:
        """Begin to control, in HOLD or in the stop of before."""
        # A full collection can take longer than a control period; see _on_status_timer.
        gc.collect()
        gc.freeze()
        gc.disable()
        self.loop.activate(self.config)
        for timer in self._periodic:
            timer.reset()
        self.loop.send_status()
        if latched := self.loop.core.machine.latched:
            line = f"stopped since an earlier run: {latched.text}; ./vla reset lets it go on"
            self.get_logger().warning(line)

    def brake(self) -> None:
        """Bring the robot to rest, in real time; nothing else is handled meanwhile."""
        self.loop.brake()

    def deactivate(self) -> None:
        """Stop to control; the robot is at rest."""
        for timer in self._periodic:
            timer.cancel()
        self.loop.deactivate(FLUSH_TIMEOUT)
        self.loop.send_status()
        self._senders.wait_for_delivery(DELIVERY_TIMEOUT)
        gc.enable()
        gc.unfreeze()

    def clean_up(self) -> None:
        """Destroy what `configure` made."""
        for part in reversed(self._parts):
            part.close()
        self._parts, self._loop = [], None

    def check_change(self, old: SafetyConfig, new: SafetyConfig) -> None:
        """Refuse what loosens a limit while the parameters are locked."""
        parameter_lock.check(old, new, locked=old.parameter_lock)

    def config_changed(self) -> None:
        """Take parameters that changed at run time."""
        if self.active:  # else `activate` does
            clock = self.loop.clock
            self.loop.core.reconfigure(self.config, clock.now(), clock.steady())

    def callback_failed(self, what: str, error: Exception) -> str:
        """Stop and stay stopped: what failed may be what the motion relies on.

        The next control period brakes, whatever raised.
        """
        return self._problems.report_failure(what, error)

    def diagnose(self) -> Diagnosis:
        """State, figures, counters."""
        core, counters = self.loop.core, self.loop.counters()
        values: dict[str, Any] = {"scheduling": self.loop.priority.how}
        if (recorder := self._senders.recorder) is not None:
            counters = counters + Counter({f"stop {k}": v for k, v in recorder.counters.items()})
            values["recorder_holds_s"] = round(recorder.reach, 2)
        self._faulty = self._faulty + 1 if is_faulty(core.situation()) else 0
        diagnosed = diagnosis(core, self._timing, counters, self._faulty)
        return replace(diagnosed, values={**diagnosed.values, **values})

    def _on_status_timer(self) -> None:
        self.loop.send_status()
        self._beats += 1
        if not gc.isenabled():
            gc.collect(2 if self._beats % FULL_COLLECTION == 0 else 1)

    def _read_state(self, file: StateFile) -> SavedState:
        try:
            return file.read()
        except StateFileError as error:
            self.get_logger().error(str(error))
            return SavedState(stopped=f"{error}: it may have held a stop")

    @property
    def loop(self) -> ControlLoop:
        """The control loop, while the node is configured."""
        if self._loop is None:
            raise RuntimeError("the node is not configured")
        return self._loop


def main() -> None:
    """Entry point of `ros2 run vla_safety safety`."""
    sys.exit(run(SafetyNode))


if __name__ == "__main__":
    main()
