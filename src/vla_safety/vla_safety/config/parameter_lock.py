"""Which change of a parameter at run time loosens a limit. Free of ROS.

While the lock is on, a change that loosens is refused and one that tightens is taken. A parameter
that is not in the table counts as loosened by any change, so that a new one is safe by default.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vla_contract.node.parameters import Config, ParameterError, fields


class Loosens(enum.Enum):
    """The direction of a change that loosens."""

    UP = "raising it"
    DOWN = "lowering it"
    TRUE = "turning it on"
    FALSE = "turning it off"
    ADDED = "adding to it"
    REMOVED = "removing from it"
    ANY = "changing it"
    NEVER = "nothing"


LOOSENS: dict[str, Loosens] = {
    # How old or how late something may be.
    "slop": Loosens.UP,
    "stamp_tolerance": Loosens.UP,
    "chunk_timeout": Loosens.UP,
    "heartbeat_timeout": Loosens.UP,
    "input_timeout": Loosens.UP,
    "emergency_stop_timeout": Loosens.UP,
    "clock_timeout": Loosens.UP,
    "clock_jump": Loosens.UP,
    # How long a fault must be over, and how many are too many; 0 is never, so any change counts.
    **{
        f"recovery_{kind}": Loosens.DOWN
        for kind in (
            "vision",
            "language",
            "action",
            "communication",
            "robot_state",
            "clock",
            "obstacle",
            "contact",
        )
    },
    "escalation_count": Loosens.ANY,
    "escalation_total": Loosens.ANY,
    "escalation_window": Loosens.DOWN,
    "limited_timeout": Loosens.ANY,
    "progress_timeout": Loosens.ANY,
    "progress_rise": Loosens.DOWN,
    "progress_motion": Loosens.DOWN,
    "tracking_timeout": Loosens.ANY,
    "tracking_linear": Loosens.UP,
    "tracking_angular": Loosens.UP,
    "tracking_position": Loosens.UP,
    "obstacle_distance": Loosens.DOWN,
    "obstacle_warning": Loosens.NEVER,
    # What must be there.
    "heartbeat_sources": Loosens.REMOVED,
    "required_inputs": Loosens.REMOVED,
    "required_joints": Loosens.REMOVED,
    "require_emergency_stop": Loosens.FALSE,
    "stop_words": Loosens.REMOVED,
    # Whether and how fast the robot moves.
    "shadow": Loosens.FALSE,
    "armed_on_start": Loosens.TRUE,
    "speed_scale": Loosens.UP,
    "parameter_lock": Loosens.FALSE,
    # What is only told.
    "error_count": Loosens.NEVER,
    "blend_window": Loosens.NEVER,  # the limiter is behind it
    "home_speed": Loosens.UP,
    "home_tolerance": Loosens.NEVER,
    "home_timeout": Loosens.NEVER,
    "fade_in_time": Loosens.DOWN,
    "fault_period": Loosens.UP,
}


def loosened(name: str, old: Any, new: Any, table: Mapping[str, Loosens] = LOOSENS) -> bool:
    """True where the change from `old` to `new` loosens a limit."""
    if old == new:
        return False
    return _JUDGE[table.get(name, Loosens.ANY)](old, new)


def check(old: Config, new: Config, *, locked: bool) -> None:
    """Refuse a change that loosens while the parameters are locked.

    Args:
        old, new: the present values and the ones asked for, both of one class.

    Raises:
        ParameterError: names the parameter, both values, and what is accepted.
    """
    if not locked:
        return
    for name, _, _ in fields(type(old)):
        before, after = getattr(old, name), getattr(new, name)
        if loosened(name, before, after):
            how = LOOSENS.get(name, Loosens.ANY).value
            raise ParameterError(
                f"parameter {name} is {before!r} and locked: {how} loosens a limit, so {after!r} "
                "is refused; accepted: a stricter value, or deactivate the node first"
            )


def _without(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """True where `one` holds something that `other` lacks."""
    return bool(set(one) - set(other))


_JUDGE: dict[Loosens, Callable[[Any, Any], bool]] = {
    Loosens.UP: lambda old, new: not new <= old,  # NaN loosens, too
    Loosens.DOWN: lambda old, new: not new >= old,
    Loosens.TRUE: lambda old, new: bool(new),
    Loosens.FALSE: lambda old, new: not new,
    Loosens.ADDED: lambda old, new: _without(new, old),
    Loosens.REMOVED: lambda old, new: _without(old, new),
    Loosens.ANY: lambda old, new: True,
    Loosens.NEVER: lambda old, new: False,
}
