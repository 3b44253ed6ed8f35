"""The control loop: it decides on each period and sends what was decided.

`ControlLoop` takes time from clocks, and every message as it comes; its `LockStep` takes both from
the simulator's ticks. The node chooses once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from vla_contract.action_space import ActionSpace
from vla_contract.stamps import NANOSECONDS, to_nanoseconds, to_time
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.decision import Decision
from vla_safety.loop.control_clock import WallClock
from vla_safety.loop.loop_timing import LoopTiming
from vla_safety.loop.realtime_priority import Priority
from vla_safety.loop.tick_queue import Tick
from vla_safety.plan.sequencing import Chunk
from vla_safety.surroundings.obstacles.obstacle_sources import stamp_problem
from vla_safety.watch.input_watch import InputWatch
from vla_safety.watch.state_file import SavedState, StateWriter

if TYPE_CHECKING:
    from vla_interfaces.msg import Fault
    from vla_safety.node.graph_watch import OtherPublishers
    from vla_safety.node.node_ports import Problems, Subscriptions
    from vla_safety.node.obstacle_receivers import CloudReader
    from vla_safety.node.outputs.senders import Senders
    from vla_safety.node.transform_lookup import TipLookup

COMMANDS_AT_REST = 3
LISTENED_BEATS = 5.0  # of another safety node that a newcomer waits for before it connects
Periodic = tuple[float, Callable[[], None]]


class ControlLoop:
    """A timer says when a period is due. One thread does everything.

    Attributes:
        lock_step: in whose QoS the topics are.
        active: the node is.
        priority: of the loop's thread.
    """

    lock_step: ClassVar[bool] = False

    def __init__(
        self,
        core: SafetyCore,
        clock: WallClock,
        senders: Senders,
        problems: Problems,
        publishers: OtherPublishers,
        tip: TipLookup,
        clouds: CloudReader,
        timing: LoopTiming,
        writer: StateWriter,
    ) -> None:
        """tip, clouds: where the tip and the points of clouds come from, once a period."""
        self.core = core
        self.clock = clock
        self.active = False
        self.priority = Priority()
        self._senders = senders
        self._problems = problems
        self._publishers = publishers
        self._tip = tip
        self._clouds = clouds
        self._timing = timing
        self._writer = writer
        self._decision: Decision | None = None
        self._tick = 0

    # Made before there is a loop.

    @staticmethod
    def make_watch(space: ActionSpace, config: SafetyConfig) -> InputWatch:
        """What the core watches its inputs with."""
        return InputWatch(space, config)

    @staticmethod
    def usable_state(saved: SavedState) -> SavedState:
        """What counts of that which an earlier process left."""
        return saved

    @staticmethod
    def make_clock(ros_clock: Any) -> WallClock:
        """Time passes by itself."""
        return WallClock(ros_clock)

    @staticmethod
    def cloud_priority(config: SafetyConfig) -> int | None:
        """Point clouds are read in a thread of this real-time priority."""
        return max(0, config.realtime_priority - 1)

    # Life cycle.

    def activate(self, config: SafetyConfig) -> None:
        """Begin to control, in HOLD or in the stop of before."""
        now, steady = self.clock.now(), self.clock.steady()
        self._problems.defect = ""
        self._timing.restart()
        self._publishers.restart()
        self._decision = None
        self.begin_alone(config)
        self.core.reconfigure(config, now, steady)
        self.core.activate(now, steady)
        self.save_state(running=True)
        self.active = True

    def deactivate(self, timeout: float) -> None:
        """End to control; timeout: s for the state file."""
        self.active = False
        self.core.deactivate(self.clock.now())
        self.save_state(running=False)
        self._writer.flush(timeout)
        self.priority.release()

    def begin_alone(self, config: SafetyConfig) -> None:
        """Listen whether another safety node drives; ahead of other processes, if permitted."""
        self._listen()
        self.priority.acquire(config.realtime_priority)

    def brake(self) -> None:
        """Bring the robot to rest, in real time; nothing else is handled meanwhile."""
        core = self.core
        core.close()
        end = time.monotonic() + core.space.braking_time + 5.0 * core.space.period
        due = time.monotonic()
        at_rest = 0
        # More than one command at rest: the first still carries an acceleration.
        while time.monotonic() < end and at_rest < COMMANDS_AT_REST:
            self._run_period()
            at_rest = at_rest + 1 if core.limiter.standstill else 0
            due += core.space.period
            time.sleep(max(0.0, due - time.monotonic()))

    def periodic(self) -> list[Periodic]:
        """Periods, and looks at the graph."""
        return [
            (self.core.space.period, self.run),
            (self.core.config.publishers_period, self.inspect_graph),
        ]

    # One period.

    def run(self) -> None:
        """The period that is due."""
        self._timing.begin(time.monotonic())
        self._run_period()
        self._timing.end(time.monotonic())

    def _run_period(self) -> None:
        now, steady = self.clock.now(), self.clock.steady()
        decision = self.decide(now, steady)
        self._tick += 1 + decision.missed
        self.send(decision, self._tick, now)

    def decide(self, now: int, steady: int) -> Decision:
        """The core's decision; after a defect a braking one, and the stop stays latched."""
        problems = self._problems
        try:
            if not problems.defect:
                self.gather(now, steady)
                return self.core.decide(now, steady)
        except Exception as error:
            problems.report_failure("a control period", error)
        why, problems.defect = problems.defect, ""
        try:
            return self.core.brake(why, now)
        except Exception as error:
            problems.report_failure("braking", error)
        return self.core.rest(why, now)

    def gather(self, now: int, steady: int) -> None:
        """Bring together what comes by no message of its own."""
        self._tip.update(now, steady)
        self.core.watch.other_publishers = self._publishers.problem(steady)
        self._clouds.collect()

    def send(self, decision: Decision, tick: int, now: int) -> None:
        """Everything of one period; one that fails keeps none of the others back."""
        self._decision = decision
        for what, action in (  # the robot's commands are the first
            *self._senders.actions(decision, tick, to_time(now)),
            ("the recorder", self._senders.poll_recorder),
            ("the state file", lambda: self.save_state(running=True)),
        ):
            try:
                action()
            except Exception as error:
                self._problems.report_failure(what, error)

    def send_status(self) -> None:
        """The status as it is now, whether it has changed or not."""
        decision = self._decision or self.core.first_decision()
        self._senders.send_status(replace(decision, situation=self.core.situation()), force=True)

    def send_levels(self) -> None:
        """The fault levels, which are the node's heartbeat."""
        for message in self._senders.levels(self.core.situation()):
            self._publishers.twin.remember_own(to_nanoseconds(message.header.stamp))
            self._senders.faults.publish(message)

    def save_state(self, running: bool | None = None) -> None:
        """Let what must survive be written, in another thread; tell what could not be."""
        self._writer.write(self.core.state_to_save(self.active if running is None else running))
        if problem := self._writer.pop_problem():
            self._problems.counters["state file not written"] += 1
            self._problems.log.error(problem, throttle_duration_sec=10.0)

    # What comes in, as the receivers tell it.

    def accept_chunk(self, chunk: Chunk) -> None:
        """Tell the core at once."""
        self._publishers.observe_chunk(chunk.sequence, self.clock.steady())
        self.tell_chunk(chunk, self.clock.now())

    def tell_chunk(self, chunk: Chunk, now: int) -> None:
        """Tell the core, and log a refusal; before the first /clock every stamp is ahead of it."""
        refusal = self.core.accept_chunk(chunk, now)
        if refusal is not None and now:
            text = f"chunk refused: {refusal.value}"
            self._problems.log.warning(text, throttle_duration_sec=1.0)

    def arrival(self, stamp: int) -> tuple[int, int]:
        """When a message of this stamp (ns; 0: none) counts as received, and its age then, ns."""
        return self.clock.steady(), self.clock.now() - stamp if stamp else 0

    def stamp_problem(self, name: str, stamp: int, publisher: tuple[str, ...]) -> str:
        """Why a message of the robot's state may not be used; empty where it may."""
        robot, config = self.core.watch.robot, self.core.config
        return robot.stamp_problem(name, stamp, self.clock.now(), config, publisher)

    def reading_problem(self, age: float, timeout: float) -> str:
        """Why a reading of obstacles of this age, s, may not be used; empty where it may."""
        return stamp_problem(age, timeout)

    def state_is_known(self, name: str, when: int) -> None:
        """What a message of the robot's state told, good or refused, holds as of then, ns."""

    def run_due(self) -> None:
        """A message came: run the period that it was the last thing to wait for, if one waits."""

    def subscribe_ticks(self, subscriptions: Subscriptions, receive: Callable[[Any], None]) -> None:
        """Subscribe the simulator's ticks, where they say when a period is due."""

    def accept_tick(self, tick: Tick) -> bool:
        """A tick came; False where it is not to be answered."""
        return False

    def hear_twin(self, message: Fault) -> None:
        """A level in this node's name came: where it is another's, this one does not connect."""
        twin = self._publishers.twin
        another = twin.observe_level(to_nanoseconds(message.header.stamp), self.clock.steady())
        if another and not self.core.connection.connected:
            self._listen()

    def obey_stop_word(self, word: str, heard: int) -> bool:
        """Another node hands on a stop word, heard at so many ns; whether it was new."""
        return self.core.obey_stop_word(word, heard, self.clock.now())

    def inspect_graph(self) -> None:
        """Who else publishes, and who reads."""
        self._publishers.inspect_graph(self.clock.steady())
        unread = (self._publishers.unread, self._senders.unserved)
        self.core.connection.unread = "; ".join(text for text in unread if text)
        if self._publishers.commands_shared and not self.core.connection.connected:
            self._listen()

    def _listen(self) -> None:
        wait = round(LISTENED_BEATS * self.core.config.fault_period * NANOSECONDS)
        self.core.connection.listen_until = self.clock.steady() + wait

    def counters(self) -> Counter[str]:
        """What was counted, for the diagnostics."""
        return self._problems.counters
