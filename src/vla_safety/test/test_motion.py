"""Every limit of every command, recomputed by finite differences from the values alone."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits.braking import Rates
from vla_safety.limits.limiter import Boundary, Limit, MotionLimiter, SpeedCap, braking_time

PERIOD = 0.01
OUTPUT = Output("out", "std_msgs/msg/Float64", "data")
KINDS = [kind for kind in Kind if kind is not Kind.END_EFFECTOR_ORIENTATION]  # of one dimension


def dimension(kind, normal, emergency=None, low=-1.0, high=1.0, name="d"):
    return Dimension(
        name, kind, kind.units[0], low, high, low, high, normal, emergency or normal, "f", OUTPUT,
        (-math.inf, math.inf) if kind is Kind.JOINT_VELOCITY else None,
    )  # fmt: skip


def space(*dimensions, norms=None):
    return ActionSpace("test", 1.0 / PERIOD, 10, PERIOD, 1e6, dimensions, norms or Norms())


def rates(limits: Limits, share: float = 1.0) -> Rates:
    return Rates(
        PERIOD, limits.velocity, limits.acceleration, limits.jerk * PERIOD * share,
        limits.deceleration,
    )  # fmt: skip


class Recorder:
    """Of one dimension, at rest where its limiter starts."""

    def __init__(self, dim):
        self.dim = dim
        self.values = [min(max(0.0, dim.low), dim.high)] * 4
        self.rate = self.acceleration = 0.0

    def take(self, value, emergency, scale=1.0):
        """Check one more value; emergency: which set was in force."""
        limits = self.dim.emergency if emergency else self.dim.normal
        self.values = [*self.values[1:], float(value)]
        chain = [self.values]
        for _ in range(3):
            last = chain[-1]
            chain.append([(b - a) / PERIOD for a, b in zip(last, last[1:], strict=False)])
        order = 0 if self.dim.kind.is_velocity else 1
        rate, before = chain[order][-1], chain[order][-2]
        acceleration, jerk = chain[order + 1][-1], chain[order + 2][-1]
        # What rounding of the values makes of their differences.
        ulp = math.ulp(max(map(abs, self.values)))
        noise = (4 if order == 0 else 8) * ulp / PERIOD ** (order + 1)
        assert self.dim.low <= value <= self.dim.high
        if scale == 1.0:
            assert abs(rate) <= limits.velocity * (1 + 1e-9)
        bound = self._bound(limits, before, rate, order * noise * PERIOD)
        assert abs(acceleration) <= bound * (1 + 1e-9) + noise
        assert abs(jerk) <= limits.jerk * (1 + 1e-9) + noise / PERIOD
        self.rate, self.acceleration = rate, acceleration

    @staticmethod
    def _bound(limits, before, rate, noise):
        least = min(limits.acceleration, limits.deceleration)
        zero = noise + 1e-9 * least * PERIOD
        before, rate = (0.0 if abs(v) <= zero else v for v in (before, rate))
        if before * rate < 0.0:
            return least
        if abs(rate) == abs(before):
            return max(limits.acceleration, limits.deceleration)
        return limits.acceleration if abs(rate) > abs(before) else limits.deceleration

    def peak(self, emergency):
        """Speed that cannot be avoided any more."""
        limits = self.dim.emergency if emergency else self.dim.normal
        return max(abs(self.rate), abs(self.rate + rates(limits).drift(self.acceleration)))


RATES = st.floats(0.2, 2000.0)
NORMAL = st.builds(
    Limits, velocity=st.floats(0.05, 30.0), acceleration=RATES, jerk=st.floats(1.0, 1e5),
    deceleration=st.one_of(st.none(), RATES),
)  # fmt: skip
FACTORS = st.tuples(*[st.floats(1.0, 5.0)] * 3)
MAXIMA = st.one_of(st.none(), st.floats(0.02, 1.5))
REQUEST = st.one_of(st.floats(-2.0, 2.0), st.sampled_from([0.0, 1e300, math.nan, math.inf]))


def emergency_of(normal, factors):
    a, d, j = factors
    return Limits(
        normal.velocity, normal.acceleration * a, normal.jerk * j, normal.deceleration * d
    )


@st.composite
def spaces(draw):
    made = []
    for i, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))):
        normal = draw(NORMAL)
        low, high = draw(st.floats(-1.0, 0.0)), draw(st.floats(0.01, 1.0))
        emergency = emergency_of(normal, draw(FACTORS))
        made.append(dimension(kind, normal, emergency, low, high, f"d{i}"))
    return space(*made, norms=Norms(draw(MAXIMA), draw(MAXIMA)))


@st.composite
def stretches(draw):
    """Some periods of one kind: length, request, emergency, speed scale, cap."""
    return (
        draw(st.integers(1, 40)),
        draw(st.one_of(st.none(), st.lists(REQUEST, min_size=4, max_size=4))),
        draw(st.sampled_from([False, False, False, True])),
        draw(st.one_of(st.just(1.0), st.floats(0.0, 1.0))),
        draw(st.one_of(st.none(), st.floats(0.0, 1.0))),
    )


class Watch:
    """A limiter, and a recorder of each of its dimensions."""

    def __init__(self, made):
        self.space = made
        self.limiter = MotionLimiter(made)
        self.recorders = [Recorder(dim) for dim in made.dimensions]

    def step(self, row, emergency=False, scale=1.0, cap=None, boundaries=()):
        capped = None if cap is None else SpeedCap(cap, Limit.OBSTACLE, "scan")
        step = self.limiter.step(
            row, emergency=emergency, speed_scale=scale, speed_cap=capped, boundaries=boundaries
        )
        bounds = [self._norm_bound(name, scale, cap, step) for name in ("linear", "angular")]
        for recorder, axis, value in zip(
            self.recorders, self.limiter._axes, step.safe, strict=True
        ):
            assert step.emergency or not axis.in_emergency
            recorder.take(value, axis.in_emergency, scale)
        for indices, bound in bounds:
            norm = math.sqrt(sum(step.safe[i] ** 2 for i in indices))
            assert norm <= bound * (1 + 1e-9) + 1e-12
        return step

    def _norm_bound(self, name, scale, cap, step):
        indices = getattr(self.space, f"{name}_indices")
        maximum = getattr(self.space.norms, f"{name}_velocity")
        bound = math.inf if maximum is None else maximum * scale
        if name == "linear" and cap is not None:
            bound = min(bound, cap)
        if bound == math.inf:
            return indices, bound
        # A bound that has fallen is converged to: what cannot be avoided any more still comes.
        axes = self.limiter._axes
        peaks = [self.recorders[i].peak(axes[i].in_emergency) for i in indices]
        return indices, max(bound, math.sqrt(sum(peak * peak for peak in peaks)))


@given(made=spaces(), plan=st.lists(stretches(), min_size=1, max_size=12))
@settings(max_examples=250, deadline=None)
def test_every_command_keeps_every_limit_and_every_norm(made, plan):
    watch = Watch(made)
    for count, request, emergency, scale, cap in plan:
        row = None if request is None or emergency else request[: made.width]
        for _ in range(count):
            watch.step(row, emergency, scale, cap)
    if all(dim.kind.is_velocity for dim in made.dimensions):
        longest = max(braking_time(dim, PERIOD) for dim in made.dimensions)
        for _ in range(round(longest / PERIOD)):
            step = watch.step(None, emergency=True, scale=scale, cap=cap)
        assert step.safe.tolist() == [0.0] * made.width


@st.composite
def planes(draw, made):
    """Coefficients and distance of some boundaries, the start within all of them."""
    found = []
    for _ in range(draw(st.integers(1, 6))):
        row = [draw(st.floats(-1.0, 1.0)) if d.kind.is_velocity else 0.0 for d in made.dimensions]
        if draw(st.booleans()):
            only = draw(st.integers(0, made.width - 1))
            row = [math.copysign(1.0, c) if i == only and c else 0.0 for i, c in enumerate(row)]
        found.append((tuple(row), draw(st.one_of(st.just(0.0), st.floats(1e-3, 1.0)))))
    return found


@given(data=st.data(), made=spaces(), plan=st.lists(stretches(), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_no_boundary_is_crossed_and_every_limit_kept_before_it(data, made, plan):
    watch, places = Watch(made), [0.0] * made.width
    sides = data.draw(planes(made))
    for count, request, emergency, scale, cap in plan:
        row = None if request is None or emergency else request[: made.width]
        for _ in range(count):
            ahead = [
                Boundary(c, far - dot(c, places), Limit.WORKSPACE, str(n))
                for n, (c, far) in enumerate(sides)
            ]
            step = watch.step(row, emergency, scale, cap, ahead)
            for i, axis in enumerate(watch.limiter._velocities):
                places[i] += step.safe[i] * PERIOD if axis is not None else 0.0
            for c, far in sides:
                assert dot(c, places) <= far + 1e-6 * (far + 1e-3)


@given(
    made=spaces(),
    plan=st.lists(stretches(), min_size=1, max_size=6),
    jumps=st.lists(st.floats(-0.1, 0.1), min_size=6, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_a_boundary_that_jumps_is_braked_for_within_the_limits(made, plan, jumps):
    watch, places, far = Watch(made), [0.0] * made.width, 0.3
    row = tuple(1.0 if d.kind.is_velocity else 0.0 for d in made.dimensions)

    def forwards(request, *rest):
        ahead = Boundary(row, far - dot(row, places), Limit.OBSTACLE, "scan")
        step = watch.step(request, *rest, boundaries=[ahead])
        for i, c in enumerate(row):
            places[i] += step.safe[i] * PERIOD * c
        return ahead.remaining, dot(row, step.safe)

    for (count, request, emergency, scale, cap), jump in zip(plan, jumps, strict=False):
        far += jump
        for _ in range(count):
            forwards(request[: made.width] if request else None, emergency, scale, cap)
    for _ in range(1000):
        remaining, speed = forwards([1.0] * made.width, False, 1.0, None)
    # Beyond the boundary nothing leads on; before it, nothing that would not stop in time.
    assert speed * PERIOD <= max(remaining, 0.0) + 1e-6


def dot(coefficients, values):
    return sum(c * v for c, v in zip(coefficients, values, strict=True))
