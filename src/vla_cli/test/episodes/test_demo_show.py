"""What a demo shows: trace, view, video, figure, table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vla_cli.episodes import demo_command, demo_video, episode_trace, live_view
from vla_contract.action_space import ActionSpace
from vla_interfaces.msg import SafeAction, SafetyStatus, Violation

SPACE = ActionSpace.load(Path(__file__).parents[4] / "config/action_spaces/metaworld.yaml")


def safe_action(tick: int, safe: list[float], **values) -> SafeAction:
    message = SafeAction(
        tick=tick,
        period=0.0125,
        dimension_names=list(SPACE.dimension_names),
        requested=[value + 0.1 for value in safe],
        safe=safe,
        outputs_connected=True,
        state=SafetyStatus.STATE_NOMINAL,
        **values,
    )
    message.header.stamp.sec, message.header.stamp.nanosec = 5, tick * 12_500_000
    return message


def violation(dimension: str = "linear_x") -> Violation:
    return Violation(
        limit=Violation.LIMIT_ACCELERATION, dimension=dimension, value=42.0, bound=10.0
    )


def test_recorder_follows_an_episode():
    recorder = episode_trace.Recorder()
    recorder.begin_episode("open a drawer")
    recorder.on_safe_action(safe_action(1, [0.0, 0.0, 0.0, 1.0]))
    assert not recorder.moved  # a gripper's effort is no motion
    recorder.on_safe_action(safe_action(2, [0.1, 0.0, 0.0, 1.0], violations=[violation()]))
    assert recorder.moved
    times, requested, safe = recorder.trace.arrays()
    assert times == pytest.approx([0.0, 0.0125])
    assert requested.shape == safe.shape == (2, 4)
    assert recorder.trace.limited_in("linear_x").tolist() == [False, True]
    assert recorder.trace.limited_in("linear_y").tolist() == [False, False]
    assert recorder.snapshot.limited == ("linear_x: acceleration 42 > 10",)


def test_the_view_shows_everything():
    snapshot = episode_trace.Snapshot("hold", "no chunk", "open", limited=("a",), faults=("b",))
    shown = dict(live_view.rows(snapshot))
    assert shown["state"] == "hold" and shown["limited"] == "a" and shown["faults"] == "b"
    assert shown["observation age"] == "–"
    assert "limited: a" in live_view.plain_line("t", snapshot)
    assert live_view.panel("t", snapshot) is not None


def test_frames_have_pictures_and_text():
    snapshot = episode_trace.Snapshot("nominal", "", "öffne die Schublade " * 20, success=True)
    picture = np.full((240, 240, 3), 200, np.uint8)
    frame = demo_video.compose([picture, None], "t", snapshot)
    assert frame.shape == (demo_video.SIDE + demo_video.PANEL, 2 * demo_video.SIDE, 3)
    assert frame[200, 200].tolist() == [200, 200, 200]
    assert frame[: demo_video.SIDE, demo_video.SIDE :].max() > 0  # "success"
    assert frame[demo_video.SIDE :].max() > 0


def test_a_video_is_written(tmp_path):
    made = demo_video.Video(tmp_path / "v.mp4", 1)
    for value in (0, 100, 200):
        made.add([np.full((24, 24, 3), value, np.uint8)], "t", episode_trace.Snapshot())
    made.close()
    assert (made.frames, made.error) == (3, "")
    assert (tmp_path / "v.mp4").stat().st_size > 500


def test_the_figure_is_written(tmp_path):
    from vla_cli.episodes import demo_plot

    recorder = episode_trace.Recorder()
    for tick in range(50):
        fired = [violation()] if tick % 7 == 0 else []
        recorder.on_safe_action(safe_action(tick, [0.01 * tick, 0, 0, 0], violations=fired))
    demo_plot.draw(recorder.trace, SPACE, "t", tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 10_000
    rates = demo_plot.rate(np.array([0.1, 0.2]), 0.1, from_rest=True)
    assert rates == pytest.approx([1.0, 1.0])


def test_verdicts_as_a_table():
    from vla_cli.episodes.graph_episodes import EpisodeResult

    good = EpisodeResult("drawer-open", 1, "open a drawer", True, 100, "", "", 3.0)
    bad = EpisodeResult("drawer-open", 2, "open a drawer", False, 500, "timed out", "late", 3.0)
    text = demo_command.table([good, bad])
    assert "1 of 2" in text and "timed out: late" in text and "1.25 s" in text
