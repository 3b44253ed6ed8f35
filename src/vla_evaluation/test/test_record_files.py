import json
import math
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("similaritymeasures")

import pyarrow
import pyarrow.parquet

from vla_evaluation import evaluation_kinds, metric_units, metrics_report, record_files
from vla_evaluation.metric_errors import EvaluationError
from vla_evaluation.record_files import Table

# One small table of every kind.
EXAMPLES = {
    "classification": ([{"truth": "a", "predicted": "a"}], {}),
    "detection": (
        [
            {
                "truth_boxes": [[0, 0, 2, 2]],
                "truth_labels": ["a"],
                "predicted_boxes": [[1, 1, 3, 3]],
                "predicted_labels": ["a"],
            }
        ],
        {"threshold": 0.1},
    ),
    "segmentation": ([{"truth": [[0, 1]], "predicted": [[0, 1]]}], {}),
    "command": ([{"intended": "open", "understood": "close"}], {}),
    "grounding": (
        [{"named": "a", "position": [0, 0], "found": "a", "found_position": [0, 0.01]}],
        {"tolerance": 0.02},
    ),
    "coverage": ([{"text": "open it"}], {"vocabulary": ["open"]}),
    "success": ([{"task": "t", "success": True}], {}),
    "action": ([{"target": [0, 1], "predicted": [0, 2]}], {"names": ["x", "y"]}),
    "trajectory": ([{"reference": [[0, 0], [1, 0]], "actual": [[0, 0], [1, 1]]}], {}),
    "smoothness": ([{"velocity": [[0.0], [0.5], [1.0], [0.2]], "period": 0.1}], {}),
    "seams": (
        [
            {"stamp": 0.0, "period": 0.1, "actions": [[0.0], [1.0], [2.0]], "since": 0.0},
            {"stamp": 0.1, "period": 0.1, "actions": [[3.0], [4.0]], "since": 0.1},
        ],
        {"names": ["x"]},
    ),
    "latency": (
        [{"hop": "camera", "latency": 0.01}, {"hop": "policy", "latency": 0.03}],
        {"deadline": 0.02, "deadlines": {"policy": 0.05}},
    ),
    "hops": ([{"hop": "camera", "p50": 0.01, "p99": 0.02}], {}),
    "jitter": ([{"stream": "s", "stamp": 0.0}, {"stream": "s", "stamp": 0.1}], {"nominal": {}}),
    "alignment": ([{"scores": [0.1, 0.2], "correct": 1}], {}),
}


def test_there_is_an_example_of_every_kind():
    assert set(EXAMPLES) == set(evaluation_kinds.KINDS)


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_every_kind_goes_through_both_formats(kind, suffix, tmp_path):
    records, options = EXAMPLES[kind]
    path = tmp_path / f"table{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps({"kind": kind, "options": options, "records": records}))
    else:
        record_files.write_parquet(path, Table(kind, records, options, ""))
    table = record_files.read(path)
    assert (table.kind, table.options) == (kind, options)
    result = evaluation_kinds.evaluate(table.kind, table.records, table.options, table.source)
    direct = evaluation_kinds.evaluate(kind, records, options, str(path))
    assert metrics_report.to_json([result]) == metrics_report.to_json([direct])
    assert json.loads(metrics_report.to_json([result]))[0]["kind"] == kind


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_missing_column_an_unknown_option_and_no_records_are_named(kind):
    records, options = EXAMPLES[kind]
    for name in evaluation_kinds.KINDS[kind].columns:
        broken = [{k: v for k, v in record.items() if k != name} for record in records]
        with pytest.raises(EvaluationError, match=f"f.json: {kind}: .*lacks {name}"):
            evaluation_kinds.evaluate(kind, broken, options, "f.json")
    with pytest.raises(EvaluationError, match="option nonsense"):
        evaluation_kinds.evaluate(kind, records, {**options, "nonsense": 1})
    with pytest.raises(EvaluationError, match="no records"):
        evaluation_kinds.evaluate(kind, [], options)
    with pytest.raises(EvaluationError, match=kind):
        evaluation_kinds.evaluate(
            kind, [dict.fromkeys(evaluation_kinds.KINDS[kind].columns, object())], options
        )


def test_parquet_whose_options_are_no_object_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    content = pyarrow.Table.from_pylist([{"hop": "a", "latency": 0.1}])
    content = content.replace_schema_metadata({"kind": "latency", "options": "[1]"})
    pyarrow.parquet.write_table(content, path)
    with pytest.raises(EvaluationError, match=r"a\.parquet: options are \[1\]"):
        record_files.read(path)


@pytest.mark.parametrize(
    ("kind", "records", "options"),
    [
        ("latency", [{"hop": "a", "latency": 10**400}], {}),
        ("detection", EXAMPLES["detection"][0], {"threshold": 10**400}),
        ("detection", [{**EXAMPLES["detection"][0][0], "truth_boxes": [[0, 0, 2, 10**400]]}], {}),
    ],
)
def test_an_integer_beyond_every_float_is_an_error(kind, records, options):
    with pytest.raises(EvaluationError, match=kind):
        evaluation_kinds.evaluate(kind, records, options)


@pytest.mark.parametrize("library", ["similaritymeasures", "pyarrow"])
def test_a_library_that_is_missing_is_named_and_only_where_it_is_needed(
    library, tmp_path, monkeypatch
):
    path = tmp_path / "a.parquet"
    record_files.write_parquet(path, Table("trajectory", *EXAMPLES["trajectory"], ""))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(EvaluationError, match=f"needs {library}"):
        evaluation_kinds.evaluate("trajectory", record_files.read(path).records, {})
    evaluation_kinds.evaluate("latency", *EXAMPLES["latency"])


@pytest.mark.parametrize(
    ("kind", "options"),
    [("latency", {"deadlines": {"camra": 0.1}}), ("jitter", {"nominal": {"camra": 0.1}})],
)
def test_a_group_that_there_is_not_is_named(kind, options):
    with pytest.raises(EvaluationError, match="names camra; accepted: "):
        evaluation_kinds.evaluate(kind, EXAMPLES[kind][0], options)


def test_a_hop_has_figures_once():
    with pytest.raises(EvaluationError, match="one a hop"):
        evaluation_kinds.evaluate("hops", EXAMPLES["hops"][0] * 2, {})


def test_a_file_tells_that_nothing_was_found():
    record = {"named": "a", "position": [0, 0], "found": None, "found_position": None}
    values = evaluation_kinds.evaluate("grounding", [record], {}).values
    assert (values["accuracy"], values["nothing_found"]) == (0.0, 1)


def test_a_mean_tells_of_how_many_records_it_is():
    same, longer = [[0, 0], [1, 0]], [[0, 1], [1, 1], [2, 1]]
    records = [{"reference": same, "actual": each} for each in ([[0, 1], [1, 1]], longer)]
    values = evaluation_kinds.evaluate("trajectory", records, {}).values
    assert values["ade"] == 1.0
    assert values["counted"] == {"ade": 1, "fde": 1}  # of both records the others
    values = evaluation_kinds.evaluate("trajectory", records[1:], {}).values
    assert math.isnan(values["ade"]) and values["counted"]["ade"] == 0


def test_an_evaluation_runs_file_is_known(tmp_path):
    path = tmp_path / "run.json"
    episodes = [{"task": "t", "seed": 1, "success": True}, {"task": "t", "success": False}]
    path.write_text(json.dumps({"rates": {}, "episodes": episodes}))
    table = record_files.read(path)
    assert evaluation_kinds.evaluate(table.kind, table.records, {}).values["t"]["rate"] == 0.5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"3"),
        ("a.json", b'{"records": [1]}'),
        ("a.json", b'{"records": [], "options": 3}'),
        ("a.json", b"\xff\xfe"),
        ("a.json", b"[" * 100_000 + b"]" * 100_000),
        ("a.parquet", b"nothing of the kind"),
        ("a.csv", b"a,b"),
    ],
)
def test_a_bad_file_is_named(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=name):
        record_files.read(path)
    with pytest.raises(EvaluationError, match="no such file"):
        record_files.read(tmp_path / "missing.json")


def test_the_page_is_one_escaped_file_without_network(tmp_path):
    records = [{"task": "<script>alert(1)</script>", "success": True}]
    result = evaluation_kinds.evaluate("success", records, {}, "<b>")
    written = metrics_report.write(tmp_path / "out", [result])
    page = written[1].read_text()
    assert "<script>" not in page and "<b>" not in page and "http" not in page
    assert json.loads(written[0].read_text())[0]["values"]["all"]["rate"] == 1.0


def test_what_is_no_number_becomes_null_and_a_dash():
    result = evaluation_kinds.Evaluation("trajectory", "", 1, {"ade": math.nan, "dtw": math.inf})
    assert json.loads(metrics_report.to_json([result]))[0]["values"] == {"ade": None, "dtw": None}
    assert metrics_report.text(math.nan) == "–"


def test_the_readme_names_every_kind_column_and_option():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in readme.splitlines() if line.startswith("| `")}
    for kind in evaluation_kinds.KINDS.values():
        for name, meaning in {**kind.columns, **kind.options}.items():
            assert f"`{name}`: {meaning}" in rows[kind.name]


def test_a_list_of_records_alone_has_no_kind_and_no_options(tmp_path):
    file = tmp_path / "list.json"
    file.write_text('[{"text": "öffne die Lade"}]', encoding="utf-8")
    assert record_files.read(file) == Table("", [{"text": "öffne die Lade"}], {}, str(file))


def test_a_share_has_a_bar_and_nothing_else_has():
    def share(value, unit="share"):
        return metrics_report._cell(metrics_report.Row("x", unit, ()), value)["share"]

    assert share(0.25) == 25.0 and share(1.0) == 100.0
    assert share(1) is None and share(0.25, "s") is None
    assert share(math.inf) is None and share(1.5) is None


@pytest.mark.parametrize("kind", evaluation_kinds.KINDS)
def test_every_number_has_a_unit_or_is_a_count_or_known_to_have_none(kind):
    records, options = EXAMPLES[kind]
    found = evaluation_kinds.evaluate(kind, records, options)
    units = found.units
    without = {
        name
        for name, value in metric_units.rows(found.values)
        if isinstance(value, float) and name not in units
    }
    known = {"alignment": {"mean_rank", "median_rank"}, "detection": {"threshold"},
             "smoothness": {"log_dimensionless_jerk", "spectral_arc_length"}}  # fmt: skip
    assert without == known.get(kind, set())
    counts = [name for name, value in metric_units.rows(found.values) if isinstance(value, int)]
    assert not set(counts) & set(units)
    assert not {"count", "records", "frames"} & set(found.values), "evaluation.records has it"


def test_the_unit_of_a_dimension_is_the_sources():
    records = [{"target": [1.0, 2.0], "predicted": [1.0, 2.0]}]
    options = {"names": ["x", "grip"], "units": {"x": "m/s", "grip": "1"}}
    found = evaluation_kinds.evaluate("action", records, options)
    assert found.units == {"mae.x": "m/s", "rmse.x": "m/s"}
    found = evaluation_kinds.evaluate("action", records, {"names": ["x", "y"], "units": {"x": 3}})
    assert found.units["mae.x"] == "3" and found.units["mae.y"] == "of the dimension"
    with pytest.raises(EvaluationError, match="a value of the wrong type"):
        evaluation_kinds.evaluate("action", records, {"units": 3})


def test_a_vocabulary_that_is_missing_is_named():
    with pytest.raises(EvaluationError, match="option vocabulary is missing; accepted: a list of"):
        evaluation_kinds.evaluate("coverage", [{"text": "open"}], {}, "")


def test_a_mean_is_over_the_records_that_have_the_value():
    pairs = [{"reference": [[0.0], [0.0]], "actual": [[x], [x]]} for x in (1.0, 2.0, 6.0)]
    assert evaluation_kinds.evaluate("trajectory", pairs, {}, "").values["ade"] == 3.0
