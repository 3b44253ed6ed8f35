"""How often the scripted experts succeed inside given motion limits: how limits are chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vla_contract.action_space import ActionSpace, Limits
from vla_safety.limits import MotionLimiter
from vla_sim.environment import STEP_LIMIT, MetaworldEnvironment


@dataclass(frozen=True)
class LimitResult:
    """Outcome for one task and limit: successes of episodes, mean ticks of the successful ones.

    acceleration, jerk: of the linear dimensions, m/s^2 and m/s^3.
    """

    task: str
    acceleration: float
    jerk: float
    successes: int
    episodes: int
    mean_ticks: float


def with_limits(space: ActionSpace, acceleration: float, jerk: float) -> ActionSpace:
    """The action space with other limits of its velocity dimensions, normal and emergency."""
    dimensions = tuple(
        replace(d, normal=limits, emergency=limits)
        if d.kind.is_velocity
        else d
        for d in space.dimensions
        for limits in [Limits(d.normal.velocity, float(acceleration), float(jerk))]
    )
    # Not the subject here: slow limits need longer to stop.
    return replace(space, dimensions=dimensions, braking_time=10.0)


def study(
    space: ActionSpace,
    tasks: Sequence[str],
    limits: Sequence[tuple[float, float]],
    episodes: int,
    first_seed: int,
) -> Iterator[LimitResult]:
    """Run every task's expert through every (acceleration, jerk); yields one result each."""
    environment = MetaworldEnvironment(cameras=())
    for task in tasks:
        for acceleration, jerk in limits:
            limiter = MotionLimiter(with_limits(space, acceleration, jerk))
            ticks = [
                _episode(environment, limiter, task, seed)
                for seed in range(first_seed, first_seed + episodes)
            ]
            good = [t for t in ticks if t is not None]
            mean = sum(good) / len(good) if good else float("nan")
            yield LimitResult(task, acceleration, jerk, len(good), episodes, mean)


def _episode(
    environment: MetaworldEnvironment, limiter: MotionLimiter, task: str, seed: int
) -> int | None:
    """Ticks to success, or None."""
    environment.reset(task, seed)
    limiter.reset()
    for tick in range(STEP_LIMIT):
        safe = limiter.step(environment.expert_action()).safe
        if environment.step(safe[:3], safe[3]).success:
            return tick + 1
    return None
