"""Measures of a confidence on cases whose answer is known."""

import math

import numpy as np
import pytest

from vla_learning.confidence.confidence_metrics import auroc, calibration_error, measure, platt


def test_auroc_of_known_orders():
    success = np.array([False, False, True, True])
    assert auroc(np.array([0.1, 0.2, 0.3, 0.4]), success) == 1.0
    assert auroc(np.array([0.4, 0.3, 0.2, 0.1]), success) == 0.0
    assert auroc(np.full(4, 0.7), success) == 0.5
    assert auroc(np.array([0.1, 0.3, 0.2, 0.4]), success) == 0.75
    assert math.isnan(auroc(np.full(4, 0.5), np.ones(4, bool)))


def test_a_true_probability_is_calibrated_and_a_boast_is_not():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=20000)
    success = rng.uniform(size=20000) < p
    assert calibration_error(p, success) < 0.02
    assert calibration_error(np.ones(20000), success) == pytest.approx(0.5, abs=0.02)


def test_platt_finds_the_scale_and_the_offset():
    rng = np.random.default_rng(0)
    logit = rng.normal(size=50000)
    success = rng.uniform(size=50000) < 1.0 / (1.0 + np.exp(-(2.0 * logit - 1.0)))
    scale, offset = platt(logit, success, np.ones(50000))
    assert scale == pytest.approx(2.0, abs=0.1) and offset == pytest.approx(-1.0, abs=0.1)


def test_platt_stays_finite_where_everything_succeeds():
    scale, offset = platt(np.linspace(-1, 1, 9), np.ones(9, bool), np.ones(9))
    assert math.isfinite(scale) and 0.0 < offset < 5.0


def test_a_constant_is_the_baseline():
    success = np.array([True, True, True, False])
    trust = measure(np.full(4, 0.75), success, base=0.75)
    assert trust.auroc == 0.5 and trust.brier == trust.base_brier
    assert trust.base_calibration_error == 0.0
