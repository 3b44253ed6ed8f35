"""Starts XML launch files as processes, where ``ros2 launch`` itself is not installed.

python -m launch_runner FILE|PACKAGE FILE [argument:=value…] [--show-args] [--print]
"""

from .errors import LaunchError
from .interpreter import interpret
from .process import Process
from .runner import LaunchRunner
from .specs import ProcessSpec

__all__ = ["LaunchError", "LaunchRunner", "Process", "ProcessSpec", "interpret"]
