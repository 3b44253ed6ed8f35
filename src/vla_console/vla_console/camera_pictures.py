"""Cameras as JPEG, the newest picture only, at a bounded rate, in a thread of its own. Free of ROS.

What comes in is kept undecoded until a picture is due: pictures between cost no decoding. Nobody
waits here for a viewer, and nobody of the graph for this thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Encode = Callable[[Any], "Encoded | None"]  # a message as it came → its picture


@dataclass(frozen=True)
class Encoded:
    """A JPEG of `width` × `height` px, and the node clock's time of the picture, ns."""

    jpeg: bytes
    width: int
    height: int
    stamp: int


@dataclass(frozen=True)
class Picture:
    """A picture to send. received: steady clock, ns, when its message came."""

    camera: str
    sequence: int
    encoded: Encoded
    received: int


@dataclass
class _Source:
    encode: Encode
    data: Any = None
    received: int = 0
    due: float = 0.0  # s, monotonic
    sequence: int = 0


class CameraPictures:
    """Takes messages of cameras, gives pictures to `show`, each camera at most at `rate`."""

    def __init__(
        self, show: Callable[[Picture], None], rate: float, report: Callable[[str], None]
    ) -> None:
        """show: called in this object's thread. rate: Hz. report: of a picture that is none."""
        self._show, self._report = show, report
        self._period = 1.0 / rate
        self._sources: dict[str, _Source] = {}
        self._condition = threading.Condition()
        self._closed = False
        self.received = 0
        self.encoded = 0
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def offer(self, camera: str, data: Any, encode: Encode) -> None:
        """The newest message of a camera; what was not shown yet is dropped."""
        with self._condition:
            self.received += 1
            source = self._sources.get(camera)
            if source is None:
                source = self._sources[camera] = _Source(encode)
            source.data, source.encode = data, encode
            source.received = time.monotonic_ns()
            self._condition.notify()

    def forget(self, camera: str) -> None:
        """Nobody looks at this camera any more."""
        with self._condition:
            self._sources.pop(camera, None)

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            camera, sequence, data, received, encode = job
            try:
                encoded = encode(data)
            except Exception as error:  # one bad message must not end the thread
                self._report(f"camera {camera}: {type(error).__name__}: {error}")
                continue
            if encoded is None:
                continue
            self.encoded += 1
            self._show(Picture(camera, sequence, encoded, received))

    def _next(self) -> tuple[str, int, Any, int, Encode] | None:
        """Wait until a picture is due; None at the end."""
        with self._condition:
            while not self._closed:
                now = time.monotonic()
                ready = {n: s for n, s in self._sources.items() if s.data is not None}
                if not ready:
                    self._condition.wait()
                    continue
                name, source = min(ready.items(), key=lambda item: item[1].due)
                if source.due > now:
                    self._condition.wait(source.due - now)
                    continue
                source.due = max(source.due + self._period, now + 0.5 * self._period)
                source.sequence += 1
                data, source.data = source.data, None
                return name, source.sequence, data, source.received, source.encode
        return None


def jpeg_of(pixels: Pixels, width: int, quality: int, stamp: int) -> Encoded:
    """A JPEG of at most `width` px. pixels: uint8, shape (H, W, 3), blue first.

    Raises:
        ValueError: the pixels cannot be encoded.
    """
    height = pixels.shape[0]
    if pixels.shape[1] > width:
        height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
        pixels = np.asarray(
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"an image of shape {pixels.shape} is no JPEG")
    return Encoded(data.tobytes(), pixels.shape[1], height, stamp)
