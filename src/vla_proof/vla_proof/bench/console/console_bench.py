"""`vla bench console`: what the operator's page costs, and how old its pictures are when shown.

The console is a process of its own beside a pretended graph (`console_feed`): processor time
without a page and with some, from /proc; and the time from a camera's stamp until its picture is
drawn in Chromium, or decoded by a client in Python where there is no browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_cli.client.graph_client import stay_on_this_machine
from vla_contract.percentiles import percentiles
from vla_proof.bench.console.console_feed import CAMERAS

IDLE, WATCHED = 3.0, 20.0  # % of a core: at most, without a page and with two
LATENCY = 0.150  # s, p95: at most
START_TIMEOUT = 30.0  # s
SETTLE = 2.0  # s
ADDRESS = "the operator's page: "
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
COLLECT = """
window.ages = [];
addEventListener("shown", event => window.ages.push(Date.now() / 1000 - event.detail.stamp));
"""


def main(arguments: list[str]) -> int:
    """0: targets met; 1: one was missed."""
    parser = options.parser("bench console", __doc__.split("\n")[0])
    parser.add_argument("--seconds", type=options.at_least(1), default=20, help="default: 20")
    parser.add_argument("--viewers", type=options.at_least(1), default=2, help="default: 2")
    parser.add_argument("--plain", action="store_true", help="clients in Python, not a browser")
    parser.add_argument("--out", help="folder for bench_console.json (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    folder = paths.output_folder(chosen.out)
    stay_on_this_machine()
    with running(folder) as (address, pid):
        time.sleep(SETTLE)
        idle = busy_share(pid, lambda: time.sleep(chosen.seconds))
        watch = in_python if chosen.plain or not _browser() else in_browser
        watched, ages = watch(address, pid, chosen.viewers, chosen.seconds)
    result = {
        "idle_percent": idle,
        "watched_percent": watched,
        "viewers": chosen.viewers,
        "browser": watch is in_browser,
        "pictures": len(ages),
        "age_p50": percentiles(ages, 50)[0] if ages else None,
        "age_p95": percentiles(ages, 95)[0] if ages else None,
        "load": os.getloadavg()[0],
    }
    (folder / "bench_console.json").write_text(json.dumps(result, indent=2) + "\n")
    print(lines(result))
    met = idle <= IDLE and watched <= WATCHED and ages and result["age_p95"] <= LATENCY
    return 0 if met else 1


def lines(result: dict[str, Any]) -> str:
    """The figures beside their targets."""
    shown = "drawn in Chromium" if result["browser"] else "decoded in Python"
    p50, p95 = (f"{(result[name] or 0.0) * 1e3:.0f}" for name in ("age_p50", "age_p95"))
    idle, watched = result["idle_percent"], result["watched_percent"]
    return "\n".join(
        (
            f"{os.cpu_count()} cores, load {result['load']:.1f}",
            f"processor, no page: {idle:.1f} % of a core (at most {IDLE:g})",
            f"processor, {result['viewers']} pages of {len(CAMERAS)} cameras at 10 Hz: "
            f"{watched:.1f} % of a core (at most {WATCHED:g})",
            f"camera's stamp until {shown}: p50 {p50} ms, p95 {p95} ms (at most "
            f"{LATENCY * 1e3:.0f}), {result['pictures']} pictures",
        )
    )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[str, int]]:
    """The pretended graph and the console; the page's address and the console's process id.

    Raises:
        CommandError: the console does not start.
    """
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domains.free()), "PYTHONUNBUFFERED": "1"}
    log = folder / "bench_console.log"
    started: list[subprocess.Popen[bytes]] = []
    words: tuple[list[str], ...] = ([], ["--ros-args", "-r", "__ns:=/vla", "-p", "port:=0"])
    with log.open("wb") as output:
        for module, more in zip(
            ("vla_proof.bench.console.console_feed", "vla_console.node"), words, strict=True
        ):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", module, *more], env=environment, stdout=output,
                    stderr=subprocess.STDOUT, preexec_fn=processes.end_with_parent(),
                )
            )  # fmt: skip
    try:
        end = time.monotonic() + START_TIMEOUT
        while ADDRESS not in (text := log.read_text(errors="replace")):
            if time.monotonic() > end or started[1].poll() is not None:
                raise CommandError(f"the console does not start; see {log}")
            time.sleep(0.05)
        yield text.split(ADDRESS)[1].split()[0], started[1].pid
    finally:
        for process in started:
            process.send_signal(signal.SIGINT)
        for process in started:
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()


def busy_share(pid: int, work: Any) -> float:
    """Processor time of a process while `work()` runs, % of a core."""
    begin, used = time.monotonic(), _processor_time(pid)
    work()
    return 100.0 * (_processor_time(pid) - used) / (time.monotonic() - begin)


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _browser() -> str:
    """The browser that Playwright may drive; empty where either is missing."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return ""
    return next(filter(None, map(shutil.which, BROWSERS)), "")


def in_browser(address: str, pid: int, viewers: int, seconds: int) -> tuple[float, list[float]]:
    """Processor share with so many pages of Chromium, and the pictures' ages when drawn, s."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_browser(), args=["--no-sandbox"])
        pages = []
        for _ in range(viewers):
            page = browser.new_context().new_page()  # a window of its own, so none is hidden
            page.add_init_script(COLLECT)
            page.goto(address)
            pages.append(page)
        for page in pages:
            page.wait_for_function("window.ages.length > 2")
            page.evaluate("window.ages = []")
        share = busy_share(pid, lambda: time.sleep(seconds))
        ages = [age for page in pages for age in page.evaluate("window.ages")]
        browser.close()
    return share, ages


def in_python(address: str, pid: int, viewers: int, seconds: int) -> tuple[float, list[float]]:
    """The same with clients that decode the pictures and draw none."""
    ages: list[float] = []

    async def main() -> float:
        tasks = [asyncio.ensure_future(_view(address, ages)) for _ in range(viewers)]
        await asyncio.sleep(SETTLE)
        ages.clear()
        begin, used = time.monotonic(), _processor_time(pid)
        await asyncio.sleep(seconds)
        share = 100.0 * (_processor_time(pid) - used) / (time.monotonic() - begin)
        for task in tasks:
            task.cancel()
        return share

    return asyncio.run(main()), ages


async def _view(address: str, ages: list[float]) -> None:
    import aiohttp
    import cv2
    import numpy as np

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}/ws", headers={"Origin": address}) as socket,
    ):
        await socket.send_json({"kind": "watch", "cameras": list(CAMERAS), "plot": True})
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            (length,) = struct.unpack(">I", message.data[:4])
            head = json.loads(message.data[4 : 4 + length])
            cv2.imdecode(np.frombuffer(message.data[4 + length :], np.uint8), cv2.IMREAD_COLOR)
            ages.append(time.time() - head["stamp"])
            told = {"kind": "shown", "camera": head["camera"], "sequence": head["sequence"]}
            await socket.send_json(told)
