"""Every node of the graph: which parameters it takes in which state, and what it says of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from launched import ROOT
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.parameter import Parameter

from vla_contract.node import parameters
from vla_contract.node_testing import Client, node_process

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "48"))


@dataclass(frozen=True)
class Kind:
    """One node: its config, what it needs to be configured, and changes that are to be judged."""

    name: str
    config: str
    values: dict[str, Any]
    fixed: dict[str, Any]
    runtime: dict[str, Any]
    refused: tuple[str, Any, str]

    @property
    def config_class(self) -> Any:
        return getattr(import_module(MODULES[self.name][0]), self.config)


# Name → module of the config, module of the node.
MODULES = {
    "perception": ("vla_perception.perception_config", "vla_perception.node"),
    "policy": ("vla_policy.policy_config", "vla_policy.node"),
    "safety": ("vla_safety.config.safety_config", "vla_safety.node.node"),
    "simulator": ("vla_sim.node.simulator_config", "vla_sim.node.node"),
}
KINDS = [
    Kind(
        "perception",
        "PerceptionConfig",
        {"cameras": ["front"]},
        {"lock_step": True, "queue_size": 20, "front.height": 120},
        {"command_timeout": 5.0},
        ("command_timeout", 0.0, "accepted: float, 0.1 to 86400.0 [s]"),
    ),
    Kind(
        "policy",
        "PolicyConfig",
        {"checkpoint": str(ROOT / "models" / "metaworld"), "backend": "constant"},
        {"lock_step": True, "fault_period": 0.3},
        {"done_count": 3},
        ("done_count", -1, "accepted: int, "),
    ),
    Kind(
        "safety",
        "SafetyConfig",
        {
            "action_space": str(ROOT / "config" / "action_spaces" / "mobile_base.yaml"),
            "recording_folder": "none",
            "workspace_required": False,
        },
        {"lock_step": True, "workspace_high": [1.0, 1.0, 1.0]},
        {"speed_scale": 0.5},
        ("speed_scale", 1.5, "accepted: float, 0.0 to 1.0"),
    ),
    Kind(
        "simulator",
        "SimulatorConfig",
        {"cameras": ["corner2"], "image_width": 32, "image_height": 32},
        {"lock_step": True, "seed": 3},
        {"real_time_factor": 2.0},
        ("real_time_factor", 0.0, "accepted: float, 0.01 to 20.0"),
    ),
]


class Node:
    """A node that was started unconfigured, and its services."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    def call(self, kind: Any, service: str, **fields: Any) -> Any:
        return self._client.call(kind, f"/{self._name}/{service}", kind.Request(**fields))

    def go(self, transition: int) -> None:
        request = Transition(id=transition)
        assert self.call(ChangeState, "change_state", transition=request).success

    def set(self, values: dict[str, Any]) -> dict[str, str]:
        """Set each; name → why it was refused."""
        changes = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        results = self.call(SetParameters, "set_parameters", parameters=changes).results
        told = zip(values, results, strict=True)
        return {name: result.reason for name, result in told if not result.successful}

    def get(self, names: Any) -> dict[str, Any]:
        values = self.call(GetParameters, "get_parameters", names=list(names)).values
        return {name: rclpy_value(value) for name, value in zip(names, values, strict=True)}

    def describe(self, names: Any) -> dict[str, Any]:
        described = self.call(DescribeParameters, "describe_parameters", names=list(names))
        return {each.name: each for each in described.descriptors}


def rclpy_value(value: Any) -> Any:
    found = Parameter.from_parameter_msg(ParameterMessage(name="_", value=value)).value
    return list(found) if hasattr(found, "__iter__") and not isinstance(found, str) else found


def lines(names: Any) -> dict[str, str]:
    why = "is fixed while the node is configured; deactivate and clean up first"
    return {name: f"parameter {name} {why}" for name in names}


@pytest.mark.system
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_fixed_is_refused_from_configure_to_clean_up(kind, tmp_path):
    if kind.name == "simulator":
        pytest.importorskip("metaworld")
    client = Client(DOMAIN)
    values = {**kind.values, "autostart": False}
    if kind.name == "safety":
        values["state_file"] = str(tmp_path / "state.json")
    try:
        with node_process(MODULES[kind.name][1], DOMAIN, values) as process:
            node = Node(client, kind.name)
            of_the_config = {n: s for n, _, s in parameters.fields(kind.config_class)}
            whole = {n: kind.fixed[n] for n in kind.fixed if n in of_the_config}
            before = node.get(whole)
            assert node.set(whole) == {}, "while unconfigured everything may be set"
            assert node.set(before) == {}
            assert not any(each.read_only for each in node.describe(of_the_config).values())

            node.go(Transition.TRANSITION_CONFIGURE)
            check_configured(node, kind, of_the_config)
            node.go(Transition.TRANSITION_ACTIVATE)
            check_configured(node, kind, of_the_config)
            node.go(Transition.TRANSITION_DEACTIVATE)
            node.go(Transition.TRANSITION_CLEANUP)
            assert node.set(kind.fixed) == {}
            assert process.process.poll() is None
    finally:
        client.close()


def check_configured(node: Node, kind: Kind, of_the_config: dict[str, Any]) -> None:
    before = node.get(kind.fixed)
    assert node.set(kind.fixed) == lines(kind.fixed)
    assert node.get(kind.fixed) == before
    assert node.set(kind.runtime) == {}
    name, value, accepted = kind.refused
    assert accepted in node.set({name: value})[name]
    described = node.describe([*of_the_config, "autostart"])
    read_only = {name for name, each in described.items() if each.read_only}
    assert read_only == {n for n, s in of_the_config.items() if not s.runtime} | {"autostart"}
    for name, specification in of_the_config.items():
        ranges = [*described[name].floating_point_range, *described[name].integer_range]
        wanted = [specification.minimum, specification.maximum]
        assert bool(ranges) == (wanted != [None, None]), name
        if ranges and None not in wanted:
            assert [ranges[0].from_value, ranges[0].to_value] == wanted
