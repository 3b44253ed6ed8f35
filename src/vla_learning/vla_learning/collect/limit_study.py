"""How often the scripted experts succeed inside given motion limits: how limits are chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vla_contract.action_space import ActionSpace, Limits
from vla_safety.limits.limiter import MotionLimiter
from vla_sim.robot.metaworld_robot import STEP_LIMIT, MetaworldEnvironment


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
        replace(d, normal=limits, emergency=limits) if d.kind.is_velocity else d
        for d in space.dimensions
        for limits in [Limits(d.normal.velocity, float(acceleration), float(jerk))]
    )
    # Not the subject here: slow limits need longer to stop.
    return replace(space, dimensions=dimensions, braking_time=10.0)


def study(
    space: ActionSpace,
    tasks: Sequence[str],
    limits: Sequence[tuple[float, float]],
    seeds: Sequence[int],
) -> Iterator[LimitResult]:
    """Run every task's expert through every (acceleration, jerk); yields one result each."""
    environment = MetaworldEnvironment(cameras=())
    for task in tasks:
        for acceleration, jerk in limits:
            limiter = MotionLimiter(with_limits(space, acceleration, jerk))
            ticks = [_episode(environment, limiter, task, seed) for seed in seeds]
            good = [t for t in ticks if t is not None]
            mean = sum(good) / len(good) if good else float("nan")
            yield LimitResult(task, acceleration, jerk, len(good), len(seeds), mean)


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


def markdown_table(results: Sequence[LimitResult]) -> str:
    """One row per task, one column per limit: successes of episodes (mean ticks to success)."""
    limits = list(dict.fromkeys((r.acceleration, r.jerk) for r in results))
    cells = {
        (r.task, r.acceleration, r.jerk): f"{r.successes}/{r.episodes}"
        + (f" ({r.mean_ticks:.0f})" if r.successes else "")
        for r in results
    }
    lines = [
        "| task | " + " | ".join(f"{a:g} m/s², {j:g} m/s³" for a, j in limits) + " |",
        "|---" * (len(limits) + 1) + "|",
    ]
    for task in dict.fromkeys(r.task for r in results):
        lines.append(f"| {task} | " + " | ".join(cells[task, a, j] for a, j in limits) + " |")
    return "\n".join(lines)
