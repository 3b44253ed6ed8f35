import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shipped_spaces import NAMES, shipped_space

from vla_contract.node.parameters import ParameterError
from vla_safety.plan.teleoperation import (
    FIELDS,
    TWIST_STAMPED,
    Driver,
    LockConfig,
    Refusal,
    Resume,
    TeleopConfig,
    Teleoperation,
    check_names,
    requested,
)

MS = 1_000_000
FORWARD = (0.2, 0.0, 0.0, 0.0, 0.0, 0.1)
REST = (0.0,) * 6


def joystick(**settings):
    return TeleopConfig(timeout=0.1, **settings)


def made(resume=Resume.COMMAND, locks=None, **settings):
    return Teleoperation({"joystick": joystick(**settings)}, locks or {}, resume=resume)


def test_without_inputs_the_policy_drives():
    selection = Teleoperation({}, {}).select(0, 0)
    assert (selection.driver, selection.name, selection.drop_plan) == (
        Driver.POLICY,
        "policy",
        False,
    )


def test_a_person_takes_over_and_the_plan_is_dropped():
    teleop = made()
    teleop.accept_twist("joystick", FORWARD, 0)
    selection = teleop.select(0, 100 * MS)
    assert (selection.driver, selection.name) == (Driver.TELEOPERATION, "joystick")
    assert selection.twist == FORWARD
    assert selection.drop_plan


@pytest.mark.parametrize(
    ("last", "brake", "cause"),
    [(REST, False, "joystick has ended"), (FORWARD, True, "joystick fell silent in motion")],
)
def test_after_its_end_the_robot_brakes_until_a_new_command(last, brake, cause):
    teleop = made()
    teleop.accept_twist("joystick", last, 0)
    teleop.select(1000, 0)
    for steady in (101 * MS, 900 * MS):
        selection = teleop.select(2000, steady)
        assert (selection.driver, selection.brake, selection.cause) == (
            Driver.NOBODY,
            brake,
            cause,
        )
        assert selection.drop_plan
        assert "a new command" in selection.clears_when
    # Of a command from before nothing is taken, however new the observation is.
    assert not teleop.accepts(given=1000, observed=5000)
    assert not teleop.accepts(given=0, observed=1000)
    assert teleop.select(2000, 900 * MS).driver is Driver.NOBODY
    assert teleop.accepts(given=1001, observed=500)
    assert teleop.select(2000, 900 * MS).driver is Driver.POLICY


def test_by_parameter_the_next_chunk_is_enough():
    teleop = made(Resume.CHUNK)
    teleop.accept_twist("joystick", REST, 0)
    teleop.select(1000, 0)
    assert "the next chunk" in teleop.select(2000, 200 * MS).clears_when
    assert not teleop.accepts(given=5000, observed=1000)
    assert teleop.accepts(given=1, observed=1001)


def test_a_released_dead_man_brakes_in_the_same_period():
    teleop = made(dead_man_topic="dead_man", dead_man_timeout=0.2)
    teleop.accept_twist("joystick", FORWARD, 0)
    assert teleop.select(0, 0).driver is Driver.POLICY  # never held: the input does not live
    teleop.set_dead_man("joystick", True, 0)
    assert teleop.select(0, 0).driver is Driver.TELEOPERATION
    teleop.set_dead_man("joystick", False, 10 * MS)
    selection = teleop.select(0, 10 * MS)
    assert (selection.driver, selection.brake) == (Driver.NOBODY, True)
    assert selection.cause == "the dead-man of joystick is released"


def test_a_silent_dead_man_is_a_released_one():
    teleop = made(dead_man_topic="dead_man", dead_man_timeout=0.2)
    teleop.set_dead_man("joystick", True, 0)
    for steady in (0, 100 * MS, 200 * MS, 201 * MS):
        teleop.accept_twist("joystick", FORWARD, steady)
        driving = teleop.select(0, steady).driver is Driver.TELEOPERATION
        assert driving == (steady <= 200 * MS)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("position", range(6))
def test_what_is_not_finite_is_refused_and_does_not_keep_alive(value, position):
    teleop = made()
    twist = [0.0] * 6
    twist[position] = value
    assert teleop.accept_twist("joystick", twist, 0) is Refusal.NOT_FINITE
    assert teleop.select(0, 0).driver is Driver.POLICY


def test_frame_and_age_of_a_stamped_twist():
    inputs = {"a": joystick(type=TWIST_STAMPED), "b": joystick(frame="gripper")}
    teleop = Teleoperation(inputs, {}, frame="base_link")
    assert teleop.accept_twist("a", REST, 0, frame="camera") is Refusal.FRAME
    # A keyboard's driver names none, and one that came from ROS 1 puts a slash before it.
    for frame in ("", "base_link", "/base_link"):
        assert teleop.accept_twist("a", REST, 0, frame=frame) is None
    assert teleop.accept_twist("b", REST, 0, frame="base_link") is Refusal.FRAME
    assert teleop.accept_twist("b", REST, 0, frame="gripper") is None
    assert teleop.accept_twist("a", REST, 0, frame="base_link", age=100 * MS) is None
    assert teleop.accept_twist("a", REST, 0, frame="base_link", age=101 * MS) is Refusal.OLD


def test_a_lock_masks_lower_priorities_and_its_silence_locks():
    locks = {"pause": LockConfig(timeout=0.1, priority=100)}
    inputs = {"low": joystick(priority=99), "equal": joystick(priority=100)}
    teleop = Teleoperation(inputs, locks)
    selection = teleop.select(0, 0)
    assert (selection.driver, selection.brake) == (Driver.NOBODY, True)
    assert "silent" in selection.cause
    teleop.set_lock("pause", True, 0)
    selection = teleop.select(0, 0)
    assert (selection.driver, selection.brake) == (Driver.NOBODY, False)
    assert selection.cause == "lock pause is locked"
    teleop.accept_twist("low", FORWARD, 0)
    assert teleop.select(0, 0).driver is Driver.NOBODY
    teleop.accept_twist("equal", FORWARD, 0)  # as in twist_mux: its own priority passes
    assert teleop.select(0, 0).name == "equal"
    teleop.set_lock("pause", False, 100 * MS)
    assert teleop.select(0, 100 * MS).name == "equal"
    assert teleop.select(0, 101 * MS).driver is Driver.NOBODY


def test_the_policy_needs_a_new_command_after_a_lock():
    teleop = Teleoperation({}, {"pause": LockConfig(timeout=0.1)})
    teleop.set_lock("pause", True, 0)
    teleop.select(1000, 0)
    teleop.set_lock("pause", False, 0)
    assert teleop.select(2000, 0).driver is Driver.POLICY
    assert not teleop.accepts(1000, 1500)
    assert teleop.accepts(1001, 1500)


def test_an_input_below_the_policy_drives_while_it_has_nothing_to_do():
    teleop = Teleoperation({"idle": joystick(priority=5)}, {})
    teleop.accept_twist("idle", FORWARD, 0)
    assert teleop.select(0, 0, policy_alive=True).driver is Driver.POLICY
    assert teleop.select(0, 0, policy_alive=False).name == "idle"


@pytest.mark.parametrize("names", [["a", "a"], ["policy"], ["a b"], [""], ["1"], ["a.b"]])
def test_names_that_are_refused(names):
    with pytest.raises(ParameterError, match="accepted"):
        check_names(names)


@pytest.mark.parametrize("name", NAMES)
def test_a_twist_becomes_a_request(name):
    space = shipped_space(name)
    twist = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    for dimension, value in zip(space.dimensions, requested(space, twist), strict=True):
        if "Twist" in dimension.output.type:
            assert value == twist[FIELDS.index(dimension.output.field.removeprefix("twist."))]
        else:
            assert value is None


class Model:
    """ros-teleop/twist_mux: TopicHandle::hasExpired, isMasked, isLocked, TwistMux::hasPriority."""

    def __init__(self, inputs, locks):
        self.inputs, self.locks, self.stamps, self.levels = inputs, locks, {}, {}

    def expired(self, name, timeout, now):
        return name not in self.stamps or now - self.stamps[name] > round(timeout * 1e9)

    def lock_priority(self, now):
        priority = 0
        for name, lock in self.locks.items():
            if self.expired(name, lock.timeout, now) or self.levels[name]:
                priority = max(priority, lock.priority)
        return priority

    def drives(self, now):
        locked, priority, best = self.lock_priority(now), 0, ""
        for name, config in self.inputs.items():
            masked = self.expired(name, config.timeout, now) or config.priority < locked
            if not masked and priority < config.priority:
                priority, best = config.priority, name
        return best


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 120),  # ms since the event before
        st.sampled_from(["a", "b", "c", "lock", "gate"]),
        st.booleans(),
    ),
    max_size=40,
)


@given(
    EVENTS,
    st.tuples(*[st.integers(11, 20)] * 3),
    st.tuples(*[st.integers(1, 21)] * 2),
    st.booleans(),
)
def test_it_chooses_as_twist_mux_does(events, priorities, lock_priorities, policy_alive):
    inputs = {n: joystick(priority=p) for n, p in zip("abc", priorities, strict=True)}
    locks = {
        n: LockConfig(timeout=0.2, priority=p)
        for n, p in zip(("lock", "gate"), lock_priorities, strict=True)
    }
    teleop, model, now = Teleoperation(inputs, locks), Model(inputs, locks), 0
    for wait, name, level in events:
        now += wait * MS
        model.stamps[name], model.levels[name] = now, level
        if name in inputs:
            teleop.accept_twist(name, FORWARD if level else REST, now)
        else:
            teleop.set_lock(name, level, now)
        selection = teleop.select(now, now, policy_alive=policy_alive)
        drives = selection.name if selection.driver is Driver.TELEOPERATION else ""
        assert drives == model.drives(now)


@given(EVENTS, st.sampled_from(Resume))
def test_the_policy_never_goes_on_by_itself(events, resume):
    """After any period that a person drove, nothing known until then moves the robot."""
    teleop = Teleoperation({n: joystick() for n in "abc"}, {}, resume=resume)
    now = driven = -1
    for wait, name, level in events:
        now += 1 + wait * MS
        if name in "abc":
            teleop.accept_twist(name, FORWARD if level else REST, now)
        selection = teleop.select(now, now)
        if selection.driver is Driver.TELEOPERATION:
            driven = now
        if driven >= 0:
            assert not teleop.accepts(driven, driven)
            assert selection.driver is not Driver.POLICY
