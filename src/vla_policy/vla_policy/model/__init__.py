"""The policy network in PyTorch. Needs torch: nothing outside this folder imports it at the top."""

from vla_policy.model.confidence import Confidence
from vla_policy.model.configuration import ModelConfig, ModelConfigError
from vla_policy.model.fusion import CrossModalAttention, VisionLanguageFusion
from vla_policy.model.language import LanguageEncoder
from vla_policy.model.network import LanguageGraph, PolicyGraph, PolicyOutput, VLAModel
from vla_policy.model.planner import ActionDecoder, Plan, Planner
from vla_policy.model.vision import VisionEncoder, load_pretrained

__all__ = [
    "ActionDecoder",
    "Confidence",
    "CrossModalAttention",
    "LanguageEncoder",
    "LanguageGraph",
    "ModelConfig",
    "ModelConfigError",
    "Plan",
    "Planner",
    "PolicyGraph",
    "PolicyOutput",
    "VLAModel",
    "VisionEncoder",
    "VisionLanguageFusion",
    "load_pretrained",
]
