"""`./vla prove peers`: prints the comparison with nav2 and writes it as Markdown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from vla_contract.command_options import add_out
from vla_proof.peers import comparison
from vla_proof.peers.peer_streams import EMERGENCY, NORMAL, SPACE

_TITLE = "# Side by side with nav2\n\n"
_LEGEND = (
    "Each cell: ours / nav2's velocity smoother and collision monitor. (E): our emergency set was "
    "in force.\nLimits at {rate:g} Hz: {normal.velocity:g} m/s, {normal.acceleration:g} m/s², "
    "{normal.jerk:g} m/s³; in an emergency {emergency.acceleration:g} m/s², "
    "{emergency.jerk:g} m/s³.\nThe robot that follows changes its velocity by at most "
    "{emergency.acceleration:g} m/s².\n\n"
)


def main(arguments: Sequence[str] = ()) -> int:
    """Exit status 1 where ours is worse anywhere; see `comparison` for what that means."""
    parser = argparse.ArgumentParser(prog="vla prove peers", description=__doc__)
    add_out(parser, "--output", default=Path("out/peers.md"), help="file to write")
    options = parser.parse_args(list(arguments))
    rows = comparison.compare()
    legend = _LEGEND.format(rate=SPACE.control_rate, normal=NORMAL, emergency=EMERGENCY)
    faults = [f"{row.stream.name}: {what}" for row in rows for what in comparison.worse(row)]
    verdict = "Never worse." if not faults else "Worse:\n" + "\n".join(f"- {f}" for f in faults)
    text = legend + comparison.table(rows) + "\n\n" + verdict + "\n"
    print(text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(_TITLE + text, encoding="utf-8")
    print(f"written to {options.out}")
    return 1 if faults else 0
