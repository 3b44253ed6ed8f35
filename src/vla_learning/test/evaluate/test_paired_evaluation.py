import math
from pathlib import Path

import pytest

from vla_learning.evaluate import paired_evaluation
from vla_learning.evaluate.paired_evaluation import Pairing, pair, run_paired, table
from vla_learning.evaluate.success_report import Episode
from vla_learning.workers import ONE_PROCESS


def episode(seed, success, task="one", command="go"):
    return Episode(task, seed, command, success, 10)


def test_episodes_are_paired_by_task_seed_and_command():
    first = [episode(0, True), episode(1, True), episode(2, False), episode(3, False)]
    second = [episode(3, False), episode(2, True), episode(1, False), episode(0, True)]
    assert pair(first, second) == Pairing(1, 1, 1, 1)
    assert pair(first, [episode(0, True, command="stop")]).count == 0


def test_loss_and_its_interval():
    pairing = Pairing(150, 20, 10, 20)
    assert pairing.loss == pytest.approx(0.05)
    low, high = pairing.interval()
    assert low < 0.05 < high
    assert high - low == pytest.approx(0.107, abs=0.003)  # ± 1.96 · √(30 − 10²/200) / 200
    assert math.isnan(Pairing(0, 0, 0, 0).loss)


@pytest.mark.parametrize(
    ("pairing", "accepted"),
    [
        (Pairing(190, 10, 0, 0), True),  # exactly 5 points
        (Pairing(189, 11, 0, 0), False),
        (Pairing(199, 0, 0, 0), False),  # one episode too few
        (Pairing(100, 0, 100, 0), True),
    ],
)
def test_what_may_ship(pairing, accepted):
    assert pairing.accepted is accepted


def test_the_table_says_why_it_does_not_ship():
    first = [episode(seed, True) for seed in range(200)]
    worse = [episode(seed, seed >= 20) for seed in range(200)]
    text = table({"fp32": first, "static": worse, "dynamic": first}, "fp32")
    assert "| static | 180/200 |" in text and "+10.0 points" in text
    assert "loses more than 5 points" in text
    assert text.splitlines()[-1].endswith("may ship |")
    assert "too few episodes" in table({"fp32": first[:9], "static": first[:9]}, "fp32")


def test_an_interrupted_comparison_goes_on(tmp_path, monkeypatch):
    ran = []

    def run_one(folder, settings, task, seed, command):
        ran.append((folder.name, seed))
        return episode(seed, folder.name == "a")

    monkeypatch.setattr(paired_evaluation, "run_episode", run_one)
    folders = {"fp32": Path("a"), "static": Path("b")}
    wanted = [("one", seed, "go") for seed in range(3)]
    log = tmp_path / "episodes.jsonl"
    shown = []

    def run(identities, episodes):
        progress = lambda done, text: shown.append(done)  # noqa: E731
        return run_paired(folders, identities, episodes, log, ONE_PROCESS, progress)

    run({"fp32": "x", "static": "y"}, wanted[:2])
    with log.open("a") as file:
        file.write('{"entry": "cut sho')
    results = run({"fp32": "x", "static": "y"}, wanted)
    assert [e.seed for e in results["fp32"]] == [0, 1, 2]
    assert [e.success for e in results["static"]] == [False] * 3
    assert len(ran) == 6 and shown[-1] == 6
    run({"fp32": "x", "static": "z"}, wanted)  # quantized anew: only that one runs again
    assert ran[6:] == [("b", 0), ("b", 1), ("b", 2)]
