"""A thread that works on the newest item only, or on every item in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


HAND_OVER = 1e-4  # s


class Worker(Generic[Item, Result]):
    """Runs `work` on submitted items in a thread of its own.

    All three functions are called in that thread, the last two not after `stop`:
    work: makes an item's result. deliver: takes the item and its result. failed: takes the item
    and what `work` or `deliver` raised; must not raise.
    keep_all: every item is worked on, in order; else a waiting one is replaced by a newer one.
    clock: monotonic time, s.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        deliver: Callable[[Item, Result], None],
        failed: Callable[[Item, Exception], None],
        *,
        keep_all: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._deliver = deliver
        self._failed = failed
        self._clock = clock
        self._items: deque[Item] = deque(maxlen=None if keep_all else 1)
        self._ready = threading.Condition()
        self._stopping = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self.replaced = 0

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Hand an item over; returns at once."""
        with self._ready:
            if len(self._items) == self._items.maxlen:
                self.replaced += 1
            self._items.append(item)
            self._ready.notify()
        # Let the thread have the interpreter now: the caller goes on to the executor's work
        # between two waits, which would keep it for about half a millisecond.
        time.sleep(HAND_OVER)

    def busy_for(self) -> float:
        """Time since work on the present item began, s; 0 where there is none."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    def stop(self, timeout: float) -> bool:
        """Drop what waits and end the thread; False where it has not ended within `timeout` s."""
        with self._ready:
            self._stopping = True
            self._items.clear()
            self._ready.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._items and not self._stopping:
                    self._ready.wait()
                if self._stopping:
                    return
                item = self._items.popleft()
                self._busy_since = self._clock()
            try:
                result = self._work(item)
                if not self._stopping:
                    self._deliver(item, result)
            except Exception as error:  # the thread must outlive any item
                if not self._stopping:
                    self._failed(item, error)
            self._busy_since = None
