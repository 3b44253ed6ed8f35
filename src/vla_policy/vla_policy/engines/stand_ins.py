"""What stands in for libnvinfer and a GPU, so that torch_tensorrt's partitioner runs without them.

Only its lowering passes, its table of converters and its partitioner run; nothing is converted.
For a process of its own: what is put in place stays.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from types import ModuleType
from typing import Any

TENSORRT = "11.1.0"  # what torch-tensorrt 2.14 asks for
CAPABILITY = (8, 7)  # Orin's


class _Kind(type):
    """A class of TensorRT: its members, made when asked for, are such classes too."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _Kind(name, (), {})
        setattr(cls, name, made)
        return made

    def __call__(cls, *_: Any, **__: Any) -> Any:
        return super().__call__()


class _TensorRT(ModuleType):
    """The module `tensorrt`: every name is a class without behaviour."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "tensorrt")):
            raise AttributeError(name)
        made = _Kind(name, (), {})
        setattr(self, name, made)
        return made


def install() -> None:
    """Put everything in place and import torch_tensorrt."""
    import torch

    module = _TensorRT("tensorrt")
    vars(module).update(
        __version__=TENSORRT,
        _package_name="tensorrt",
        __path__=[],
        __file__=__file__,
        tensorrt=module,
    )
    module.__spec__ = importlib.machinery.ModuleSpec("tensorrt", None)
    sys.modules["tensorrt"] = module
    cuda: Any = torch.cuda
    cuda.get_device_capability = lambda *_: CAPABILITY
    cuda.current_device = lambda: 0
    cuda.empty_cache = lambda: None
    cuda.mem_get_info = lambda *_: (1 << 33, 1 << 33)
    is_file = os.path.isfile
    # torch_tensorrt's own libraries want libnvinfer and libcudart: without them it runs in Python.
    os.path.isfile = lambda path: "libtorchtrt" not in str(path) and is_file(path)  # type: ignore[assignment]
    try:
        importlib.import_module("torch_tensorrt")
    finally:
        os.path.isfile = is_file
