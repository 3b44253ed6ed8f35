"""What a request must hold; each check raises RequestError with the key and what is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_serve.served_policy import Request, RequestError

PROMPT = "prompt"
_LONGEST_PROMPT = 2000  # characters
_LARGEST_SIDE = 8192  # px


def check_keys(request: Request, required: AbstractSet[str], known: AbstractSet[str]) -> None:
    """All of `required`, and nothing but `known`."""
    missing = sorted(required - request.keys())
    unknown = sorted(str(key)[:60] for key in request if key not in known)
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] * bool(missing)
        parts += [f"has unknown {', '.join(unknown[:8])}"] * bool(unknown)
        raise RequestError(
            f"the request {' and '.join(parts)}; accepted: {', '.join(sorted(known))}"
        )


def checked_image(
    request: Request, key: str, size: tuple[int, int] | None = None
) -> npt.NDArray[np.uint8]:
    """uint8 rgb (H, W, 3); size: height and width that it must have, None: any."""
    value = request[key]
    if (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] == 3
        and min(value.shape[:2]) >= 1
        and max(value.shape[:2]) <= _LARGEST_SIDE
        and size in (None, value.shape[:2])
    ):
        return value
    height, width = size or ("height", "width")
    most = "" if size else f", up to {_LARGEST_SIDE} px"
    raise RequestError(f"{key} is {told(value)}; accepted: uint8 ({height}, {width}, 3), rgb{most}")


def checked_vector(request: Request, key: str, names: Sequence[str]) -> npt.NDArray[Any]:
    """As many numbers as there are names."""
    value = request[key]
    if (
        not isinstance(value, np.ndarray)
        or value.shape != (len(names),)
        or value.dtype.kind not in "fiu"
    ):
        raise RequestError(
            f"{key} is {told(value)}; accepted: {len(names)} numbers ({', '.join(names)})"
        )
    return value


def checked_prompt(request: Request) -> str:
    """Text that says something, and not too long."""
    value = request[PROMPT]
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_PROMPT:
        raise RequestError(
            f"{PROMPT} is {told(value)}; accepted: text of 1 to {_LONGEST_PROMPT} characters"
        )
    return value


def told(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    return type(value).__name__
