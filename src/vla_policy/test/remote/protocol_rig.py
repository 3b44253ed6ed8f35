"""A server of any protocol, with a mapping for it and a policy that asks it."""

import contextlib
import math

import pytest
import yaml

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.policy_config import PolicyConfig
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.remote_policy import RemotePolicy
from vla_policy.remote.server_link import Link, LinkOptions
from vla_proof.test_support import protocol_servers as servers
from vla_proof.test_support.small_server import Server

FAST = {"connect_timeout": 1.0, "inference_timeout": 0.5, "longest_pause": 0.2}
STATE = ["end_effector.x", "end_effector.y", "end_effector.z", "gripper_opening"]
SERVERS = {
    "openpi": (
        Server,
        {
            "images": [{"camera": "corner2", "key": "observation/image"}],
            "state": {"key": "observation/state", "names": STATE},
            "prompt": "prompt",
        },
    ),
    "lerobot": (
        servers.LerobotServer,
        {
            "images": [{"camera": "corner2", "key": "observation.images.front"}],
            "state": {"key": "observation.state", "names": STATE},
            "prompt": "task",
            "constants": {
                "policy_type": "act",
                "pretrained_name_or_path": "folder/of/the/server",
                "actions_per_chunk": 16,
            },
            "actions": {"key": "action"},
        },
    ),
    "vla-eval": (
        servers.VlaEvalServer,
        {
            "images": [{"camera": "corner2", "key": ["images", "agentview"]}],
            "state": {"key": "state", "names": STATE},
            "prompt": "task_description",
        },
    ),
    "openvla": (
        servers.OpenvlaServer,
        {
            "images": [{"camera": "corner2", "key": "full_image"}],
            "state": {"key": "state", "names": STATE},
            "prompt": "instruction",
        },
    ),
    "gr00t": (
        servers.Gr00tServer,
        {
            "images": [{"camera": "corner2", "key": ["video", "front"]}],
            "state": [
                {"key": ["state", "single_arm"], "names": STATE[:3]},
                {"key": ["state", "gripper"], "names": STATE[3:]},
            ],
            "prompt": ["language", "annotation.human.task"],
            "actions": {"key": ["single_arm", "gripper"]},
        },
    ),
}


def mapping_file(tmp_path, protocol, **actions):
    entries = SERVERS[protocol][1]
    actions = {"key": "actions", "columns": [0, 1, 2, 3], "units": "normalised", "period": 0,
               **entries.get("actions", {}), **actions}  # fmt: skip
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump({"constants": {}, **entries, "actions": actions}))
    return file


@contextlib.contextmanager
def serving(space, protocol, server, tmp_path, patience=10.0, **options):
    link = Link(LinkOptions(server.url, protocol=protocol, **{**FAST, **options}))
    mapping = RemoteMapping.load(mapping_file(tmp_path, protocol))
    remote = RemotePolicy(Checkpoint.without_weights(space), mapping, link)
    try:
        assert not math.isnan(remote.warm_up(patience, 10.0)[0]), link.status
        yield remote
    finally:
        remote.close()


def problem_of(remote, observation):
    found = remote.answer(observation).problem
    return "" if found is None else f"{found.kind.value}: {found.text}"


def refusal(action_space_file, protocol, server, tmp_path, **actions):
    """What is said at configuration of a handshake and a mapping that differ."""
    config = PolicyConfig(
        backend="remote",
        remote_protocol=protocol,
        remote_url=server.url,
        remote_mapping=str(mapping_file(tmp_path, protocol, **actions)),
        action_space=str(action_space_file),
        remote_pickle=True,
        remote_connect_timeout=5.0,
    )
    with pytest.raises(ValueError) as refused:
        load_policy(config)[0].close()
    assert server.url in str(refused.value) and "mapping.yaml" in str(refused.value)
    return str(refused.value)
