"""ONNX Runtime, the embedded default."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

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
from vla_policy.checkpoint.checkpoint import LANGUAGE_ONNX, POLICY_ONNX, Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens
from vla_policy.engines import engine_cache

_LANGUAGE_OUTPUTS = ["word_states", "sentence"]
# The attention output is left out: it is for pictures, and not asking for it is cheaper.
_POLICY_OUTPUTS = ["actions", "steps_logits"]
_OPTIONAL_OUTPUT = "confidence"
_ATTENTION = "attention"
_TENSORRT = "TensorrtExecutionProvider"
# On a CPU the fused sum and LayerNorm is five times slower than both by themselves (ONNX Runtime
# 1.23: 155 instead of 32 µs for 450 cells of 128).
_SLOWER = ["SkipLayerNormFusion"]

Shape = tuple[int, ...]


class OnnxRuntimeBackend:
    """Runs language.onnx and policy.onnx with a fixed number of threads."""

    name = "onnxruntime"
    batches = False

    def __init__(self, options: BackendOptions) -> None:
        self._options = options

    def load(self, checkpoint: Checkpoint) -> None:
        """Open both models; raises BackendError, CheckpointError."""
        words = checkpoint.tokenizer.max_words
        cameras = len(checkpoint.cameras)
        image = (1, cameras, checkpoint.image_height, checkpoint.image_width, 3)
        self._language = self._session(
            checkpoint,
            LANGUAGE_ONNX,
            {"tokens": ("int64", (1, words)), "word_count": ("int64", (1,))},
            _LANGUAGE_OUTPUTS,
        )
        self._policy = self._session(
            checkpoint,
            POLICY_ONNX,
            {
                "images": ("uint8", image),
                "camera_mask": ("float", (1, cameras)),
                "state": ("float", (1, len(checkpoint.state_names))),
                "word_states": ("float", (1, words, -1)),
                "word_mask": ("float", (1, words)),
                "sentence": ("float", (1, -1)),
            },
            _POLICY_OUTPUTS,
        )
        # A size that is no number is open: such a graph takes several observations at a time.
        self.batches = all(not isinstance(i.shape[0], int) for i in self._policy.get_inputs())
        names = [output.name for output in self._policy.get_outputs()]
        self._outputs = [*_POLICY_OUTPUTS, *([_OPTIONAL_OUTPUT] * (_OPTIONAL_OUTPUT in names))]

    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Run language.onnx."""
        count = np.array([tokens.count], dtype=np.int64)
        feed = {"tokens": tokens.ids[np.newaxis], "word_count": count}
        word_states, sentence = self._language.run(_LANGUAGE_OUTPUTS, feed)
        return LanguageFeatures(word_states, word_mask(tokens), sentence)

    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Run policy.onnx."""
        values = self._policy.run(self._outputs, _feed(inputs, language))
        return prediction(dict(zip(self._outputs, values, strict=True)))

    def forward_batch(self, inputs: Inputs, language: LanguageFeatures) -> list[Prediction]:
        """Run policy.onnx for several observations."""
        values = self._policy.run(self._outputs, _feed(inputs, language))
        return predictions(dict(zip(self._outputs, values, strict=True)))

    def attention(self, inputs: Inputs, language: LanguageFeatures) -> Float32:
        """Run policy.onnx for its attention alone; raises BackendError where it has none."""
        names = [output.name for output in self._policy.get_outputs()]
        if _ATTENTION not in names:
            raise BackendError(f"{POLICY_ONNX} has the outputs {', '.join(names)}; no attention")
        (weights,) = self._policy.run([_ATTENTION], _feed(inputs, language))
        found: Float32 = weights[0]
        return found

    def _session(
        self,
        checkpoint: Checkpoint,
        name: str,
        inputs: dict[str, tuple[str, Shape]],
        outputs: list[str],
    ) -> Any:
        content = checkpoint.read(name)
        providers = self._providers(checkpoint.files[name])
        try:
            session = onnxruntime.InferenceSession(
                content,
                self._session_options(),
                providers=providers,
                disabled_optimizers=_SLOWER,
            )
        except Exception as error:  # ONNX Runtime's errors share no public base class
            raise BackendError(
                f"checkpoint {checkpoint.folder}: {name} cannot be loaded: "
                f"{' '.join(str(error).split())[:300]}; accepted: an ONNX model"
            ) from error
        self._require_providers(session)
        try:
            _check_inputs(session, inputs)
            _check_outputs(session, outputs)
        except BackendError as error:
            raise BackendError(f"checkpoint {checkpoint.folder}: {name}: {error}") from error
        return session

    def _session_options(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._options.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        # Idle threads that spin take the cores from the camera drivers and the safety loop: at
        # 25 Hz an inference cost 40 ms of CPU time. So they stop with it: 6.6 ms, as without
        # spinning, but the forward pass takes a tenth to a fifth less.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        return options

    def _providers(self, digest: str) -> list[Any]:
        """Execution providers with their options; raises BackendError."""
        installed = onnxruntime.get_available_providers()
        for provider in self._options.providers:
            if provider not in installed:
                raise BackendError(
                    f"provider {provider!r} is not in this ONNX Runtime; accepted here: "
                    f"{', '.join(installed)}"
                )
        return [
            (name, tensorrt_options(self._options, digest)) if name == _TENSORRT else name
            for name in self._options.providers
        ]

    def _require_providers(self, session: Any) -> None:
        """ONNX Runtime goes on without a provider that cannot be loaded; here that is an error."""
        running = session.get_providers()
        lost = [name for name in self._options.providers if name not in running]
        if lost:
            raise BackendError(
                f"provider {', '.join(lost)} is in this ONNX Runtime but cannot be loaded (a GPU "
                f"or a library is missing); running: {', '.join(running)}"
            )


def _feed(inputs: Inputs, language: LanguageFeatures) -> dict[str, Any]:
    return {
        "images": inputs.images,
        "camera_mask": inputs.camera_mask,
        "state": inputs.state,
        "word_states": language.word_states,
        "word_mask": language.word_mask,
        "sentence": language.sentence,
    }


def tensorrt_options(options: BackendOptions, digest: str) -> dict[str, Any]:
    """Options of ONNX Runtime's TensorRT provider for the model of a hash; raises BackendError.

    Its engines are built once, by `./vla build-engine --onnxruntime`, and kept: where there is none
    it would build them for minutes when the node is configured.
    """
    folder = engine_cache.onnxruntime_folder(options.engine_folder, onnxruntime.__version__, digest)
    if not options.build_engines and not any(folder.glob("*.engine")):
        raise BackendError(
            f"provider {_TENSORRT} has no engine of this model in {folder}; build it with: ./vla "
            "build-engine --onnxruntime (on the robot: ros2 run vla_policy build_engine "
            "--onnxruntime), with the same checkpoint and engine_folder"
        )
    return {
        "trt_fp16_enable": True,
        "trt_max_workspace_size": 1 << 30,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
    }


def _check_inputs(session: Any, expected: dict[str, tuple[str, Shape]]) -> None:
    """Names, types and fixed sizes (-1: any) of a model's inputs; raises BackendError."""
    found = {
        # A size that is a name or None is open, and whatever is given fits.
        argument.name: (
            argument.type.removeprefix("tensor(").removesuffix(")"),
            tuple(size if isinstance(size, int) else -1 for size in argument.shape),
        )
        for argument in session.get_inputs()
    }
    for name, (kind, shape) in found.items():
        if name not in expected:
            raise BackendError(f"input {name!r} is unknown; accepted: {', '.join(expected)}")
        wanted_kind, wanted = expected[name]
        fits = len(shape) == len(wanted) and all(
            -1 in (a, b) or a == b for a, b in zip(shape, wanted, strict=True)
        )
        if kind != wanted_kind or not fits:
            raise BackendError(
                f"input {name!r} is {kind}{list(shape)}; accepted: {wanted_kind}{list(wanted)} "
                "(config.yaml's cameras, image, state_names and max_words)"
            )
    missing = [name for name in expected if name not in found]
    if missing:
        raise BackendError(f"lacks the input {', '.join(missing)}; accepted: {', '.join(expected)}")


def _check_outputs(session: Any, expected: list[str]) -> None:
    found = [argument.name for argument in session.get_outputs()]
    missing = [name for name in expected if name not in found]
    if missing:
        raise BackendError(f"has the outputs {', '.join(found)}; accepted: {', '.join(expected)}")
