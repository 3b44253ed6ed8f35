"""The control loop of a simulation or a replay: one period per tick, and no wall clock decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_interfaces.msg import Fault, SimulationTick
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.loop.control_clock import TickClock
from vla_safety.loop.control_loop import ControlLoop, Periodic
from vla_safety.loop.tick_queue import Tick, TickQueue
from vla_safety.plan.sequencing import Chunk
from vla_safety.watch.input_watch import InputWatch, LockStepWatch
from vla_safety.watch.state_file import SavedState

if TYPE_CHECKING:
    from vla_safety.node.node_ports import Subscriptions


class LockStep(ControlLoop):
    """Answers each tick once, when all that it needs is here; see `TickQueue`."""

    lock_step: ClassVar[bool] = True
    clock: TickClock

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.ticks = TickQueue()
        self._known: dict[str, int] = {}  # input of the robot's state → as of when, ns

    @staticmethod
    def make_clock(ros_clock: Any) -> TickClock:
        """Time passes by ticks."""
        return TickClock(ros_clock)

    @staticmethod
    def make_watch(space: ActionSpace, config: SafetyConfig) -> InputWatch:
        """That of the ticks."""
        return LockStepWatch(space, config)

    @staticmethod
    def usable_state(saved: SavedState) -> SavedState:
        """Nothing was commanded while no simulator ran."""
        return replace(saved, running=False)

    @staticmethod
    def cloud_priority(config: SafetyConfig) -> int | None:
        """Every point cloud counts in its own tick: it is read as it comes."""
        return None

    def begin_alone(self, config: SafetyConfig) -> None:
        """The simulator's other nodes are not watched, and it waits."""

    def periodic(self) -> list[Periodic]:
        """Nothing is due by a timer."""
        return []

    def gather(self, now: int, steady: int) -> None:
        """Everything comes by messages."""

    def brake(self) -> None:
        """The simulator waits for an answer and does not move."""
        self.core.close()

    def accept_chunk(self, chunk: Chunk) -> None:
        """It waits for the tick of its stamp."""
        self.ticks.accept_chunk(chunk)
        self.run_due()

    def subscribe_ticks(self, subscriptions: Subscriptions, receive: Callable[[Any], None]) -> None:
        """They say when a period is due."""
        subscriptions.subscribe(SimulationTick, topics.TICK, receive)

    def accept_tick(self, tick: Tick) -> bool:
        """A tick came; False where it is not to be answered."""
        return self.active and self.ticks.accept_tick(tick)

    def arrival(self, stamp: int) -> tuple[int, int]:
        """At the tick that it belongs to, in whatever order it came."""
        return stamp, 0

    def stamp_problem(self, name: str, stamp: int, publisher: tuple[str, ...]) -> str:
        """None: the stamp is the tick's."""
        return ""

    def reading_problem(self, age: float, timeout: float) -> str:
        """None: the stamp is the tick's."""
        return ""

    def state_is_known(self, name: str, when: int) -> None:
        """A tick may have waited for it."""
        self._known[name] = when

    def run_due(self) -> None:
        """Answer the pending tick once all that it needs is here."""
        tick = self.ticks.pending
        if tick is None or not self.active or not self.ticks.ready:
            return
        missing = set(self.core.config.required_inputs) - self._known.keys()
        if missing:
            text = f"waiting for {', '.join(sorted(missing))}"
            self._problems.log.warning(text, throttle_duration_sec=5.0)
            return
        pose = self.core.surroundings.pose
        if pose.needed and self._known.get(pose.source, -1) < tick.stamp:
            return  # the pose of this tick is on its way
        self.run()

    def _run_period(self) -> None:
        tick, chunks, new_episode = self.ticks.begin_period()
        now = self.clock.tick_time = tick.stamp
        if new_episode:
            self.core.new_episode()
        for chunk in chunks:
            self.tell_chunk(chunk, now)
        self.send(self.decide(now, now), tick.number, now)

    def hear_twin(self, message: Fault) -> None:
        """Levels come on wall time, which decides nothing here."""

    def obey_stop_word(self, word: str, heard: int) -> bool:
        """Nor do stop words that other nodes hand on."""
        return False

    def counters(self) -> Counter[str]:
        """With the chunks for which no tick came."""
        return super().counters() + Counter({"chunk dropped in lock-step": self.ticks.dropped})
