"""Names of coordinate frames, as drivers write them."""

from __future__ import annotations


def frame_name(text: str) -> str:
    """The frame's name without the slash that drivers of before TF 2 put before it."""
    return text.lstrip("/")
