"""Speed and separation monitoring: as fast as the protective separation distance allows. ROS-free.

ISO/TS 15066:2016, 5.5.4.2.3, formula (1): a person must be farther away than

    S_p = S_h + S_r + S_s + C + Z_d + Z_r

S_h = v_h (T_r + T_s): way of the person, at v_h, until the robot stands. S_r = v_r T_r: way of the
robot in its reaction time. S_s: way of the robot while it stops, T_s the time of that. C: how far a
part of the body intrudes before it is detected (ISO 13855). Z_d, Z_r: uncertainty of the person's
position and of the robot's. Where the person's speed is not known the standard takes 1.6 m/s.

Instead of stopping when the distance falls below S_p, the robot slows down all the way: it may be
just as fast as makes S_p the distance that was measured. It is slowed with the way that stopping
takes within the normal limits, and stopped where the distance falls below what the emergency limits
need at the present speed; so the stop is for a person who comes nearer faster than v_h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vla_contract.action_space import ActionSpace, Limits
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

PEOPLE = "people"
# Speed, m/s -> time and way of stopping from it, s and m; both grow with it.
Stopping = Callable[[float], tuple[float, float]]
_SEARCHES = 40  # bisections: to 1e-12 of the full speed


@dataclass(frozen=True)
class SeparationRules:
    """v_h, m/s; T_r, s; C, Z_d and Z_r, m. See the module."""

    person_speed: float
    reaction: float
    intrusion: float = 0.0
    person_uncertainty: float = 0.0
    robot_uncertainty: float = 0.0


def protective_distance(
    speed: float, rules: SeparationRules, stopping: Stopping, age: float = 0.0
) -> float:
    """S_p at a speed of the robot towards the person, m/s; age: of the measurement, s."""
    reaction = rules.reaction + age
    time, way = stopping(speed)
    s_h = rules.person_speed * (reaction + time)
    s_r = speed * reaction
    fixed = rules.intrusion + rules.person_uncertainty + rules.robot_uncertainty
    return s_h + s_r + way + fixed


def separation_factor(
    distance: float, speed: float, rules: SeparationRules, stopping: Stopping, age: float = 0.0
) -> float:
    """Greatest share of a speed, 0 to 1, at which S_p is no more than the distance.

    distance: measured, m; not a number: 0. speed: the robot's full one, m/s.
    """
    if not distance >= protective_distance(0.0, rules, stopping, age):
        return 0.0
    if protective_distance(speed, rules, stopping, age) <= distance:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_SEARCHES):
        middle = 0.5 * (low + high)
        if protective_distance(middle * speed, rules, stopping, age) <= distance:
            low = middle
        else:
            high = middle
    return low


def stopping_within(limits: Limits, period: float) -> Stopping:
    """Of a velocity that is braked within its limits; two periods more than in continuous time."""

    def stopping(speed: float) -> tuple[float, float]:
        if speed <= 0.0:
            return 0.0, 0.0
        time = replace(limits, velocity=speed).time_to_rest()
        # A deceleration that is built up as it is taken back: half of the speed on the average.
        return time + 2.0 * period, speed * (0.5 * time + 2.0 * period)

    return stopping


def stopping_for(seconds: float) -> Stopping:
    """Of joints that come to rest within a time, however fast their links are."""

    def stopping(speed: float) -> tuple[float, float]:
        return (seconds, speed * seconds) if speed > 0.0 else (0.0, 0.0)

    return stopping


class PersonSeparation:
    """Tell it where people are; it says how fast the robot may be, and whether it must stop.

    Attributes:
        distance: to the nearest person, m; infinite where nobody is seen.
    """

    def __init__(self, space: ActionSpace, config: SafetyConfig) -> None:
        self.distance = math.inf
        self._config = config
        self._space = space
        self._rules = SeparationRules(
            config.people_speed, config.people_reaction, config.people_intrusion,
            config.people_uncertainty, config.people_robot_uncertainty,
        )  # fmt: skip
        self._full, self._normal, self._emergency = _motion(space, config)
        # A command follows a bound that falls only when its deceleration has built up.
        self._lag = space.period + max(
            dimension.normal.deceleration / dimension.normal.jerk for dimension in space.dimensions
        )
        self._seen: int | None = None

    @property
    def enabled(self) -> bool:
        """People are looked for."""
        return self._config.people_enabled

    def accept_people(self, positions: Sequence[Sequence[float]], steady: int, age: int = 0) -> str:
        """Where people are now, (x, y, ...) in base_frame, m; none: nobody is there.

        steady: ns, of arrival; age: ns, of the measurement then. Returns why it cannot be used.
        """
        if not all(math.isfinite(v) for position in positions for v in position[:2]):
            return f"{PEOPLE} has a position that is not finite"
        ways = [math.hypot(p[0], p[1]) - self._config.people_reach for p in positions]
        self.distance = max(0.0, min(ways, default=math.inf))
        self._seen = steady - max(0, age)
        return ""

    def forget(self) -> None:
        """The robot was put elsewhere, or the clock jumped."""
        self.distance, self._seen = math.inf, None

    def factor(self, steady: int) -> float:
        """Share of the full speed that the distance allows."""
        if not self.enabled or self._seen is None:
            return 1.0
        late = self._age(steady) + self._lag
        return separation_factor(self.distance, self._full, self._rules, self._normal, late)

    def cause(self, speed: float, steady: int) -> Cause | None:
        """Why the robot must stop: a silent detector, or a person too near for its speed.

        speed: the present one, m/s.
        """
        if not self.enabled:
            return None
        timeout = self._config.input_timeout
        if self._seen is None or self._age(steady) > timeout:
            what = "was never received" if self._seen is None else f"is older than {timeout:g} s"
            return Cause(
                Reason.INPUT, Severity.HOLD, f"{PEOPLE} {what}", f"{PEOPLE} is received", True,
                FaultKind.ROBOT_STATE,
            )  # fmt: skip
        needed = protective_distance(speed, self._rules, self._emergency, self._age(steady))
        if self.distance >= needed or speed == 0.0:
            return None
        text = f"a person is {self.distance:.2f} m away; accepted at {speed:.2f} m/s: "
        text += f"{needed:.2f} m"
        return Cause(Reason.OBSTACLE, Severity.HOLD, text, "the person is farther away", True)

    def speed(self, values: Sequence[float]) -> float:
        """Of a command, m/s: of its linear velocities, or the full one where there are none."""
        indices = self._space.linear_indices
        if not indices:
            return self._full
        return math.sqrt(sum(values[i] ** 2 for i in indices))

    def _age(self, steady: int) -> float:
        return 0.0 if self._seen is None else max(0, steady - self._seen) / NANOSECONDS


def _motion(space: ActionSpace, config: SafetyConfig) -> tuple[float, Stopping, Stopping]:
    """Full speed, m/s, and how it stops within the normal and within the emergency limits."""
    used = [space.dimensions[i] for i in space.linear_indices]
    if not used:
        full = config.people_robot_speed or config.arm_speed
        # The normal limits have no bound on their time; the emergency's is the braking time.
        return full, stopping_for(2.0 * space.braking_time), stopping_for(space.braking_time)
    full = math.sqrt(sum(dimension.normal.velocity**2 for dimension in used))
    full = min(full, space.norms.linear_velocity or full)
    normal, emergency = (
        Limits(
            full,
            min(limits.acceleration for limits in sets),
            min(limits.jerk for limits in sets),
            min(limits.deceleration for limits in sets),
        )
        for sets in ([d.normal for d in used], [d.emergency for d in used])
    )
    return full, stopping_within(normal, space.period), stopping_within(emergency, space.period)
