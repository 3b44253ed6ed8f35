"""`vla prove NAME`: tests that try to break what the safety package promises, and take long."""

from __future__ import annotations

import importlib

from vla_cli.client.command_errors import CommandError

# Name → module with a `main(arguments) -> exit status`, and what it shows.
PROOFS = {
    "properties": (
        "vla_proof.properties.properties_command",
        "any scenario keeps every limit; a million commands",
    ),
    "arm": (
        "vla_proof.arms.arm_command",
        "hostile joint commands touch nothing; a million, judged by MuJoCo",
    ),
    "noise": (
        "vla_proof.arms.noise_command",
        "an arm that a policy of noise drives touches nothing; an hour, in the graph",
    ),
    "mutation": (
        "vla_proof.mutation.mutation_command",
        "the tests notice nearly every change of the code",
    ),
    "peers": ("vla_proof.peers.peers_command", "side by side with nav2's smoother and monitor"),
    "faults": ("vla_proof.faults", "faults on the running graph, and its reaction times"),
    "soak": (
        "vla_proof.soak.soak_command",
        "an hour of work: memory, missed stops, the loop's jitter",
    ),
}
DEFAULT = "properties"


def main(arguments: list[str]) -> int:
    """Run one proof, by default the property tests; or list them."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: ./vla prove [NAME] [--help]\n")
        for name, (_, what) in PROOFS.items():
            print(f"  {name:<11} {what}" + (" (default)" if name == DEFAULT else ""))
        return 0
    if not arguments or arguments[0].startswith("-"):
        arguments = [DEFAULT, *arguments]
    name, *rest = arguments
    if name not in PROOFS:
        raise CommandError(f"no proof {name!r}; accepted: {', '.join(PROOFS)}")
    module = PROOFS[name][0]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise CommandError(f"proof {name} is not installed: {error}") from error
    return int(found.main(rest) or 0)
