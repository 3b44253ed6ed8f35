"""One picture of a server's input: how it is read of a mapping file, and made of a camera's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.image_pixels import resize_area
from vla_policy.remote.mapping.mapping_checks import (
    KEY,
    MappingError,
    checked_entries,
    key_of,
    past_of,
)
from vla_policy.remote.mapping.observation_history import Key, Past

Image = npt.NDArray[np.uint8]

_IMAGE_KEYS = {"camera": str, "key": KEY, "height": int, "width": int, "fit": str,
               "layout": str, "mask": KEY, "crop": list, "flip": str, "colour": str,
               "frames": int, "stride": int}  # fmt: skip
_CHOICES = {
    "fit": ("pad", "stretch"),
    "layout": ("hwc", "chw"),
    "flip": ("none", "horizontal", "vertical", "both"),
    "colour": ("rgb", "bgr"),
}


@dataclass(frozen=True)
class ImageEntry:
    """One picture of the server's input; see `remote_mapping`."""

    camera: str
    key: Key
    height: int = 0
    width: int = 0
    fit: str = "pad"
    layout: str = "hwc"
    mask: Key = ()
    crop: tuple[int, ...] = ()
    flip: str = "none"
    colour: str = "rgb"
    past: Past | None = None


def image_entry(entry: Any, index: int) -> ImageEntry:
    """An entry of a mapping file's images; raises MappingError naming it, the key and the value."""
    where = f"images[{index}]"
    optional = tuple(name for name in _IMAGE_KEYS if name not in ("camera", "key"))
    found = checked_entries(entry, where, _IMAGE_KEYS, optional)
    found["past"] = past_of(found, where)
    found["key"] = key_of(found["key"], where)
    found["mask"] = key_of(found["mask"], where) if found.get("mask") else ()
    found["crop"] = tuple(found.get("crop", ()))
    made = ImageEntry(**found)
    whole = all(type(side) is int and side >= 0 for side in made.crop)
    if made.crop and not (whole and len(made.crop) == 4 and made.crop[2] and made.crop[3]):
        raise MappingError(f"{where}.crop is {list(made.crop)}; accepted: top, left, height, "
                           "width, px")  # fmt: skip
    for name, accepted in _CHOICES.items():
        value = getattr(made, name)
        if value not in accepted:
            raise MappingError(f"{where}.{name} is {value!r}; accepted: {', '.join(accepted)}")
    if (made.height == 0) != (made.width == 0) or not 0 <= made.height <= 8192 >= made.width >= 0:
        raise MappingError(
            f"{where} is {made.width}x{made.height}; accepted: both 0, or both 1 to 8192 [px]"
        )
    return made


def fitted(image: Image | None, entry: ImageEntry) -> Image:
    """What is sent of a camera's image, rgb uint8 (H, W, 3); black where it is None.

    Raises:
        MappingError: the crop is not inside the image.
    """
    made = _cropped(image, entry)
    return made.transpose(2, 0, 1) if entry.layout == "chw" else made


def _cropped(image: Image | None, entry: ImageEntry) -> Image:
    height, width = entry.height, entry.width
    if image is None:
        return np.zeros((height or 1, width or 1, 3), dtype=np.uint8)
    if entry.crop:
        top, left, rows, columns = entry.crop
        if top + rows > image.shape[0] or left + columns > image.shape[1]:
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise MappingError(f"the image of {entry.camera} is {size}; accepted for its crop "
                               f"{list(entry.crop)}: a larger one")  # fmt: skip
        image = image[top : top + rows, left : left + columns]
    down, across = entry.flip in ("vertical", "both"), entry.flip in ("horizontal", "both")
    image = image[
        :: -1 if down else 1, :: -1 if across else 1, :: -1 if entry.colour == "bgr" else 1
    ]
    return _resized(np.ascontiguousarray(image), entry)


def _resized(image: Image, entry: ImageEntry) -> Image:
    height, width = entry.height, entry.width
    if not height or entry.fit == "stretch":
        return resize_area(image, height, width)
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = [max(1, round(side * scale)) for side in image.shape[:2]]
    small = resize_area(image, *inner)
    padded = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    padded[top : top + inner[0], left : left + inner[1]] = small
    return padded
