"""Trainings side by side: which ones, what each came to, and going on after an interruption."""

import pytest

pytest.importorskip("torch")

from vla_learning.learning_settings import SettingsError
from vla_learning.train import sweep as module
from vla_learning.train.sweep import combinations, overrides, parse_entry, sweep, table
from vla_learning.workers import ONE_PROCESS, Workers

ENTRIES = {"train.learning_rate": (0.001, 0.0001), "train.seed": (0, 1)}


def test_an_entry_and_its_values_are_read_as_in_the_config():
    assert parse_entry("train.learning_rate=0.001,3e-4") == ("train.learning_rate", (0.001, 0.0003))
    assert parse_entry("architecture.backbone=resnet18,resnet50")[1] == ("resnet18", "resnet50")
    assert parse_entry("train.state_noise=[0.1, 0.2],[0.0, 0.0]")[1] == ([0.1, 0.2], [0.0, 0.0])


@pytest.mark.parametrize(
    "text",
    ["", "train.seed", "seed=1", "collect.episodes=3", "train.=1", "train.seed=", "train.a=["],
)
def test_anything_else_is_refused(text):
    with pytest.raises(SettingsError, match="accepted: an entry of train or architecture"):
        parse_entry(text)


def test_a_grid_and_a_choice_of_it():
    grid = combinations(ENTRIES)
    assert len(grid) == 4 and grid[1] == (("train.learning_rate", 0.001), ("train.seed", 1))
    few = combinations(ENTRIES, 3, seed=5)
    assert len(set(few)) == 3 and set(few) < set(grid) and few == combinations(ENTRIES, 3, seed=5)
    assert sorted(combinations(ENTRIES, 9)) == sorted(grid)


def test_a_trial_lies_on_top_of_what_all_share():
    changed = overrides(
        combinations(ENTRIES)[3], {"commands": {}, "train": {"steps": 9, "seed": 7}}
    )
    assert changed == {
        "commands": {},
        "train": {"steps": 9, "seed": 1, "processes": 1, "learning_rate": 0.0001},
    }


def run(settings, data, folder, workers=ONE_PROCESS, entries=ENTRIES):
    config = data.parent / "learning" / "tiny.yaml"
    trials = combinations(entries)
    return sweep(config, trials, {}, data, folder, workers, lambda count, text: None)


@pytest.mark.slow
def test_every_trial_is_trained_once_also_in_two_attempts(settings, data, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    first = run(settings, data, folder, entries={**ENTRIES, "train.seed": (0,)})
    assert len(first) == 2 and first[0].loss <= first[1].loss
    with (folder / "trials.jsonl").open("a") as file:
        file.write('{"values": [["train.see')
    trained = []
    real = module.run_trial
    with monkeypatch.context() as patch:
        patch.setattr(module, "run_trial", lambda *each: trained.append(each) or real(*each))
        whole = run(settings, data, folder)
    assert len(trained) == 2 and len(whole) == 4
    assert {trial.values for trial in whole} == set(combinations(ENTRIES))
    assert [t.loss for t in whole] == sorted(t.loss for t in whole)
    assert "| 0.001 | 0 | – |" in table(whole)
    again = run(settings, data, tmp_path / "processes", Workers(jobs=2))
    assert [(t.values, t.loss) for t in again] == [(t.values, t.loss) for t in whole]


def test_what_the_config_refuses_is_told_before_any_trial(settings, data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "run_trial", None)
    with pytest.raises(SettingsError, match="train: learning_rate"):
        run(settings, data, tmp_path / "sweep", entries={"train.learning_rate": (0.1, -1)})
    assert not (tmp_path / "sweep" / "trials.jsonl").exists()
