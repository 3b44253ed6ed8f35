"""The same policy as a deployment of Ray Serve: as many replicas as there are machines for.

Ray places the replicas, shares the requests out among them, batches them in each and starts again
what has died; nothing of that is written here. A request whose replica dies is asked again, of
another: its answer hangs on nothing but the request, and the client waits for one answer alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vla_policy.backends import BackendError, BackendOptions
from vla_policy.checkpoint.checkpoint import CONFIG, Checkpoint
from vla_serve.checkpoint_policy import CheckpointPolicy, metadata
from vla_serve.served_policy import Reply, Request, RequestError, first_line

_TRIES = 5
_CONNECT_TIMEOUT = 5.0  # s
_PAUSE = 0.2  # s, before the next try, for Ray to notice what has died


@dataclass(frozen=True)
class RayOptions:
    """Where and how many.

    address: of the cluster's head, as `ray.init` takes it; this machine must be one of the
    cluster. window in s. threads: processors that a replica takes; gpus: of a replica.
    """

    address: str
    replicas: int = 2
    window: float = 0.003
    largest_batch: int = 16
    gpus: float = 0.0


class Replica:
    """What runs in each of Ray's processes; its folder must be on every machine of the cluster."""

    def __init__(
        self, folder: str, digest: str, backend: str, options: BackendOptions, batching: Any
    ) -> None:
        if _digest(folder) != digest:
            raise BackendError(f"checkpoint {folder} on {os.uname().nodename} is another one")
        self._policy = CheckpointPolicy.load(folder, backend, options, warm_up=3)
        largest, window = batching if self._policy.batches else (1, 0.0)
        from ray import serve

        async def answer(requests: list[Request]) -> list[Reply | RequestError]:
            replies = await asyncio.to_thread(self._policy.answer, requests)
            for reply in replies:
                if not isinstance(reply, RequestError):
                    reply["server_timing"]["process"] = os.getpid()
            return replies

        batched = serve.batch(max_batch_size=largest, batch_wait_timeout_s=window)
        self._answer = batched(answer)

    async def answer(self, request: Request) -> Reply | RequestError:
        """One of a batch."""
        found: Reply | RequestError = await self._answer(request)
        return found


class RayPolicy:
    """The deployment, made at the start and deleted at the end.

    Raises:
        BackendError: Ray is not installed, there is no such cluster, or no replica starts.
    """

    def __init__(self, folder: str, backend: str, chosen: BackendOptions, options: RayOptions):
        if find_spec("ray") is None:
            raise BackendError(
                "--ray needs the Python package ray[serve], which is not installed (PyPI; ./vla "
                "installs it by itself)"
            )
        import ray
        from ray import serve

        _require_head(options.address)
        checkpoint = Checkpoint.load(folder)
        self.metadata: Mapping[str, Any] = metadata(checkpoint)
        self._name = f"vla-{checkpoint.name}"
        try:
            ray.init(address=options.address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise BackendError(f"Ray at {options.address}: {first_line(error)}") from error
        self._died = (ray.exceptions.RayActorError,)
        # No HTTP of its own: clients come by the websocket of this process.
        serve.start(http_options={"location": "NoServer"})
        deployment = serve.deployment(
            num_replicas=options.replicas,
            max_ongoing_requests=2 * options.largest_batch,
            ray_actor_options={"num_cpus": chosen.threads, "num_gpus": options.gpus},
        )(Replica)
        batching = (options.largest_batch, options.window)
        path = str(Path(folder).resolve())
        app = deployment.bind(path, _digest(folder), backend, chosen, batching)
        try:
            self._handle = serve.run(app, name=self._name, route_prefix=None)
        except RuntimeError as error:
            self.close()
            raise BackendError(f"Ray at {options.address}: {first_line(error, 600)}") from error

    async def submit(self, request: Request) -> Reply | RequestError:
        """The reply of whichever replica Ray chooses."""
        for left in reversed(range(_TRIES)):
            try:
                found: Reply | RequestError = await self._handle.answer.remote(request)
                return found
            except self._died:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE)
        raise AssertionError("not reached")

    def close(self) -> None:
        """Delete the deployment; the cluster goes on."""
        import ray
        from ray import serve

        serve.delete(self._name)
        ray.shutdown()


def _require_head(address: str) -> None:
    """Raise BackendError where nobody listens at HOST:PORT; Ray itself would try for a minute."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise BackendError(f"Ray at {address}: {first_line(error)}") from error


def _digest(folder: str) -> str:
    """Of config.yaml, which holds the hashes of all other files."""
    return hashlib.sha256((Path(folder) / CONFIG).read_bytes()).hexdigest()
