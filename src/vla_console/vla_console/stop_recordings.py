"""The recordings of the last stops, as the page lists them and lets them be downloaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

MOST = 10
# As the safety node names them: time, state and cause.
_NAME = re.compile(r"(\d{8}T\d{6})\.\d{3}Z_([A-Z]+)_?(.*)")


@dataclass(frozen=True)
class StopRecording:
    """One recording. file: its MCAP file; size: bytes."""

    name: str
    when: str
    state: str
    cause: str
    file: Path
    size: int


def stop_recordings(last: str) -> list[StopRecording]:
    """The newest recordings beside the `last` one, which safety_status names; newest first.

    Empty where there is none, or where they are on another machine.
    """
    folder = Path(last).parent
    if not last or not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir(), key=lambda each: each.name, reverse=True):
        match = _NAME.fullmatch(path.name)
        files = sorted(path.glob("*.mcap")) if match and path.is_dir() else []
        if match is None or not files:
            continue
        when = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
        text = match[3].replace("_", " ").strip()
        found.append(
            StopRecording(
                path.name, when.isoformat(), match[2].lower(), text, files[0],
                files[0].stat().st_size,
            )
        )  # fmt: skip
        if len(found) == MOST:
            break
    return found
