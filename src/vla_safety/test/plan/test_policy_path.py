"""A policy's path outside the node is the node's, command by command."""

import numpy as np
import pytest
from core_rig import ARM, PERIOD, SPACE, Rig

from vla_safety.limits.limiter import MotionLimiter
from vla_safety.plan.policy_path import PolicyPath
from vla_safety.watch.safety_states import State


@pytest.mark.parametrize("space", [SPACE, ARM], ids=lambda space: space.name)
@pytest.mark.parametrize("greatest", [0.4, 1.0])
def test_it_asks_for_what_the_core_asks_for(space, greatest):
    rig = Rig(space, blend_window=0.1, chunk_timeout=10.0, tracking_timeout=60.0)
    rig.core.watch.robot.measured["joint"] = 0.0
    limiter = MotionLimiter(space)
    path = PolicyPath(limiter, 0.1)
    random = np.random.default_rng(3)
    rig.step()
    slowed = 0
    for tick in range(400):
        rig.now += PERIOD
        rig.steady += PERIOD
        if tick % 4 == 0 and not 200 <= tick < 260:  # a while without a chunk: it brakes
            phases = 0.02 * (tick + np.arange(20)[:, None]) + random.uniform(0.0, 0.1, space.width)
            rig.chunk(1, actions=(greatest * np.sin(phases)).ravel().tolist())
            path.accept(rig.core.plan.sequencer.chunk, rig.now)
        decision = rig.core.decide(rig.now, rig.steady)
        assert decision.state is State.NOMINAL or 200 <= tick < 270, rig.core.machine.cause
        slowed += tick < 200 and decision.path_speed < 1.0
        safe = limiter.step(path.request(rig.now)).safe
        path.observe_command()
        np.testing.assert_array_equal(safe, decision.safe, err_msg=f"tick {tick}")
    assert slowed or greatest == 0.4
