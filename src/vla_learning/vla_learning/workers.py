"""Episodes and trials side by side: in this process, in processes of this machine, or over Ray.

Whoever has work gives it to an `Executor` of Python's library and does not know where it runs.
Ray distributes, retries what was lost with a process or a machine, and is imported only here.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
K = TypeVar("K")
Task = tuple[Any, ...]  # a function and its arguments

# What a worker needs of the environment of the command, on this machine and on others.
ENVIRONMENT = ("PYTHONPATH", "AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "MUJOCO_GL", "VLA_ROOT")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AHEAD = 2  # tasks for each worker: one that it does and one that it finds when it is done
CONNECT_TIMEOUT = 5.0  # s
RETRIES = 3  # of a task whose worker or machine died


class WorkersError(RuntimeError):
    """Workers that cannot be had; the message is one line with what is accepted."""


@dataclass(frozen=True)
class Workers:
    """Where work is done.

    jobs: processes of this machine; 1: this process itself. ray: address of an existing cluster
    ("auto", "HOST:6379"), which is used instead. threads: that each worker computes with.
    gpu: of a cluster that has GPUs, each worker gets one.
    """

    jobs: int = 1
    ray: str | None = None
    threads: int = 1
    gpu: bool = False

    @contextmanager
    def open(self) -> Iterator[Pool]:
        """The workers, for as long as the block lasts.

        Raises:
            WorkersError: Ray is not installed, or the cluster cannot be reached.
        """
        if self.ray is not None:
            cluster = RayExecutor(self.ray, self.threads, gpu=self.gpu)
            with cluster:
                yield Pool(cluster, AHEAD * cluster.slots)
        elif self.jobs == 1:
            yield Pool(SameProcess(), 1)
        else:
            with ProcessPoolExecutor(self.jobs, multiprocessing.get_context("spawn")) as processes:
                yield Pool(processes, AHEAD * self.jobs)


ONE_PROCESS = Workers()


class Pool:
    """Gives work to an executor, no more at a time than keeps it busy."""

    def __init__(self, executor: Executor, ahead: int) -> None:
        """ahead: tasks that are given out at a time."""
        self._executor = executor
        self._ahead = ahead

    def ordered(self, tasks: Iterable[Task]) -> Iterator[Any]:
        """The results in the order of the tasks.

        Raises:
            Exception: what a task raised, instead of its result.
        """
        coming = iter(tasks)
        running: deque[Future[Any]] = deque()
        try:
            while True:
                for function, *arguments in itertools.islice(coming, self._ahead - len(running)):
                    running.append(self._executor.submit(function, *arguments))
                if not running:
                    return
                yield running.popleft().result()
        finally:
            _cancel(running)

    def as_completed(self, tasks: deque[tuple[K, Task]]) -> Iterator[tuple[K, Any]]:
        """Each task's key and result, as soon as it is there; tasks may be added meanwhile.

        Raises:
            Exception: what a task raised, instead of its result.
        """
        running: dict[Future[Any], K] = {}
        try:
            while tasks or running:
                while tasks and len(running) < self._ahead:
                    key, (function, *arguments) = tasks.popleft()
                    running[self._executor.submit(function, *arguments)] = key
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            _cancel(running)


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


class SameProcess(Executor):
    """Does the work when it is submitted."""

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As Executor's; the future is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class RayExecutor(Executor):
    """Tasks on a Ray cluster whose machines have this project at the same path.

    Attributes:
        slots: tasks that the cluster has room for.
    """

    def __init__(self, address: str, threads: int, *, gpu: bool = False) -> None:
        """Join the cluster; raises WorkersError."""
        try:
            import ray
        except ImportError as error:
            raise WorkersError(
                "--ray needs Ray, which is not installed: pip install ray, in the cluster's version"
            ) from error
        self._ray = ray
        _check_reachable(address)
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        environment |= dict.fromkeys(THREADS, str(threads))
        try:
            ray.init(
                address,
                runtime_env={"env_vars": environment},
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise _absent(address, error) from error
        there = ray.cluster_resources()
        gpus = int(gpu and there.get("GPU", 0) >= 1)
        self._call = ray.remote(_call).options(num_cpus=threads, num_gpus=gpus, max_retries=RETRIES)
        room = there.get("CPU", 1) / threads
        self.slots = max(1, int(min(room, there["GPU"]) if gpus else room))
        self._open: set[Any] = set()

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As Executor's; an error of the function comes as it was raised there."""
        reference = self._call.remote(function, *args, **kwargs)
        self._open.add(reference)
        future: Future[Any] = Future()

        def hand_on(done: Future[Any]) -> None:
            self._open.discard(reference)
            error = done.exception()
            if error is None:
                future.set_result(done.result())
                return
            cause = getattr(error, "cause", None)
            future.set_exception(cause if isinstance(cause, Exception) else _lost(error))

        reference.future().add_done_callback(hand_on)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; what still runs there is ended."""
        for reference in list(self._open):
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise WorkersError where nobody listens; Ray itself would go on trying for minutes."""
    host, colon, port = address.rsplit("//", 1)[-1].rpartition(":")
    if not colon or not port.isdecimal():  # auto, or a name that Ray refuses at once
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise _absent(address, error) from error


def _absent(address: str, error: Exception) -> WorkersError:
    return WorkersError(
        f"no Ray cluster at {address}: {' '.join(str(error).split())}; accepted: the address that "
        "`ray start --head` prints, or auto on one of its machines"
    )


def _call(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    return function(*args, **kwargs)


def _lost(error: BaseException) -> WorkersError:
    return WorkersError(
        f"a worker of the Ray cluster died {RETRIES + 1} times: {' '.join(str(error).split())}"
    )
