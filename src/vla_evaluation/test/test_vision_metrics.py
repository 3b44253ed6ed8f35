import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from vla_evaluation import vision_metrics
from vla_evaluation.metric_errors import EvaluationError
from vla_evaluation.vision_metrics import Boxes, classification, detection, iou, segmentation

labels = st.lists(st.sampled_from("abcd"), min_size=1, max_size=30)


def test_classification_gives_scikit_learns_own_example():
    truth = ["cat", "dog", "pig", "cat", "dog", "pig"]
    result = classification(truth, ["cat", "pig", "dog", "cat", "cat", "dog"])
    assert result.precision == pytest.approx(0.2222, abs=1e-4)
    assert result.recall == pytest.approx(0.3333, abs=1e-4)
    assert result.f1 == pytest.approx(0.2667, abs=1e-4)
    assert result.accuracy == pytest.approx(2 / 6)
    assert result.classes["cat"].support == 2


@given(labels)
def test_a_perfect_classification_scores_one(truth):
    result = classification(truth, truth)
    assert (result.accuracy, result.precision, result.recall, result.f1) == (1, 1, 1, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_accuracy_is_the_share_of_equal_pairs(pairs):
    result = classification([a for a, _ in pairs], [b for _, b in pairs])
    assert result.accuracy == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert 0.0 <= result.f1 <= 1.0


@pytest.mark.parametrize(("truth", "predicted"), [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_nothing_and_unequal_lengths_are_errors(truth, predicted):
    with pytest.raises(EvaluationError, match="accepted"):
        classification(truth, predicted)


def test_iou_gives_torchmetrics_own_example():
    target = np.array([[300.00, 100.00, 315.00, 150.00]])
    found = np.array([[296.55, 93.96, 314.97, 152.79], [298.55, 98.96, 314.97, 151.79]])
    assert iou(found, target)[:, 0] == pytest.approx([0.6898, 0.8614], abs=1e-4)


boxes = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 30), st.floats(1, 30)).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    ),
    min_size=1,
    max_size=5,
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(first, second):
    table = iou(np.array(first), np.array(second))
    assert np.allclose(table, iou(np.array(second), np.array(first)).T)
    assert (table >= 0.0).all() and (table <= 1.0 + 1e-12).all()
    assert np.allclose(np.diag(iou(np.array(first), np.array(first))), 1.0)


@given(boxes, st.randoms())
def test_a_perfect_detection_in_any_order_scores_one(corners, random):
    truth = [(c, random.choice("ab")) for c in corners]
    found = random.sample(truth, len(truth))
    result = detection(*[[Boxes([c for c, _ in s], [x for _, x in s])] for s in (truth, found)])
    assert result.mean_iou == pytest.approx(1.0)
    assert (result.precision, result.recall, result.f1) == (1.0, 1.0, 1.0)


def test_what_is_missed_and_what_is_not_there_counts_zero():
    truth = [Boxes([[0, 0, 2, 2], [10, 10, 12, 12]], ["a", "b"])]
    found = [Boxes([[1, 1, 3, 3], [10, 10, 12, 12], [20, 20, 22, 22]], ["a", "b", "b"])]
    result = detection(truth, found)
    assert (result.matched, result.missed, result.spurious) == (2, 0, 1)
    assert result.mean_iou == pytest.approx((1 / 7 + 1 + 0) / 3)
    assert result.matched_iou == pytest.approx((1 / 7 + 1) / 2)
    assert (result.precision, result.recall) == (pytest.approx(1 / 3), 0.5)


def test_the_matching_is_the_best_one_and_not_the_first():
    # The first box alone would take the first found one (IoU 0.5) and leave 0 to the second.
    truth = [Boxes([[0, 0, 4, 4], [0, 0, 4, 2]], ["a", "a"])]
    found = [Boxes([[0, 0, 4, 2], [0, 0, 4, 4]], ["a", "a"])]
    assert detection(truth, found).mean_iou == pytest.approx(1.0)


def test_another_label_is_no_match():
    result = detection([Boxes([[0, 0, 2, 2]], ["a"])], [Boxes([[0, 0, 2, 2]], ["b"])])
    assert result.mean_iou == 0.0 and math.isnan(result.matched_iou)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Boxes([[0, 0, 2]], ["a"]),
        lambda: Boxes([[0, 0, 0, 2]], ["a"]),
        lambda: Boxes([[0, 0, 2, 2]], []),
        lambda: Boxes([[0, 0, float("nan"), 2]], ["a"]),
        lambda: detection([], []),
        lambda: detection([Boxes([], [])], [Boxes([], [])]),
        lambda: detection([Boxes([[0, 0, 1, 1]], ["a"])], [Boxes([], [])], threshold=0.0),
    ],
)
def test_bad_boxes_are_errors(make):
    with pytest.raises(EvaluationError, match="accepted"):
        make()


def test_segmentation_gives_scikit_learns_own_example():
    result = segmentation([[0, 1], [2, 2]], [[0, 2], [1, 2]])
    assert list(result.iou.values()) == pytest.approx([1.0, 0.0, 1 / 3])
    assert result.mean_iou == pytest.approx(4 / 9)
    assert result.pixel_accuracy == 0.5


def test_segmentation_asks_for_nothing_that_old_scikit_learn_lacks(monkeypatch):
    # The signature of 0.23.2, which Ubuntu 22.04 has.
    def old(y_true, y_pred, *, labels=None, pos_label=1, average="binary", sample_weight=None):
        return jaccard_score(y_true, y_pred, labels=labels, average=average)

    monkeypatch.setattr(vision_metrics, "jaccard_score", old)
    assert segmentation([0, 1], [0, 2]).mean_iou == pytest.approx(1 / 3)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_a_perfect_mask_scores_one(mask):
    assert segmentation(mask, mask).mean_iou == 1.0


@pytest.mark.parametrize(("a", "b"), [([], []), ([1], [1, 1]), ([0.5], [1]), (["x"], [1])])
def test_bad_masks_are_errors(a, b):
    with pytest.raises(EvaluationError, match="accepted"):
        segmentation(a, b)


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_never_predicted_has_no_precision_and_gives_no_warning():
    found = classification(["a", "b"], ["a", "a"])
    assert (found.classes["b"].precision, found.classes["b"].recall) == (0.0, 0.0)
    with pytest.raises(EvaluationError, match=r"^truth holds 0\.5; accepted: texts and integers"):
        classification([0.5], ["a"])
