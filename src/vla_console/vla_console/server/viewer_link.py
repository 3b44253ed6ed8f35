"""What is on its way to one page: of each kind only the newest, so that a slow page costs nothing.

Words that answer a request are kept in order. A picture goes out only when the page has said that
it showed the one before: what a slow connection would hold back is never sent at all.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from vla_console.camera_pictures import Picture
from vla_console.operator_control import Role
from vla_console.server.page_requests import KINDS
from vla_console.server.rate_limits import TokenBucket

# A second, and at once: twists come at 20 Hz, and one word for each picture.
REQUESTS = (60.0, 120.0)
EXCESS = 300  # messages beyond that, or that are no request, after which the page is closed
ANSWERS = 32  # kept for a page that reads none
LOST = 1.0  # s after which a picture that was not shown is taken for lost


class ViewerLink:
    """One page: its role, its wishes, and what waits for it.

    Attributes:
        cameras: which it wants to see. plot: whether it draws the chunk.
        dropped: messages that a newer one overtook.
        excess: messages that were too many or no request.
    """

    def __init__(self, number: int, address: str, role: Role) -> None:
        self.number = number
        self.address = address
        self.role = role
        self.cameras: frozenset[str] = frozenset()
        self.plot = False
        self.requests = TokenBucket(*REQUESTS)
        self.excess = 0
        self.dropped = 0
        self.counts = dict.fromkeys(KINDS, 0)
        self._answers: deque[str] = deque(maxlen=ANSWERS)
        self._newest: dict[str, str] = {}
        self._pictures: dict[str, Picture] = {}
        self._under_way: dict[str, tuple[Picture, float]] = {}
        self._wake = asyncio.Event()

    @property
    def name(self) -> str:
        """As people read it."""
        return f"page {self.number} ({self.address}, {self.role.value})"

    def answer(self, **what: Any) -> None:
        """Words that are sent in their order."""
        self._answers.append(json.dumps(what))
        self._wake.set()

    def tell(self, kind: str, text: str) -> None:
        """A message that replaces an earlier one of its kind."""
        self.dropped += kind in self._newest
        self._newest[kind] = text
        self._wake.set()

    def offer(self, picture: Picture) -> None:
        """The newest picture of a camera."""
        self.dropped += picture.camera in self._pictures
        self._pictures[picture.camera] = picture
        self._wake.set()

    def shown(self, camera: str, sequence: int) -> Picture | None:
        """The page has shown a picture; that picture, or None where it was none on its way."""
        picture, _ = self._under_way.get(camera, (None, 0.0))
        if picture is None or picture.sequence != sequence:
            return None
        del self._under_way[camera]
        self._wake.set()
        return picture

    async def wait(self) -> None:
        """Until there may be something to send."""
        await self._wake.wait()
        self._wake.clear()

    def texts(self) -> list[str]:
        """What waits in words, taken away."""
        taken = [*self._answers, *self._newest.values()]
        self._answers.clear()
        self._newest.clear()
        return taken

    def pictures(self, now: float) -> list[Picture]:
        """Pictures that may be sent now, taken away; now: monotonic, s."""
        ready = []
        for camera in list(self._pictures):
            _, sent = self._under_way.get(camera, (None, -LOST))
            if now - sent < LOST:
                continue
            picture = self._pictures.pop(camera)
            if camera in self.cameras:
                self._under_way[camera] = (picture, now)
                ready.append(picture)
        return ready
