"""`python -m vla_cli.mutation_run ARGUMENTS`: mutmut without the mutations of texts.

Messages for people are no logic: a changed word in one says nothing about the tests. Everything
else that mutmut knows is applied. Functions with a decorator of their own (properties) are left
out by mutmut itself.
"""

from __future__ import annotations

from mutmut.__main__ import cli
from mutmut.mutation import mutators

TEXTS = (
    mutators.operator_string,
    mutators.operator_symmetric_string_methods_swap,
    mutators.operator_unsymmetrical_string_methods_swap,
)

if __name__ == "__main__":
    mutators.mutation_operators[:] = [  # type: ignore[index]
        entry for entry in mutators.mutation_operators if entry[1] not in TEXTS
    ]
    cli()
