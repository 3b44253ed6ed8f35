"""From the node's parameters to a policy that is ready to run."""

from __future__ import annotations

from vla_contract.action_space import ActionSpace, ActionSpaceError
from vla_policy import backends
from vla_policy.checkpoint import Checkpoint, CheckpointError
from vla_policy.config import PolicyConfig
from vla_policy.inference import Policy


def load_policy(config: PolicyConfig) -> tuple[Policy, list[float]]:
    """The policy that `config` describes, and the times of its warm-up, s.

    Raises:
        CheckpointError, BackendError: one line with what is wrong, where, and what is accepted.
    """
    options = backends.BackendOptions(
        config.threads, config.providers, config.constant_action, config.constant_forward_time
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
    )
    return policy, policy.warm_up(config.warm_up)


def _checkpoint(config: PolicyConfig) -> Checkpoint:
    if not config.checkpoint and config.backend != "constant":
        raise CheckpointError("parameter checkpoint is empty; accepted: a checkpoint's folder")
    checkpoint = Checkpoint.load(config.checkpoint) if config.checkpoint else None
    space = _action_space(config.action_space) if config.action_space else None
    if checkpoint is not None:
        if space is not None:
            checkpoint.require_action_space(space, config.action_space)
        return checkpoint
    if space is None:
        raise CheckpointError(
            "parameters checkpoint and action_space are empty; accepted for the backend "
            "constant: one of them"
        )
    return Checkpoint.without_weights(space)


def _action_space(path: str) -> ActionSpace:
    try:
        return ActionSpace.load(path)
    except ActionSpaceError as error:
        raise CheckpointError(str(error)) from error
