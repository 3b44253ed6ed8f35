"""What is asked of `torch_tensorrt.dynamo.compile`, checked against the installed release."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_policy.backends.backend import BackendError

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built.

    half: layers in half precision, else all in single. workspace: MB that TensorRT may use while
    it tries kernels. optimization_level: 0 to 5, how long it tries.
    """

    half: bool = True
    workspace: int = 1024
    optimization_level: int = 4

    def __post_init__(self) -> None:
        if self.workspace < 1:
            raise BackendError(f"workspace is {self.workspace} MB; accepted: at least 1")
        if not 0 <= self.optimization_level <= 5:
            raise BackendError(f"optimization_level is {self.optimization_level}; accepted: 0 to 5")


def compile_options(
    compile_function: Callable[..., Any], options: BuildOptions, timing_cache: Path
) -> dict[str, Any]:
    """Keyword arguments of the installed release; raises BackendError for one that it lacks.

    timing_cache: a file; the default of torch_tensorrt is in /tmp.
    """
    asked: dict[str, Any] = {
        "workspace_size": options.workspace * MEGABYTE,
        "min_block_size": 1,
        "require_full_compilation": True,
        "optimization_level": options.optimization_level,
        "timing_cache_path": str(timing_cache),
    }
    asked |= typing_options(accepted(compile_function), half=options.half)
    return checked(compile_function, asked)


def typing_options(names: Mapping[str, Any] | set[str], *, half: bool) -> dict[str, Any]:
    """How a release is told to keep the graph's own types.

    Releases up to 2.8 choose types themselves unless told; later ones always keep the graph's, and
    swallow `enabled_precisions` without a word.
    """
    if "use_explicit_typing" in names:
        return {"use_explicit_typing": True}
    if "enabled_precisions" in names:
        import torch

        return {"enabled_precisions": {torch.float16, torch.float32} if half else {torch.float32}}
    return {}


def accepted(function: Callable[..., Any]) -> set[str]:
    """Names of the parameters of a function, without its **kwargs."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in named
    }


def checked(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options; raises BackendError where the function would swallow or refuse one."""
    names = accepted(function)
    unknown = [name for name in options if name not in names]
    if unknown:
        raise BackendError(
            f"{', '.join(unknown)}: no option of {function.__module__}.{function.__name__} as "
            f"installed; accepted: {', '.join(sorted(names))}"
        )
    return dict(options)
