import json
import math

import pytest

from vla_learning.report import Episode, markdown_table, rates, save_json, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (10, 10, 0.7225, 1.0),
        (0, 10, 0.0, 0.2775),
        (7, 10, 0.3968, 0.8922),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_wilson_interval(successes, trials, low, high):
    rate = wilson(successes, trials)
    assert rate.low == pytest.approx(low, abs=1e-4)
    assert rate.high == pytest.approx(high, abs=1e-4)
    assert rate.value == successes / trials


def test_no_trials_say_nothing():
    rate = wilson(0, 0)
    assert (rate.low, rate.high) == (0.0, 1.0) and math.isnan(rate.value)
    with pytest.raises(ValueError, match="accepted"):
        wilson(3, 2)


EPISODES = [
    Episode("open", 1, "open it", True, 100, 120),
    Episode("open", 2, "open it", False, 500),
    Episode("shut", 1, "shut it", True, 50),
]


def test_rates_per_task():
    assert {task: (r.successes, r.trials) for task, r in rates(EPISODES).items()} == {
        "open": (1, 2),
        "shut": (1, 1),
    }


def test_table_names_failed_seeds_and_ticks_of_successes():
    lines = markdown_table(EPISODES).splitlines()
    assert lines[2].startswith("| open | 1/2 |") and lines[2].endswith("| 100 | 2 |")
    assert lines[4].startswith("| all | 2/3 |") and "| 75 |" in lines[4]


def test_json(tmp_path):
    path = tmp_path / "deep" / "result.json"
    save_json(path, EPISODES, checkpoint="x")
    data = json.loads(path.read_text())
    assert data["checkpoint"] == "x"
    assert data["rates"]["all"]["successes"] == 2
    assert data["episodes"][0]["done_tick"] == 120
