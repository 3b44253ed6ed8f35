"""The command, its list of scenarios, and its tables."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from vla_cli.client.command_errors import CommandError
from vla_proof.faults import fault_report, main
from vla_proof.faults.fault_scenario import Outcome, Repeat
from vla_proof.faults.faults_command import scenarios
from vla_proof.faults.recorded_commands import Reaction

# Every fault that the graph must be proof against.
PROMISED = {
    *(f"{what}_{node}" for what in ("kill", "stop")
      for node in ("perception", "policy", "safety", "robot")),
    *(f"camera_{mode}" for mode in ("unplugged", "frozen", "black", "half", "delayed", "flood")),
    *(f"chunks_{mode}" for mode in ("nan", "random", "extreme", "two_publishers", "late")),
    "clock_back", "clock_forth", "joint_states_lost", "emergency_stop_flapping",
    "two_safety_nodes", "second_command_publisher", "disk_full",
}  # fmt: skip


def test_every_promised_fault_is_played():
    names = [scenario.name for scenario in scenarios()]
    assert set(names) >= PROMISED and len(set(names)) == len(names)
    assert all(scenario.what and scenario.expected for scenario in scenarios())


def test_they_are_listed(capsys):
    assert main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(scenarios())


def test_an_unknown_scenario_is_named():
    with pytest.raises(CommandError, match="no scenario 'earthquake'; accepted: kill_perception"):
        main(["--scenario", "earthquake"])


@pytest.fixture
def outcome():
    repeats = [Repeat(Reaction(0.41 + 0.01 * i, 0.24, 0.4), 1.0 + i, (), "why") for i in range(3)]
    repeats.append(Repeat(Reaction(0.5, 0.24, 0.4), 1.0, ("reaction too late",), "why"))
    return Outcome(scenarios()[0], repeats)


def test_the_row_has_median_and_worst(outcome):
    row = fault_report.row(outcome, period=0.02, braking_time=0.6)
    assert row["reaction_median"] == pytest.approx(0.425)
    assert row["reaction_worst"] == 0.5
    assert row["allowed"] == pytest.approx(0.44)
    assert (row["repeats"], row["passed"], row["problems"]) == (4, 3, ["reaction too late"])


def test_what_has_no_reaction_has_none_in_json():
    row = fault_report.row(Outcome(scenarios()[0], [Repeat()]), 0.02, 0.6)
    assert row["reaction_worst"] is None and row["allowed"] is None
    assert not any(isinstance(v, float) and math.isnan(v) for v in row.values())
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_what_was_not_run_says_why(outcome):
    outcome.repeats, outcome.not_run = [], "needs root"
    row = fault_report.row(outcome, 0.02, 0.6)
    assert fault_report.cells(row)[1] == "not run"
    assert fault_report.text([row])[-1].endswith("not run: needs root")


def test_terminal_and_markdown_come_from_the_same_rows(outcome):
    rows = [fault_report.row(outcome, 0.02, 0.6)]
    lines = fault_report.text(rows)
    assert lines[-1] == "kill_perception: reaction too late"
    about = {"date": "today", "machine": "here", "repeats": 4, "recovery": 0.5,
             "period": 0.02, "braking_time": 0.6}  # fmt: skip
    page = fault_report.markdown({"about": about, "scenarios": rows, "notes": {"x": "y"}})
    assert "| kill_perception | 4 | 3 | 425 | 500 | 440 | 240 | 3.0 |" in page
    assert "- kill_perception: reaction too late" in page and "- x: y" in page


def test_the_shipped_table_is_made_from_the_shipped_figures():
    folder = Path(__file__).resolve().parents[4] / "docs"
    content = json.loads((folder / "fault_injection.json").read_text())
    assert (folder / "fault_injection.md").read_text() == fault_report.markdown(content)
    shown = {row["name"] for row in content["scenarios"]}
    assert shown == {scenario.name for scenario in scenarios()}
