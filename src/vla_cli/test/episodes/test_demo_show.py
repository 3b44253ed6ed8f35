"""What a demo shows: trace, view, video, figure, table."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from vla_cli.client.command_errors import CommandError
from vla_cli.episodes import (
    demo_command,
    demo_plot,
    demo_show,
    demo_video,
    episode_trace,
    live_view,
)
from vla_cli.episodes.graph_episodes import EpisodeResult
from vla_contract import terminal
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
    recorder.begin_episode("open a drawer", 500)
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


def screens(monkeypatch, columns: int) -> tuple[live_view.RichView, list[list[str]]]:
    """A view on a terminal of so many columns, and the lines of everything that it has drawn."""
    monkeypatch.setenv("COLUMNS", str(columns))
    console = Console(width=terminal.columns(), file=io.StringIO(), force_terminal=True)
    view, drawn = live_view.RichView(console), []

    def draw(renderable, *, refresh):
        plain = Console(width=console.width, file=io.StringIO())
        plain.print(renderable)
        drawn.append(plain.file.getvalue().splitlines())

    monkeypatch.setattr(view._live, "update", draw)
    return view, drawn


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_live_view_stays_where_it_is_and_ends_with_the_verdict(monkeypatch, columns):
    view, drawn = screens(monkeypatch, columns)
    monkeypatch.setattr(live_view, "REFRESH", 1e9)
    long = "a fault that has much to tell\n" * 9
    view.show_start(1.0)
    view.show("t", episode_trace.Snapshot("nominal", steps=500, step=3))
    view.say("robot moving after 5.0 s")
    snapshot = episode_trace.Snapshot(
        "hold",
        long,
        long,
        limited=(long,) * 3,
        faults=(long,) * 9,
        prompt=long,
        step=250,
        steps=500,
    )
    view.show("t", snapshot)
    monkeypatch.setattr(live_view, "REFRESH", 1e-9)  # the last state is not lost by it
    snapshot.step = 251
    view.show("t", snapshot)
    view.say("t: success after 251 steps")
    view.close()
    assert len({len(lines) for lines in drawn}) == 1, "always as high"
    assert {len(line) for lines in drawn for line in lines} == {min(80, columns)}
    assert "success after 251 steps" in "".join(drawn[-1])
    assert "step 251 of at most 500" in drawn[-1][-1]
    bars = [next(line.count("━") for line in lines if "progress" in line) for lines in drawn]
    assert bars[0] < bars[-1], "progress is shown"


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
    assert not (tmp_path / "v.mp4").exists()
    made.keep()
    assert (tmp_path / "v.mp4").stat().st_size > 500
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def moving_trace() -> episode_trace.Trace:
    recorder = episode_trace.Recorder()
    for tick in range(50):
        fired = [violation()] if tick % 7 == 0 else []
        recorder.on_safe_action(safe_action(tick, [0.01 * tick, 0, 0, 0], violations=fired))
    return recorder.trace


@pytest.mark.parametrize("pictures", [0, 1, 40])
def test_the_figure_has_pictures_and_every_label_whole(tmp_path, monkeypatch, pictures):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    frames = [(0.1 * n, np.full((24, 24, 3), n, np.uint8)) for n in range(pictures)]
    demo_plot.draw(moving_trace(), SPACE, "t", frames, tmp_path / "f.png")
    figure = figures[0]
    figure.canvas.draw()
    plots = [axis for axis in figure.axes if not axis.images]
    assert len(plots) == 2 * len(SPACE.dimensions)
    edge = figure.bbox
    for axis in plots:
        label = axis.yaxis.label.get_window_extent()
        assert label.x0 >= edge.x0, axis.get_ylabel()
    shown = [int(axis.images[0].get_array().max()) for axis in figure.axes if axis.images]
    assert shown == {0: [], 1: [0] * 6, 40: [0, 8, 16, 23, 31, 39]}[pictures]


def test_the_rate_of_a_velocity_begins_at_rest():
    rates = demo_plot.rate(np.array([0.1, 0.2]), 0.1, from_rest=True)
    assert rates == pytest.approx([1.0, 1.0])


def test_a_trace_without_a_control_period_is_empty():
    times, requested, safe = episode_trace.Trace().arrays()
    assert times.size == requested.size == safe.size == 0


REFUSED = EpisodeResult("drawer-open", 1, "make me a coffee", False, 0, "rejected", "I know", 3.0)


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_shows_nothing_leaves_the_files_of_an_earlier_demo(tmp_path, capsys, interrupted):
    show = object.__new__(demo_show.Show)
    show._view = SimpleNamespace(close=lambda: None)
    show._recorder = episode_trace.Recorder()
    show._video = demo_video.Video(tmp_path / "demo.mp4", 1)
    show._figure = tmp_path / "demo.png"
    for file in (show._figure, tmp_path / "demo.mp4"):
        file.write_text("of an earlier demo")
    if interrupted:
        show.give_up()
    else:
        show.close()
        show.draw(tmp_path, [REFUSED])
    why = "interrupted" if interrupted else "the robot was sent nothing"
    assert f"no video and no figure: {why}" in capsys.readouterr().out
    assert {path.read_text() for path in tmp_path.iterdir()} == {"of an earlier demo"}
    assert demo_show.verdict("t", REFUSED) == "t: refused: I know"


def test_two_demos_have_files_of_their_own(tmp_path, capsys):
    code = (
        "import sys\nfrom pathlib import Path\nfrom vla_cli.episodes import demo_command\n"
        "print(demo_command.own_files(Path(sys.argv[1])).name, flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout.readline() == "demo\n"
        assert demo_command.own_files(tmp_path) == tmp_path / "demo-2"
        assert "another demo writes" in capsys.readouterr().out
        demo.stdin.close()
    assert demo_command.own_files(tmp_path) == tmp_path / "demo"


def test_a_person_sees_a_line_before_the_graph_is_waited_for(tmp_path, monkeypatch, capsys):
    told = []

    def start(*_):
        told.append(capsys.readouterr().out)
        raise CommandError("no graph here")

    monkeypatch.setattr(demo_command.processes, "LaunchedGraph", start)
    monkeypatch.setattr(demo_command.paths, "checkpoint", lambda *_: tmp_path)
    chosen = demo_command.parse(["--out", str(tmp_path), "--task", "door-open", "--seed", "4"])
    with pytest.raises(CommandError, match="no graph here"):
        demo_command.run(chosen)
    assert told == [f"starting the graph: door-open, seed 4; its output: {tmp_path}/demo.log\n"]


def test_verdicts_as_a_table():
    good = EpisodeResult("drawer-open", 1, "open a drawer", True, 100, "", "", 3.0)
    bad = EpisodeResult("drawer-open", 2, "open a drawer", False, 500, "timed out", "late", 3.0)
    text = demo_command.table([good, bad])
    assert "I know" in demo_command.table([REFUSED]).splitlines()[2]
    assert "1 of 2" in text and "timed out: late" in text and "1.25 s" in text


def test_an_empty_command_is_refused():
    with pytest.raises(CommandError, match="--command is empty; accepted: the words to say"):
        demo_command.parse(["--command", " "])
