"""The servers of `vla bench remote`, each a process: prints its URL, ends when its input does."""

from __future__ import annotations

import sys
from typing import Any

from vla_proof.test_support import protocol_servers, small_server

SERVERS: dict[str, type[Any]] = {
    "openpi": small_server.Server,
    "vla-eval": protocol_servers.VlaEvalServer,
    "gr00t": protocol_servers.Gr00tServer,
    "lerobot": protocol_servers.LerobotServer,
    "openvla": protocol_servers.OpenvlaServer,
}

if __name__ == "__main__":
    server = SERVERS[sys.argv[1]]()
    print(server.url, flush=True)
    sys.stdin.read()
    server.stop()
