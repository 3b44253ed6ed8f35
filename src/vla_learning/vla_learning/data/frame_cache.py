"""Decoded pictures of a dataset as one memory-mapped array, made once.

Videos are small and slow to read in a random order; training reads every picture hundreds of times.
The cache is a folder with `images.npy` and `index.json`, which tells what it was made from and the
hash of every episode. One that was interrupted goes on; one whose source has changed is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.image_pixels import resize_area
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.lerobot_reader import Episode, LeRobotDataset

Images = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

FOLDER = ".cache/vla"  # in the dataset
_IMAGES, _INDEX, _LOCK = "images.npy", "index.json", "lock"


def cached_images(
    dataset: LeRobotDataset,
    episodes: Sequence[Episode],
    features: Sequence[str],
    size: tuple[int, int],
    progress: Progress | None = None,
) -> Images:
    """(F, N, h, w, 3) uint8 rgb of these episodes, in their order; read only, on disk.

    features: of the cameras. size: height and width; pictures are made smaller as at run time.
    progress: is told episodes done and to do.

    Raises:
        DemonstrationError: a picture cannot be read, or is smaller than `size`.
    """
    source = _source(dataset, episodes, features, size)
    name = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:16]
    folder = dataset.folder / FOLDER / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / _LOCK):
            return _Cache(folder, source, len(features), size).filled(
                dataset, episodes, features, progress or (lambda done, total: None)
            )
    except OSError as error:
        raise DemonstrationError(f"{folder}: {error.strerror}") from error


class _Cache:
    """One cache folder."""

    def __init__(self, folder: Path, source: Any, cameras: int, size: tuple[int, int]) -> None:
        self._folder = folder
        self._source = source
        self._shape = (cameras, *size, 3)
        self._hashes: list[str] = []

    def filled(
        self,
        dataset: LeRobotDataset,
        episodes: Sequence[Episode],
        features: Sequence[str],
        progress: Progress,
    ) -> Images:
        """The images, with what is missing or damaged decoded."""
        total = sum(episode.length for episode in episodes)
        images = self._open(total)
        begin = 0
        for number, episode in enumerate(episodes):
            part = images[begin : begin + episode.length]
            begin += episode.length
            if number < len(self._hashes) and self._hashes[number] == _hash(part):
                progress(number + 1, len(episodes))
                continue
            del self._hashes[number:]
            self._decode(dataset, episode, features, part)
            self._hashes.append(_hash(part))
            if number % 20 == 19:
                images.flush()
                self._save()
            progress(number + 1, len(episodes))
        images.flush()
        self._save()
        return np.load(self._folder / _IMAGES, mmap_mode="r")

    def _decode(
        self, dataset: LeRobotDataset, episode: Episode, features: Sequence[str], part: Images
    ) -> None:
        height, width = self._shape[1:3]
        for camera, feature in enumerate(features):
            for row, pixels in enumerate(dataset.frames(episode, feature)):
                if pixels.shape[0] < height or pixels.shape[1] < width:
                    raise DemonstrationError(
                        f"{dataset.folder}: {feature} is {pixels.shape[1]}x{pixels.shape[0]}; the "
                        f"config asks for {width}x{height}, and pictures are not made larger"
                    )
                part[row, camera] = resize_area(pixels, height, width)

    def _open(self, total: int) -> np.memmap[Any, Any]:
        path = self._folder / _IMAGES
        shape = (total, *self._shape)
        try:
            index = json.loads((self._folder / _INDEX).read_text(encoding="utf-8"))
            images: np.memmap[Any, Any] = np.load(path, mmap_mode="r+")
            if index["source"] == self._source and images.shape == shape:
                self._hashes = [str(each) for each in index["hashes"]]
                return images
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none, or a damaged one: made anew
        self._hashes = []
        return np.lib.format.open_memmap(path, "w+", np.uint8, shape)

    def _save(self) -> None:
        partial = self._folder / "index.partial"
        content = {"source": self._source, "hashes": self._hashes}
        partial.write_text(json.dumps(content), encoding="utf-8")
        os.replace(partial, self._folder / _INDEX)


def _hash(images: Images) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


def _source(
    dataset: LeRobotDataset,
    episodes: Sequence[Episode],
    features: Sequence[str],
    size: tuple[int, int],
) -> dict[str, Any]:
    """What the pictures depend on: the hash of every file that they are in."""
    files = {
        episode.videos[f].path for episode in episodes for f in features if f in episode.videos
    }
    if any(f not in episode.videos for episode in episodes for f in features):
        files |= {episode.data for episode in episodes}
    return {
        "size": list(size),
        "features": list(features),
        "episodes": [
            [e.index, e.length, *(e.videos[f].first for f in features if f in e.videos)]
            for e in episodes
        ],
        "files": {
            str(path.relative_to(dataset.folder)): _file_hash(path) for path in sorted(files)
        },
    }


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise DemonstrationError(f"{path}: {error.strerror}") from error
    return digest.hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process makes a cache, the others wait for it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
