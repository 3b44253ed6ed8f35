"""`vla prove mutation`: does a test fail for nearly every small change of the safety code?

mutmut changes the pure modules of sequencing, limits, validation and states in one place at a time
and runs their own fast tests; nine of ten changes must make one of them fail. Those that do not
are listed, each with the reason why it changes nothing that counts, from mutation_survivors.yaml.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from vla_cli import mutation_stage, options, paths
from vla_cli.errors import CommandError, raise_on_signals
from vla_cli.processes import end_with_parent

SHARE = 0.9  # of the mutants that must be killed
KILLED = ("killed", "timeout", "suspicious", "segfault", "caught by type check")
REASONS = Path("src/vla_safety/test/mutation_survivors.yaml")
UNEXPLAINED = "not explained"


def main(arguments: list[str]) -> int:
    """0: enough mutants are killed, and every survivor is explained; 1: not."""
    parser = options.parser("prove mutation", __doc__.split("\n")[0])
    parser.add_argument(
        "--module", action="append", default=[], metavar="NAME",
        help="a module or a group to mutate, again for more (default: all of "
        f"{', '.join(mutation_stage.GROUPS)})",
    )  # fmt: skip
    parser.add_argument("--children", type=options.at_least(1, "children"), default=os.cpu_count())
    parser.add_argument("--out", help="folder for mutation.json and mutation.md (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    root = Path(os.environ.get("VLA_ROOT", "."))
    source = root / "src" / "vla_safety"
    if not (source / "test").is_dir():
        raise CommandError(f"{source}/test is not there: mutation testing needs a checkout")
    try:
        names = mutation_stage.modules(source / "vla_safety", chosen.module)
    except ValueError as error:
        raise CommandError(str(error)) from error
    out = paths.output_folder(chosen.out)
    begin = time.monotonic()
    mutants = [
        mutant
        for group in mutation_stage.GROUPS
        if (part := [name for name in names if mutation_stage.group_of(name) == group])
        for mutant in run_group(out / "mutation" / group, source, part, chosen.children)
    ]
    reasons = yaml.safe_load((root / REASONS).read_text()) if (root / REASONS).is_file() else []
    report = summary(mutants, reasons or [], time.monotonic() - begin)
    (out / "mutation.json").write_text(json.dumps(report, indent=1) + "\n")
    text = "\n".join(lines(report))
    (out / "mutation.md").write_text(text + "\n")
    print(text)
    print(f"\nwritten: {out / 'mutation.json'}, {out / 'mutation.md'}")
    return int(report["share"] < SHARE or bool(report["unexplained"]))


def run_group(stage: Path, source: Path, names: list[str], children: int) -> list[dict[str, Any]]:
    """Mutate some modules of one group; returns the result of every mutant.

    Raises:
        CommandError: mutmut did not work, for instance because a test fails without a mutation.
    """
    mutation_stage.prepare(stage, source, names)
    log = stage / "mutmut.log"
    with log.open("wb") as output:
        status = _mutmut(stage, "run", "--max-children", str(children), stdout=output)
    result = _mutmut(stage, "report", stdout=subprocess.PIPE)
    if status.returncode or result.returncode:
        last = log.read_text(errors="replace").replace("\r", "\n").strip().splitlines()[-1:]
        raise CommandError(f"mutmut failed on {', '.join(names)} (see {log}): {' '.join(last)}")
    return list(json.loads(result.stdout.decode().splitlines()[-1]))


def _mutmut(stage: Path, *words: str, stdout: Any) -> subprocess.CompletedProcess[bytes]:
    # The copies in the stage are meant, not the package as it is built.
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if not (Path(entry) / "vla_safety").is_dir()]
    return subprocess.run(
        [sys.executable, "-m", "vla_cli.mutation_run", *words],
        cwd=stage, env={**os.environ, "PYTHONPATH": os.pathsep.join(kept)},
        stdout=stdout, stderr=subprocess.STDOUT if stdout != subprocess.PIPE else None,
        preexec_fn=end_with_parent(), check=False,
    )  # fmt: skip


def summary(
    mutants: list[dict[str, Any]], reasons: list[dict[str, str]], seconds: float
) -> dict[str, Any]:
    """Counts by module, and the survivors with their reasons."""
    known = {(entry["before"], entry["after"]): entry["why"] for entry in reasons}
    modules: dict[str, Counter[str]] = {}
    survivors = []
    for mutant in mutants:
        status = mutant["status"] if mutant["status"] not in KILLED[1:] else "timeout"
        modules.setdefault(mutant["module"], Counter())[status] += 1
        if "before" in mutant:
            why = known.get((mutant["before"], mutant["after"]), UNEXPLAINED)
            survivors.append({**mutant, "why": why})
    total = sum(sum(counts.values()) for counts in modules.values())
    killed = sum(counts["killed"] + counts["timeout"] for counts in modules.values())
    return {
        "modules": {name: dict(counts) for name, counts in modules.items()},
        "total": total,
        "killed": killed,
        "share": killed / total if total else 0.0,
        "seconds": seconds,
        "survivors": survivors,
        "unexplained": sum(one["why"] == UNEXPLAINED for one in survivors),
    }


def lines(report: dict[str, Any]) -> list[str]:
    """The report as Markdown."""
    text = ["| module | mutants | killed | of these by a timeout | not killed | share |",
            "|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name, counts in report["modules"].items():
        total, timeout = sum(counts.values()), counts.get("timeout", 0)
        killed = counts.get("killed", 0) + timeout
        text.append(
            f"| `{name}` | {total} | {killed} | {timeout} | {total - killed} "
            f"| {killed / total:.1%} |"
        )
    text.append(
        f"| together | {report['total']} | {report['killed']} | | "
        f"{report['total'] - report['killed']} | {report['share']:.1%} |"
    )
    text += ["", f"In {report['seconds']:.0f} s; {report['unexplained']} survivors not explained."]
    for one in report["survivors"]:
        text += [
            "",
            f"`{one['module']}`, {one['name'].split('.')[-1]}:",
            f"`{one['before'] or '(nothing)'}` → `{one['after'] or '(nothing)'}`: {one['why']}",
        ]
    return text
