"""The demo's video: camera pictures side by side, with command, state and limits drawn in."""

from __future__ import annotations

import dataclasses
import math
import queue
import threading
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vla_cli.client.command_errors import CommandError
from vla_cli.episodes.episode_trace import Snapshot
from vla_cli.episodes.live_view import milliseconds
from vla_contract.image_pixels import pixels_of

Picture = npt.NDArray[np.uint8]

SIDE = 480  # px of a camera's picture, upscaled
PANEL = 120  # px of the text below
RATE = 20.0  # Hz, the cameras' own
QUEUE = 4000  # pictures kept while the encoder is behind
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE, GREY, GREEN, YELLOW, RED = (
    (235, 235, 235), (150, 150, 150), (80, 220, 100), (250, 200, 60), (250, 80, 70),
)  # fmt: skip
COLOURS = {"nominal": GREEN, "degraded": YELLOW, "stopped": RED}


def decode(message: Any) -> Picture:
    """Pixels of a sensor_msgs/Image in rgb8 or bgr8, shape [height, width, 3], RGB."""
    pixels = pixels_of(message.data, message.height, message.width, message.step)
    return pixels[..., ::-1] if message.encoding == "bgr8" else pixels


def compose(pictures: list[Picture | None], title: str, snapshot: Snapshot) -> Picture:
    """One frame, uint8 [SIDE + PANEL, SIDE * n, 3], RGB; a missing picture stays black."""
    frame = np.zeros((SIDE + PANEL, SIDE * len(pictures), 3), np.uint8)
    for index, picture in enumerate(pictures):
        if picture is not None:
            scaled = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            frame[:SIDE, index * SIDE : (index + 1) * SIDE] = scaled
    _draw_text(frame, title, snapshot)
    return frame


def _draw_text(frame: Picture, title: str, snapshot: Snapshot) -> None:
    width = frame.shape[1]
    colour = COLOURS.get(snapshot.state, WHITE)
    _put(frame, f'"{snapshot.command}"', (12, SIDE + 26), 0.65, WHITE)
    state = f"{snapshot.state}: {snapshot.cause}" if snapshot.cause else snapshot.state
    _put(frame, state, (12, SIDE + 54), 0.5, colour)
    limits = "; ".join(snapshot.limited) or "within all limits"
    _put(frame, limits, (12, SIDE + 80), 0.5, YELLOW if snapshot.limited else GREY)
    times = f"inference {milliseconds(snapshot.inference_time)}"
    if math.isfinite(snapshot.observation_age):
        times = f"acts on an observation {milliseconds(snapshot.observation_age)} old, " + times
    wrong = snapshot.prompt or "; ".join(snapshot.faults)
    _put(frame, wrong or times, (12, SIDE + 106), 0.5, RED if wrong else GREY)
    _put(frame, f"{title}  {snapshot.time:.2f} s", (12, 24), 0.55, WHITE)
    if snapshot.success:
        _put(frame, "success", (width - 110, 26), 0.8, GREEN)


def _put(frame: Picture, text: str, at: tuple[int, int], size: float, colour: Any) -> None:
    plain = text.encode("ascii", "replace").decode()  # cv2 draws nothing else
    while plain and cv2.getTextSize(plain, FONT, size, 1)[0][0] > frame.shape[1] - at[0] - 8:
        plain = plain[:-1]
    # A shadow, not an outline: versions of OpenCV differ in how wide thick letters are.
    cv2.putText(frame, plain, (at[0] + 1, at[1] + 1), FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(frame, plain, at, FONT, size, colour, 1, cv2.LINE_AA)


ENCODING = {
    "fps": RATE,
    "codec": "libx264",
    "macro_block_size": 8,
    "output_params": ["-preset", "veryfast", "-crf", "26", "-threads", "1"],
    "ffmpeg_log_level": "error",
}


class Video:
    """Encodes frames in a thread of its own, so that the graph's messages are not kept waiting.

    Until it is kept the file has another name, so that a demo that shows nothing leaves the video
    of an earlier one as it is.
    """

    def __init__(self, path: Path, cameras: int) -> None:
        """Open the file.

        Raises:
            CommandError: there is no encoder.
        """
        try:
            import imageio_ffmpeg
        except ImportError as error:
            raise CommandError(
                "imageio-ffmpeg is not installed; mend it with: pip install imageio-ffmpeg"
            ) from error
        self.path = path
        self._partial = path.with_name(f"{path.stem}.partial{path.suffix}")
        self.frames = 0
        self.dropped = 0
        self.error = ""
        self._queue: queue.Queue[Any] = queue.Queue(QUEUE)
        size = (SIDE * cameras, SIDE + PANEL)
        self._open = partial(imageio_ffmpeg.write_frames, str(self._partial), size, **ENCODING)
        self._writer: Any = None  # made with the first frame: the encoder complains of none
        self._thread = threading.Thread(target=self._encode, name="video", daemon=True)
        self._thread.start()

    def add(self, pictures: list[Picture | None], title: str, snapshot: Snapshot) -> None:
        """Take a frame; it is composed and encoded later."""
        try:
            self._queue.put_nowait((pictures, title, dataclasses.replace(snapshot)))
        except queue.Full:
            self.dropped += 1

    def close(self, *, finish: bool = True) -> None:
        """End the file; with `finish` false what still waits is dropped."""
        while not finish and not self._queue.empty():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._queue.put(None)
        self._thread.join()
        if self._writer is not None:
            self._writer.close()

    def keep(self) -> None:
        """Give the file, which is closed, its name; where no frame was written there is none."""
        if self.frames:
            self._partial.replace(self.path)

    def discard(self) -> None:
        """Remove the file, which is closed."""
        self._partial.unlink(missing_ok=True)

    def _encode(self) -> None:
        while (item := self._queue.get()) is not None:
            if self.error:
                continue
            try:
                if self._writer is None:
                    self._writer = self._open()
                    self._writer.send(None)
                self._writer.send(compose(*item).tobytes())
                self.frames += 1
            except (OSError, ValueError, StopIteration) as error:
                self.error = " ".join(str(error).split()) or type(error).__name__
