"""The policy network in PyTorch. Needs torch: nothing outside this folder imports it at the top."""

from vla_policy.model.configuration import ModelConfig, ModelConfigError
from vla_policy.model.network import LanguageGraph, PolicyGraph, PolicyOutput, VLAModel

__all__ = [
    "LanguageGraph",
    "ModelConfig",
    "ModelConfigError",
    "PolicyGraph",
    "PolicyOutput",
    "VLAModel",
]
