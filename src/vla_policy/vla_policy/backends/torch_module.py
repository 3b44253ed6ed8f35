"""PyTorch: the weights of the checkpoint in `vla_policy.model`, eager or compiled."""

from __future__ import annotations

from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from vla_policy.backends.backend import (
    BackendError,
    BackendOptions,
    Float32,
    Inputs,
    LanguageFeatures,
    Prediction,
    prediction,
    predictions,
    word_mask,
)
from vla_policy.checkpoint.checkpoint import WEIGHTS, Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens
from vla_policy.model import ModelConfig, ModelConfigError, PolicyOutput, VLAModel

MODES = ("eager", "compiled")


def load_model(checkpoint: Checkpoint) -> VLAModel:
    """The network with the checkpoint's weights, in eval mode on the CPU.

    Raises:
        BackendError, CheckpointError: weights or architecture that cannot be used.
    """
    where = f"checkpoint {checkpoint.folder or checkpoint.name}"
    try:
        weights = load(checkpoint.read(WEIGHTS))
    except SafetensorError as error:
        raise BackendError(f"{where}: {WEIGHTS}: {error}; accepted: safetensors") from error
    try:
        config = ModelConfig.from_dict(checkpoint.architecture)
        _require_fit(checkpoint, config)
        model = VLAModel(config)
    except ModelConfigError as error:
        raise BackendError(f"{where}: config.yaml: {error}") from error
    try:
        # Weights may be stored in half precision; the network is in single precision.
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise BackendError(
            f"{where}: {WEIGHTS} does not fit config.yaml's architecture: {reason}"
        ) from error
    return model.eval()


def _require_fit(checkpoint: Checkpoint, config: ModelConfig) -> None:
    """Raise ModelConfigError where the architecture is not of what the checkpoint says."""
    expected = {
        "cameras": len(checkpoint.cameras),
        "height": checkpoint.image_height,
        "width": checkpoint.image_width,
        "state": len(checkpoint.state_names),
        "max_words": checkpoint.tokenizer.max_words,
        "vocabulary": len(checkpoint.tokenizer.words),
        "steps": checkpoint.action_space.chunk_length,
        "actions": checkpoint.action_space.width,
    }
    for name, value in expected.items():
        found = getattr(config, name)
        if found != value:
            raise ModelConfigError(
                f"architecture's {name} is {found}; accepted: {value}, as its other entries, the "
                "tokenizer and the action space say"
            )


class TorchBackend:
    """Runs weights.safetensors on the GPU where there is one, else on the CPU."""

    name = "torch"

    def __init__(self, options: BackendOptions) -> None:
        if options.torch_mode not in MODES:
            raise BackendError(
                f"torch_mode is {options.torch_mode!r}; accepted: {', '.join(MODES)}"
            )
        self._compiled = options.torch_mode == "compiled"
        torch.set_num_threads(options.threads)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def load(self, checkpoint: Checkpoint) -> None:
        """Build the network and fill it; raises BackendError, CheckpointError."""
        self._model = load_model(checkpoint).to(self._device)
        self._act: Any = self._model.act
        if self._compiled:
            # The planner's LSTM: by default it would end the graph.
            torch._dynamo.config.allow_rnn = True  # type: ignore[attr-defined, unused-ignore]
            # Not of its own accord: compiled at the first forward pass, which is in the warm-up.
            self._act = torch.compile(self._model.act, fullgraph=True, dynamic=False)

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
        output = self._act(*self._arguments(inputs, language))
        named = zip(PolicyOutput._fields, output, strict=True)
        return prediction({name: value.float().cpu().numpy() for name, value in named})

    @property
    def batches(self) -> bool:
        """Not where the network was compiled, which is for the shapes of one observation."""
        return not self._compiled

    @torch.inference_mode()
    def forward_batch(self, inputs: Inputs, language: LanguageFeatures) -> list[Prediction]:
        """Run everything but the language branch for several observations."""
        output = self._act(*self._arguments(inputs, language))
        named = zip(PolicyOutput._fields, output, strict=True)
        return predictions({name: value.float().cpu().numpy() for name, value in named})

    @torch.inference_mode()
    def attention(self, inputs: Inputs, language: LanguageFeatures) -> Float32:
        """Run it once more for where the words look."""
        output = self._model.act(*self._arguments(inputs, language))
        weights: Float32 = output.attention[0].float().cpu().numpy()
        return weights

    def _arguments(self, inputs: Inputs, language: LanguageFeatures) -> list[torch.Tensor]:
        arrays = (
            inputs.images,
            inputs.camera_mask,
            inputs.state,
            language.word_states,
            language.word_mask,
            language.sentence,
        )
        return [torch.from_numpy(a).to(self._device) for a in arrays]
