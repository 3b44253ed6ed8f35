"""Hypothesis strategies of action spaces, configurations and events. Free of ROS."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_proof.properties.safety_scenario import Event, Scenario
from vla_safety.config.safety_config import SLOWING, SafetyConfig
from vla_safety.limits.limiter import braking_time
from vla_safety.watch.fault_levels import Level
from vla_safety.watch.safety_states import FaultKind

MAX_WIDTH = 8
RATES = (10.0, 20.0, 50.0, 80.0, 100.0, 250.0)  # Hz
CONFIG = SafetyConfig(
    required_inputs=("joint_states",),
    closed_loop=False,
    workspace_required=False,
    obstacle_source_required=False,
)
TWIST = "geometry_msgs/msg/Twist"
ONE_DIMENSION = [kind for kind in Kind if kind is not Kind.END_EFFECTOR_ORIENTATION]
_PARTS = {Kind.LINEAR_VELOCITY: "linear", Kind.ANGULAR_VELOCITY: "angular"}


def scales(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers of any magnitude between two, as often small as large."""
    return st.floats(math.log(least), math.log(most)).map(math.exp)


@st.composite
def limits(draw: Any, least: Limits | None = None) -> Limits:
    """Normal limits, or emergency ones that are at least `least`."""
    if least is None:
        velocity = draw(scales(0.05, 5.0))
        acceleration = velocity * draw(scales(1.5, 50.0))
        jerk = acceleration * draw(scales(3.0, 200.0))
        return Limits(velocity, acceleration, jerk, acceleration * draw(scales(0.3, 3.0)))
    factors = [draw(st.one_of(st.just(1.0), st.floats(1.0, 4.0))) for _ in range(4)]
    values = (least.velocity, least.acceleration, least.jerk, least.deceleration)
    return Limits(*(a * b for a, b in zip(values, factors, strict=True)))


@st.composite
def dimensions(draw: Any, index: int) -> Dimension:
    """One dimension of any kind."""
    kind = draw(st.sampled_from(ONE_DIMENSION))
    normal = draw(limits())
    low, high = -draw(scales(0.01, 2.0)), draw(scales(0.01, 2.0))
    if not kind.is_velocity and draw(st.booleans()):
        low, high = low + 1.0, low + 1.0 + high  # a range that may lack 0
    name = f"d{index}"
    output = Output(name, "std_msgs/msg/Float64", name)
    # The first three may be those of a Twist, so that they lead somewhere.
    if kind in _PARTS and index < 3 and draw(st.booleans()):
        output = Output("cmd_vel", TWIST, f"{_PARTS[kind]}.{'xyz'[index]}")
    return Dimension(
        name, kind, kind.units[0], low, high, low, high, normal, draw(limits(normal)), "base_link",
        output, draw(joint_ranges()) if kind is Kind.JOINT_VELOCITY else None,
    )  # fmt: skip


@st.composite
def joint_ranges(draw: Any) -> tuple[float, float]:
    """Of a joint that stands at 0 in the beginning, with or without ends."""
    if draw(st.booleans()):
        return -math.inf, math.inf
    return -draw(scales(0.01, 3.0)), draw(scales(0.01, 3.0))


@st.composite
def orientations(draw: Any, index: int) -> tuple[Dimension, ...]:
    """The three or six dimensions of one orientation."""
    count, unit, reach = draw(st.sampled_from([(3, "rad", math.pi), (6, "1", 1.0)]))
    normal = draw(limits())
    emergency = draw(limits(normal))
    kind = Kind.END_EFFECTOR_ORIENTATION
    return tuple(
        Dimension(
            f"d{index + k}", kind, unit, -reach, reach, -reach, reach, normal, emergency,
            "base_link", Output("turning", "std_msgs/msg/Float64MultiArray", f"data[{k}]"),
        )
        for k in range(count)
    )  # fmt: skip


@st.composite
def spaces(draw: Any, max_width: int = MAX_WIDTH) -> ActionSpace:
    """Any action space whose braking time is just what its limits allow."""
    period = 1.0 / draw(st.sampled_from(RATES))
    width = draw(st.integers(1, max_width))
    made = tuple(draw(dimensions(i)) for i in range(width))
    if width > 1 and draw(st.sampled_from([True, False, False])):
        made += draw(orientations(width))
    longest = max(braking_time(d, period) for d in made)
    least = max(d.of_axis(d.emergency).time_to_rest() for d in made) + 2.0 * period
    norms = Norms(
        draw(st.one_of(st.none(), scales(0.05, 5.0))), draw(st.one_of(st.none(), scales(0.05, 5.0)))
    )
    longest = max(longest, least) * (1.0 + 1e-9)
    return ActionSpace("any", 1.0 / period, 20, period, longest, made, norms)


@st.composite
def configs(draw: Any) -> SafetyConfig:
    """Timeouts from strict to lax, with and without a workspace and obstacles."""
    recovery = draw(st.sampled_from([0.0, 0.0, 0.1, 1.0]))
    half = draw(st.one_of(st.none(), scales(0.01, 3.0)))
    workspace: dict[str, Any] = {}
    if half is not None:
        workspace = {"workspace_low": (-half,) * 3, "workspace_high": (half,) * 3}
    return dataclasses.replace(
        CONFIG,
        blend_window=draw(st.sampled_from([0.0, 0.02, 0.1, 0.5])),
        chunk_timeout=draw(st.sampled_from([0.1, 0.4, 5.0])),
        input_timeout=draw(st.sampled_from([0.1, 0.5])),
        armed_on_start=draw(st.sampled_from([True, True, False])),
        speed_scale=draw(st.sampled_from([1.0, 1.0, 0.3])),
        slowing=draw(st.sampled_from([*SLOWING, SLOWING[0]])),
        fade_in_time=draw(st.sampled_from([0.0, 0.1, 0.5])),
        recovery_vision=recovery,
        recovery_language=recovery,
        recovery_action=recovery,
        recovery_communication=recovery,
        recovery_robot_state=recovery,
        recovery_clock=recovery,
        recovery_obstacle=recovery,
        escalation_count=draw(st.sampled_from([0, 0, 3])),
        obstacle_sources=draw(st.sampled_from([(), (), ("scan",)])),
        **workspace,
    )


SHAPES = ("constant", "zigzag", "wave", "ramp", "nan", "huge", "narrow", "done")
chunks = st.tuples(
    st.sampled_from([0, 0, 0, 0, -1]),
    st.sampled_from([0, 1, 5, 20, 20, 40]),
    st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0, 3.7]),
    st.sampled_from(SHAPES[:4] * 3 + SHAPES),
    st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.2, 0.5, 0.99, 1.0, 1.0, 3.0]),
    st.sampled_from([0.0, 0.0, 0.0, 0.5, 2.0, 10.0, 60.0, -1.0, -5.0]),
)
parameters = st.one_of(
    st.tuples(st.just("speed_scale"), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, 1.0])),
    st.tuples(st.just("blend_window"), st.sampled_from([0.0, 0.05, 0.3])),
    st.tuples(st.just("shadow"), st.booleans()),
    st.tuples(st.just("chunk_timeout"), st.sampled_from([0.1, 0.4, 5.0])),
)


def event(name: str, *values: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """Events of one name."""
    return st.tuples(*values).map(lambda drawn: Event(name, drawn))


RUNS = event("run", st.sampled_from([1, 2, 3, 5, 10, 20, 40, 80]))
POLICIES = st.tuples(st.sampled_from([1, 3, 4, 10]), chunks).map(
    lambda drawn: Event("policy", (drawn[0], *drawn[1]))
)
# Without these a scenario would soon stand still for good.
GOOD = st.tuples(
    st.just(0), st.just(40), st.just(1.0), st.sampled_from(SHAPES[:4]),
    st.sampled_from([-2.0, -1.0, -0.3, 0.3, 0.9, 1.0, 2.0]), st.just(0.0),
)  # fmt: skip
REVIVALS = st.tuples(st.sampled_from([1, 2, 4]), GOOD).map(
    lambda drawn: Event("revive", (drawn[0], *drawn[1]))
)
OTHERS = st.one_of(
    chunks.map(lambda drawn: Event("chunk", drawn)),
    st.just(Event("policy", (0,))),
    event("configure", parameters).map(lambda e: Event("configure", e.values[0])),
    event("configure", parameters).map(lambda e: Event("configure", e.values[0])),
    event("arm", st.booleans()),
    event("press", st.booleans()),
    event("press", st.just(False)),
    st.just(Event("stop")),
    st.just(Event("reset")),
    st.just(Event("reset")),
    event("text", st.sampled_from(["stop", "open the drawer"])),
    event("fault", st.sampled_from(list(FaultKind)), st.sampled_from(list(Level))),
    event("silence", st.sampled_from(["inputs", "heartbeats", "pose"]), st.booleans()),
    event("drive", st.one_of(st.none(), st.tuples(*[st.floats(-2.0, 2.0)] * 6))),
    event("obstacle", st.sampled_from([0.2, 0.4, 0.8, 1.5, 5.0]), st.floats(-3.2, 3.2)),
    event("measure", st.integers(0, MAX_WIDTH - 1), st.floats(0.0, 1.0)),
    event("publishers", st.booleans()),
    event("jump", st.sampled_from([-(10**10), -(10**8), -1, 10**8, 10**10])),
    event("pause", st.sampled_from([1, 10, 1000])),
    event("run", st.integers(1, 40), st.sampled_from([0.0, 0.5, 2.0])),
)
EVENTS = st.one_of(RUNS, REVIVALS, POLICIES, OTHERS)


@st.composite
def scenarios(draw: Any, events: int = 30) -> Scenario:
    """A space, a configuration, and up to so many events with periods between them."""
    space = draw(spaces())
    opening = [
        Event("measure", (i, 0.5)) for i, d in enumerate(space.dimensions) if not d.kind.is_velocity
    ]
    either = st.one_of(POLICIES, OTHERS)
    happening = st.tuples(REVIVALS, RUNS, either, RUNS, either, RUNS)
    drawn = draw(st.lists(happening, min_size=1, max_size=max(1, events // 3)))
    return Scenario(space, draw(configs()), (*opening, *(one for part in drawn for one in part)))
