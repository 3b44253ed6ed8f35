"""A browser gone wild: garbage to the operator's page, as fast as 10,000 messages a second.

python -m vla_proof.faults.pretended.console_flood ADDRESS. It answers each line of its input with
{"at": steady ns, "messages": sent so far, "refused": connections that were}. What is closed for its
garbage connects again at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time

import aiohttp

RATE = 10_000.0  # Hz
BATCH = 100  # messages between two looks at the clock
GARBAGE = (
    "", "{", "[1, 2", '{"kind": "drive"}', '{"kind": "arm", "on": true}', "\u0000" * 50, "9" * 4000,
    '{"kind": "drive", "twist": [1, 1, 1, 1, 1, 1], "at": 0}', '{"kind": "command", "text": 5}',
    '{"kind": "speed", "scale": 1e999}', '{"kind": "takeover", "on": true}', "null", "[" * 2000,
)  # fmt: skip


class Flood:
    """Counts what it has sent."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._random = random.Random(1)
        self.messages = 0
        self.refused = 0

    async def run(self) -> None:
        """For ever."""
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    await self._connect(session)
                except (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError):
                    self.refused += 1
                    await asyncio.sleep(0.001)

    async def _connect(self, session: aiohttp.ClientSession) -> None:
        headers = {"Origin": self._address}
        async with session.ws_connect(f"{self._address}/ws", headers=headers) as socket:
            due = time.monotonic()
            while not socket.closed:
                for _ in range(BATCH):
                    await socket.send_str(self._random.choice(GARBAGE))
                    self.messages += 1
                due += BATCH / RATE
                await asyncio.sleep(max(0.0, due - time.monotonic()))


def main() -> int:
    """Until the end of the input."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(19)  # it stands for another machine, which would not take the robot's processors
    flood = Flood(sys.argv[1])
    threading.Thread(target=lambda: asyncio.run(flood.run()), daemon=True).start()
    for _ in sys.stdin:
        at = time.monotonic_ns()
        told = {"at": at, "messages": flood.messages, "refused": flood.refused}
        print(json.dumps(told), flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
