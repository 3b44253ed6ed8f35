"""The console node: the operator's page, a process of its own that the robot does not need.

It takes part in the graph as `vla status` or Foxglove do. When it cannot start, is killed or is
flooded, nothing changes on the robot; what a person drives with it falls silent, and safety brakes.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from vla_console.action_trace import ActionTrace
from vla_console.camera_pictures import CameraPictures, Picture
from vla_console.console_config import ConsoleConfig
from vla_console.console_state import ConsoleState
from vla_console.episode_recorder import EpisodeRecorder
from vla_console.graph_link import GraphLink
from vla_console.operator_control import Role
from vla_console.server.tls_certificate import self_signed
from vla_contract.node.diagnosis import Diagnosis
from vla_contract.node.graph_node import RESPAWNED, GraphNode, run
from vla_contract.node.parameters import ParameterError

GIGABYTE = 1e9
NICENESS = 5  # the page gives way to the robot
NEEDED = {
    "aiohttp": "aiohttp",
    "cryptography": "cryptography",
    "prometheus_client": "prometheus-client",
}  # module → its name for pip


class Console(GraphNode[ConsoleConfig]):
    """Serves the page from `configure` until `clean_up`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("console", ConsoleConfig, **kwargs)
        self._server: Any = None
        self._link: GraphLink | None = None
        self._pictures: CameraPictures | None = None

    def configure(self) -> None:
        """Open the port and join the graph.

        Raises:
            ParameterError: the address cannot be used, or a library is missing.
        """
        config, state, trace = self.config, ConsoleState(), ActionTrace()
        page_server = _load_server()
        self._pictures = CameraPictures(self._show, config.image_rate, self._warn)
        self._link = GraphLink(self, state, trace, self._pictures)
        folder = _ros_home() / "vla_console" / "episodes"
        if config.episodes_folder not in ("", "none"):
            folder = Path(config.episodes_folder)
        episodes = EpisodeRecorder(
            folder.expanduser(), self._link.namespace, config.episodes_least_free * GIGABYTE
        )
        certificate = None if config.is_loopback else self_signed(config.host)
        log = self.get_logger().info
        parts = page_server.ServerParts(
            config, state, trace, self._link, episodes, log, certificate
        )
        server = page_server.PageServer(parts)
        try:
            server.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ParameterError(
                f"the page cannot be served on {config.host}, port {config.port}: {reason}; "
                "accepted: an address of this machine and a free port (parameters host, port)"
            ) from error
        self._server = server
        self._print_address(server, certificate)

    def clean_up(self) -> None:
        """Close every page."""
        if self._server is not None:
            self._server.close()
        if self._link is not None:
            self._link.close()
        if self._pictures is not None:
            self._pictures.close()
        self._server = self._link = self._pictures = None

    def diagnose(self) -> Diagnosis:
        """How many look, who holds control, and what was refused and dropped."""
        figures = self._server.figures() if self._server else {}
        return Diagnosis(message=f"{figures.get('viewers', 0)} page(s) open", values=figures)

    def _show(self, picture: Picture) -> None:
        if self._server is not None:
            self._server.show(picture)

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=5.0)

    def _print_address(self, server: Any, certificate: Any) -> None:
        """On standard output alone: codes do not belong into a log or on /rosout."""
        if certificate is None:
            print(f"the operator's page: {server.address}", flush=True)
            return
        host = self.config.host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        port = server.address.rpartition(":")[2]
        now = time.monotonic()
        operator = server.pairing.new_code(Role.OPERATOR, now)
        viewer = server.pairing.new_code(Role.VIEWER, now)
        page = f"https://{host}:{port}/"
        print(
            f"the operator's page: {page}\n"
            f"  to drive: code {operator}, or {page}#{operator}\n"
            f"  to watch: code {viewer}, or {page}#{viewer}\n"
            "  each pairs one browser, once, within ten minutes\n"
            f"  its certificate's SHA-256 fingerprint: {certificate.fingerprint}",
            flush=True,
        )


def _load_server() -> Any:
    """The server's module.

    Raises:
        ParameterError: what it needs is not installed.
    """
    missing = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ParameterError(
            f"the console needs {', '.join(missing)}; install with: pip install {' '.join(missing)}"
        )
    from vla_console.server import page_server

    return page_server


def _ros_home() -> Path:
    return Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable `console`."""
    # In a launch a console that cannot start stays as it is: the robot's launch must not end for
    # it. By hand it ends, with its one line.
    os.nice(NICENESS)
    os.environ[RESPAWNED] = "true" if RESPAWNED in os.environ else "false"
    return run(Console, args)


if __name__ == "__main__":
    sys.exit(main())
