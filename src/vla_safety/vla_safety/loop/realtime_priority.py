"""The control loop ahead of every ordinary process, where the operating system permits it.

A thread of real-time priority is not put aside for another that wakes up, such as the one that
receives what it has just published. The middleware's threads get the lowest such priority: a stop
that comes while others compute is heard at once, and the loop still goes before them. Free of ROS.
"""

from __future__ import annotations

import contextlib
import os
import threading

HIGHEST = 98  # the kernel's own threads have 99
LOWEST = 1
ORDINARY = "ordinary"


class Priority:
    """Of the thread that calls, and of the process's threads that are not Python's.

    Threads that it starts are ordinary ones.

    Attributes:
        how: how the thread runs, in words.
    """

    def __init__(self) -> None:
        self.how = ORDINARY
        self._before: tuple[int, os.sched_param] | None = None
        self._middleware: list[int] = []  # native ids of threads

    def acquire(self, priority: int) -> None:
        """Take a real-time priority, 1 to 98; 0: stay as it is."""
        if priority == 0 or self._before is not None:
            return
        if not hasattr(os, "sched_setscheduler"):
            self.how = f"{ORDINARY}: no real-time priorities in this operating system"
            return
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        try:
            mode = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(0, mode, os.sched_param(priority))
        except OSError as error:  # an ordinary user, or a container without the right to it
            self.how = f"{ORDINARY}: real-time priority {priority} refused: {error.strerror}"
            return
        self._before = before
        self._middleware = foreign_threads()
        for thread in self._middleware:
            _schedule(thread, os.SCHED_RR, LOWEST)
        self.how = f"real-time priority {priority}"

    def release(self) -> None:
        """Run as before `acquire`."""
        if self._before is not None:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, *self._before)
            for thread in self._middleware:
                _schedule(thread, os.SCHED_OTHER, 0)
        self._before, self._middleware, self.how = None, [], ORDINARY


def foreign_threads() -> list[int]:
    """Native ids of the threads of this process that Python has not started; none but on Linux."""
    own = {thread.native_id for thread in threading.enumerate()}
    with contextlib.suppress(OSError):
        return [
            thread for each in os.listdir("/proc/self/task") if (thread := int(each)) not in own
        ]
    return []


def _schedule(thread: int, policy: int, priority: int) -> None:
    with contextlib.suppress(OSError):  # it has ended
        os.sched_setscheduler(thread, policy, os.sched_param(priority))
