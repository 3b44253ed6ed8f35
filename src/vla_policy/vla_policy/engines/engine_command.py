"""`./vla build-engine` and `ros2 run vla_policy build_engine`: TensorRT engines of a checkpoint."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from vla_policy.backends.backend import BackendError
from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError
from vla_policy.engines import engine_cache, gpu_machine
from vla_policy.engines.compile_options import BuildOptions

BEAT = 5.0  # s between signs of life while one step goes on


class Progress:
    """Says each step with the time since the start, and that it still goes on."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._step = ""
        self._ended = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def __call__(self, step: str) -> None:
        """Begin a step."""
        self._step = step
        self._print(step)

    def end(self) -> None:
        """Say no more."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            if self._step:
                self._print(f"… {self._step.split(':')[0]}")

    def _print(self, text: str) -> None:
        print(f"{time.monotonic() - self._begin:6.0f} s  {text}", file=sys.stderr, flush=True)


def run() -> None:
    """Entry point of the executable."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Build the engines, or say whether they could be; 1 with one line where they cannot."""
    parsed = _parser().parse_args(arguments)
    try:
        options = BuildOptions(not parsed.single, parsed.workspace, parsed.optimization_level)
        checkpoint = Checkpoint.load(parsed.checkpoint)
        if parsed.partition_only:
            return _partition_only(checkpoint, options)
        if parsed.onnxruntime:
            _build_for_onnxruntime(checkpoint, parsed.engine_folder)
        else:
            _build(checkpoint, parsed.engine_folder, options, force=parsed.force)
    except (BackendError, CheckpointError) as error:
        print(f"build-engine: {error}", file=sys.stderr)
        return 1
    return 0


def _build(checkpoint: Checkpoint, folder: str, options: BuildOptions, *, force: bool) -> None:
    gpu_machine.require_gpu(checkpoint)
    root = engine_cache.root_folder(folder)
    key = gpu_machine.key_of(checkpoint, gpu_machine.require_tensorrt())
    if (root / str(key) / engine_cache.MANIFEST).is_file() and not force:
        print(f"there already: {root / str(key)} (--force builds it again)")
        return
    from vla_policy.engines.engine_build import build

    progress = Progress()
    try:
        print(f"engines: {build(checkpoint, root, options, progress)}")
    finally:
        progress.end()


def _build_for_onnxruntime(checkpoint: Checkpoint, folder: str) -> None:
    """Let ONNX Runtime's TensorRT provider build and keep its engines."""
    from vla_policy import backends
    from vla_policy.inference.inference import Policy

    providers = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
    options = backends.BackendOptions(providers=providers, engine_folder=folder, build_engines=True)
    backend = backends.create("onnxruntime", options)
    progress = Progress()
    try:
        progress("ONNX Runtime: TensorRT tries kernels; this takes minutes")
        backend.load(checkpoint)
        Policy(checkpoint, backend).warm_up(1)
    finally:
        progress.end()
    print(f"engines of ONNX Runtime: {engine_cache.root_folder(folder)}")


def _partition_only(checkpoint: Checkpoint, options: BuildOptions) -> int:
    """Print the report; 1 where a graph would be split."""
    from vla_policy.backends.torch_module import load_model
    from vla_policy.engines import partition
    from vla_policy.engines.engine_graphs import export_engines

    try:
        torch_tensorrt = partition.prepare()
    except ImportError as error:
        raise BackendError(
            f"the check needs the Python package torch-tensorrt ({error}); accepted: "
            "requirements/test-no-deps.txt installed with pip --no-deps"
        ) from error
    reports = [
        partition.partition(torch_tensorrt, graph, options)
        for graph in export_engines(load_model(checkpoint), half=options.half)
    ]
    print(f"# {checkpoint.name}: partition only\n")
    for report in reports:
        print("\n".join(report.lines()) + "\n")
    return 0 if all(report.whole for report in reports) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build-engine", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=Path("models/metaworld"))
    parser.add_argument(
        "--engine-folder",
        default="",
        help=f"where engines are kept (${engine_cache.VARIABLE}, else ~/.cache/vla/engines)",
    )
    parser.add_argument("--single", action="store_true", help="all layers in single precision")
    defaults = BuildOptions()
    parser.add_argument(
        "--workspace", type=int, default=defaults.workspace, metavar="MB", help="(%(default)s)"
    )
    parser.add_argument(
        "--optimization-level", type=int, default=defaults.optimization_level, help="0 to 5"
    )
    parser.add_argument(
        "--onnxruntime",
        action="store_true",
        help="those of ONNX Runtime's TensorrtExecutionProvider instead",
    )
    parser.add_argument("--force", action="store_true", help="build what is there already")
    parser.add_argument(
        "--partition-only",
        action="store_true",
        help="only whether TensorRT would take each graph as one engine; needs no GPU",
    )
    return parser


if __name__ == "__main__":
    run()
