"""Parameters of the console node."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from vla_contract.node.parameters import Config, ParameterError, parameter


@dataclass(frozen=True)
class ConsoleConfig(Config):
    """Where the page is served, what it shows and how fast a person may drive with it."""

    host: str = parameter(
        "127.0.0.1",
        "Address on which the page is served. Any but loopback asks for pairing and TLS.",
    )
    port: int = parameter(8765, "Port of the page; 0: any that is free.", minimum=0, maximum=65535)
    image_rate: float = parameter(
        10.0, "Pictures of each camera that are sent at most.", "Hz", minimum=0.5, maximum=30.0
    )
    image_width: int = parameter(
        640, "Width to which wider pictures are reduced.", "px", minimum=64, maximum=4096
    )
    jpeg_quality: int = parameter(75, "Quality of the pictures.", minimum=10, maximum=100)
    viewers: int = parameter(8, "Pages that may be open at once.", minimum=1, maximum=64)
    jog_linear: float = parameter(
        0.1, "Greatest speed of the jog buttons.", "m/s", minimum=0.001, maximum=2.0
    )
    jog_angular: float = parameter(
        0.4, "Greatest turning speed of the jog buttons.", "rad/s", minimum=0.001, maximum=6.0
    )
    teleop_input: str = parameter(
        "console", "Name of the safety node's teleoperation input that the page drives."
    )
    episodes_folder: str = parameter(
        "none", "Folder of recorded episodes; none: vla_console/episodes in ROS_HOME or ~/.ros."
    )
    episodes_least_free: float = parameter(
        1.0, "Disk space below which no episode is recorded.", "GB", minimum=0.0, maximum=1e6
    )
    metrics_token: str = parameter(
        "", "Bearer token with which another machine may read /metrics; empty: loopback only."
    )

    def check(self) -> None:
        """Refuse an address that cannot be one."""
        if not self.host or any(c.isspace() for c in self.host):
            raise ParameterError(
                f"parameter host is {self.host!r}; accepted: an address or a name of this machine"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
