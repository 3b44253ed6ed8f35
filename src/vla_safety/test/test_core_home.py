"""The way back to a start pose through the core."""

import numpy as np
import pytest
from core_rig import ARM, JOINT, PERIOD, SPACE, Rig, T
from shipped_spaces import shipped_space

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.node.parameters import ParameterError
from vla_safety.limits.limiter import Limit, LimitViolation
from vla_safety.plan.home_motion import HomeState
from vla_safety.surroundings.measured_pose import Pose
from vla_safety.watch.safety_states import Reason, State

SAWYER = shipped_space("metaworld")


class AtHome(Rig):
    """A robot that does what it is told, one period later, and tells where it is."""

    stuck = False

    def __init__(self, space=ARM, **changes):
        pose = [f"{d.name}=0.3" for d in space.dimensions if d.kind is not Kind.GRIPPER]
        super().__init__(
            space, **{"home_pose": tuple(pose), "workspace_required": False, **changes}
        )
        self.place = {d.name: 0.0 for d in space.dimensions}
        self.step()

    def step(self, count=1, ros=PERIOD):
        for _ in range(count):
            self.tell()
            decision = super().step(1, ros)
            for d, value in zip(self.core.space.dimensions, decision.safe, strict=True):
                if self.stuck:
                    continue
                self.place[d.name] = self.place[d.name] + value * T if d.kind.is_velocity else value
        return decision

    def tell(self):
        joints = {
            d.name: self.place[d.name] for d in self.core.space.dimensions if not d.kind.is_velocity
        }
        self.core.watch.robot.update("joint_states", joints, self.steady)
        at = tuple(self.place.get(f"linear_{axis}", 0.0) for axis in "xyz")
        self.core.surroundings.pose.update_pose(
            Pose(at, (0.0, 0.0, 0.0, 1.0), "base_link"), self.steady
        )

    @property
    def home(self):
        return self.core.home

    def go(self, periods=400):
        result = self.core.go_home(self.now, self.steady)
        for _ in range(periods):
            if not self.home.active:
                break
            self.step()
        return result


def test_joints_go_home_together_within_their_limits_and_then_hold():
    space = ActionSpace("two", 50.0, 20, T, 1.0, (JOINT, _named(JOINT, "other")))
    rig = AtHome(space, home_pose=("joint=0.3", "other=-0.15"))
    assert rig.go().done
    assert rig.home.state is HomeState.REACHED, rig.home.message
    values = np.array([d.safe for d in rig.decisions])
    assert values[-1] == pytest.approx([0.3, -0.15])
    assert np.allclose(values[:, 1], -0.5 * values[:, 0], atol=2e-3)
    rates = np.abs(np.diff(values[:, 0])) / T
    assert rates.max() == pytest.approx(0.25 * 0.5, rel=0.02)
    assert np.abs(np.diff(values, 2, axis=0)).max() / T**2 <= 1.0 + 1e-9
    assert values.max() < 0.3 + 1e-3
    assert {d.input for d in rig.decisions} == {"", "home"}
    decision = rig.step(5)
    assert decision.state is State.HOLD and rig.cause.reason is Reason.HOME
    assert decision.situation.home == HomeState.REACHED


def test_an_end_effector_goes_home_by_its_measured_position():
    pose = ("linear_x=0.1", "linear_y=0.2", "linear_z=-0.05")
    rig = AtHome(SAWYER, home_pose=pose)
    assert rig.go(800).done
    assert rig.home.state is HomeState.REACHED, rig.home.message
    at = [rig.place[f"linear_{axis}"] for axis in "xyz"]
    assert np.linalg.norm(np.subtract(at, (0.1, 0.2, -0.05))) < 0.02
    way = np.array([d.safe[:3] for d in rig.decisions])
    assert np.allclose(way[:, 0] * 2.0, way[:, 1], atol=1e-3)


def test_an_end_effector_whose_place_is_not_known_stays():
    rig = AtHome(SAWYER, home_pose=("linear_x=0.1",))
    rig.tell = lambda: None
    rig.step(60)
    rig.go()
    assert rig.home.state is HomeState.FAILED and "not known" in rig.home.message


def test_it_is_refused_where_it_cannot_be_done():
    rig = Rig()
    assert "home_pose" in rig.core.go_home(rig.now, rig.steady).message
    rig = AtHome()
    rig.core.stop("a test", rig.now)
    assert "reset first" in rig.core.go_home(rig.now, rig.steady).message
    rig = AtHome(armed_on_start=False)
    assert "arm first" in rig.core.go_home(rig.now, rig.steady).message
    assert rig.home.state is HomeState.NONE


@pytest.mark.parametrize(
    "happens, words",
    [
        (lambda rig: rig.core.stop("the stop service was called", rig.now), "stop service"),
        (lambda rig: rig.core.accept_text("stop", rig.now), '"stop" was said'),
        (lambda rig: rig.core.watch.emergency_stop.set_level(True, rig.steady), "emergency stop"),
        (lambda rig: rig.chunk(7, value=0.1), "a new command"),
        (lambda rig: rig.core.arm(False, rig.now, rig.steady), "disarmed"),
    ],
)
def test_it_is_cancelled_by(happens, words):
    rig = AtHome()
    rig.go(60)
    assert rig.home.active and rig.decisions[-1].safe[0] > 0.01
    happens(rig)
    rig.step(30)
    assert rig.home.state is HomeState.FAILED
    assert words in rig.home.message
    assert rig.decisions[-1].safe[0] < 0.25


def test_an_old_command_does_not_go_on_afterwards():
    rig = AtHome()
    rig.chunk(1, value=0.1)
    rig.step(3)
    rig.go()
    assert rig.home.state is HomeState.REACHED
    rig.now += PERIOD
    rig.chunk(1, value=0.1)
    assert rig.step(3).state is State.HOLD
    rig.chunk(2, value=0.1)
    assert rig.step(3).state is State.NOMINAL


def test_a_way_that_is_blocked_ends_in_a_failure_and_at_rest():
    rig = AtHome()
    limited = rig.core.connection.limit_command

    def guarded(requested, steady, **limits):
        """An arm that may not come beyond 0.1 rad, as its shape would have it."""
        if requested is not None and requested[0] > 0.1:
            requested = [0.1]
            told = LimitViolation(Limit.SELF_COLLISION, "", 0.0, 0.01, "hand–foot")
            step = limited(requested, steady, **limits)
            return step.__class__(step.safe, (*step.violations, told), step.emergency)
        return limited(requested, steady, **limits)

    rig.core.connection.limit_command = guarded
    rig.go(600)
    assert rig.home.state is HomeState.FAILED
    assert "blocked by" in rig.home.message
    assert rig.step(20).state is State.HOLD
    assert rig.decisions[-1].safe[0] == pytest.approx(0.1, abs=0.02)


def test_a_robot_that_does_not_follow_is_a_failure():
    rig = AtHome(tracking_timeout=0.5, tracking_position=0.05, required_inputs=())
    rig.stuck = True
    rig.go(600)
    assert rig.home.state is HomeState.FAILED
    assert "differs from its command" in rig.home.message
    assert rig.step(20).state is State.HOLD


def test_a_robot_that_ends_short_is_a_failure():
    rig = AtHome(closed_loop=False)
    rig.stuck = True
    rig.go(800)
    assert rig.home.state is HomeState.FAILED
    assert "0.300 off" in rig.home.message


def test_it_ends_after_its_time():
    rig = AtHome(home_timeout=1.0)
    rig.go(200)
    assert rig.home.state is HomeState.FAILED and "over 1 s" in rig.home.message
    assert rig.step(30).state is State.HOLD


@pytest.mark.parametrize(
    "pose", ["joint", "joint=much", "joint=nan", "elbow=0.1", "joint=0.9", "=1"]
)
def test_a_pose_that_is_none_is_refused(pose):
    with pytest.raises(ParameterError, match="home_pose"):
        Rig(ARM, home_pose=(pose,))


def test_a_base_has_no_start_pose():
    with pytest.raises(ParameterError, match="home_pose"):
        Rig(shipped_space("mobile_base"), home_pose=("linear_x=1.0",))
    with pytest.raises(ParameterError, match="each once"):
        Rig(SPACE, home_pose=("grip=0.1", "grip=0.2"))


def _named(dimension, name):
    import dataclasses

    return dataclasses.replace(dimension, name=name)
