"""The environment of LeRobot: apart from this project's, for it needs another Python and PyTorch.

It is made once, of the exact versions of lerobot.txt beside this, by a Python from 3.12 with venv,
or by uv, which brings one along; and made anew when those change.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("lerobot.txt")
FOLDER = "VLA_LEROBOT_ENVIRONMENT"
_PYTHON = "VLA_LEROBOT_PYTHON"
_LEAST = (3, 12)
_ABOUT = "about 5.5 GB with PyTorch for CUDA, some minutes"
# Of our own packages, what runs in it: no ROS, no checkpoint of ours.
_OURS = ("vla_serve", "vla_policy")
_FITS = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] < {_LEAST})"


class LerobotEnvironmentError(ValueError):
    """An environment that cannot be made; one line, with the way out."""


def folder() -> Path:
    """Where it is, or will be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(FOLDER) or Path(cache) / "vla" / "lerobot")


def python() -> Path:
    """The environment's Python; made first where it is missing or of other requirements.

    Raises:
        LerobotEnvironmentError: neither uv nor a Python that fits, or the packages cannot be had.
    """
    place = folder()
    made = place / "bin" / "python"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = place / ".complete"
    if made.exists() and stamp.exists() and stamp.read_text() == wanted:
        return made
    names = ", ".join(
        line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")
    )
    _say(f"installing {names} and what they need into {place} ({_ABOUT}); {FOLDER} chooses another")
    place.parent.mkdir(parents=True, exist_ok=True)
    log = place.parent / f"{place.name}.log"
    with log.open("w") as out:
        for command in _commands(place):
            done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                raise LerobotEnvironmentError(
                    f"LeRobot's environment cannot be made: {' '.join(command)[:120]} ended with "
                    f"{done.returncode}: {_last_line(log)} ({log})"
                )
    stamp.write_text(wanted)
    return made


def run(module: str, arguments: list[str]) -> int:
    """Replace this process by a module of ours in that environment."""
    made = python()
    os.execve(made, [str(made), "-m", module, *arguments], environment())


def environment() -> dict[str, str]:
    """This process's, with our own packages and nothing else of this one's Python."""
    modules = [importlib.import_module(name) for name in _OURS]
    paths = [str(Path(module.__file__ or "").resolve().parents[1]) for module in modules]
    left_out = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def _commands(place: Path) -> Iterator[list[str]]:
    fitting = _fitting_python()
    uv = shutil.which("uv")
    if fitting:
        yield [fitting, "-m", "venv", "--clear", str(place)]
        yield [str(place / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check",
               "--no-input", "-r", str(REQUIREMENTS)]  # fmt: skip
    elif uv:
        least = ".".join(map(str, _LEAST))
        yield [uv, "venv", "--clear", "--python", least, str(place)]
        yield [uv, "pip", "install", "--python", str(place / "bin/python"), "-r", str(REQUIREMENTS)]
    else:
        raise LerobotEnvironmentError(
            "LeRobot needs Python 3.12 or newer with venv, or uv, and neither is found; accepted: "
            f"{_PYTHON}=/path/to/python3.12, or uv on the PATH"
        )


def _fitting_python() -> str:
    given = os.environ.get(_PYTHON)
    newest = sorted(Path.home().glob(".pyenv/versions/3.1[2-9].*/bin/python"), reverse=True)
    # torchcodec and others have wheels for the newest Python late: 3.12 and 3.13 go first.
    names = [given] if given else ["python3.12", "python3.13", sys.executable, "python3",
                                   *map(str, sorted(newest))]  # fmt: skip
    for name in names:
        found = shutil.which(name)
        if (
            found
            and subprocess.run([found, "-c", _FITS], check=False, env=_clean()).returncode == 0
        ):
            return found
    return ""


def _clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "")


def _say(text: str) -> None:
    print(f"vla: {text}", file=sys.stderr, flush=True)
