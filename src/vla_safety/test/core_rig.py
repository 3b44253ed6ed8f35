"""A core with clocks and a policy that a test steps through."""

import dataclasses

import numpy as np
import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.plan.sequencing import Chunk
from vla_safety.watch.input_watch import InputWatch
from vla_safety.watch.safety_states import State

PERIOD = 20_000_000  # ns
T = 0.02
START = 10**12
# Nothing to recover from; test_recovery.py has that.
AT_ONCE = {
    f"recovery_{kind}": 0.0
    for kind in ("vision", "language", "action", "communication", "robot_state", "clock")
}
CONFIG = SafetyConfig(
    armed_on_start=True,
    required_inputs=(),
    heartbeat_sources=(),
    blend_window=0.0,
    fade_in_time=0.0,
    escalation_count=0,
    escalation_total=0,
    **AT_ONCE,
)


def dimension(name, kind, normal, emergency):
    return Dimension(
        name,
        kind,
        kind.units[0],
        -0.5,
        0.5,
        -0.5,
        0.5,
        Limits(*normal),
        Limits(*emergency),
        "f",
        Output(name, "std_msgs/msg/Float64", name + "_joint"),
    )


VELOCITY = dimension("x", Kind.LINEAR_VELOCITY, (0.5, 1.0, 10.0), (0.5, 2.0, 40.0))
GRIPPER = dimension("grip", Kind.GRIPPER, (2.0, 20.0, 400.0), (2.0, 20.0, 400.0))
JOINT = dimension("joint", Kind.JOINT_POSITION, (0.5, 1.0, 10.0), (0.5, 2.0, 40.0))
SPACE = ActionSpace("test", 50.0, 20, T, 1.0, (VELOCITY, GRIPPER))
ARM = ActionSpace("arm", 50.0, 20, T, 1.0, (JOINT,))


class Rig:
    """A core with its clocks and a policy that sends a chunk every fourth period."""

    def __init__(self, space=SPACE, saved=None, watch=InputWatch, **changes):
        config = dataclasses.replace(CONFIG, **changes)
        self.core = SafetyCore(space, config, saved, watch=watch(space, config))
        self.now = self.steady = START
        self.k = 0
        self.decisions = []
        self.core.activate(self.now)

    @classmethod
    def around(cls, core):
        """A rig of a core that was made elsewhere."""
        rig = cls.__new__(cls)
        rig.core = core
        rig.now = rig.steady = START
        rig.k, rig.decisions = 0, []
        core.activate(START)
        return rig

    def chunk(self, command_id=1, value=0.4, rows=20, **changes):
        space = self.core.space
        values = {
            "observation_stamp": self.now,
            "period": PERIOD,
            "actions": [value] * space.width * rows,
            "action_space": space.name,
            "dimension_names": space.dimension_names,
            "command_id": command_id,
            "command": "go",
        }
        return self.core.accept_chunk(Chunk(**{**values, **changes}), self.now)

    def step(self, count=1, ros=PERIOD):
        for _ in range(count):
            self.now += ros
            self.steady += PERIOD
            self.decisions.append(self.core.decide(self.now, self.steady))
        return self.decisions[-1]

    def run(self, count, command_id=1, **chunk):
        for _ in range(count):
            self.now += PERIOD
            self.steady += PERIOD
            self.k += 1
            if self.k % 4 == 0:
                self.chunk(command_id, **chunk)
            self.decisions.append(self.core.decide(self.now, self.steady))
        return self.decisions[-1]

    def at_speed(self, command_id=1):
        decision = self.run(60, command_id)
        assert decision.safe[0] == pytest.approx(0.4)
        assert decision.state is State.NOMINAL
        return decision

    @property
    def cause(self):
        return self.core.machine.cause

    def assert_within_limits(self, emergency=True):
        x = np.array([0.0, 0.0] + [d.safe[0] for d in self.decisions])
        limits = VELOCITY.emergency if emergency else VELOCITY.normal
        assert np.abs(x).max() <= 0.5
        assert np.abs(np.diff(x)).max() / T <= limits.acceleration * (1 + 1e-9)
        assert np.abs(np.diff(x, 2)).max() / T**2 <= limits.jerk * (1 + 1e-9)

    def assert_brakes(self, reason, state=State.HOLD, emergency=True, **options):
        decision = self.step(**options)
        assert decision.state is state
        assert self.core.machine.cause.reason is reason
        assert decision.emergency is emergency
        assert decision.requested is None
        for _ in range(50):
            decision = self.step(**options)
        assert decision.standstill and decision.safe[0] == 0.0
        self.assert_within_limits(emergency)
