import json
import math

import pytest

from vla_learning.evaluate.success_report import (
    Episode,
    markdown_table,
    rates,
    save_json,
    tier_means,
    wilson,
)
from vla_sim.tasks.task_list import TIERS, tasks


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
    assert data["tiers"] == {}


def test_tiers_are_means_over_tasks_and_their_average_over_tiers():
    episodes = [
        Episode(task, seed, "", task in TIERS["easy"] or (task == "push" and seed == 0), 100)
        for task in tasks()
        for seed in (0, 1)
    ]
    means = tier_means(episodes)
    hard = 0.5 / 6
    assert means == pytest.approx(
        {"easy": 1.0, "medium": 0.0, "hard": hard, "very-hard": 0.0, "average": (1 + hard) / 4}
    )
    assert markdown_table(episodes).splitlines()[-1] == "| 100.0% | 0.0% | 8.3% | 0.0% | 27.1% |"
    assert tier_means([e for e in episodes if e.task != "soccer"]) == {}
