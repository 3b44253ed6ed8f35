"""Runs one serialized engine with TensorRT's own runtime; the tensors are PyTorch's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vla_policy.backends.backend import BackendError
from vla_policy.engines.engine_cache import StoredEngine

Array = npt.NDArray[Any]

# By the names of TensorRT's data types.
_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "BOOL": torch.bool,
}


class EngineRunner:
    """An engine with its buffers on the device. One thread at a time."""

    def __init__(self, tensorrt: Any, stored: StoredEngine, device: torch.device) -> None:
        """Read the engine and reserve its memory; raises BackendError."""
        self._logger = tensorrt.Logger(tensorrt.Logger.WARNING)
        self._runtime = tensorrt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(stored.content)
        if self._engine is None:
            raise BackendError("TensorRT cannot read the engine; build it again")
        self._context = self._engine.create_execution_context()
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._inputs = {name: self._buffer(t, device) for name, t in stored.inputs.items()}
        self._outputs = {name: self._buffer(t, device) for name, t in stored.outputs.items()}

    def _buffer(self, tensor: str, device: torch.device) -> torch.Tensor:
        kind = self._engine.get_tensor_dtype(tensor).name
        if kind not in _TYPES:
            raise BackendError(
                f"the engine's {tensor} is {kind}; accepted: {', '.join(_TYPES)}; build it again"
            )
        shape = tuple(self._engine.get_tensor_shape(tensor))
        buffer = torch.zeros(shape, dtype=_TYPES[kind], device=device)
        self._context.set_tensor_address(tensor, buffer.data_ptr())
        return buffer

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; inputs of a graph that the engine does not need may be given."""
        stream = self._stream
        with torch.cuda.stream(stream):
            for name, buffer in self._inputs.items():
                # Contiguous, and shapes must agree: a broadcast would hide a wrong input.
                given = torch.from_numpy(np.ascontiguousarray(inputs[name]))
                if given.shape != buffer.shape:
                    raise BackendError(
                        f"{name} is {list(given.shape)}; accepted: {list(buffer.shape)}"
                    )
                buffer.copy_(given)
            if not self._context.execute_async_v3(stream.cuda_stream if stream else 0):
                raise RuntimeError("TensorRT could not run the engine")
            results = {name: buffer.float().cpu() for name, buffer in self._outputs.items()}
        if stream:
            stream.synchronize()
        return {name: result.numpy() for name, result in results.items()}
