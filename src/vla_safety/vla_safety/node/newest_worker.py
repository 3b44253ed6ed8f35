"""Slow work on what comes in, outside the control thread. Free of ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from vla_safety.loop.realtime_priority import Priority

Item = TypeVar("Item")
Result = TypeVar("Result")


class NewestWorker(Generic[Item, Result]):
    """Works on the newest item of each source in a thread; what a newer one overtakes is dropped.

    `submit` and `collect` never wait for the work.
    """

    def __init__(self, work: Callable[[Item], Result], name: str, priority: int = 0) -> None:
        """work: called in the thread. name: of the thread.

        priority: real-time one of the thread where it is permitted, below that of the control
        thread, which waits whenever this one holds the interpreter and is put aside; 0: none.
        """
        self._work = work
        self._priority = priority
        self._waiting: dict[str, Item] = {}
        self._done: dict[str, Result | Exception] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, source: str, item: Item) -> None:
        """Let the item be worked on, in place of an older one of the source that still waits."""
        with self._changed:
            self._waiting[source] = item
            self._changed.notify()

    def collect(self) -> list[Result]:
        """The newest result of each source since the last call; raises what the work raised."""
        if not self._done:
            return []
        with self._changed:
            done, self._done = self._done, {}
        results = []
        for result in done.values():
            if isinstance(result, Exception):
                raise result
            results.append(result)
        return results

    def close(self, timeout: float = 2.0) -> None:
        """End the thread; waits for at most `timeout` s."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        Priority().acquire(self._priority)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                source = next(iter(self._waiting))
                item = self._waiting.pop(source)
            try:
                result: Result | Exception = self._work(item)
            except Exception as error:  # raised again in the thread that collects
                result = error
            with self._changed:
                self._done[source] = result
