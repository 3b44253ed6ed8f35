"""Inference backends, chosen by name and imported only when chosen."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from vla_policy.backends.backend import (
    Backend,
    BackendError,
    BackendOptions,
    Inputs,
    LanguageFeatures,
    Prediction,
)

__all__ = [
    "Backend",
    "BackendError",
    "BackendOptions",
    "Inputs",
    "LanguageFeatures",
    "Prediction",
    "REMOTE",
    "available",
    "create",
    "require",
]

REMOTE = "remote"

# name: (module, class, Python packages that it needs)
_BACKENDS = {
    "onnxruntime": ("vla_policy.backends.onnx_runtime", "OnnxRuntimeBackend", ("onnxruntime",)),
    "torch": ("vla_policy.backends.torch_module", "TorchBackend", ("torch", "safetensors")),
    "openvino": ("vla_policy.backends.openvino_runtime", "OpenvinoBackend", ("openvino",)),
    # What it needs besides (a GPU, TensorRT) it names itself: `vla_policy.engines.gpu_machine`.
    "tensorrt": ("vla_policy.backends.tensorrt", "TensorrtBackend", ("torch", "safetensors")),
    # Not a model behind a protocol but a policy of its own: `policy_loading` makes it.
    REMOTE: ("vla_policy.remote.remote_policy", "RemotePolicy", ("msgpack", "websockets")),
    "constant": ("vla_policy.backends.constant", "ConstantBackend", ()),
}
# Packages without which a backend is not offered, though it can be asked for.
_OFFERED_WITH = {"tensorrt": ("tensorrt",)}


def available() -> tuple[str, ...]:
    """Names of the backends whose packages are installed."""
    return tuple(
        name
        for name, (_, _, packages) in _BACKENDS.items()
        if not _missing((*packages, *_OFFERED_WITH.get(name, ())))
    )


def create(name: str, options: BackendOptions) -> Backend:
    """A backend by name, not loaded yet.

    Raises:
        BackendError: unknown name, no model's backend, or a package that it needs is not
            installed.
    """
    if name == REMOTE:
        local = ", ".join(other for other in available() if other != REMOTE)
        raise BackendError(f"backend {REMOTE!r} runs no checkpoint; accepted here: {local}")
    module, class_name, _ = _entry(name)
    backend: Backend = getattr(import_module(module), class_name)(options)
    return backend


def require(name: str) -> None:
    """Raise BackendError where a backend is unknown, or a package that it needs is missing."""
    _entry(name)


def _entry(name: str) -> tuple[str, str, tuple[str, ...]]:
    installed = ", ".join(available())
    if name not in _BACKENDS:
        raise BackendError(f"backend {name!r} is unknown; accepted here: {installed}")
    module, class_name, packages = _BACKENDS[name]
    missing = _missing(packages)
    if missing:
        raise BackendError(
            f"backend {name!r} needs the Python package {' and '.join(missing)}, which is not "
            f"installed; accepted here: {installed}"
        )
    return module, class_name, packages


def _missing(packages: tuple[str, ...]) -> list[str]:
    return [package for package in packages if find_spec(package) is None]
