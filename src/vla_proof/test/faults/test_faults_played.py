"""A representative handful of the faults, played once on the running graph.

All of them, ten times over and with their reaction times: `./vla prove faults`.
"""

from __future__ import annotations

import pytest

from vla_cli.client.graph_client import stay_on_this_machine, use_profile
from vla_proof.faults.fault_rig import Rig, Settings
from vla_proof.faults.fault_scenario import Scenario, play
from vla_proof.faults.faults_command import scenarios

pytestmark = [pytest.mark.system, pytest.mark.slow]
HANDFUL = ("kill_policy", "stop_safety", "camera_black", "emergency_stop_flapping", "disk_full")
# A reaction's bound holds on a quiet machine; here others may be at work.
TIMING = "reaction "


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    stay_on_this_machine()
    use_profile()
    started = Rig(Settings(), tmp_path_factory.mktemp("faults") / "graph.log")
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.close()


def chosen() -> list[Scenario]:
    known = {scenario.name: scenario for scenario in scenarios()}
    return [known[name] for name in HANDFUL]


@pytest.mark.parametrize("scenario", chosen(), ids=lambda scenario: scenario.name)
def test_the_graph_answers_as_designed(rig, scenario):
    repeat = play(rig, scenario)
    problems = [problem for problem in repeat.problems if not problem.startswith(TIMING)]
    assert not problems, rig.log.read_text()[-3000:]
