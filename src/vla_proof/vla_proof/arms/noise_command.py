"""`vla prove noise`: an arm whose policy is nothing but noise, in the graph, judged by MuJoCo.

A policy server answers every observation with joint positions at random over their whole range. The
graph runs in lock-step with the simulated SO-101, and each of its measured postures is judged: no
link may touch another, the table or the tray. What the arm does to the cubes is its own affair.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sensor_msgs.msg import JointState

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import raise_on_signals
from vla_cli.client.graph_client import Graph, stay_on_this_machine
from vla_cli.episodes.graph_episodes import Episode, EpisodeRunner
from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_proof.arms.contact_judge import TOLERANCE, ContactJudge, Verdict
from vla_proof.faults.fault_rig import PolicyServer
from vla_proof.faults.pretended import pretended_server
from vla_safety.arm import link_pairs
from vla_safety.arm.arm_geometry import ArmGeometry
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.urdf_text import package_file, read_urdf
from vla_sim.robot.robots import ROBOTS

ROBOT, TASK = "so101", "stack-red-on-green"  # which noise does not fulfil
COMMAND = "touch the red block"  # known to the shipped vocabulary, and meaning nothing to noise
PROTOCOL = "openpi"
# The node would hold, and latch at last, because noise leads nowhere; it is to go on for an hour.
PATIENT = {
    "limited_timeout": 0.0,
    "progress_timeout": 0.0,
    "escalation_count": 0,
    "escalation_total": 0,
}
LEAST_WAY = 0.5  # rad/s of all joints together: less is an arm that stands most of the time


def main(arguments: list[str]) -> int:
    """0: nothing was touched; 1: something was."""
    parser = options.parser("prove noise", __doc__.split("\n")[0])
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="simulated time (default: 60)"
    )  # fmt: skip
    parser.add_argument("--seed", type=options.at_least(0, "seed"), default=0)
    parser.add_argument("--out", help="folder for prove_noise.json and the log (default: out)")
    chosen = parser.parse_args(arguments)
    if not chosen.minutes > 0.0:
        parser.error(f"--minutes is {chosen.minutes}; accepted: above 0")
    raise_on_signals()
    stay_on_this_machine()
    out = paths.output_folder(chosen.out)
    told = run(60.0 * chosen.minutes, chosen.seed, out)
    file = out / "prove_noise.json"
    file.write_text(json.dumps(told, indent=1) + "\n")
    broken = told["contacts"] > 0 or not told["moved"]
    print(
        f"{'BROKEN' if broken else 'kept':<8}{ROBOT}: {told['seconds'] / 60.0:.1f} min of noise, "
        f"{told['postures']} postures, {told['contacts']} with a contact; the joints went "
        f"{told['way']:.0f} rad"
    )
    for example in told["examples"]:
        print(f"  {example}")
    print(f"written: {file}")
    return int(broken)


def run(seconds: float, seed: int, out: Path) -> dict[str, Any]:
    """Simulated seconds of noise; what was seen of them."""
    domain = domains.free()
    judged = Judged(make_judge())
    server = PolicyServer(domain, out / "prove_noise.server.log", PROTOCOL)
    server.answer()
    server.tell(pretended_server.ServerMode.NOISE.value)
    simulated = 0.0
    with tempfile.TemporaryDirectory(prefix="vla_noise_") as folder:
        try:
            launched = processes.LaunchedGraph(
                "sim", _arguments(server.url, Path(folder)), domain, out / "prove_noise.log",
                {"ROS_HOME": folder},
            )  # fmt: skip
            try:
                with Graph(domain=domain) as graph:
                    profile = topics.qos_profile(topics.JOINT_STATES, lock_step=True)
                    graph.subscribe(JointState, topics.JOINT_STATES, judged.take, profile)
                    runner = EpisodeRunner(graph)
                    runner.wait_until_ready(launched.check)
                    while simulated < seconds:
                        left = round((seconds - simulated) / ROBOTS[ROBOT].step_period)
                        steps = min(ROBOTS[ROBOT].step_limit, left)
                        episode = Episode(TASK, seed, COMMAND, steps=steps)
                        simulated += runner.run(episode, launched.check).simulated
                        seed += 1
            finally:
                launched.stop()
        finally:
            server.stop()
            domains.release(domain)
    verdict = judged.verdict
    return {
        "seconds": simulated,
        "postures": verdict.commands,
        "contacts": verdict.short,
        "deepest": verdict.worst - TOLERANCE if verdict.short else 0.0,
        "examples": verdict.examples,
        "way": judged.way,
        "moved": judged.way > LEAST_WAY * simulated,
    }


class Judged:
    """Every measured posture goes to the judge."""

    def __init__(self, judge: ContactJudge) -> None:
        self.way = 0.0  # rad, of all joints together
        self._judge = judge
        self._last: dict[str, float] = {}

    @property
    def verdict(self) -> Verdict:
        """The judge's; `short` counts contacts."""
        return self._judge.verdict

    def take(self, message: JointState) -> None:
        """A measured posture."""
        posture = dict(zip(message.name, message.position, strict=True))
        self.way += sum(abs(posture[name] - last) for name, last in self._last.items())
        self._last = posture
        self._judge.judge([posture[name] for name in self._judge.joints], holding=False)


def make_judge() -> ContactJudge:
    """Of the arm and the surroundings that the robot's safety file names; nothing is carried."""
    file = paths.share() / "config" / "safety" / f"{ROBOT}.yaml"
    given = yaml.safe_load(file.read_text())["/**/safety"]["ros__parameters"]
    geometry = ArmGeometry.load(package_file(given["arm_geometry"]))
    urdf = read_urdf(package_file(given["arm_urdf"]), geometry.package_folders)
    model = ArmModel(urdf, geometry)
    kept = link_pairs.choose(model, geometry, given["arm_margin"])
    # So a pair is short of its distance where it touches.
    return ContactJudge(urdf, geometry, kept.pairs, np.minimum(kept.least, TOLERANCE))


def _arguments(url: str, folder: Path) -> dict[str, Any]:
    space = paths.share() / "config" / "action_spaces" / f"{ROBOT}.yaml"
    camera = next(iter(paths.cameras(ROBOT)))
    mapping = pretended_server.mapping(PROTOCOL, camera, ())
    columns = list(range(ActionSpace.load(space).width))
    mapping["actions"] |= {"columns": columns, "units": "normalised"}
    file = folder / "mapping.yaml"
    file.write_text(yaml.safe_dump(mapping))
    patient = folder / "safety.yaml"
    patient.write_text(yaml.safe_dump({"/**": {"ros__parameters": PATIENT}}))
    return {
        "robot": ROBOT,
        "safety_overrides": patient,
        "task": TASK,
        "lock_step": True,
        "model": paths.checkpoint(),  # whose words perception knows
        "action_space": space,
        "backend": "remote",
        "remote_url": url,
        "remote_protocol": PROTOCOL,
        "remote_mapping": file,
    }
