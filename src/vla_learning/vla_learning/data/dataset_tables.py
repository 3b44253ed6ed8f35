"""Parquet tables of LeRobot's metadata and data. Needs pyarrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.lerobot_format import TASKS, Features

Record = dict[str, Any]


def read_table(path: Path, columns: list[str] | None = None) -> Any:
    """A Parquet file as a pyarrow Table.

    Raises:
        DemonstrationError: it cannot be read, or lacks a column.
    """
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        return parquet.read_table(path, columns=columns, partitioning=None)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DemonstrationError(f"{path}: {' '.join(str(error).split())[:200]}") from error


def write_rows(path: Path, columns: dict[str, Any], features: Features) -> None:
    """Write an episode's rows; columns: name → (F,), (F, n) or a list of words."""
    import pyarrow.parquet as parquet

    parquet.write_table(to_table(columns, features), path, compression="snappy")


def to_table(columns: dict[str, Any], features: Features) -> Any:
    """A Table of columns with the types of their features, as LeRobot's loader wants them."""
    import pyarrow

    arrays, names = [], []
    for name, values in columns.items():
        feature = features[name]
        dtype = str(feature["dtype"])
        kind = pyarrow.bool_() if dtype == "bool" else getattr(pyarrow, dtype)()
        if feature["shape"] == [1]:
            values = values.reshape(-1) if hasattr(values, "reshape") else values
            arrays.append(pyarrow.array(values, kind))
        else:
            flat = pyarrow.array(values.reshape(-1), kind)
            arrays.append(pyarrow.FixedSizeListArray.from_arrays(flat, feature["shape"][0]))
        names.append(name)
    return pyarrow.Table.from_arrays(arrays, names=names)


def write_episodes(path: Path, records: list[Record]) -> None:
    """Write a file of meta/episodes."""
    import pyarrow
    import pyarrow.parquet as parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(records), path, compression="snappy")


def write_tasks(folder: Path, tasks: list[str]) -> None:
    """Write meta/tasks.parquet; pandas is to find the tasks in its index, as LeRobot expects."""
    import pyarrow
    import pyarrow.parquet as parquet

    words = {"pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {"pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    about = {
        "index_columns": ["task"],
        "column_indexes": [{"name": None, "field_name": None, **words}],
        "columns": [
            {"name": "task_index", "field_name": "task_index", **number},
            {"name": "task", "field_name": "task", **words},
        ],
        "pandas_version": "2.0.0",
    }
    table = pyarrow.table({"task_index": pyarrow.array(range(len(tasks)), "int64"), "task": tasks})
    path = folder / TASKS
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(about)}), path)


def read_tasks(folder: Path) -> list[str]:
    """Tasks of meta/tasks.parquet, by index; pandas gives an unnamed index a name of its own."""
    table = read_table(folder / TASKS)
    name = next((n for n in ("task", "__index_level_0__") if n in table.column_names), None)
    if name is None or "task_index" not in table.column_names:
        raise DemonstrationError(
            f"{folder / TASKS}: columns are {', '.join(table.column_names)}; accepted: task_index "
            "and task"
        )
    pairs = zip(table["task_index"].to_pylist(), table[name].to_pylist(), strict=True)
    return [str(text) for _, text in sorted(pairs)]
