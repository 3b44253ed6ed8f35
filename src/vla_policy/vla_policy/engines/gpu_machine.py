"""The GPU and the TensorRT that engines are built for and run on."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from vla_policy.backends.backend import BackendError
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.engines.engine_cache import EngineKey, model_hash


def build_command(checkpoint: Checkpoint) -> str:
    """What a person types to build the engines of a checkpoint."""
    folder = checkpoint.folder or "FOLDER"
    return (
        f"./vla build-engine --checkpoint {folder} (on the robot: ros2 run vla_policy "
        f"build_engine --checkpoint {folder})"
    )


def require_gpu(checkpoint: Checkpoint) -> None:
    """Raise BackendError where PyTorch finds no NVIDIA GPU, or is not installed."""
    try:
        import torch
    except ImportError as error:
        raise BackendError(
            f"backend tensorrt needs PyTorch ({error}); accepted: requirements/learn.txt installed"
        ) from error

    if torch.cuda.is_available():
        return
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    raise BackendError(
        f"backend tensorrt: no NVIDIA GPU is found here (PyTorch {torch.__version__}, {built}); "
        f"accepted without one: backend onnxruntime; on the robot, first "
        f"{build_command(checkpoint)}"
    )


def require_tensorrt() -> Any:
    """The module tensorrt; raises BackendError where it is missing or cannot be loaded."""
    if find_spec("tensorrt") is None:
        raise BackendError(
            "backend tensorrt needs the Python package tensorrt, which is not installed; "
            "accepted: that of JetPack (python3-libnvinfer), or of PyPI on a PC"
        )
    try:
        import tensorrt
    except (ImportError, OSError) as error:  # a library that is missing
        raise BackendError(
            f"backend tensorrt: tensorrt cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from error
    return tensorrt


def key_of(checkpoint: Checkpoint, tensorrt: Any) -> EngineKey:
    """What the engines of a checkpoint must fit on this machine."""
    import torch

    major, minor = torch.cuda.get_device_capability()
    return EngineKey(model_hash(checkpoint), f"sm{major}{minor}", str(tensorrt.__version__))
