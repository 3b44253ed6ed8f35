"""`./vla serve KIND`: a policy as a server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace

from vla_policy import backends
from vla_policy.backends import BackendError, BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError
from vla_policy.inference.inference import Policy
from vla_policy.remote.remote_mapping import MappingError, RemoteMapping
from vla_serve import lerobot_environment, lerobot_policy
from vla_serve.checkpoint_policy import CheckpointPolicy, metadata
from vla_serve.graph_session import GraphSession, OneSession
from vla_serve.lerobot_environment import LerobotEnvironmentError
from vla_serve.openpi_server import OpenpiServer, ServerOptions
from vla_serve.served_policy import first_line
from vla_serve.serving import (
    API_KEY,
    add_batching_arguments,
    add_server_arguments,
    at_least,
    serve_policy,
    server_options,
    until_stopped,
)
from vla_serve.vla_eval_server import VlaEvalServer


def main(arguments: list[str]) -> int:
    """Serve until SIGINT or SIGTERM; 2 where that cannot begin."""
    try:
        if arguments[:1] == ["lerobot"]:
            return _serve_lerobot(arguments[1:])
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except (BackendError, CheckpointError, MappingError, LerobotEnvironmentError, OSError) as error:
        print(f"vla: {first_line(error, 600)}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("./vla serve", description="A policy as a server.")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    onnx = kinds.add_parser(
        "onnx",
        help="a checkpoint's folder, for several robots",
        description="Serves a checkpoint over openpi's protocol (websocket, msgpack). "
        f"{API_KEY} in the environment is the key that clients must send.",
    )
    kinds.add_parser(
        "lerobot",
        help="a policy of LeRobot's own package (ACT, SmolVLA, …), in an environment of its own",
    )
    graph = kinds.add_parser(
        "graph",
        help="a checkpoint behind the motion limits, for other people's benchmarks",
        description="Answers each observation of a benchmark with what the graph would command in "
        "that step: policy, sequencing and motion limits in lock-step.",
    )
    graph.add_argument("folder", help="of the checkpoint")
    graph.add_argument(
        "--mapping",
        required=True,
        metavar="FILE",
        help="the benchmark's names, as in config/remote",
    )
    graph.add_argument(
        "--rate",
        type=float,
        default=0.0,
        metavar="HZ",
        help="the benchmark's steps a second (default: the control rate)",
    )
    graph.add_argument(
        "--protocol",
        choices=("vla-eval", "openpi"),
        default="vla-eval",
        help="(default vla-eval); openpi: one client, an episode a connection",
    )
    graph.add_argument(
        "--without-limits",
        action="store_true",
        help="what the policy asks for, to tell what the limits cost",
    )
    graph.add_argument("--threads", type=at_least(1), default=2, help="of a forward pass")
    add_server_arguments(graph)
    graph.set_defaults(run=_serve_graph)
    onnx.add_argument("folder", help="of the checkpoint")
    onnx.add_argument(
        "--backend", default="onnxruntime", help="onnxruntime (default), torch or tensorrt"
    )
    onnx.add_argument(
        "--threads", type=at_least(1), default=2, help="of one forward pass (default 2)"
    )
    onnx.add_argument(
        "--providers",
        nargs="+",
        default=["CPUExecutionProvider"],
        help="ONNX Runtime's execution providers, first choice first",
    )
    add_batching_arguments(onnx)
    onnx.add_argument(
        "--ray",
        default="",
        metavar="ADDRESS",
        help="as a deployment of Ray Serve on this cluster, of which this machine is one: "
        "auto, or HOST:PORT of its head; the folder must be on all of its machines",
    )
    onnx.add_argument(
        "--replicas", type=at_least(1), default=2, metavar="N", help="with --ray (default 2)"
    )
    onnx.add_argument("--gpus", type=float, default=0.0, help="of each, with --ray (default 0)")
    add_server_arguments(onnx)
    onnx.set_defaults(run=_serve_onnx)
    return parser


def _serve_lerobot(arguments: list[str]) -> int:
    lerobot_policy.parser().parse_args(arguments)  # before anything is installed
    return lerobot_environment.run("vla_serve.lerobot_policy", arguments)


def _serve_onnx(options: argparse.Namespace) -> int:
    chosen = BackendOptions(threads=options.threads, providers=tuple(options.providers))
    if options.ray:
        return _serve_ray(options, chosen)
    policy = CheckpointPolicy.load(options.folder, options.backend, chosen, warm_up=3)
    asyncio.run(
        serve_policy(policy, server_options(options), options.window, options.largest_batch)
    )
    return 0


def _serve_graph(options: argparse.Namespace) -> int:
    mapping = RemoteMapping.load(options.mapping)
    checkpoint = Checkpoint.load(options.folder)
    backend = backends.create("onnxruntime", BackendOptions(threads=options.threads))
    backend.load(checkpoint)
    period = 1.0 / options.rate if options.rate > 0.0 else checkpoint.action_space.period
    where = server_options(options)

    def session() -> GraphSession:
        policy = Policy(checkpoint, backend)
        return GraphSession(policy, mapping, period, limits=not options.without_limits)

    session()  # what does not fit is told now
    if options.protocol == "vla-eval":
        asyncio.run(_until_stopped_vla_eval(where, session))
    else:
        policy = OneSession(session, metadata(checkpoint), 1.0 / period)
        asyncio.run(serve_policy(policy, replace(where, max_clients=1), 0.0, 1))
    return 0


async def _until_stopped_vla_eval(
    where: ServerOptions, session: Callable[[], GraphSession]
) -> None:
    await until_stopped(VlaEvalServer(where, session), where)


def _serve_ray(options: argparse.Namespace, chosen: BackendOptions) -> int:
    from vla_serve.ray_policy import RayOptions, RayPolicy

    cluster = RayOptions(
        options.ray, options.replicas, options.window, options.largest_batch, options.gpus
    )
    policy = RayPolicy(options.folder, options.backend, chosen, cluster)
    where = server_options(options)
    try:
        asyncio.run(until_stopped(OpenpiServer(where, policy.metadata, policy.submit), where))
    finally:
        policy.close()
    return 0
