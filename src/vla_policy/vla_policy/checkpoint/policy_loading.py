"""From the node's parameters to a policy that is ready to run."""

from __future__ import annotations

import os
from dataclasses import replace

from vla_contract.action_space import ActionSpace, ActionSpaceError
from vla_policy import backends
from vla_policy.backends import BackendError
from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError
from vla_policy.inference.answerer import Answering
from vla_policy.inference.inference import Policy
from vla_policy.policy_config import PolicyConfig, is_given
from vla_policy.remote import protocols

# The server's key is no parameter: those can be read by everyone in the graph.
API_KEY = "VLA_REMOTE_API_KEY"


def load_policy(config: PolicyConfig) -> tuple[Answering, list[float]]:
    """The policy that `config` describes, and the times of its warm-up, s.

    Raises:
        CheckpointError, BackendError: one line with what is wrong, where, and what is accepted.
    """
    if config.backend == backends.REMOTE:
        return _remote(config)
    return _local(config)


def _local(config: PolicyConfig) -> tuple[Policy, list[float]]:
    options = backends.BackendOptions(
        threads=config.threads,
        providers=config.providers,
        torch_mode=config.torch_mode,
        engine_folder=config.engine_folder,
        constant_action=config.constant_action,
        constant_forward_time=config.constant_forward_time,
    )
    backend = backends.create(config.backend, options)
    checkpoint = _checkpoint(config)
    backend.load(checkpoint)
    policy = Policy(
        checkpoint,
        backend,
        cache_size=config.feature_cache_size,
        done_count=config.done_count,
        min_known_share=config.min_known_share,
        min_confidence=config.min_confidence,
    )
    return policy, policy.warm_up(config.warm_up)


def _remote(config: PolicyConfig) -> tuple[Answering, list[float]]:
    """A server, with a local checkpoint beside it where one is given."""
    backends.require(backends.REMOTE)
    missing = protocols.missing_packages(config.remote_protocol)
    if missing:
        raise BackendError(
            f"remote_protocol {config.remote_protocol!r} needs the Python package "
            f"{' and '.join(missing)}, which is not installed"
        )
    from vla_policy.remote import fallback, remote_mapping, remote_policy, server_link

    if not is_given(config.remote_mapping):
        raise BackendError("parameter remote_mapping is none; accepted: a file as in config/remote")
    local: Policy | None = None
    if is_given(config.fallback_checkpoint):
        chosen = replace(
            config, backend=config.fallback_backend, checkpoint=config.fallback_checkpoint
        )
        local, _ = _local(chosen)
    space = local.checkpoint.action_space if local else _required_space(config)
    try:
        mapped = remote_mapping.RemoteMapping.load(config.remote_mapping)
        remote = remote_policy.RemotePolicy(
            replace(Checkpoint.without_weights(space), name=config.remote_url),
            mapped,
            server_link.Link(
                server_link.LinkOptions(
                    config.remote_url,
                    config.remote_connect_timeout,
                    config.remote_inference_timeout,
                    config.remote_longest_pause,
                    os.environ.get(API_KEY, ""),
                    config.remote_protocol,
                    config.remote_warm_up_timeout,
                )
            ),
        )
    except remote_mapping.MappingError as error:
        raise BackendError(str(error)) from error
    remote.min_confidence = config.min_confidence
    try:
        times = remote.warm_up(config.remote_connect_timeout, config.remote_warm_up_timeout)
    except remote_mapping.MappingError as error:
        remote.close()
        raise BackendError(f"{config.remote_mapping} and {config.remote_url}: {error}") from error
    if local is None:
        return remote, times
    return fallback.FallbackPolicy(remote, local, config.recovery_time), times


def _required_space(config: PolicyConfig) -> ActionSpace:
    if not config.action_space:
        raise CheckpointError(
            "parameter action_space is empty; accepted for the backend remote: the robot's file"
        )
    return _action_space(config.action_space)


def _checkpoint(config: PolicyConfig) -> Checkpoint:
    given = is_given(config.checkpoint)
    if not given and config.backend != "constant":
        raise CheckpointError("parameter checkpoint is none; accepted: a checkpoint's folder")
    checkpoint = Checkpoint.load(config.checkpoint) if given else None
    space = _action_space(config.action_space) if config.action_space else None
    if checkpoint is not None:
        if space is not None:
            checkpoint.require_action_space(space, config.action_space)
        if any(config.cameras):
            checkpoint.require_cameras(config.cameras)
        if any(config.state_names):
            checkpoint.require_state(config.state_names)
        return checkpoint
    if space is None:
        raise CheckpointError(
            "parameter checkpoint is none and action_space empty; accepted for the backend "
            "constant: one of them"
        )
    return Checkpoint.without_weights(space)


def _action_space(path: str) -> ActionSpace:
    try:
        return ActionSpace.load(path)
    except ActionSpaceError as error:
        raise CheckpointError(str(error)) from error
