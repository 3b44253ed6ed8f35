"""The live view of a demo: a `rich` panel that stays in its place, or plain lines."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from vla_cli.episodes.episode_trace import Snapshot
from vla_contract import terminal

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
    parts = [
        f"{title}  {snapshot.time:5.2f} s  step {snapshot.step}/{snapshot.steps}  {snapshot.state}"
    ]
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

    def show_start(self, seconds: float) -> None:
        """Nothing: that it starts is printed already."""

    def say(self, text: str) -> None:
        """Print a line of its own."""
        print(text, flush=True)

    def close(self) -> None:
        """Nothing to do."""


class RichView:
    """A panel that is drawn anew in place, always of the same size."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console
        from rich.live import Live

        console = console or Console(width=terminal.columns())
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()
        self._next = 0.0
        self._shown = ("starting", Snapshot())
        self._news = ""

    def show(self, title: str, snapshot: Snapshot) -> None:
        """Draw the present state where it is time to."""
        self._shown = (title, snapshot)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0 / REFRESH
            self._draw()

    def show_start(self, seconds: float) -> None:
        """Draw that the nodes start, for so many s by now."""
        self.show("starting", Snapshot(cause=f"the nodes start, {seconds:.0f} s by now"))

    def say(self, text: str) -> None:
        """Draw what is new, with the present state; a line above the panel would move it."""
        self._news = text
        self._draw()

    def close(self) -> None:
        """Leave the terminal as it was, below the panel's last state."""
        self._live.stop()

    def _draw(self) -> None:
        self._live.update(panel(*self._shown, self._news), refresh=True)


def panel(title: str, snapshot: Snapshot, news: str) -> Any:
    """The view as a renderable of rich; what is too long for a row is cut off."""
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    names = [name for name, _ in rows(snapshot)]
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", no_wrap=True, min_width=max(map(len, names)))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for name, value in rows(snapshot):
        style = COLOURS.get(value, "") if name == "state" else ""
        if name == "limited" and snapshot.limited:
            style = "yellow"
        if name == "faults" and snapshot.faults:
            style = "red"
        table.add_row(name, Text(one_line(value) or "–", style=style))
    table.add_row("progress", ProgressBar(max(1, snapshot.steps), snapshot.step))
    table.add_row("news", Text(one_line(news) or "–", style="bold"))
    done = f"step {snapshot.step} of at most {snapshot.steps}, {snapshot.time:.2f} s"
    return Panel(table, title=Text(title), subtitle=done)


def one_line(text: str) -> str:
    """Without line breaks, which would make a row higher than it is."""
    return " ".join(text.split())


def make(headless: bool) -> PlainView | RichView:
    """The view for this terminal; plain without one, without rich, and headless."""
    if headless or not sys.stdout.isatty():
        return PlainView()
    try:
        return RichView()
    except ImportError:
        return PlainView()
