"""The first and the last camera picture of episodes."""

from __future__ import annotations

from typing import Any

from sensor_msgs.msg import Image

from vla_cli.client.graph_client import Graph
from vla_cli.episodes import demo_video
from vla_cli.episodes.graph_episodes import EpisodeRunner
from vla_contract import topics


class EndFrames:
    """Listens to one camera of the simulated robot while a runner runs episodes."""

    def __init__(self, graph: Graph, runner: EpisodeRunner, topic: str) -> None:
        """Subscribe in lock-step's profile; topic: of the camera."""
        self._runner = runner
        self._episode = 0
        self._first: Any = None
        self._last: Any = None
        profile = topics.qos_profile(topics.CAMERA, lock_step=True)
        graph.subscribe(Image, topic, self._on_image, profile)

    def _on_image(self, message: Any) -> None:
        if self._runner.episode != self._episode:
            self._episode, self._first = self._runner.episode, message
        self._last = message

    def pictures(self) -> tuple[demo_video.Picture, demo_video.Picture] | None:
        """First and last of the present episode, (h, w, 3) uint8 rgb; None where none has come."""
        if self._first is None or self._episode != self._runner.episode:
            return None
        return demo_video.decode(self._first).copy(), demo_video.decode(self._last).copy()
