"""The arm's shape in the whole decision of a period, and in the running node."""

import dataclasses

import numpy as np
import pytest

from vla_contract.message_enums import Limit, Verdict
from vla_safety.core import SafetyCore
from vla_safety.watch.safety_states import Reason, State

pytest.importorskip("pinocchio", reason="pip install pin coal")

from arm_rig import ONE, TWO_ARMS, guard
from core_rig import CONFIG, Rig

OTHER = tuple(f"right_{name}" for name in ("pan", "lift", "elbow", "grip"))
BLOCKED = [-0.9, 1.5, 0.0, 0.0]  # into the other arm, where that reaches out
STANDING = (0.9, 1.5, 0.0, 0.0)


class ArmRig(Rig):
    """A core that commands one of two arms; the other one is only measured."""

    def __init__(self, tmp_path, **changes):
        names = [dimension.name for dimension in ONE.dimensions]
        config = dataclasses.replace(
            CONFIG, required_inputs=("joint_states",), required_joints=OTHER, **changes
        )
        self.guard = guard(tmp_path, TWO_ARMS, ONE, required=OTHER)
        core = SafetyCore(ONE, config, arm=self.guard)
        rig = Rig.around(core)
        self.__dict__.update(rig.__dict__)
        self.names, self.positions = names, dict(zip(OTHER, STANDING, strict=True))

    def go(self, count, row, joints=True):
        for _ in range(count):
            measured = dict(zip(self.names, self.core.limiter.values.tolist(), strict=True))
            told = self.positions if joints else {}
            self.core.watch.robot.update("joint_states", measured, self.steady, told)
            decision = self.run(1, actions=list(row) * 20)
        return decision


def test_a_policy_that_leads_an_arm_into_another_is_limited_and_the_links_are_named(tmp_path):
    rig = ArmRig(tmp_path)
    decision = rig.go(120, BLOCKED)
    assert decision.state is State.NOMINAL and decision.verdict is Verdict.LIMITED
    violation = decision.violations[0]
    assert violation.limit is Limit.SELF_COLLISION
    assert violation.name.startswith("left_") and "–right_" in violation.name
    assert violation.value < violation.bound == pytest.approx(0.01)
    assert np.abs(decision.safe - BLOCKED).max() > 1e-3, "it does not get there"
    assert rig.core.limiter.standstill
    decision = rig.go(120, [0.0, 0.3, 0.0, 0.0])
    assert decision.verdict is Verdict.PASS and decision.safe[0] == pytest.approx(0.0)


def test_a_policy_that_goes_on_into_another_arm_is_a_fault_of_action(tmp_path):
    rig = ArmRig(tmp_path, limited_timeout=1.0)
    rig.go(170, BLOCKED)
    causes = [cause for decision in rig.decisions for cause in decision.situation.causes]
    assert any(cause.reason is Reason.LIMITED for cause in causes)


def test_without_a_measured_joint_nothing_moves(tmp_path):
    rig = ArmRig(tmp_path)
    decision = rig.go(60, BLOCKED, joints=False)
    assert decision.state is State.HOLD
    assert rig.cause.text == "joint right_pan was never told of, while joint_states comes"
    assert decision.safe.tolist() == [0.0] * 4


def test_a_defect_of_the_guard_brakes_on_the_way_that_was_clear(tmp_path):
    rig = ArmRig(tmp_path)
    rig.go(20, BLOCKED)
    way = rig.core.limiter.braking_path()[1:]
    assert len(way) > 3
    rig.guard.limit_command = lambda *_, **__: 1 / 0
    with pytest.raises(ZeroDivisionError):
        rig.go(1, BLOCKED)
    commands = [rig.core.brake("a defect", rig.now).safe for _ in way]
    assert np.abs(np.array(commands) - way).max() < 1e-6
    assert rig.core.limiter.standstill
