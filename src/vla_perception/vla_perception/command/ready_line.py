"""The line that says that a command can be given, and how."""

from __future__ import annotations

from vla_interfaces.msg import Fault, SafetyStatus

ARM = 'ros2 service call {}/arm std_srvs/srv/SetBool "{{data: true}}"'


def ready_line(status: SafetyStatus, example: str, namespace: str) -> str:
    """What to say where safety waits for a command, or for a reset before it; else an empty text.

    Args:
        example: a command that the policy knows; empty where none is known.
        namespace: of the graph, with a slash before it.
    """
    waits = status.state in (SafetyStatus.STATE_HOLD, SafetyStatus.STATE_STOPPED)
    broken = any(fault.level == Fault.LEVEL_ERROR for fault in status.faults)
    if not waits or broken or status.recovery_left > 0.0:
        return ""
    option = "" if namespace == "/vla" else f" --namespace {namespace}"
    steps, states = [], []
    if status.state == SafetyStatus.STATE_STOPPED:
        states.append(f"stopped since before ({status.cause})")
        steps.append(f"./vla reset{option}")
    if status.shadow:
        states.append("in shadow mode")
    elif not status.armed:
        states.append("disarmed")
        steps.append(ARM.format(namespace.rstrip("/")))
    command = f'"{example}"' if example else "COMMAND"
    steps.append(f"./vla say{option} {command}")
    return f"{', '.join(['ready', *states])}: {', then '.join(steps)}"
