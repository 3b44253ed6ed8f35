"""Requests of several clients in one forward pass: what arrives within a short window goes along.

While a pass runs the next requests gather, so a busy server fills its batches by itself; the
window only matters to the first request after a pause. It is over at once when every client waits,
since nothing more can come then: a single client never waits for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Result = TypeVar("Result")


class Batcher(Generic[Question, Result]):
    """Gathers what is submitted and answers it in order of arrival, in a thread of its own.

    answer: questions → as many results. window: s that the first waits for others. largest: of one
    batch. clients: how many could ask at this moment.
    """

    def __init__(
        self,
        answer: Callable[[list[Question]], Sequence[Result]],
        window: float,
        largest: int,
        clients: Callable[[], int],
    ) -> None:
        self._answer = answer
        self._window = window
        self._largest = largest
        self._clients = clients
        self._waiting: list[tuple[Question, asyncio.Future[Result]]] = []
        self._arrived = asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "forward pass")

    async def submit(self, question: Question) -> Result:
        """The result; raises what `answer` raised."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._arrived.set()
        return await future

    async def run(self) -> None:
        """Answer until canceled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                batch = await self._gather()
                questions = [question for question, _ in batch]
                try:
                    results = await loop.run_in_executor(self._thread, self._answer, questions)
                    if len(results) != len(batch):
                        raise RuntimeError(f"{len(results)} results for {len(batch)} requests")
                except Exception as error:  # whatever a runtime raises; each client is told
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                    continue
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():  # a client that has gone meanwhile
                        future.set_result(result)
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)

    async def _gather(self) -> list[tuple[Question, asyncio.Future[Result]]]:
        """The next batch, at least one question."""
        deadline = None
        loop = asyncio.get_running_loop()
        while True:
            self._waiting = [entry for entry in self._waiting if not entry[1].done()]
            full = min(self._largest, max(1, self._clients()))
            left = self._window if deadline is None else deadline - loop.time()
            if self._waiting and (len(self._waiting) >= full or left <= 0.0):
                batch = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                return batch
            if self._waiting and deadline is None:
                deadline = loop.time() + self._window
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left if self._waiting else None)
            except asyncio.TimeoutError:
                continue
