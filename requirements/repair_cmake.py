"""Repair the CMake files of the ROS wheels, which carry two paths of the machine that built them.

Run with the virtual environment's own Python after every installation:

    .venv/bin/python requirements/repair_cmake.py
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

BUILDER = r"/opt/python/cp3\d+-cp3\d+"
PYTHON_INCLUDE = re.compile(BUILDER + r"/include/python3\.\d+")
NUMPY_INCLUDE = re.compile(BUILDER + r"/lib/python3\.\d+/site-packages/numpy/_?core/include")


def repair(text: str, python_include: str, numpy_include: str) -> str:
    """Return the text with the builder's include folders replaced by this machine's."""
    text = NUMPY_INCLUDE.sub(lambda _: numpy_include, text)
    return PYTHON_INCLUDE.sub(lambda _: python_include, text)


def repair_tree(share: Path) -> int:
    """Repair every CMake file below a folder and return how many changed.

    Raises:
        OSError: a file cannot be read or written.
    """
    python_include = sysconfig.get_path("include")
    numpy_include = np.get_include()
    changed = 0
    for path in share.rglob("*.cmake"):
        old = path.read_text(encoding="utf-8")
        new = repair(old, python_include, numpy_include)
        if new != old:
            path.write_text(new, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    repair_tree(Path(sys.prefix) / "share")
