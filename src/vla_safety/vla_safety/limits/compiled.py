"""The motion limiter as compiled modules: the same sources, compiled by mypyc, three times faster.

`compile_limiter` makes them, in a folder of this package. They are used as long as they are of
these very sources: after an edit the interpreter runs the edited ones until they are compiled
again. VLA_SAFETY_COMPILED=0 leaves them unused. Free of ROS.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import sys
import sysconfig
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
MODULES = (
    "limits/axes", "limits/braking", "limits/root_finding", "limits/velocity_axis",
    "limits/position_axis", "limits/orientation_axes", "limits/norms", "limits/boundaries",
    "limits/limiter",
    "limits/warning_thresholds", "surroundings/workspace", "surroundings/speed_zones",
)  # fmt: skip
VARIABLE = "VLA_SAFETY_COMPILED"
LIBRARY = "vla_safety__mypyc"  # what mypyc calls the code that the modules share
SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))  # names the Python and the machine


def folder() -> Path:
    """Where the compiled modules of this Python and machine are."""
    return PACKAGE / "compiled_modules" / SUFFIX.strip(".").rpartition(".")[0]


def digests(sources: Path = PACKAGE) -> dict[str, str]:
    """SHA-256 of every module's source in this folder."""
    return {
        name: hashlib.sha256((sources / f"{name}.py").read_bytes()).hexdigest() for name in MODULES
    }


def present() -> bool:
    """Whether compiled modules of these very sources are there."""
    try:
        return bool(json.loads((folder() / "sources.json").read_text()) == digests())
    except (OSError, ValueError):
        return False


def use() -> bool:
    """Let the rooms find the compiled modules first. Whether they do."""
    if os.environ.get(VARIABLE) == "0" or not present():
        return False
    # The modules import what they share by this name.
    spec = importlib.util.spec_from_file_location(LIBRARY, folder() / f"{LIBRARY}{SUFFIX}")
    if spec is None or spec.loader is None:
        return False
    try:
        library = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(library)
    except ImportError:  # another C library than here: the interpreter does it too
        return False
    sys.modules[LIBRARY] = library
    for room in sorted({name.split("/")[0] for name in MODULES}):
        package = importlib.import_module(f"vla_safety.{room}")
        package.__path__.insert(0, str(folder() / "vla_safety" / room))
    return True
