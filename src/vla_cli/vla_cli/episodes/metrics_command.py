"""`vla metrics`: metrics from files, from the result of a replay, from an evaluation run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError

if TYPE_CHECKING:
    from vla_evaluation.evaluation_kinds import Evaluation


def main(arguments: list[str]) -> int:
    """0: every source was evaluated."""
    parser = options.parser("metrics", "Metrics of vision, language, action, timing and alignment.")
    parser.add_argument(
        "sources",
        nargs="*",
        type=Path,
        help=".json or .parquet of records, the JSON of `vla evaluate --out`, or the folder or "
        "actions.mcap of a replay",
    )
    parser.add_argument("--kind", default="", help="of records whose file does not tell")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="e.g. deadline=0.05; goes before the file's own",
    )
    parser.add_argument("--out", type=Path, help="folder for evaluation.json and evaluation.html")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--kinds", action="store_true", help="list kinds, columns and options")
    chosen = parser.parse_args(arguments)
    try:
        from vla_evaluation import metrics_report
        from vla_evaluation.metric_errors import EvaluationError
    except ImportError as error:
        raise CommandError(f"./vla metrics needs requirements/evaluate.txt ({error})") from error

    if chosen.kinds:
        _print_kinds()
        return 0
    if not chosen.sources:
        raise CommandError("nothing to evaluate; accepted: files or folders, see --help")
    try:
        evaluations = evaluate(chosen.sources, chosen.kind, parse_options(chosen.option))
        if chosen.out:
            files = metrics_report.write(chosen.out, evaluations)
    except EvaluationError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"cannot write to {chosen.out}: {error.strerror}") from error
    if chosen.json:
        sys.stdout.write(metrics_report.to_json(evaluations))
    else:
        _print_tables(evaluations)
    if chosen.out:
        print(f"written: {files[0]}, {files[1]}", file=sys.stderr)
    return 0


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=JSON pairs as a dict.

    Raises:
        CommandError: not of that form.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            equals = ""
        if not equals:
            raise CommandError(f"option {pair!r}; accepted: NAME=JSON, e.g. deadline=0.05")
    return found


def evaluate(sources: Sequence[Path], kind: str, chosen: dict[str, Any]) -> list[Evaluation]:
    """Evaluate every source; a replay gives several evaluations.

    Raises:
        EvaluationError: one of them cannot be evaluated, or none knows an option.
    """
    from vla_evaluation import evaluation_kinds, record_files, replay_tables
    from vla_evaluation.metric_errors import EvaluationError
    from vla_replay.bags.bag_files import is_bag

    tables = []
    notes: list[str] = []
    for source in sources:
        if source.is_dir() or is_bag(source):
            tables += replay_tables.tables(source, notes)
        else:
            tables.append(record_files.read(source))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    names = [table.kind or kind for table in tables]
    known = [
        evaluation_kinds.KINDS[name].options if name in evaluation_kinds.KINDS else {}
        for name in names
    ]
    evaluations = []
    for table, name, accepted in zip(tables, names, known, strict=True):
        # An option of the command line is for the kinds that know it.
        own = {**table.options, **{k: v for k, v in chosen.items() if k in accepted}}
        evaluations.append(evaluation_kinds.evaluate(name, table.records, own, table.source))
    anywhere = {option for options in known for option in options}
    unknown = sorted(set(chosen) - anywhere)
    if unknown:
        raise EvaluationError(
            f"option {unknown[0]} of {', '.join(dict.fromkeys(names))}; accepted: "
            f"{', '.join(sorted(anywhere)) or 'no option'}"
        )
    return evaluations


def _print_tables(evaluations: Sequence[Evaluation]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vla_evaluation import metrics_report

    console = Console()
    for each in metrics_report.compare(evaluations):
        several = len(each.sources) > 1
        title = each.kind if several else f"{each.kind}: {each.sources[0]}"
        console.print(Text(title))  # a title of the table would be as narrow as that is
        table = Table("metric", "unit")
        for label in metrics_report.labels(each.sources):
            table.add_column(Text(label if several else "value"), justify="right")
        for row in each.rows:
            values = map(metrics_report.text, row.values)
            table.add_row(*map(Text, (row.name, row.unit, *values)))
        console.print(table)


def _print_kinds() -> None:
    from vla_evaluation.evaluation_kinds import KINDS

    for kind in KINDS.values():
        print(f"{kind.name} ({kind.group})")
        for name, meaning in kind.columns.items():
            print(f"  {name}: {meaning}")
        for name, meaning in kind.options.items():
            print(f"  --option {name}: {meaning}")
