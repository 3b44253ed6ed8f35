"""Every figure of every metric, reckoned by hand; and which input an error names."""

import json
import math

import numpy as np
import pytest

from vla_evaluation import (
    action_metrics,
    alignment,
    evaluation_kinds,
    language_metrics,
    metric_errors,
    metric_units,
    metrics_report,
    smoothness,
    timing_metrics,
    vision_metrics,
)
from vla_evaluation.evaluation_kinds import Evaluation
from vla_evaluation.metric_errors import EvaluationError
from vla_evaluation.smoothness import TimedChunk
from vla_evaluation.vision_metrics import Boxes

NAN = float("nan")


def same(found, **expected):
    """Every field of a result is what it should be; NaN is NaN."""
    assert vars(found).keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, float):
            assert vars(found)[name] == pytest.approx(value, nan_ok=True), name
        else:
            assert vars(found)[name] == value, name


def test_latency():
    values = [0.01 * i for i in range(1, 102)]  # percentiles fall on entries
    figures = {"count": 101, "mean": 0.51, "p50": 0.51, "p90": 0.91, "p99": 1.0, "maximum": 1.01}
    same(timing_metrics.latency(values), **figures, deadline=NAN, misses=0, miss_rate=NAN)
    found = timing_metrics.latency(values, 1.0)
    same(found, **figures, deadline=1.0, misses=1, miss_rate=1 / 101)
    assert (
        timing_metrics.latency([0.5, 0.25], 0.5).misses == 0
    )  # as long as the deadline is in time


def test_jitter():
    stamps = np.cumsum([0.0] + [0.1] * 99 + [0.25])
    same(
        timing_metrics.jitter(list(stamps)), periods=100, nominal=0.1, mean_period=0.1015,
        mean=0.0015,
        p99=0.0015, maximum=0.15, late=1,
    )  # fmt: skip
    same(
        timing_metrics.jitter([0.0, 1.0, 2.5, 2.5], nominal=1.0), periods=3, nominal=1.0,
        mean_period=2.5 / 3,
        mean=0.5, p99=0.99, maximum=1.0, late=0,
    )  # fmt: skip
    with pytest.raises(EvaluationError, match="stamps go back at entry 2;"):
        timing_metrics.jitter([0.0, 1.0, 0.5, 2.0])


def test_retrieval():
    scores = [[9, 8, 7, 6, 5, 4, 3]] * 4
    same(
        alignment.retrieval(scores, [0, 4, 5, 2]), recall_at_1=0.25, recall_at_5=0.75,
        mean_rank=15 / 4, median_rank=4.0, mean_reciprocal_rank=(1 + 1 / 5 + 1 / 6 + 1 / 3) / 4,
        chance=1 / 7, commands=7,
    )  # fmt: skip
    with pytest.raises(EvaluationError, match="correct holds 1 to 7; accepted: 0 to 6"):
        alignment.retrieval([scores[0]] * 2, [1, 7])


def test_scores_of_actions():
    predicted = [[[1.0, 2.0], [4.0, 6.0]]]  # one frame, two commands, two values
    assert alignment.action_scores(predicted, [[1.0, 2.0]]).tolist() == [
        [0.0, pytest.approx(-math.sqrt((9 + 16) / 2))]
    ]
    chunk = [[[[1.0], [2.0]], [[4.0], [6.0]]]]  # the same as a chunk of two steps
    assert alignment.action_scores(chunk, [[[1.0], [2.0]]]).tolist() == [
        [0.0, pytest.approx(-math.sqrt((9 + 16) / 2))]
    ]


def test_success_and_errors_of_actions():
    same(
        action_metrics.success([True, False, True, True]), successes=3, trials=4, rate=0.75,
        low=pytest.approx(0.3006, abs=1e-4), high=pytest.approx(0.9544, abs=1e-4),
    )  # fmt: skip
    found = action_metrics.action_error(
        [[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [3.0, 4.0]], ["x", "y"]
    )
    same(
        found, mae={"x": 2.0, "y": 2.0},
        rmse={"x": pytest.approx(math.sqrt(5)), "y": pytest.approx(math.sqrt(8))},
    )  # fmt: skip
    with pytest.raises(EvaluationError, match=r'names are \["x", "x"\]; accepted: 2 different'):
        action_metrics.action_error([[0.0, 0.0]], [[0.0, 0.0]], ["x", "x"])


def test_classification():
    found = vision_metrics.classification(["a", "a", "a", "b", "c"], ["a", "a", "b", "b", "d"])
    scores = {name: tuple(vars(each).values()) for name, each in found.classes.items()}
    assert scores == {
        "a": (1.0, pytest.approx(2 / 3), pytest.approx(0.8), 3),
        "b": (0.5, 1.0, pytest.approx(2 / 3), 1),
        "c": (0.0, 0.0, 0.0, 1),
        "d": (0.0, 0.0, 0.0, 0),
    }
    assert found.accuracy == 0.6
    assert found.precision == pytest.approx(1.5 / 4) and found.recall == pytest.approx(5 / 12)
    assert found.f1 == pytest.approx((0.8 + 2 / 3) / 4)
    with pytest.raises(EvaluationError, match="predicted holds 0.5; accepted: texts and integers"):
        vision_metrics.classification(["a"], [0.5])


def test_detection_over_several_images():
    whole, half, far = [0, 0, 4, 4], [0, 0, 4, 2], [9, 9, 10, 10]
    truth = [
        Boxes([], []),
        Boxes([whole, far], ["cup", "pen"]),
        Boxes([whole, far], ["cup", "cup"]),
    ]
    found = [Boxes([far, far], ["cup", "pen"]), Boxes([half], ["cup"]), Boxes([whole], ["cup"])]
    same(
        vision_metrics.detection(truth, found), mean_iou=1.5 / 6, matched_iou=0.75, precision=0.5,
        recall=0.5, f1=0.5, matched=2, missed=2, spurious=2, threshold=0.5,
    )  # fmt: skip
    assert vision_metrics.detection(truth, found, 0.6).precision == 0.25
    assert vision_metrics.detection(truth, found, 1.0).recall == 0.25
    same(
        vision_metrics.detection([Boxes([whole], ["cup"])], [Boxes([], [])]), mean_iou=0.0,
        matched_iou=NAN,
        precision=0.0, recall=0.0, f1=0.0, matched=0, missed=1, spurious=0, threshold=0.5,
    )  # fmt: skip
    assert vision_metrics.detection([Boxes([], [])], [Boxes([whole], ["cup"])]).recall == 0.0
    apart = vision_metrics.detection([Boxes([whole], ["cup"])], [Boxes([far], ["cup"])])
    assert (apart.matched, apart.missed, apart.spurious) == (0, 1, 1)
    for wrong in (0.0, 1.1):
        with pytest.raises(EvaluationError, match="accepted: above 0, at most 1"):
            vision_metrics.detection(truth, found, wrong)
    with pytest.raises(EvaluationError, match="lengths differ: truth 3, predicted 1"):
        vision_metrics.detection(truth, found[:1])


@pytest.mark.parametrize("corners", [[[0, 0, 0, 4]], [[0, 0, 4, 0]], [[0, 4, 4, 0]]])
def test_a_box_without_an_area_is_refused(corners):
    with pytest.raises(EvaluationError, match="has no area"):
        Boxes(corners, ["cup"])


def test_segmentation():
    found = vision_metrics.segmentation([[0, 0], [1, 2]], [[0, 1], [1, 2]])
    assert found.iou == {"0": 0.5, "1": 0.5, "2": 1.0}
    assert found.mean_iou == pytest.approx(2 / 3) and found.pixel_accuracy == 0.75
    with pytest.raises(EvaluationError, match=r"shapes \(2,\) and \(3,\); accepted: equal shapes"):
        vision_metrics.segmentation([0, 1], [0, 1, 1])


def test_grounding():
    found = language_metrics.grounding(
        ["cup", "cup", "pen", "pen"],
        [[0.0, 0.0]] * 4,
        ["cup", "pen", "pen", None],
        [[0.03, 0.04], [0.0, 0.0], [0.0, 0.25], None],
    )
    same(
        found, accuracy=0.25, identity_accuracy=0.5, within_tolerance=0.5, position_error=0.15,
        tolerance=0.05, nothing_found=1,
    )  # fmt: skip
    nothing = language_metrics.grounding(["cup"], [[0.0, 0.0]], [None], [None])
    assert math.isnan(nothing.position_error) and nothing.nothing_found == 1
    for found_, places, missing in (
        ([None], [[0.0, 0.0]], "object"),
        (["cup"], [None], "position"),
    ):
        with pytest.raises(EvaluationError, match=f"of found 0 the {missing} is missing"):
            language_metrics.grounding(["cup"], [[0.0, 0.0]], found_, places)
    with pytest.raises(EvaluationError, match=r"tolerance is 0.0 m; accepted"):
        language_metrics.grounding(["cup"], [[0.0, 0.0]], [None], [None], tolerance=0.0)


def test_jumps_at_seams():
    chunks = [
        TimedChunk(0.0, 1.0, [[0.0, 0.0], [2.0, 10.0]], since=0.0),
        TimedChunk(0.0, 1.0, [[5.0, 4.0], [9.0, 30.0]], since=0.5),  # from (1, 5) to (7, 17)
        TimedChunk(1.5, 1.0, [[0.0, 0.0]], since=1.5),  # from the last row, (9, 30)
        TimedChunk(9.0, 1.0, [[0.0, 0.0]], since=9.0),
        TimedChunk(19.0, 1.0, [[0.0, 0.0]], since=19.0),
    ]
    same(
        smoothness.seams(chunks, ["x", "y"]), seams=2, gaps=2,
        jump_mean={"x": 7.5, "y": 21.0}, jump_max={"x": 9.0, "y": 30.0},
    )  # fmt: skip
    none = smoothness.seams(chunks[3:])
    assert (none.seams, none.gaps) == (0, 1)
    assert all(math.isnan(v) for v in (*none.jump_mean.values(), *none.jump_max.values()))
    # At the very end of its last row a chunk has run out; at the very same time two may follow.
    assert smoothness.seams([chunks[0], TimedChunk(2.0, 1.0, [[0.0, 0.0]], since=2.0)]).gaps == 1
    assert smoothness.seams([chunks[0], chunks[0]]).seams == 1
    with pytest.raises(EvaluationError, match=r"period is 0.0 s"):
        smoothness.seams([TimedChunk(0.0, 0.0, [[0.0]], 0.0)] * 2)


def test_three_values_are_a_movement():
    assert smoothness.smoothness([0.0, 1.0, 0.0], 1.0).jerk_max == 2.0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: timing_metrics.latency([NAN]), "latency is not finite at (0,)"),
        (
            lambda: timing_metrics.latency([[1.0]]),
            "latency has shape (1, 1); accepted: an array of 1 axes",
        ),
        (lambda: timing_metrics.latency([1.0], 0.0), "deadline is 0.0 s"),
        (lambda: timing_metrics.jitter([[1.0, 2.0]]), "stamps has shape (1, 2)"),
        (lambda: timing_metrics.jitter([1.0, NAN]), "stamps is not finite at (1,)"),
        (lambda: timing_metrics.jitter([1.0, 2.0], 0.0), "nominal is 0.0 s"),
        (lambda: alignment.retrieval([1.0], [0]), "scores has shape (1,)"),
        (lambda: alignment.retrieval([[1.0]], [[0]]), "correct has shape (1, 1)"),
        (lambda: alignment.cosine_scores([1.0], [[1.0]]), "frames has shape (1,)"),
        (lambda: alignment.cosine_scores([[1.0]], [1.0]), "commands has shape (1,)"),
        (lambda: alignment.action_scores([[[NAN]]], [[1.0]]), "predicted is not finite at (0, 0"),
        (lambda: alignment.action_scores([[[1.0]]], [[NAN]]), "demonstrated is not finite"),
        (lambda: action_metrics.action_error([1.0], [1.0]), "target has shape (1,)"),
        (lambda: action_metrics.action_error([[1.0]], [1.0]), "predicted has shape (1,)"),
        (lambda: action_metrics.action_error([[1.0]], [[1.0, 2.0]]),
         "target has shape (1, 1) and predicted (1, 2)"),
        (lambda: action_metrics.tasks(["a"], [True, False]), "lengths differ: names 1, outcomes 2"),
        (lambda: action_metrics.trajectory_error([1.0], [[1.0]]), "reference has shape (1,)"),
        (lambda: action_metrics.trajectory_error([[1.0]], [1.0]), "actual has shape (1,)"),
        (lambda: smoothness.smoothness([1.0, NAN, 1.0], 1.0), "velocity is not finite"),
        (lambda: smoothness.smoothness([1.0] * 3, 0.0), "period is 0.0 s"),
        (lambda: smoothness.spectral_arc_length([1.0, NAN], 1.0), "speed is not finite"),
        (lambda: smoothness.spectral_arc_length([[1.0] * 3], 1.0), "speed has shape (1, 3)"),
        (lambda: smoothness.spectral_arc_length([1.0] * 3, 0.0), "period is 0.0 s"),
        (lambda: smoothness.spectral_arc_length([1.0] * 2, 1.0), "speed has 2 values"),
        (lambda: smoothness.seams([TimedChunk(0.0, 1.0, [1.0], 0.0)] * 2), "actions has shape (1"),
        (lambda: vision_metrics.segmentation([NAN], [1]), "truth is not finite"),
        (lambda: vision_metrics.segmentation([1], [NAN]), "predicted is not finite"),
        (lambda: Boxes([[0, 0, NAN, 1]], ["cup"]), "boxes is not finite at (0, 2)"),
        (lambda: language_metrics.grounding(["a"], [0.0], [None], [None]),
        "positions has shape (1,)"),
        (lambda: language_metrics.grounding(["a"], [[0.0, 0.0]] * 2, [None], [None]),
         "lengths differ: named 1, positions 2, found 1, found_positions 1"),
    ],
)  # fmt: skip
def test_an_error_names_its_input(call, name):
    pytest.importorskip("similaritymeasures")
    with pytest.raises(EvaluationError) as error:
        call()
    assert str(error.value).startswith(name)


def test_the_greatest_value_is_accepted():
    assert metric_errors.finite("x", [metric_errors.LARGEST]).tolist() == [metric_errors.LARGEST]
    with pytest.raises(EvaluationError, match="x holds -2e[+]150; accepted: at most 1e[+]150"):
        metric_errors.finite("x", [1.0, -2e150])


def measured(kind, records, **options):
    return evaluation_kinds.evaluate(kind, records, options).values


def test_kinds_hand_columns_and_options_to_their_metrics():
    boxes = {"truth_boxes": [[0, 0, 4, 4]], "truth_labels": ["cup"]}
    found = {"predicted_boxes": [[0, 0, 4, 2], [9, 9, 10, 10]], "predicted_labels": ["cup"] * 2}
    assert measured("detection", [{**boxes, **found}])["spurious"] == 1
    assert measured("detection", [{**boxes, **found}])["threshold"] == 0.5
    assert measured("detection", [{**boxes, **found}], threshold=0.6)["recall"] == 0.0
    masks = [{"truth": [[0, 1]], "predicted": [[0, 0]]}, {"truth": [1], "predicted": [1]}]
    assert measured("segmentation", masks)["pixel_accuracy"] == pytest.approx(2 / 3)
    with pytest.raises(EvaluationError, match=r"masks have shapes \(1, 2\) and \(2,\)"):
        measured("segmentation", [{"truth": [[0, 1]], "predicted": [0, 1]}])
    stamps = [{"stream": name, "stamp": stamp} for name in "ab" for stamp in (0.0, 0.1, 0.2)]
    jitter = measured("jitter", stamps, nominal={"a": 0.2})
    assert jitter["a"]["nominal"] == 0.2 and jitter["b"]["nominal"] == pytest.approx(0.1)
    hops = [{"hop": name, "latency": 0.03} for name in "ab"]
    latency = measured("latency", hops, deadline=0.02, deadlines={"a": 0.05})
    assert (latency["a"]["misses"], latency["b"]["misses"]) == (0, 1)
    grounding = {"named": "cup", "position": [0.0, 0.0], "found": "cup"}
    near = [{**grounding, "found_position": [0.0, 0.06]}]
    assert measured("grounding", near)["accuracy"] == 0.0
    assert measured("grounding", near, tolerance=0.1)["accuracy"] == 1.0


def test_an_evaluation_tells_what_it_is_of():
    records = [{"hop": "a", "latency": 0.1}] * 3
    found = evaluation_kinds.evaluate("latency", records, {}, "a file")
    assert (found.kind, found.source, found.records) == ("latency", "a file", 3)
    with pytest.raises(EvaluationError, match="^kind is 'nonsense'; accepted: .*latency"):
        evaluation_kinds.evaluate("nonsense", records, {})
    with pytest.raises(EvaluationError, match="record 1 lacks latency; it has: hop"):
        evaluation_kinds.evaluate("latency", [records[0], {"hop": "a"}], {})
    with pytest.raises(EvaluationError, match="record 0 lacks hop; it has: none"):
        evaluation_kinds.evaluate("latency", [{}], {})


EVALUATION = Evaluation(
    "latency", "<a>", 4,
    {"all": {"rate": 0.12345, "low": 0.0, "high": 1.0, "mean": 0.5, "count": 3, "p50": NAN},
     "accuracy": 1.5},
    {"all.rate": "share", "all.low": "share", "all.high": "share", "all.mean": "s",
     "accuracy": "share"},
)  # fmt: skip


def test_the_files_of_a_report(tmp_path):
    folder = tmp_path / "one" / "two"
    for _ in range(2):  # the second time over the first
        files = metrics_report.write(folder, [EVALUATION])
    assert files == (folder / "evaluation.json", folder / "evaluation.html")
    (written,) = json.loads(files[0].read_text("utf-8"))
    assert written["values"]["all"] == {**EVALUATION.values["all"], "p50": None}
    page = files[1].read_text("utf-8")
    cells = [
        tuple(part.partition(">")[2].partition("<")[0] for part in row.split("<td")[1:4])
        for row in page.split("<tr>")[2:]
    ]
    assert cells == [
        ("records", "", "4"), ("all.rate", "share", "0.12345"), ("all.low", "share", "0"),
        ("all.high", "share", "1"), ("all.mean", "s", "0.5"), ("all.count", "", "3"),
        ("accuracy", "share", "1.5"),
    ]  # fmt: skip
    widths = [part.split("%")[0] for part in page.split('style="width:')[1:]]
    assert widths == ["12.3", "0.0", "100.0"]  # shares of a whole have bars, other values none
    assert "&lt;a&gt;" in page


def test_numbers_for_people():
    assert [metrics_report.text(v) for v in (NAN, 1 / 3, 12, "words", True)] == [
        "–", "0.33333", "12", "words", "True",
    ]  # fmt: skip
    nested = {"a": {"b": {"c": 1}, "d": 2}, "e": 3}
    assert dict(metric_units.rows(nested)) == {"a.b.c": 1, "a.d": 2, "e": 3}


def test_sources_of_a_kind_stand_side_by_side():
    first = Evaluation("latency", "out/a/run", 3, {"x": {"p50": 1.0, "p99": NAN}}, {"x.p50": "s"})
    second = Evaluation("latency", "out/b/run", 5, {"x": {"p50": 2.0}, "y": {"p50": 3.0}})
    other = Evaluation("success", "out/a/run", 1, {"all": {"rate": 1.0}})
    found = metrics_report.compare([first, other, second])
    assert [(each.kind, each.sources) for each in found] == [
        ("latency", ("out/a/run", "out/b/run")), ("success", ("out/a/run",)),
    ]  # fmt: skip
    assert [(row.name, row.unit, row.values) for row in found[0].rows] == [
        ("records", "", (3, 5)), ("x.p50", "s", (1.0, 2.0)), ("y.p50", "", (None, 3.0)),
    ]  # fmt: skip
    page = metrics_report.html([first, second])
    assert '<th class="value">a/run</th><th class="value">b/run</th>' in page


@pytest.mark.parametrize(
    ("sources", "short"),
    [
        (["/x/a/r", "/x/b/r"], ["a/r", "b/r"]),
        (["/x/a"], ["/x/a"]),
        (["/x", "/x/b"], ["x", "x/b"]),
        (["a", "a"], ["a", "a"]),
        (["a.json", "/b.json"], ["a.json", "/b.json"]),
    ],
)
def test_names_of_sources_differ_from_where_their_folders_do(sources, short):
    assert metrics_report.labels(sources) == short
