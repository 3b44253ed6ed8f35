"""The policy network in PyTorch. Needs torch: nothing outside this folder imports it at the top."""

from vla_policy.model.confidence_head import Confidence
from vla_policy.model.fusion import CrossModalAttention, VisionLanguageFusion
from vla_policy.model.image_encoder import VisionEncoder, load_pretrained
from vla_policy.model.language_encoder import LanguageEncoder
from vla_policy.model.model_configuration import ModelConfig, ModelConfigError
from vla_policy.model.network import LanguageGraph, PolicyGraph, PolicyOutput, VLAModel
from vla_policy.model.planner import ActionDecoder, Plan, Planner

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
