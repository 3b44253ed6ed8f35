"""`vla bench remote`: a policy server's round trip, protocol by protocol, beside openpi-client.

One camera's image of 640×480 as it comes, a state of four numbers and a command go to a server in a
process of its own that does nothing but decode them and answer with 16 rows. Measured is what the
policy node does for it: mapping the observation, asking, reading the answer as a chunk. The bare
`openpi-client` sends the same request to the same server, in turn with ours. Target: at most 1.2
times its median.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vla_cli.client import paths
from vla_contract.action_space import ActionSpace
from vla_contract.percentiles import percentiles
from vla_policy.remote import protocols
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.server_link import Link, LinkOptions

TARGET = 1.2
_WARM_UP = 20  # round trips
_MAPPINGS: dict[str, dict[str, Any]] = {
    "openpi": {"image": "observation/image", "state": "observation/state", "prompt": "prompt"},
    "vla-eval": {"image": ["images", "front"], "state": "states", "prompt": "task_description"},
    "gr00t": {
        "image": ["video", "front"],
        "state": [["state", "single_arm"], ["state", "gripper"]],
        "prompt": ["language", "annotation.human.task"],
        "action": ["single_arm", "gripper"],
    },
    "lerobot": {
        "image": "observation.images.front",
        "state": "observation.state",
        "prompt": "task",
        "action": "action",
        "constants": {
            "policy_type": "act",
            "pretrained_name_or_path": "none",
            "actions_per_chunk": 16,
        },
    },
    "openvla": {"image": "full_image", "state": "state", "prompt": "instruction"},
}
_STATE = ("x", "y", "z", "gripper")


def main(arguments: list[str]) -> int:
    """0: the target is kept; 1: it is not."""
    parser = argparse.ArgumentParser(prog="./vla bench remote", description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="round trips (default: 300)")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder (default: results)"
    )
    chosen = parser.parse_args(arguments)
    figures = {name: measured(name, chosen.runs) for name in _MAPPINGS}
    bare = figures["openpi"].pop("openpi-client")
    rows = {"openpi-client, bare": bare, **{name: f["ours"] for name, f in figures.items()}}
    print(f"round trip of one 640x480 image, {chosen.runs} in turn\n")
    print("| protocol | p50 [ms] | p95 [ms] | of bare openpi-client |\n|---|---|---|---|")
    for name, (median, high) in rows.items():
        print(f"| {name} | {median:.2f} | {high:.2f} | {median / bare[0]:.2f} |")
    ratio = rows["openpi"][0] / bare[0]
    chosen.out.mkdir(parents=True, exist_ok=True)
    written = {name: {"p50_ms": row[0], "p95_ms": row[1]} for name, row in rows.items()}
    file = chosen.out / "bench_remote.json"
    file.write_text(json.dumps({"ratio": ratio, "round_trips": written}, indent=1))
    kept = ratio <= TARGET
    print(f"\nopenpi {ratio:.2f} of the bare client; target: at most {TARGET:g}: "
          f"{'kept' if kept else 'missed'}")  # fmt: skip
    return int(not kept)


def measured(protocol: str, runs: int) -> dict[str, tuple[float, float]]:
    """Median and 95th percentile of the round trip, ms, of ours and of openpi-client for openpi."""
    space = ActionSpace.load(paths.share() / "config" / "action_spaces" / "metaworld.yaml")
    mapping = _mapping(protocol)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    state = dict.fromkeys(_STATE, 0.1)
    with _server(protocol) as url:
        link = Link(LinkOptions(url, 5.0, 5.0, protocol=protocol))
        link.mapping = mapping
        link.start()
        try:
            if not link.wait_connected(20.0):
                raise RuntimeError(f"{protocol}: {link.status.cause}")

            def ours() -> None:
                request = mapping.request({"front": image}, state, "open the drawer")
                mapping.answer(link.ask(request), space, state)

            asked: dict[str, Callable[[], Any]] = {"ours": ours}
            if protocol == "openpi":
                request = mapping.request({"front": image}, state, "open the drawer")
                asked["openpi-client"] = _bare_client(url, request)
            return _in_turn(asked, runs)
        finally:
            link.close()


def _bare_client(url: str, request: Mapping[str, Any]) -> Callable[[], Any]:
    from openpi_client.websocket_client_policy import WebsocketClientPolicy

    host, _, port = url.removeprefix("ws://").partition(":")
    client = WebsocketClientPolicy(host, int(port))
    return lambda: client.infer(dict(request))


def _in_turn(asked: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, tuple[float, float]]:
    times: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(_WARM_UP + runs):
        for name, ask in asked.items():
            start = time.perf_counter()
            ask()
            times[name].append(1e3 * (time.perf_counter() - start))
    made = {}
    for name, values in times.items():
        median, high = percentiles(values[_WARM_UP:], 50.0, 95.0)
        made[name] = (median, high)
    return made


def _mapping(protocol: str) -> RemoteMapping:
    given = _MAPPINGS[protocol]
    state: Any = {"key": given["state"], "names": list(_STATE)}
    if protocol == "gr00t":
        arm, gripper = given["state"]
        state = [{"key": arm, "names": list(_STATE[:3])}, {"key": gripper, "names": [_STATE[3]]}]
    return RemoteMapping.from_dict(
        {
            "images": [{"camera": "front", "key": given["image"]}],
            "state": state,
            "prompt": given["prompt"],
            "constants": given.get("constants", {}),
            "actions": {
                "key": given.get("action", "actions"),
                "columns": [0, 1, 2, 3],
                "units": "normalised",
                "period": 0,
            },
        }
    )


@contextlib.contextmanager
def _server(protocol: str) -> Iterator[str]:
    """URL of a server in a process of its own, which ends when its input does."""
    missing = protocols.missing_packages(protocol)
    if missing:
        raise RuntimeError(f"{protocol} needs {', '.join(missing)}, which is not installed")
    command = [sys.executable, "-m", "vla_proof.bench.remote.remote_bench_server", protocol]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
