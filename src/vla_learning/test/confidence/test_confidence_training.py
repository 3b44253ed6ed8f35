"""The confidence head learns from outcomes, and is measured on others."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from vla_learning.confidence.confidence_training import ConfidenceError, learn, part
from vla_learning.confidence.episode_outcomes import Outcome
from vla_policy.model import Confidence, ModelConfig

CONFIG = ModelConfig(cameras=1, vocabulary=5, steps=4, fusion_hidden=6, confidence_hidden=8)


def episodes(count=200, noise=0.5, seed=0):
    """Whether an episode succeeds is written in its first feature, with noise."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(count):
        success = bool(rng.random() < 0.7)
        fused = rng.normal(size=(int(rng.integers(12, 40)), 6)).astype(np.float32)
        fused[:, 0] = (1.0 if success else -1.0) + noise * rng.normal(size=len(fused))
        logits = np.zeros((len(fused), 5), np.float32)
        result.append(Outcome("one", number, success, fused, logits))
    return result


def test_it_tells_failures_from_successes_and_how_often():
    torch.manual_seed(0)
    report = learn(Confidence(CONFIG), episodes())
    assert report.episodes.auroc > 0.95 and report.early.auroc > 0.95
    assert report.inferences.calibration_error < 0.08
    assert report.episodes.brier < report.episodes.base_brier / 2


def test_it_says_the_base_rate_where_nothing_is_to_be_seen():
    torch.manual_seed(0)
    report = learn(Confidence(CONFIG), episodes(noise=1000.0))
    assert 0.3 < report.episodes.auroc < 0.7
    assert report.episodes.calibration_error < 0.2


def test_seeds_are_parted():
    shares = part(episodes(40))
    seeds = [{o.seed for o in share} for share in shares]
    assert [len(s) for s in seeds] == [20, 10, 10]
    assert not (seeds[0] & seeds[1] or seeds[0] & seeds[2] or seeds[1] & seeds[2])


def test_outcomes_that_are_all_alike_are_refused():
    with pytest.raises(ConfidenceError, match="episodes to learn from, all with the same end"):
        learn(Confidence(CONFIG), [o for o in episodes(200) if o.success][:40])


def test_an_outcome_is_kept(tmp_path):
    outcome = episodes(1)[0]
    outcome.save(tmp_path / "one" / "000000.npz")
    again = Outcome.load(tmp_path / "one" / "000000.npz")
    assert again.success == outcome.success and np.array_equal(again.fused, outcome.fused)
