"""PyTorch, eager: the weights of the checkpoint in `vla_policy.model`."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from vla_policy.backends.base import (
    BackendError,
    BackendOptions,
    Inputs,
    LanguageFeatures,
    Prediction,
    word_mask,
)
from vla_policy.checkpoint import WEIGHTS, Checkpoint
from vla_policy.model import ModelConfig, ModelConfigError, VLAModel
from vla_policy.tokenizer import Tokens


class TorchBackend:
    """Runs weights.safetensors on the GPU where there is one, else on the CPU."""

    name = "torch"

    def __init__(self, options: BackendOptions) -> None:
        torch.set_num_threads(options.threads)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def load(self, checkpoint: Checkpoint) -> None:
        """Build the network and fill it; raises BackendError, CheckpointError."""
        where = f"checkpoint {checkpoint.folder or checkpoint.name}"
        try:
            weights = load(checkpoint.read(WEIGHTS))
        except SafetensorError as error:
            raise BackendError(f"{where}: {WEIGHTS}: {error}; accepted: safetensors") from error
        try:
            self._model = VLAModel(ModelConfig.from_dict(checkpoint.architecture))
        except ModelConfigError as error:
            raise BackendError(f"{where}: config.yaml: {error}") from error
        try:
            # Weights may be stored in half precision; the network is in single precision.
            self._model.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise BackendError(
                f"{where}: {WEIGHTS} does not fit config.yaml's architecture: {reason}"
            ) from error
        self._model.to(self._device).eval()

    @torch.inference_mode()
    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Run the language branch."""
        ids = torch.from_numpy(tokens.ids)[None].to(self._device)
        count = torch.tensor([tokens.count], device=self._device)
        word_states, sentence = self._model.language(ids, count)
        return LanguageFeatures(
            word_states.cpu().numpy(), word_mask(tokens), sentence.cpu().numpy()
        )

    @torch.inference_mode()
    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Run everything but the language branch."""
        arrays = (
            inputs.images,
            inputs.camera_mask,
            inputs.state,
            language.word_states,
            language.word_mask,
            language.sentence,
        )
        output = self._model.act(*(torch.from_numpy(a).to(self._device) for a in arrays))
        return Prediction(
            output.actions[0].float().cpu().numpy(), output.steps_logits[0].float().cpu().numpy()
        )
