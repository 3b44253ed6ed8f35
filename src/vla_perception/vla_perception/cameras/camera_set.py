"""Which cameras are alive, and so make the set that is synchronised."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class CameraState(enum.Enum):
    """Of one camera."""

    WAITED_FOR = "waited for"  # within the start-up time
    LIVE = "live"
    MISSING = "missing"  # not one good image within the start-up time
    DEAD = "dead"  # had good images, and sends none now
    FAILED = "failed"  # sends images, but bad ones

    @property
    def in_set(self) -> bool:
        """The synchroniser waits for its images."""
        return self in (CameraState.WAITED_FOR, CameraState.LIVE)


@dataclass
class _Camera:
    state: CameraState
    last: float  # s, last good image, or the start
    good: int = 0  # in a row, each within the timeout of the one before
    bad: int = 0  # in a row


@dataclass(frozen=True)
class Change:
    """A camera went into another state."""

    camera: str
    before: CameraState
    after: CameraState

    @property
    def rebuilds(self) -> bool:
        """The set of cameras that are synchronised is another one."""
        return self.before.in_set != self.after.in_set


class CameraSet:
    """Follows the cameras by the times of their images, s on any one clock that rises.

    timeout: s without a good image after which a camera is dead.
    startup_timeout: s that each camera has for its first one.
    bad_images: so many bad ones in a row are a camera that has failed.
    good_images: so many good ones in a row, each within the timeout, bring a camera back.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        timeout: float,
        startup_timeout: float,
        now: float,
        *,
        bad_images: int = 3,
        good_images: int = 3,
    ) -> None:
        self._timeout = timeout
        self._startup = startup_timeout
        self._bad_images = bad_images
        self._good_images = good_images
        self._cameras = {name: _Camera(CameraState.WAITED_FOR, now) for name in cameras}

    @property
    def members(self) -> tuple[str, ...]:
        """Cameras that the synchroniser waits for, in the configured order."""
        return tuple(name for name, camera in self._cameras.items() if camera.state.in_set)

    def state(self, camera: str) -> CameraState:
        """State of a camera."""
        return self._cameras[camera].state

    def silence(self, camera: str, now: float) -> float:
        """Time since its last good image, or since the start, s."""
        return now - self._cameras[camera].last

    def image(self, name: str, now: float) -> Change | None:
        """A good image of a camera came."""
        camera = self._cameras[name]
        recent = now - camera.last <= self._timeout
        camera.good = camera.good + 1 if recent and camera.good else 1
        camera.last, camera.bad = now, 0
        if camera.state == CameraState.LIVE:
            return None
        returning = camera.state in (CameraState.DEAD, CameraState.FAILED)
        if returning and camera.good < self._good_images:
            return None
        return self._change(name, CameraState.LIVE)

    def bad_image(self, name: str, *, certain: bool = False) -> Change | None:
        """An image of a camera came that cannot be used. certain: one is enough."""
        camera = self._cameras[name]
        camera.bad += 1
        camera.good = 0
        if not camera.state.in_set or (camera.bad < self._bad_images and not certain):
            return None
        return self._change(name, CameraState.FAILED)

    def check(self, now: float) -> list[Change]:
        """Find the cameras that have fallen silent."""
        return [
            self._change(name, after)
            for name, camera in self._cameras.items()
            if (after := self._silent_state(camera, now)) is not None
        ]

    def _silent_state(self, camera: _Camera, now: float) -> CameraState | None:
        silence = now - camera.last
        if camera.state == CameraState.WAITED_FOR and silence > self._startup:
            return CameraState.MISSING
        if camera.state == CameraState.LIVE and silence > self._timeout:
            return CameraState.DEAD
        return None

    def _change(self, name: str, after: CameraState) -> Change:
        camera = self._cameras[name]
        before, camera.state, camera.good = camera.state, after, 0
        return Change(name, before, after)
