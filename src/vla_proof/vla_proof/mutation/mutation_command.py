"""`vla prove mutation`: does a test fail for nearly every small change of a package's own code?

mutmut changes the modules that need no ROS in one place at a time and runs their fast tests; each
package's setup.cfg says in `[mutmut]` which modules and tests. The changes that no test notices are
listed, each with the reason why it changes nothing that counts, from the package's
test/mutation_survivors.yaml.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from vla_cli.client import options, paths
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_cli.client.processes import end_with_parent
from vla_proof.mutation.survivor_reasons import Reason, find_reason, load_reasons

# Package → the share of its mutants that must be killed.
SHARES = {"safety": 0.9, "perception": 0.85, "policy": 0.85, "replay": 0.85, "evaluation": 0.85}
KILLED = ("killed", "timeout", "suspicious", "segfault", "caught by type check")
REASONS = Path("test/mutation_survivors.yaml")
UNEXPLAINED = "not explained"
PYTEST = (
    "-p vla_proof.mutation.mutation_plugin -p no:cacheprovider -p no:randomly "
    "--import-mode=importlib --confcutdir=. -m 'not system and not slow'"
)


def main(arguments: list[str]) -> int:
    """0: enough mutants are killed, and every survivor is explained; 1: not."""
    parser = options.parser("prove mutation", __doc__.split("\n")[0])
    parser.add_argument(
        "--package", action="append", choices=SHARES, help="again for more (default: all)"
    )
    parser.add_argument(
        "--module", action="append", default=[], metavar="NAME",
        help="only these modules, by their last name; again for more (default: all)",
    )  # fmt: skip
    parser.add_argument("--children", type=options.at_least(1, "children"), default=os.cpu_count())
    parser.add_argument("--out", help="folder for mutation/PACKAGE.json and .md (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    root = Path(os.environ.get("VLA_ROOT", ".")).resolve()
    out = paths.output_folder(chosen.out) / "mutation"
    packages = with_modules(root, chosen.package or list(SHARES), chosen.module)
    proven = [prove(root, out, package, chosen.module, chosen.children) for package in packages]
    return int(not all(proven))


def with_modules(root: Path, packages: list[str], modules: list[str]) -> list[str]:
    """Those packages that have one of the modules; all of them where none is named.

    Raises:
        CommandError: a module is in none of them.
    """
    there = {
        package: {path.stem for path in (root / "src" / f"vla_{package}").glob("vla_*/**/*.py")}
        for package in packages
    }
    for name in modules:
        if not any(name in found for found in there.values()):
            accepted = ", ".join(sorted(set().union(*there.values())))
            raise CommandError(f"no module {name!r} in {', '.join(packages)}; accepted: {accepted}")
    return [package for package in packages if not modules or there[package] & set(modules)]


def prove(root: Path, out: Path, package: str, modules: list[str], children: int) -> bool:
    """Mutate one package, print and write the report; True where it is good enough.

    Raises:
        CommandError: there is no checkout, the reasons cannot be read, or mutmut did not work.
    """
    source = root / "src" / f"vla_{package}"
    reasons = load_reasons(source / REASONS)
    begin = time.monotonic()
    mutants = run_mutmut(stage(source, out), modules, children)
    report = summary(mutants, reasons, time.monotonic() - begin)
    (out / f"{package}.json").write_text(json.dumps(report, indent=1) + "\n")
    text = "\n".join(lines(report))
    (out / f"{package}.md").write_text(text + "\n")
    print(f"{package}: at least {SHARES[package]:.0%} must be killed\n\n{text}\n")
    print(f"written: {out / package}.json, {out / package}.md", flush=True)
    return report["share"] >= SHARES[package] and not report["unexplained"]


def stage(source: Path, out: Path) -> Path:
    """A copy of the package, in which mutmut works; beside it all that its tests read.

    Raises:
        CommandError: the package's tests are not there.
    """
    if not (source / "test").is_dir():
        raise CommandError(f"{source}/test is not there: mutation testing needs a checkout")
    folder = out / source.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config", "launch", "models"):
        link = out / name  # tests look for these above their package's folder
        if not link.is_symlink():
            link.symlink_to(source.parents[1] / name)
    return folder


def run_mutmut(folder: Path, modules: list[str], children: int) -> list[dict[str, Any]]:
    """The result of every mutant.

    Raises:
        CommandError: mutmut did not work, for instance because a test fails without a mutation.
    """
    log = folder / "mutmut.log"
    patterns = [f"*.{name}.*" for name in modules]
    with log.open("wb") as output:
        ran = _mutmut(folder, "run", "--max-children", str(children), *patterns, stdout=output)
    result = _mutmut(folder, "report", stdout=subprocess.PIPE)
    if ran.returncode or result.returncode:
        last = log.read_text(errors="replace").replace("\r", "\n").strip().splitlines()[-1:]
        raise CommandError(f"mutmut failed on {folder.name} (see {log}): {' '.join(last)}")
    return list(json.loads(result.stdout.decode().splitlines()[-1]))


def _mutmut(folder: Path, *words: str, stdout: Any) -> subprocess.CompletedProcess[bytes]:
    # The copy is meant, not the package as it is built.
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if not (Path(entry) / folder.name).is_dir()]
    environment = {"PYTHONPATH": os.pathsep.join(kept), "PYTEST_ADDOPTS": PYTEST}
    return subprocess.run(
        [sys.executable, "-m", "vla_proof.mutation.mutation_run", *words],
        cwd=folder, env={**os.environ, **environment},
        stdout=stdout, stderr=subprocess.STDOUT if stdout != subprocess.PIPE else None,
        preexec_fn=end_with_parent(), check=False,
    )  # fmt: skip


def summary(mutants: list[dict[str, Any]], reasons: list[Reason], seconds: float) -> dict[str, Any]:
    """Counts by module, the survivors with their reasons, and how many each reason explains."""
    modules: dict[str, Counter[str]] = {}
    survivors = []
    for mutant in mutants:
        status = mutant["status"] if mutant["status"] not in KILLED[1:] else "timeout"
        modules.setdefault(mutant["module"], Counter())[status] += 1
        if "before" in mutant:
            why = find_reason(reasons, mutant["before"], mutant["after"]) or UNEXPLAINED
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
        "reasons": dict(Counter(one["why"] for one in survivors).most_common()),
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
    text += ["", "| survivors | reason |", "|---:|---|"] if report["reasons"] else []
    text += [f"| {count} | {why} |" for why, count in report["reasons"].items()]
    for one in report["survivors"]:
        text += [
            "",
            f"`{one['module']}`, {one['name'].split('.')[-1]}:",
            f"`{one['before'] or '(nothing)'}` → `{one['after'] or '(nothing)'}`: {one['why']}",
        ]
    return text
