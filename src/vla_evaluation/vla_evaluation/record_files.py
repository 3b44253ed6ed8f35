"""Tables of records from JSON and Parquet files.

JSON: `{"kind": KIND, "options": {...}, "records": [{column: value, ...}, ...]}`, or the list of
records alone. Parquet: one row a record; `kind` and `options` (JSON) in the schema's metadata.
An evaluation run's file (`./vla evaluate --out`) is known by its `episodes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_evaluation.metric_errors import EvaluationError


@dataclass(frozen=True)
class Table:
    """Records of one kind; kind is empty where the file does not tell."""

    kind: str
    records: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    source: str


def read(path: Path) -> Table:
    """Table of a file.

    Raises:
        EvaluationError: it cannot be read, is of another format, or holds no records.
    """
    if not path.is_file():
        raise EvaluationError(f"{path}: no such file; accepted: a .json or .parquet file")
    readers = {".json": _read_json, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise EvaluationError(f"{path}: format {path.suffix!r}; accepted: .json, .parquet")
    return reader(path)


def write_parquet(path: Path, table: Table) -> None:
    """Write a table that `read` gives back."""
    import pyarrow
    import pyarrow.parquet

    content = pyarrow.Table.from_pylist([dict(record) for record in table.records])
    about = {"kind": table.kind, "options": json.dumps(dict(table.options))}
    pyarrow.parquet.write_table(content.replace_schema_metadata(about), path)


def _read_json(path: Path) -> Table:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluationError(f"{path}: not a JSON file ({error})") from error
    if isinstance(content, list):
        content = {"records": content}
    if isinstance(content, dict) and "episodes" in content and "records" not in content:
        content = {"kind": "success", "records": content["episodes"]}
    records = content.get("records") if isinstance(content, dict) else None
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise EvaluationError(f"{path}: holds no list of records; see the schema in the README")
    options = _options(path, content.get("options", {}))
    return Table(str(content.get("kind", "")), records, options, str(path))


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise EvaluationError(
            f"{path}: reading Parquet needs pyarrow ({error}); accepted: .json without it, or "
            "requirements/evaluate.txt installed"
        ) from error
    try:
        content = pyarrow.parquet.read_table(path)
        about = {k.decode(): v.decode() for k, v in (content.schema.metadata or {}).items()}
        options = json.loads(about.get("options", "{}"))
        records = content.to_pylist()
    except (OSError, ValueError, RecursionError, OverflowError, pyarrow.ArrowException) as error:
        raise EvaluationError(f"{path}: not a Parquet file of records ({error})") from error
    return Table(about.get("kind", ""), records, _options(path, options), str(path))


def _options(path: Path, options: Any) -> dict[str, Any]:
    if not isinstance(options, dict):
        raise EvaluationError(f"{path}: options are {options!r}; accepted: an object")
    return options
