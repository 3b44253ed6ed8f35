"""Entry of `./vla COMMAND` and `ros2 run vla_cli vla COMMAND`."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys

# While Python begins and imports, Ctrl-C would end in a traceback: ./vla has it ignored until here,
# and until the command runs it just ends the process.
if os.environ.pop("VLA_SIGINT", "") == "default":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from vla_cli.client.command_errors import CommandError, Interrupted
from vla_contract.language.near_names import near_names
from vla_contract.terminal import print_any_text, report_unexpected

# Command → module with a `main(arguments) -> exit status`; imported only when asked for.
COMMANDS = {
    "bench": "vla_proof.bench.bench_command",
    "build-engine": "vla_cli.build_engine_command",
    "console": "vla_cli.drive.console_command",
    "demo": "vla_cli.episodes.demo_command",
    "docs": "vla_cli.docs.docs_command",
    "doctor": "vla_cli.doctor.doctor_command",
    "evaluate": "vla_cli.episodes.evaluate_command",
    "home": "vla_cli.drive.home_command",
    "launch": "vla_cli.drive.launch_command",
    "learn": "vla_cli.learn_command",
    "metrics": "vla_cli.episodes.metrics_command",
    "prove": "vla_proof.prove_command",
    "record": "vla_cli.drive.record_command",
    "reference": "vla_cli.docs.reference_tables",
    "replay": "vla_cli.replay.replay_command",
    "reset": "vla_cli.drive.reset_command",
    "say": "vla_cli.drive.say_command",
    "serve": "vla_serve.serve_command",
    "status": "vla_cli.drive.status_command",
    "stop": "vla_cli.drive.stop_command",
    "why": "vla_cli.drive.why_command",
}
RENAMED = {"eval": "metrics"}  # old name → new one; for one release
# Former command → what does it now; answered so for one release.
FORMER = {
    "keystore": "ros2 security create_keystore, create_enclave and create_permission; "
    "docs/security.md has the commands",
}


def main(arguments: list[str]) -> int:
    """Run a command; its exit status: 2 where it cannot do what it was asked, 70 for a defect."""
    print_any_text()
    if arguments and arguments[0] in RENAMED:
        new = RENAMED[arguments[0]]
        print(f"vla: `{arguments[0]}` is now called `{new}`: ./vla {new}", file=sys.stderr)
        arguments = [new, *arguments[1:]]
    asked = arguments[0] if arguments else ""
    if asked in FORMER:
        print(f"vla: {asked} is no command any more; use {FORMER[asked]}", file=sys.stderr)
        return 2
    if asked not in COMMANDS:
        near = "".join(f"did you mean {n}? " for n in near_names(asked, COMMANDS))
        known = ", ".join(COMMANDS)
        print(f"vla: no such command: {asked!r}; {near}there are: {known}", file=sys.stderr)
        return 2
    if asked == "stop":
        go_first()
    try:
        _check_text(arguments)
        command = importlib.import_module(COMMANDS[asked])
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return int(command.main(arguments[1:]))
    except CommandError as error:
        print(f"vla: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _interrupted(signal.SIGINT)
    except Interrupted as interrupted:
        return _interrupted(interrupted.number)
    except BrokenPipeError:  # `./vla status | head`
        return 0
    except Exception as error:
        return report_unexpected(error, "vla", refused=2)


def _interrupted(number: int) -> int:
    print("vla: interrupted", file=sys.stderr)
    return 128 + number


def _check_text(arguments: list[str]) -> None:
    """Raise CommandError where an argument is not valid UTF-8, which no message can carry."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise CommandError(f"argument {argument!r} is not UTF-8; accepted: text") from error


def go_first() -> None:
    """Run before everybody else's work, where this process may; its threads will, too."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def run() -> None:
    """Entry point of the installed executable."""
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `./vla metrics a.json | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


if __name__ == "__main__":
    run()
