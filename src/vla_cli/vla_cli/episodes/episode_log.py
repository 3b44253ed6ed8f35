"""Finished episodes in a file, one line each: an evaluation that ended early goes on from it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from vla_cli.client.command_errors import CommandError
from vla_cli.episodes.graph_episodes import Episode, EpisodeResult


@dataclass(frozen=True)
class EpisodeLog:
    """Several processes may add to one file.

    identity: of all that an episode depends on besides itself; results of another one are not
    read. path: None: nothing is kept.
    """

    path: Path | None
    identity: str = ""

    def prepare(self) -> None:
        """Make the file, and end a last line that was cut short.

        Raises:
            CommandError: it cannot be written.
        """
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(b"\n" * bool(file.tell()))
        except OSError as error:
            raise CommandError(f"cannot write {self.path}: {error.strerror}") from error

    def add(self, episode: Episode, result: EpisodeResult) -> None:
        """Put a finished episode on the disk."""
        if self.path is None:
            return
        line = json.dumps({"episode": self._key(episode), "result": asdict(result)}) + "\n"
        with self.path.open("ab", buffering=0) as file:
            file.write(line.encode())  # at once, so that lines of two processes do not mix
            os.fsync(file.fileno())

    def read(self, episodes: list[Episode]) -> dict[Episode, EpisodeResult]:
        """Those of the episodes that are finished; a line that was cut short is left out."""
        if self.path is None or not self.path.is_file():
            return {}
        found = {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                content = json.loads(line)
                found[tuple(content["episode"])] = EpisodeResult(**content["result"])
            except (ValueError, KeyError, TypeError):
                continue
        keys = {episode: tuple(self._key(episode)) for episode in episodes}
        return {episode: found[key] for episode, key in keys.items() if key in found}

    def _key(self, episode: Episode) -> list[str | int]:
        command = "" if episode.command is None else episode.command
        words = [command, episode.said_task]
        return [self.identity, episode.task, episode.seed, *words, episode.steps]
