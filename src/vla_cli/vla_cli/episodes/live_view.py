"""The live view of a demo: a `rich` panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from vla_cli.episodes.episode_trace import Snapshot

REFRESH = 4.0  # Hz
PLAIN_PERIOD = 1.0  # s between two plain lines
COLOURS = {
    "nominal": "green",
    "degraded": "yellow",
    "hold": "cyan",
    "stopped": "bold red",
    "inactive": "red",
}


def milliseconds(value: float) -> str:
    """A time in ms, or a dash where it is unknown."""
    return f"{value * 1e3:.1f} ms" if math.isfinite(value) else "–"


def rows(snapshot: Snapshot) -> list[tuple[str, str]]:
    """(what, value) of everything that the view shows."""
    return [
        ("state", snapshot.state),
        ("why", snapshot.cause),
        ("command", snapshot.command),
        ("observation age", milliseconds(snapshot.observation_age)),
        ("inference time", milliseconds(snapshot.inference_time)),
        ("safety", snapshot.verdict),
        ("limited", "; ".join(snapshot.limited) or "no"),
        ("faults", "; ".join(snapshot.faults) or "none"),
        ("the robot asks", snapshot.prompt),
    ]


def plain_line(title: str, snapshot: Snapshot) -> str:
    """Everything in one line."""
    parts = [f"{title}  {snapshot.time:5.2f} s  {snapshot.state}"]
    parts.append(f"age {milliseconds(snapshot.observation_age)}")
    parts.append(f"inference {milliseconds(snapshot.inference_time)}")
    if snapshot.limited:
        parts.append("limited: " + "; ".join(snapshot.limited))
    if snapshot.faults:
        parts.append("faults: " + "; ".join(snapshot.faults))
    return "  ".join(parts)


class PlainView:
    """A line a second."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, title: str, snapshot: Snapshot) -> None:
        """Print the present state where it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN_PERIOD
            print(plain_line(title, snapshot), flush=True)

    def say(self, text: str) -> None:
        """Print a line of its own."""
        print(text, flush=True)

    def close(self) -> None:
        """Nothing to do."""


class RichView:
    """A panel that is drawn anew in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), auto_refresh=False, transient=False)
        self._live.start()
        self._next = 0.0

    def show(self, title: str, snapshot: Snapshot) -> None:
        """Draw the present state where it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0 / REFRESH
            self._live.update(panel(title, snapshot), refresh=True)

    def say(self, text: str) -> None:
        """Print a line above the panel."""
        self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()


def panel(title: str, snapshot: Snapshot) -> Any:
    """The view as a renderable of rich."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows(snapshot):
        style = COLOURS.get(value, "") if name == "state" else ""
        if name == "limited" and snapshot.limited:
            style = "yellow"
        if name == "faults" and snapshot.faults:
            style = "red"
        table.add_row(name, Text(value or "–", style=style))
    verdict = "success" if snapshot.success else f"step {snapshot.step}"
    return Panel(table, title=Text(title), subtitle=f"{snapshot.time:.2f} s, {verdict}")


def make(headless: bool) -> PlainView | RichView:
    """The view for this terminal; plain without one, without rich, and headless."""
    if headless or not sys.stdout.isatty():
        return PlainView()
    try:
        return RichView()
    except ImportError:
        return PlainView()
