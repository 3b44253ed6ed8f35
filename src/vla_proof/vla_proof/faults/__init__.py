"""Faults played on the running graph from outside, and what came of them: `vla prove faults`.

`robot` is the pretended robot whose streams can be spoilt, `source` a pretended policy; `rig`
starts them beside the real nodes and records; `nodes`, `cameras`, `inputs`, `disks`, `chunks` and
`clocks` hold the scenarios; `checks` judges what was recorded; `command` and `report` are the
command and its tables.
"""

from __future__ import annotations


def main(arguments: list[str]) -> int:
    """See `command.main`."""
    from vla_proof.faults.faults_command import main as run

    return run(arguments)
