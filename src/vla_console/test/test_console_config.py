"""Parameters of the console."""

import pytest

from vla_console.console_config import ConsoleConfig
from vla_contract.node.parameters import ParameterError


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("192.168.1.5", False), ("robot.local", False), ("::", False),
    ],
)  # fmt: skip
def test_only_loopback_is_open(host, loopback):
    assert ConsoleConfig(host=host).is_loopback is loopback


@pytest.mark.parametrize("values", [{"host": ""}, {"host": "a b"}, {"port": 65536}, {"viewers": 0}])
def test_what_cannot_be_is_refused(values):
    with pytest.raises(ParameterError, match="accepted"):
        ConsoleConfig(**values)
