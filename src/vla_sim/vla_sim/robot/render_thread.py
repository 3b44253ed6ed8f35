"""Rendering beside the simulation: all OpenGL in one thread, only the newest scene."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

from vla_sim.robot.simulated_robot import Image, Scene, SimulatedRobot

Images = dict[str, Image]


class RenderThread:
    """Renders scenes of one environment in a thread of its own, which owns the OpenGL context."""

    def __init__(self, environment: SimulatedRobot) -> None:
        self._environment = environment
        self._changed = threading.Condition()
        self._pending: tuple[Scene, Future[Images]] | None = None
        self._closed = False
        self.rendered = 0
        self.dropped = 0
        self.duration = 0.0  # s, of the latest set of pictures
        self._thread = threading.Thread(target=self._run, name="render", daemon=True)
        self._thread.start()

    def submit(self, scene: Scene) -> Future[Images]:
        """Ask for the pictures of `scene`.

        One that still waits is replaced: its future is cancelled and counted as dropped. Callbacks
        of the future run in the render thread.
        """
        future: Future[Images] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the render thread is closed")
            replaced, self._pending = self._pending, (scene, future)
            self._changed.notify()
        if replaced is not None and replaced[1].cancel():
            self.dropped += 1
        return future

    def close(self) -> None:
        """Free the OpenGL context and end the thread; what waits is cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            scene, future = work
            if not future.set_running_or_notify_cancel():
                continue
            start = time.monotonic()
            try:
                images = self._environment.render(scene)
            except Exception as error:
                future.set_exception(error)
                continue
            self.duration = time.monotonic() - start
            self.rendered += 1
            future.set_result(images)
        self._environment.close()

    def _next(self) -> tuple[Scene, Future[Images]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pending is not None)
            work, self._pending = self._pending, None
            if not self._closed:
                return work
        if work is not None:
            work[1].cancel()
        return None
