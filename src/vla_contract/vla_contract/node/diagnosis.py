"""What a node says of itself on `/diagnostics`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus


@dataclass
class Diagnosis:
    """One level (DiagnosticStatus.OK, WARN or ERROR), one line, named values."""

    level: bytes = DiagnosticStatus.OK
    message: str = "ok"
    values: dict[str, Any] = field(default_factory=dict)
