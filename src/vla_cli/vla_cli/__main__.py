"""Entry of `./vla COMMAND` and `ros2 run vla_cli vla COMMAND`."""

from __future__ import annotations

import importlib
import sys

from vla_cli.errors import CommandError, Interrupted

# Command → module with a `main(arguments) -> exit status`; imported only when asked for.
COMMANDS = {
    "bench": "vla_cli.bench",
    "build-engine": "vla_cli.build_engine",
    "demo": "vla_cli.demo",
    "docs": "vla_cli.docs",
    "doctor": "vla_cli.doctor",
    "evaluate": "vla_cli.evaluate",
    "launch": "vla_cli.launch",
    "learn": "vla_cli.learn",
    "metrics": "vla_cli.eval",
    "prove": "vla_cli.prove",
    "record": "vla_cli.record",
    "reference": "vla_cli.reference",
    "replay": "vla_cli.replay",
    "reset": "vla_cli.reset",
    "say": "vla_cli.say",
    "status": "vla_cli.status",
    "stop": "vla_cli.stop",
    "why": "vla_cli.why",
}
RENAMED = {"eval": "metrics"}  # old name → new one; for one release
# Former command → what does it now; answered so for one release.
FORMER = {
    "keystore": "ros2 security create_keystore, create_enclave and create_permission; "
    "docs/security.md has the commands",
}


def main(arguments: list[str]) -> int:
    """Run a command; its exit status, 2 where it cannot do what it was asked."""
    if arguments and arguments[0] in RENAMED:
        new = RENAMED[arguments[0]]
        print(f"vla: `{arguments[0]}` is now called `{new}`: ./vla {new}", file=sys.stderr)
        arguments = [new, *arguments[1:]]
    asked = arguments[0] if arguments else ""
    if asked in FORMER:
        print(f"vla: {asked} is no command any more; use {FORMER[asked]}", file=sys.stderr)
        return 2
    if asked not in COMMANDS:
        print(f"vla: no such command: {asked!r}; there are: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return int(importlib.import_module(COMMANDS[asked]).main(arguments[1:]))
    except CommandError as error:
        print(f"vla: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Interrupted as interrupted:
        return 128 + interrupted.number
    except BrokenPipeError:  # `./vla status | head`
        return 0


def run() -> None:
    """Entry point of the installed executable."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
