"""What the safety node asks of its limiter for a policy that nothing else slows down. Free of ROS.

For evaluations in one process and for `serve graph`: chunks in sequence, at
the path speed that the velocity limits allow, and a brake along the plan where it ends.
"""

from __future__ import annotations

from vla_safety.limits.limiter import MotionLimiter
from vla_safety.plan.path_follower import PathFollower
from vla_safety.plan.path_speed import velocity_ceilings
from vla_safety.plan.sequencing import Chunk, Refusal, Sequencer


class PolicyPath:
    """Chunks, and what they ask of a limiter period by period. Times are ns of one clock."""

    def __init__(self, limiter: MotionLimiter, blend_window: float) -> None:
        """limiter: of the robot's action space. blend_window: s, as the safety node's."""
        self._limiter = limiter
        self._sequencer = Sequencer(limiter.space, blend_window)
        self._follower = PathFollower(limiter.space, self._sequencer)

    def accept(self, chunk: Chunk, now: int) -> Refusal | None:
        """Take a chunk into the plan, or return why not."""
        return self._sequencer.accept(chunk, now)

    def request(self, now: int) -> list[float] | None:
        """What to ask of the limiter in this period, SI; None: brake by itself."""
        path, limiter = self._follower, self._limiter
        path.advance_clock(now)
        values = limiter.values.tolist()
        motion = path.planned(now)
        if motion is None:
            return path.brake(
                now,
                emergency=False,
                at_rest=limiter.standstill,
                values=values,
                resting=limiter.hold_target().tolist(),
            )
        ceilings = velocity_ceilings(limiter.space, motion.rates, 1.0)
        return path.follow(
            motion, (), ceilings, by_policy=True, fade_time=0.0, values=values, now=now
        )

    def observe_command(self) -> None:
        """The limiter has moved: what it made of the request decides how the path goes on."""
        self._follower.observe_command(self._limiter.values.tolist())
