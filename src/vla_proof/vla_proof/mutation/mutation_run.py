"""`python -m vla_proof.mutation.mutation_run ARGUMENTS`: mutmut without the mutations of texts.

Messages for people are no logic: a changed word in one says nothing about the tests. Everything
else that mutmut knows is applied. Functions with a decorator of their own (properties) are left
out by mutmut itself. `report` prints the result of every mutant as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mutmut.__main__ import cli
from mutmut.mutation import mutators
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

TEXTS = (
    mutators.operator_string,
    mutators.operator_symmetric_string_methods_swap,
    mutators.operator_unsymmetrical_string_methods_swap,
)
NOT_KILLED = ("survived", "no tests")


def report() -> list[dict[str, Any]]:
    """Name, module, status of every mutant, and for those not killed what was changed."""
    found = []
    for path in sorted(Path("mutants").rglob("*.meta")):
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            status = status_by_exit_code[code]
            if status == "not checked":
                continue
            entry = {"name": name, "module": path.name.split(".")[0], "status": status}
            if status in NOT_KILLED:
                lines = get_diff_for_mutant(name).splitlines()
                entry["before"] = _changed(lines, "-")
                entry["after"] = _changed(lines, "+")
            found.append(entry)
    return found


def _changed(lines: list[str], sign: str) -> str:
    return " ".join(
        line[1:].strip()
        for line in lines
        if line.startswith(sign) and not line.startswith(sign * 3)
    )


if __name__ == "__main__":
    mutators.mutation_operators[:] = [  # type: ignore[index]
        entry for entry in mutators.mutation_operators if entry[1] not in TEXTS
    ]
    if sys.argv[1:] == ["report"]:
        print(json.dumps(report()))
    else:
        cli()
