"""Two results side by side: what counts as different, and the exit status for CI."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vla_replay.bags.bag_storage import BagError
from vla_replay.results import replay_report, result_comparison
from vla_replay.results.replay_result import Result, load

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def result(**changes):
    document = {
        "format": 1,
        "bag": "a.mcap",
        "bag_messages": 10,
        "mode": "lock-step",
        "checkpoint": "c",
        "ticks": 4,
        "observations": 2,
        "actions_sha256": "0",
        "dimensions": [{"name": "x", "unit": "m/s", "low": -1.0, "high": 1.0}],
        "latency_ms": {"model": {"p50": 4.0, "p99": 9.0}},
        "commands": [],
    }
    values = {
        "folder": Path("a"),
        "document": document,
        "ticks": [1, 2, 3, 4],
        "stamps": [0, 10**7, 2 * 10**7, 3 * 10**7],
        "requested": np.full((4, 1), np.nan),
        "safe": np.array([[0.0], [0.1], [0.2], [0.3]]),
        "decisions": ["PASS in NOMINAL"] * 4,
        "violations": [frozenset()] * 4,
    }
    return Result(**{**values, **changes})


def test_a_result_is_the_same_as_itself():
    found = result_comparison.compare(result(), result(), result_comparison.Tolerances())
    assert found["same"] and found["compared"] == 4 and not found["changed_decisions"]


def test_an_action_beyond_its_tolerance_is_named_with_its_time():
    moved = np.array([[0.0], [0.1], [0.25], [0.3]])
    found = result_comparison.compare(result(), result(safe=moved), result_comparison.Tolerances())
    assert not found["same"]
    assert found["dimensions"][0]["greatest"] == pytest.approx(0.05)
    assert found["dimensions"][0]["at"] == pytest.approx(0.02)
    wide = result_comparison.Tolerances(dimensions={"x": 0.03})
    assert result_comparison.compare(result(), result(safe=moved), wide)["same"]


def test_nan_on_one_side_is_a_difference():
    broken = np.array([[0.0], [np.nan], [0.2], [0.3]])
    assert not result_comparison.compare(
        result(), result(safe=broken), result_comparison.Tolerances()
    )["same"]
    assert result_comparison.compare(
        result(safe=broken), result(safe=broken), result_comparison.Tolerances()
    )["same"]


def test_changed_decisions_and_new_violations():
    other = result(
        decisions=["PASS in NOMINAL"] * 3 + ["HELD in HOLD"],
        violations=[frozenset()] * 3 + [frozenset({"age"})],
    )
    found = result_comparison.compare(result(), other, result_comparison.Tolerances())
    assert found["changed_decisions"] == 1
    change = found["changes"][0]
    assert (change["a"], change["b"]) == ("PASS in NOMINAL", "HELD in HOLD")
    assert any("new violations: age (1)" in line for line in found["differences"])
    allowed = result_comparison.Tolerances(decisions=0.5, new_violations=1)
    assert result_comparison.compare(result(), other, allowed)["same"]
    # What only went away is a changed decision, and no new violation.
    assert "new violations" not in " ".join(
        result_comparison.compare(other, result(), result_comparison.Tolerances())["differences"]
    )


def test_latency_counts_where_it_has_a_tolerance():
    slow = result()
    slow.document["latency_ms"] = {"model": {"p50": 4.0, "p99": 30.0}}
    assert result_comparison.compare(result(), slow, result_comparison.Tolerances())["same"]
    assert not result_comparison.compare(result(), slow, result_comparison.Tolerances(latency=2.0))[
        "same"
    ]
    assert result_comparison.compare(result(), slow, result_comparison.Tolerances(latency=4.0))[
        "same"
    ]


def shortened(**changes):
    """Without its last control period."""
    values = {
        "ticks": [1, 2, 3],
        "stamps": [0, 10**7, 2 * 10**7],
        "requested": np.full((3, 1), np.nan),
        "safe": np.array([[0.0], [0.1], [0.2]]),
        "decisions": ["PASS in NOMINAL"] * 3,
        "violations": [frozenset()] * 3,
    }
    return result(**{**values, **changes})


@pytest.mark.parametrize("which", ["a", "b"])
def test_control_periods_of_one_result_only_are_counted(which):
    pair = (result(), shortened()) if which == "a" else (shortened(), result())
    found = result_comparison.compare(*pair, result_comparison.Tolerances())
    assert (found["only_a"], found["only_b"]) == ((1, 0) if which == "a" else (0, 1))
    assert found["differences"] == ["1 control periods are in one of them only"]
    assert result_comparison.compare(*pair, result_comparison.Tolerances(missing=1))["same"]


def test_free_runs_are_compared_in_order_and_what_is_left_over_is_counted():
    pair = shortened(), result()
    for each in pair:
        each.document["mode"] = "rate 1"
    found = result_comparison.compare(*pair, result_comparison.Tolerances())
    assert (found["compared"], found["only_a"], found["only_b"]) == (3, 0, 1)


def test_what_was_requested_is_compared_where_both_were_limited_to_a_standstill():
    still = np.zeros((4, 1))
    asked = result(requested=still + 0.5, safe=still)
    other = result(requested=still - 0.5, safe=still)
    found = result_comparison.compare(asked, other, result_comparison.Tolerances())
    assert found["differences"] == [
        "requested x differs by up to 1 m/s at 0.00 s; accepted: 0.0002"
    ]
    assert found["requested"][0]["greatest"] == 1.0 and found["dimensions"][0]["greatest"] == 0.0
    assert result_comparison.compare(asked, other, result_comparison.Tolerances(action=0.5))["same"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_request_that_is_not_finite_is_the_same_as_itself_alone(value):
    odd, plain = np.full((4, 1), 0.5), np.full((4, 1), 0.5)
    odd[2] = value
    one, other = result(requested=odd), result(requested=plain)
    assert result_comparison.compare(one, one, result_comparison.Tolerances())["same"]
    found = result_comparison.compare(one, other, result_comparison.Tolerances(action=1e6))
    assert found["requested"][0]["at"] == pytest.approx(0.02) and not found["same"]


EMPTY = {
    "ticks": [], "stamps": [], "requested": np.zeros((0, 1)), "safe": np.zeros((0, 1)),
    "decisions": [], "violations": [],
}  # fmt: skip
STILL = {"safe": np.full((4, 1), 0.3)}


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ({}, EMPTY, "b has no control period"),
        (EMPTY, {}, "a has no control period"),
        ({}, {"stamps": [5, 6, 7, 8]}, "they have no control period in common"),
    ],
)
def test_where_there_is_nothing_to_compare_it_fails_in_one_line(a, b, words):
    one, other = result(**a), result(**{**b, "folder": Path("b")})
    with pytest.raises(BagError, match=f"nothing to compare in a and b: .*{words}") as error:
        result_comparison.compare(one, other, result_comparison.Tolerances())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("moving", [{}, {**STILL, "requested": np.full((4, 1), -0.1)}])
def test_one_that_moves_or_is_asked_to_moved(moving):
    for pair in ((moving, STILL), (STILL, moving), (moving, moving)):
        assert result_comparison.compare(
            *(result(**each) for each in pair), result_comparison.Tolerances()
        )["moved"]


def test_motion_that_only_one_has_for_itself_is_none_in_common():
    """The one period that moves is not in the other result."""
    still = shortened(safe=np.zeros((3, 1)))
    last = result(safe=np.array([[0.0], [0.0], [0.0], [0.4]]))
    found = result_comparison.compare(still, last, result_comparison.Tolerances(missing=1))
    assert found["same"] and not found["moved"]


@pytest.mark.parametrize("asked", [np.full((4, 1), np.nan), np.zeros((4, 1))])
def test_where_nothing_moved_in_either_it_says_so_everywhere(tmp_path, monkeypatch, capsys, asked):
    still = result(**STILL, requested=asked)
    monkeypatch.setattr(result_comparison, "load", lambda folder: still)
    assert result_comparison.run(Path("a"), Path("b"), None, tmp_path / "out") == 3
    assert "WARNING: nothing moved in either: " in capsys.readouterr().out
    assert "Nothing moved in either" in (tmp_path / "out/report.html").read_text()


def test_results_of_different_bags_are_refused():
    other = result()
    other.document["bag_messages"] = 11
    with pytest.raises(BagError, match="different bags"):
        result_comparison.compare(result(), other, result_comparison.Tolerances())


def test_results_of_different_bags_of_one_size_are_refused():
    one, other = result(), result()
    one.document["bag_sha256"] = "a"
    result_comparison.compare(
        one, other, result_comparison.Tolerances()
    )  # as a result of before there was one
    other.document["bag_sha256"] = "b"
    with pytest.raises(BagError, match="different bags"):
        result_comparison.compare(one, other, result_comparison.Tolerances())


@pytest.mark.parametrize(
    "text",
    ["actoin: 0.1", "action: -1", "action: yes", "- 1", "dimensions: 3", "action: {",
     "{1: 2, x: 3}", b"\xff\xfe\x00"],
)  # fmt: skip
def test_a_wrong_tolerances_file_is_one_clear_line(tmp_path, text):
    file = tmp_path / "t.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BagError) as error:
        result_comparison.load_tolerances(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)


@pytest.mark.parametrize("name", ["nosuch", 1])
def test_a_tolerance_of_a_dimension_that_there_is_not_is_refused(name):
    wrong = result_comparison.Tolerances(dimensions={"x": 0.5, name: 0.5})
    with pytest.raises(BagError, match=f"dimensions: {name}; accepted: x"):
        result_comparison.compare(result(), result(), wrong)


def test_tolerances_come_from_a_file(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text("action: 0.01\ndimensions: {x: 0.5}\nnew_violations: 3\n")
    assert result_comparison.load_tolerances(file) == result_comparison.Tolerances(
        0.01, {"x": 0.5}, 0.0, 3
    )


def test_the_golden_result_is_read_and_compared_with_a_copy(tmp_path, capsys):
    copy = shutil.copytree(GOLDEN, tmp_path / "copy")
    assert result_comparison.run(GOLDEN, copy, None, tmp_path / "out") == 0
    assert "the same within the tolerances" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["same"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Actions side by side" in page and 'src="http' not in page
    assert (
        load(copy).document["format"]
        == replay_report.json.loads((GOLDEN / "result.json").read_text())["format"]
    )


def test_no_result_is_one_clear_line(tmp_path):
    with pytest.raises(BagError, match="no result of ./vla replay"):
        load(tmp_path)


def test_a_result_that_lacks_something_is_one_clear_line(tmp_path):
    whole = json.loads((GOLDEN / "result.json").read_text())
    broken = [{key: whole[key] for key in whole if key != gone} for gone in
              ("mode", "dimensions", "latency_ms", "commands")]  # fmt: skip
    broken += [
        {"format": 1},
        {**whole, "dimensions": [{"name": "x"}]},
        {**whole, "dimensions": 3},
        {**whole, "latency_ms": {"model": {"p50": "fast"}}},
        {**whole, "latency_ms": {"model": 3}},
    ]
    copy = shutil.copytree(GOLDEN, tmp_path / "copy")
    for document in broken:
        (copy / "result.json").write_text(json.dumps(document))
        with pytest.raises(BagError, match=r"copy/result\.json") as error:
            load(copy)
        assert "\n" not in str(error.value)


def test_a_file_in_the_place_of_the_folder_is_one_clear_line(tmp_path):
    taken = tmp_path / "out"
    taken.write_text("")
    with pytest.raises(BagError, match="cannot write to"):
        result_comparison.run(GOLDEN, GOLDEN, None, taken)


def test_what_was_set_differently_is_told(tmp_path):
    one, other = result(), result()
    one.document["settings"] = {"safety": {"speed_scale": 0.5}}
    other.document.update(checkpoint_sha256="0123456789", backend="torch")
    tolerances = result_comparison.Tolerances()
    comparison = result_comparison.compare(one, other, tolerances)
    assert comparison["a"]["safety.speed_scale"] == 0.5
    assert comparison["b"]["safety.speed_scale"] == "as configured"
    told = comparison["made_differently"]
    assert "safety.speed_scale: A 0.5, B as configured" in told
    assert any(line.startswith("backend: A ") and line.endswith("B torch") for line in told)
    assert any(line.startswith("checkpoint: ") and "(01234567)" in line for line in told)
    assert result_comparison.compare(one, one, tolerances)["made_differently"] == []
