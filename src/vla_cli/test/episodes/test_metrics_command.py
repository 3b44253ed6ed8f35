import json
import sys
from pathlib import Path

import pytest

from vla_cli.__main__ import main

GOLDEN = Path(__file__).parents[3] / "vla_replay/test/data/golden"
EPISODES = {"episodes": [{"task": "t", "success": True}, {"task": "t", "success": False}]}


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(EPISODES))
    return path


def test_a_file_becomes_a_table_json_and_a_page(run, tmp_path, capsys):
    assert main(["metrics", str(run), "--out", str(tmp_path / "out")]) == 0
    assert "all.rate" in capsys.readouterr().out
    written = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert written[0]["values"]["all"]["successes"] == 1
    assert "success" in (tmp_path / "out/evaluation.html").read_text()
    assert main(["metrics", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == written


def test_options_of_the_command_line_go_first(tmp_path, capsys):
    path = tmp_path / "latency.json"
    path.write_text(json.dumps([{"hop": "a", "latency": 0.03}]))
    arguments = ["metrics", str(path), "--kind", "latency", "--json", "--option"]
    assert main([*arguments, "deadline=0.02"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["values"]["a"]["misses"] == 1
    assert main([*arguments, "deadline"]) == 2
    assert main([*arguments, "nonsense=1"]) == 2


def test_an_option_is_for_the_sources_that_know_it_and_one_must(run, tmp_path, capsys):
    path = tmp_path / "latency.json"
    records = [{"hop": "a", "latency": 0.03}]
    path.write_text(json.dumps({"kind": "latency", "records": records}))
    both = ["metrics", str(run), str(path), "--json", "--option"]
    assert main([*both, "deadline=0.02"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["values"]["a"]["misses"] == 1
    assert main([*both, "typo=1"]) == 2
    assert "option typo of success, latency; accepted: deadline" in capsys.readouterr().err


def test_an_option_that_no_table_of_a_replay_knows_is_refused(capsys):
    golden = str(GOLDEN)
    assert main(["metrics", golden, "--option", "typo=1"]) == 2
    assert "option typo" in capsys.readouterr().err


def test_a_missing_library_is_one_line(run, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "vla_evaluation.metrics_report", None)
    monkeypatch.delattr("vla_evaluation.metrics_report", raising=False)
    assert main(["metrics", str(run)]) == 2
    assert "requirements/evaluate.txt" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["missing.json"], ["a.csv"]])
def test_what_cannot_be_evaluated_is_one_line(arguments, capsys):
    assert main(["metrics", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_kinds_are_listed(capsys):
    assert main(["metrics", "--kinds"]) == 0
    assert "alignment" in capsys.readouterr().out
