"""The end of a node whose launch is gone.

A `ros2 launch` that is killed leaves its processes behind. A node that a launch file has started
therefore asks the kernel for a SIGTERM at its parent's death, on which it brakes and ends: the
launch files say so to all they start by setting VLA_END_WITH_PARENT to true. A node started by
hand, with nohup or setsid, or by systemd has no such variable, and outlives its parent as any
process does. A node that cannot start ends such a launch in turn, unless it respawns its nodes.

The kernel means the thread that started the process. In launch that is the one of its event loop,
which lives as long as the launch.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping

VARIABLE = "VLA_END_WITH_PARENT"
PR_SET_PDEATHSIG = 1


def end_with_parent(environment: Mapping[str, str]) -> None:
    """Get SIGTERM when the parent dies, or now where it has died, if the environment wants it.

    Raises:
        ValueError: the variable is neither true nor false.
        OSError: the kernel refuses.
    """
    value = environment.get(VARIABLE, "false")
    if value not in ("true", "false"):
        raise ValueError(f"environment variable {VARIABLE} is '{value}'; accepted: true, false")
    if value == "false":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if parent_is_gone():
        os.kill(os.getpid(), signal.SIGTERM)


def end_parent(environment: Mapping[str, str]) -> None:
    """Ask the launch that started this process to end its other processes, as Ctrl-C does.

    This one ends by itself, with its own exit status. Launch files in XML have no word for it that
    every distribution knows.
    """
    if environment.get(VARIABLE) == "true" and not parent_is_gone():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os.kill(os.getppid(), signal.SIGINT)


def parent_is_gone() -> bool:
    """Whether another process has taken the place of the one that started this one.

    A launch and its processes are one process group, in which whoever adopts orphans is not. A
    process that leads a group of its own cannot tell, and takes its parent for the right one.
    """
    try:
        others = os.getpgid(os.getppid())
    except ProcessLookupError:
        return True
    return os.getpgrp() not in (os.getpid(), others)
