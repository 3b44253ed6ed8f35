"""Who drives: the policy, or a person's teleoperation. Free of ROS.

Priorities, timeouts and locks mean what they mean in ros-teleop/twist_mux: of the inputs that are
alive and not masked the one of the highest priority drives (of two equal ones the first in the
configuration); a lock masks every input of a lower priority than its own; a lock that is silent
counts as locked. What is stricter here: nothing lives without a timeout, an input may have a
dead-man switch, and the policy does not go on by itself after a person has driven.

After teleoperation the plan of before is gone, whatever `Resume` says: the policy drives again
only for a command given after the last teleoperated period (`COMMAND`, the default), or for the
first chunk observed after it (`CHUNK`). The limiter behind this module makes each handover smooth.

Times are ns: `now` of the node clock, `steady` of a clock that never jumps.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Dimension
from vla_contract.frames import frame_name
from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_contract.stamps import NANOSECONDS
from vla_safety.watch.watchdog import Health, Watchdog

POLICY = "policy"
TWIST = "geometry_msgs/msg/Twist"
TWIST_STAMPED = "geometry_msgs/msg/TwistStamped"
FIELDS = tuple(f"{part}.{axis}" for part in ("linear", "angular") for axis in "xyz")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class TeleopConfig(Config):
    """Parameters of one teleoperation input, declared as `<input>.<name>`."""

    topic: str = parameter("", "Topic; empty: teleop/<input>.")
    type: str = parameter(TWIST, "Type of its messages.", choices=(TWIST, TWIST_STAMPED))
    frame: str = parameter(
        "",
        "Frame of a TwistStamped, where it names one; empty: the frame of the action space.",
    )
    timeout: float = parameter(
        0.25, "Silence after which the input is dead.", "s", minimum=0.01, maximum=10.0
    )
    priority: int = parameter(100, "The highest one that lives drives.", minimum=1, maximum=255)
    dead_man_topic: str = parameter(
        "", "std_msgs/Bool that must be true and fresh while the input drives; empty: none."
    )
    dead_man_timeout: float = parameter(
        0.25, "Silence of the dead-man that counts as released.", "s", minimum=0.01, maximum=10.0
    )

    def topic_of(self, name: str) -> str:
        """The topic, given or by default."""
        return self.topic or f"teleop/{name}"


@dataclass(frozen=True)
class LockConfig(Config):
    """Parameters of one lock, declared as `<lock>.<name>`."""

    topic: str = parameter("", "std_msgs/Bool, true is locked; empty: lock/<lock>.")
    timeout: float = parameter(
        0.5, "Silence after which the lock counts as locked.", "s", minimum=0.01, maximum=60.0
    )
    priority: int = parameter(255, "Masks every input of a lower priority.", minimum=1, maximum=255)

    def topic_of(self, name: str) -> str:
        """The topic, given or by default."""
        return self.topic or f"lock/{name}"


class Resume(enum.Enum):
    """What lets the policy drive again after teleoperation."""

    COMMAND = "command"
    CHUNK = "chunk"


class Refusal(enum.Enum):
    """Why a twist was not taken."""

    NOT_FINITE = "the twist is not finite"
    FRAME = "the twist is in another frame"
    OLD = "the twist is older than the input's timeout"


class Driver(enum.Enum):
    """Who drives in a period."""

    POLICY = "policy"
    TELEOPERATION = "teleoperation"
    HOME = "home"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Selection:
    """What `Teleoperation.select` decided for one period.

    name: for SafeAction.input; empty where nobody drives.
    twist: linear x, y, z (m/s) and angular x, y, z (rad/s) where a teleoperation input drives.
    drop_plan: the policy's chunks so far must be dropped and its command cancelled.
    brake: an input was lost in motion, or its dead-man released: brake with the emergency limits.
    cause, clears_when: why nobody drives, or why the robot brakes; empty where nothing is wrong.
    """

    driver: Driver
    name: str = ""
    twist: tuple[float, ...] | None = None
    drop_plan: bool = False
    brake: bool = False
    cause: str = ""
    clears_when: str = ""


class _Input:
    """The last twist of one input, and whether it may drive."""

    def __init__(self, config: TeleopConfig, frame: str) -> None:
        self.config = config
        self.frame = config.frame or frame
        self.twist: tuple[float, ...] = (0.0,) * 6
        self.fresh = Watchdog()
        self.pressed = not config.dead_man_topic
        self.dead_man = Watchdog()

    def alive(self, steady: int) -> bool:
        return self.speaks(steady) and self.is_held(steady)

    def speaks(self, steady: int) -> bool:
        return self.fresh.check(steady, _ns(self.config.timeout)) is Health.OK

    def is_held(self, steady: int) -> bool:
        if not self.config.dead_man_topic:
            return True
        fresh = self.dead_man.check(steady, _ns(self.config.dead_man_timeout)) is Health.OK
        return fresh and self.pressed


class _Lock:
    """The last level of one lock; silence is locked."""

    def __init__(self, config: LockConfig) -> None:
        self.config = config
        self.level = True
        self.fresh = Watchdog()

    def closed(self, steady: int) -> bool:
        return self.level or not self.told(steady)

    def told(self, steady: int) -> bool:
        return self.fresh.check(steady, _ns(self.config.timeout)) is Health.OK


class Teleoperation:
    """Takes what the inputs say; `select` decides once in every period who drives."""

    def __init__(
        self,
        inputs: Mapping[str, TeleopConfig],
        locks: Mapping[str, LockConfig],
        *,
        policy_priority: int = 10,
        resume: Resume = Resume.COMMAND,
        frame: str = "",
    ) -> None:
        """inputs, locks: by name, in the order of the configuration. frame: of the robot's twist.

        Raises:
            ParameterError: a name is no name, is used twice, or is "policy".
        """
        check_names([*inputs, *locks])
        self.resume = resume
        self._policy_priority = policy_priority
        self._inputs = {name: _Input(config, frame) for name, config in inputs.items()}
        self._locks = {name: _Lock(config) for name, config in locks.items()}
        self._last = ""  # the teleoperation input that drove last, while it may be braking
        self._void_before = 0

    def accept_twist(
        self,
        name: str,
        twist: Sequence[float],
        steady: int,
        *,
        frame: str = "",
        age: int = 0,
    ) -> Refusal | None:
        """Note a message; one that is refused does not keep the input alive.

        Args:
            twist: linear x, y, z (m/s), angular x, y, z (rad/s).
            frame: frame_id of a TwistStamped; empty where it names none, as with a Twist.
            age: time since the stamp of a TwistStamped, ns; 0 where it has none.
        """
        entry = self._inputs[name]
        if len(twist) != 6 or not all(map(math.isfinite, twist)):
            return Refusal.NOT_FINITE
        if frame and entry.frame and frame_name(frame) != frame_name(entry.frame):
            return Refusal.FRAME
        if age > _ns(entry.config.timeout):
            return Refusal.OLD
        entry.twist = tuple(map(float, twist))
        entry.fresh.feed(steady)
        return None

    def frame_of(self, name: str) -> str:
        """The frame that an input's TwistStamped must have; empty: any."""
        return self._inputs[name].frame

    def set_dead_man(self, name: str, pressed: bool, steady: int) -> None:
        """The level of an input's dead-man came; True is pressed."""
        entry = self._inputs[name]
        entry.pressed = pressed
        entry.dead_man.feed(steady)

    def set_lock(self, name: str, locked: bool, steady: int) -> None:
        """Note the level of a lock."""
        lock = self._locks[name]
        lock.level = locked
        lock.fresh.feed(steady)

    def select(self, now: int, steady: int, *, policy_alive: bool = True) -> Selection:
        """Who drives in this period.

        Args:
            policy_alive: the policy has something to do; while it has not, inputs of a lower
                priority may drive.
        """
        lock = self._strictest_lock(steady)
        masked_below = self._locks[lock].config.priority if lock else 0
        best = self._best(masked_below, self._policy_priority if policy_alive else 0, steady)
        if best:
            self._last = best
            self._void_before = now + 1
            twist = self._inputs[best].twist
            return Selection(Driver.TELEOPERATION, best, twist, drop_plan=True)
        if self._last:
            return self._ended(lock, steady)
        if self._policy_priority < masked_below:
            self._void_before = now + 1
            return self._locked(lock, steady)
        return Selection(Driver.POLICY, POLICY)

    def accepts(self, given: int, observed: int) -> bool:
        """True where a chunk may be planned with: it was not overtaken by teleoperation.

        Args:
            given: when its command was given (node clock, ns); 0: not known.
            observed: stamp of its observation (node clock, ns).
        """
        decides = observed if self.resume is Resume.CHUNK or given == 0 else given
        accepted = decides >= self._void_before
        if accepted:
            self._last = ""
        return accepted

    def _strictest_lock(self, steady: int) -> str:
        closed = [name for name, lock in self._locks.items() if lock.closed(steady)]
        return max(closed, key=lambda name: self._locks[name].config.priority, default="")

    def _best(self, masked_below: int, least: int, steady: int) -> str:
        """The living input of the highest priority; empty where none has the least one."""
        best, priority = "", least - 1
        for name, entry in self._inputs.items():
            own = entry.config.priority
            if own > priority and own >= masked_below and entry.alive(steady):
                best, priority = name, own
        return best

    def _ended(self, lock: str, steady: int) -> Selection:
        """Nobody drives after an input has ended, until a chunk is accepted."""
        entry = self._inputs[self._last]
        if lock and entry.config.priority < self._locks[lock].config.priority:
            return self._locked(lock, steady)
        if not entry.is_held(steady):
            cause, brake = f"the dead-man of {self._last} is released", True
        elif any(entry.twist) and not entry.speaks(steady):
            cause, brake = f"{self._last} fell silent in motion", True
        else:
            cause, brake = f"{self._last} has ended", False
        clears = "a new command" if self.resume is Resume.COMMAND else "the next chunk"
        clears = f"{clears} comes, or {self._last} drives again"
        return Selection(
            Driver.NOBODY, drop_plan=True, brake=brake, cause=cause, clears_when=clears
        )

    def _locked(self, name: str, steady: int) -> Selection:
        """Nobody drives under a lock. One that fell silent is a lost input: brake hard."""
        silent = not self._locks[name].told(steady)
        cause = f"lock {name} is {'silent, which counts as locked' if silent else 'locked'}"
        clears = f"lock {name} is open"
        return Selection(
            Driver.NOBODY, drop_plan=True, brake=silent, cause=cause, clears_when=clears
        )


def check_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be told apart or cannot be a parameter's prefix.

    Raises:
        ParameterError: naming the first one that is refused.
    """
    seen: set[str] = {POLICY}
    for name in names:
        if name in seen or not _NAME.fullmatch(name):
            raise ParameterError(
                f"teleoperation input or lock {name!r}; accepted: letters, digits and _, a letter "
                f'first, each name once and not "{POLICY}"'
            )
        seen.add(name)


def requested(space: ActionSpace, twist: Sequence[float]) -> list[float | None]:
    """A twist as a request, one value per dimension of the action space.

    None where a twist says nothing (grippers, joints): they stay where they are. Components that
    the robot has no dimension for are left out.
    """
    return [_component(dimension, twist) for dimension in space.dimensions]


def _component(dimension: Dimension, twist: Sequence[float]) -> float | None:
    field = dimension.output.field.removeprefix("twist.")
    if not dimension.kind.is_velocity or dimension.output.type not in (TWIST, TWIST_STAMPED):
        return None
    return float(twist[FIELDS.index(field)])


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
