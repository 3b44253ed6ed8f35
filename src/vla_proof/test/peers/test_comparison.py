"""Our chain and nav2's side by side: never worse, as `comparison` defines it."""

import dataclasses

import pytest

from vla_proof.peers import comparison, peers_command
from vla_proof.peers.peer_streams import EMERGENCY, NORMAL, STREAMS


@pytest.fixture(scope="module")
def rows():
    return {row.stream.name: row for row in comparison.compare()}


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_never_worse(rows, name):
    assert comparison.worse(rows[name]) == []


def test_jerk_is_bounded_where_theirs_is_not(rows):
    for row in rows.values():
        bound = EMERGENCY.jerk if row.ours.emergency else NORMAL.jerk
        assert row.ours.jerk <= bound + 1e-6
        assert row.nav2.jerk > bound


def test_a_wall_ahead_needs_no_emergency_and_is_not_touched(rows):
    for speed in ("0.2", "0.4", "0.6"):
        ours = rows[f"wall ahead at {speed} m/s"].ours
        assert not ours.emergency
        assert 0.15 - 1e-6 <= ours.kept < 0.17


def test_silence_stops_sooner_than_theirs(rows):
    for name in ("silence", "scanner dies"):
        row = rows[name]
        assert row.ours.emergency
        assert row.ours.time_to_stop < row.nav2.time_to_stop
        assert row.ours.stopping_distance < row.nav2.stopping_distance


def test_what_is_worse_is_found(rows):
    row = rows["wall ahead at 0.6 m/s"]
    for change, what in (
        ({"jerk": 3.0}, "jerk"),
        ({"velocity": 0.7}, "velocity"),
        ({"acceleration": 0.6}, "acceleration"),
        ({"kept": 0.0}, "nearness"),
    ):
        bad = dataclasses.replace(row, ours=dataclasses.replace(row.ours, **change))
        assert any(what in text for text in comparison.worse(bad))
    row = rows["step"]
    bad = dataclasses.replace(row, ours=dataclasses.replace(row.ours, time_to_stop=2.0))
    assert any("time to stop" in text for text in comparison.worse(bad))
    bad = dataclasses.replace(row, ours=dataclasses.replace(row.ours, stopping_distance=None))
    assert any("stopping distance" in text for text in comparison.worse(bad))


def test_main_prints_and_writes_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "compare", lambda: comparison_of_step())
    assert peers_command.main(["--out", str(tmp_path / "deep/peers.md")]) == 0
    printed = capsys.readouterr().out
    text = (tmp_path / "deep/peers.md").read_text(encoding="utf-8")
    for part in ("| step |", "Never worse.", "peak jerk"):
        assert part in text
        assert part in printed


def comparison_of_step():
    stream = STREAMS[0]
    ours, nav2 = comparison.Ours(), comparison.Nav2()
    return [comparison.Row(stream, comparison.run(stream, ours), comparison.run(stream, nav2))]
