"""Frames in which a person drives weigh most; those that led to it weigh nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_learning.train.intervention_weights import InterventionWeights, frame_weights

FLAGS = st.lists(st.booleans(), max_size=60).map(lambda flags: np.array(flags, bool))


@given(FLAGS, st.booleans(), st.floats(0.0, 3.0), st.floats(0.0, 9.0))
def test_every_frame_weighs_what_is_stated(flags, success, window, weight):
    times = np.arange(len(flags)) * 0.1
    found = frame_weights(flags, times, success, InterventionWeights(weight, window=window))
    assert found.dtype == np.float32 and found.shape == flags.shape
    for i, flag in enumerate(flags):
        later = times[i + 1 :][flags[i + 1 :]]
        led = len(later) > 0 and later[0] - times[i] <= window + 1e-9
        expected = weight if flag else float(success and not led)
        assert found[i] == pytest.approx(expected)


def test_demonstrations_weigh_one():
    found = frame_weights(None, np.arange(3.0), False, InterventionWeights())
    assert found.tolist() == [1.0, 1.0, 1.0]


def test_a_wrong_weight_is_refused():
    with pytest.raises(ValueError, match="accepted"):
        InterventionWeights(intervention=-1.0)
