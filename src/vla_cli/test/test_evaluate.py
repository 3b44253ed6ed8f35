"""Lists of tasks and seeds."""

from __future__ import annotations

import pytest

from vla_cli import evaluate
from vla_cli.errors import CommandError


def test_seeds():
    assert evaluate.parse_seeds("100-102, 7") == [100, 101, 102, 7]
    for bad in ("", "a", "5-3", "1,,2", "-1"):
        with pytest.raises(CommandError, match="accepted: e.g. 100-109"):
            evaluate.parse_seeds(bad)


def test_tasks():
    assert evaluate.parse_tasks("drawer-open, door-open") == ["drawer-open", "door-open"]
    assert len(evaluate.parse_tasks("all")) == 50
    with pytest.raises(CommandError):
        evaluate.parse_tasks("drawer-open,nonsense")
