"""The page is whole in itself, and a real browser shows every part of it."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from vla_contract.image_pixels import BYTES_PER_PIXEL
from vla_replay.bags import made_bags
from vla_replay.play.answer_recorder import Moment, Moments, Samples
from vla_replay.play.replay_session import Session
from vla_replay.results import bag_pictures, charts, moment_frames, replay_report

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
SECTIONS = ("summary", "frames", "actions", "latency", "sync", "faults", "worst", "topics")
SECOND = 1_000_000_000


def session():
    made = Session((True, True), (2.0, 2.0), 0.02)
    jpeg = bag_pictures.jpeg(made_bags.image(0, made_bags.picture(3, 64, 48), False).data, False)
    made.begin = made_bags.START
    made.command("open <b>the</b> drawer", made_bags.START)
    for tick in range(1, 200):
        stamp = made_bags.START + tick * SECOND // 50
        limited = 50 < tick < 80
        violation = SimpleNamespace(limit=2, dimension="x", name="")
        message = SimpleNamespace(
            requested=[np.sin(tick / 20), 0.1] if tick > 5 else [float("nan")] * 2,
            safe=[0.5 * np.sin(tick / 20), 0.1],
            verdict=int(limited),
            state=1 if tick > 5 else 3,
            violations=[violation] * limited,
        )
        score, why = made.safe_action(message, stamp, b"data")
        made.moment(score, tick, stamp, why, lambda: {"front": jpeg})
        made.latency("model", 0.004 + 0.0001 * (tick % 7))
        if made.moments.moving.wants():
            made.moments.moving.add(Moment(0.0, tick, stamp, "", {"front": jpeg}))
    made.skew.add(3.0)
    made.fault("perception", 0, 2, "camera <front> died", made_bags.START + SECOND)
    made.fault("perception", 0, 0, "", made_bags.START + 2 * SECOND)
    return made


def material():
    made = session()
    document = {
        "bag": "/data/walk.mcap", "images": 60, "wall_seconds": 1.5, "mode": "lock-step",
        "checkpoint": "c", "backend": "b", "outputs": "disconnected", "off": "closed loop",
        "tolerance": "1e-4", "notes": ["a note"], "topics": {"/c": "camera/front"},
        "skipped": {"/cmd_vel": "a robot's command"},
        "dimensions": [{"name": n, "unit": "m/s", "low": -1.0, "high": 1.0} for n in ("x", "<y>")],
        **made.summary(),
    }  # fmt: skip
    document["drops"] = {"/c: broken message": 2}
    return replay_report.material(document, made)


@pytest.mark.filterwarnings("error")
def test_charts_are_drawn_without_a_warning():
    said = [{"time": time, "text": "far away"} for time in (0.0, 1.7e9)]
    assert charts.timeline([], [{"time": 0.0, "state": "HOLD"}], said, 1.0)
    assert charts.distributions({"nothing": [0.0] * 5, "one": [3.0], "two": [1.0, 2.0]})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    replay_report.write(path, material())
    return path


def test_the_page_needs_no_network_and_escapes_what_it_shows(page):
    text = page.read_text()
    links = re.findall(r'(?:src|href)="([^"]{1,40})', text)
    assert links and all(link.startswith("data:image/") for link in links)
    assert "<script" not in text and "url(" not in text and "@import" not in text
    assert "<b>the</b>" not in text and "camera <front>" not in text
    for name in SECTIONS:
        assert f'<section id="{name}">' in text


def test_the_worst_ten_moments_come_worst_first_and_apart():
    moments = session().moments
    assert isinstance(moments, Moments)
    scores = [moment.score for moment in moments.worst]
    assert scores == sorted(scores, reverse=True) and len(scores) == 10
    assert len({moment.tick for moment in moments.worst}) == 10
    long = Moments(stretch=50)
    for tick in range(1, 2000):
        long.add_worst(Moment(1.0 + (tick % 97) / 97, tick, tick, "", {}))
    ticks = sorted(moment.tick for moment in long.worst)
    assert len(ticks) == 10 and min(b - a for a, b in zip(ticks, ticks[1:], strict=False)) >= 50
    assert len(moments.even) == 12


def test_frames_are_of_the_motion_where_there_is_any():
    moments = Moments(stretch=1)
    for tick in range(500):
        moving = 200 <= tick < 203
        even = moments.moving if moving else moments.resting
        if even.wants():
            even.add(Moment(0.0, tick, tick, "", {}))
        if tick == 199:
            assert [each.tick for each in moments.even][::11] == [0, 192]
    assert [each.tick for each in moments.even] == [200, 201, 202]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.3], (0.08, 0.32)),  # the motion, with room around it
        ([0.1, np.nan], (0.08, 0.12)),  # at rest: a sliver of the range
        ([0.0, 90.0], (-0.128, 1.728)),  # what is asked for far beyond the range
        ([np.nan], (-1.16, 1.16)),  # the range
    ],
)
def test_the_scale_follows_the_motion(values, expected):
    assert charts._scale(-1.0, 1.0, np.array(values)) == pytest.approx(expected)


def test_what_is_empty_is_not_there(tmp_path):
    found = material()
    empty = {"violations": {}, "drops": {}, "faults": [], "latency_ms": {}}
    bare = replay_report.Material(
        {**found.document, **empty, "standstill": "nothing moved: why"}, found.rows, {}, [], [], []
    )
    replay_report.write(tmp_path / "bare.html", bare)
    text = (tmp_path / "bare.html").read_text()
    assert re.findall(r'<section id="(\w+)">', text) == ["summary", "actions", "faults", "topics"]
    assert not table(text, "actions") and not table(text, "faults")
    assert '<p class="differs"><b>nothing moved: why</b></p>' in text


def test_samples_of_any_length_stay_small():
    samples = Samples()
    for value in range(100_000):
        samples.add(float(value))
    assert samples.count == 100_000 and len(samples.values) <= 20_000
    assert samples.summary()["p50"] == pytest.approx(50_000, rel=0.01)


@pytest.mark.parametrize("worst", [0, 1, 20_001, 54_321, 99_999])
def test_the_greatest_is_exact_wherever_it_comes(worst):
    samples = Samples()
    for index in range(100_000):
        samples.add(777.0 if index == worst else 1.0)
    assert samples.summary()["max"] == 777.0


@pytest.mark.parametrize("encoding", BYTES_PER_PIXEL)
def test_pictures_of_every_encoding(encoding):
    rows = np.full((40, 60 * BYTES_PER_PIXEL[encoding]), 99, np.uint8)
    shown = []
    for padding in (0, 5):
        padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
        data = made_bags.serialised(
            "sensor_msgs/msg/Image", header=made_bags.header(0), height=40, width=60,
            encoding=encoding, is_bigendian=0, step=padded.shape[1], data=padded.ravel(),
        )  # fmt: skip
        shown.append(bag_pictures.jpeg(data, False))
    assert shown[0] == shown[1] and shown[0][:2] == b"\xff\xd8"


def browser():
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no browser: the page was not rendered; Debian's package is chromium")
    return found


def test_a_browser_shows_every_section(page, tmp_path):
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    shot = tmp_path / "page.png"
    command = [browser(), *flags, f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=1200,3000", f"--screenshot={shot}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert shot.is_file(), done.stderr[-2000:]
    import cv2

    picture = cv2.imread(str(shot))
    assert picture.shape[:2] == (3000, 1200)
    # Not a blank page: cards and charts give it colour all the way down.
    for part in np.array_split(picture[:2400], 6):
        assert part.std() > 8.0


def table(text, section):
    """Rows of a section's tables: the text of each cell."""
    part = re.search(rf'<section id="{section}">.*?</section>', text, re.DOTALL)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_every_figure_of_the_page_stands_in_its_column(page):
    text = page.read_text()
    latency = {"count": 199, "p50": 4.3, "p95": 4.6, "p99": 4.6, "max": 4.6}
    hop = material().document["latency_ms"]["model"]
    assert list(hop) == list(latency)
    shown = [hop["count"], *(f"{hop[name]:.2f}" for name in ("p50", "p95", "p99", "max"))]
    rows = table(text, "latency")
    assert rows == [["hop, ms", *latency], ["model", *map(str, shown)]]
    assert len({hop["count"], hop["p50"], hop["p95"]}) == 3
    assert table(text, "actions")[1:] == [["velocity x", "29"]]
    assert table(text, "sync")[1:] == [["/c: broken message", "2"]]
    assert [row[1:] for row in table(text, "faults")[1:]] == [
        ["perception", "vision", "ERROR", "camera &lt;front&gt; died"],
        ["perception", "vision", "OK", ""],
    ]
    assert table(text, "topics")[1:] == [
        ["/c", "camera/front"], ["/cmd_vel", "skipped: a robot&#39;s command"],
    ]  # fmt: skip
    figures = dict(re.findall(r'<div class="figure"><b>(.*?)</b>(.*?)</div>', text))
    named = {name: value for value, name in figures.items()}
    assert named["images"] == "60" and named["observations"] == "0"
    assert named["control periods"] == "199" and named["s taken"] == "1.5"
    assert named["PASS"] == "170" and named["LIMITED"] == "29"


def side(kind, p50, p99):
    return {"hop": kind, "a_p50": p50, "b_p50": p50 + 1, "a_p99": p99, "b_p99": p99 + 1}


def test_every_figure_of_a_comparison_stands_in_its_column(tmp_path):
    def distance(first):
        names = ("mean", "p99", "greatest", "at", "accepted")
        return {"name": "x", **{name: first + i for i, name in enumerate(names)}}

    keys = ("folder", "bag", "mode", "checkpoint", "ticks", "observations", "actions_sha256")
    comparison = {
        "a": {key: f"A's {key}" for key in keys}, "b": {key: f"B's {key}" for key in keys},
        "same": False, "moved": True, "differences": ["something"],
        "compared": 9, "only_a": 3, "only_b": 4,
        "requested": [distance(1)], "dimensions": [distance(11)], "changed_decisions": 1,
        "changes": [{"time": 0.5, "a": "PASS", "b": "HELD"}],
        "violations": [{"name": "norm linear", "a": 1, "b": 2, "new": True}],
        "latency": [side("model", 3.0, 7.0)],
    }  # fmt: skip
    replay_report.write_comparison(tmp_path / "page", comparison, {"actions": "", "frames": []})
    text = (tmp_path / "page").read_text()
    assert [row[1:] for row in table(text, "summary")[1:]] == [
        [f"A&#39;s {key}", f"B&#39;s {key}"] for key in keys
    ]
    assert table(text, "actions")[0][2:] == [
        "mean distance",
        "p99",
        "greatest",
        "at, s",
        "accepted",
    ]
    assert table(text, "actions")[1:] == [
        ["requested", "x", "1", "2", "3", "4.00", "5"],
        ["sent", "x", "11", "12", "13", "14.00", "15"],
    ]  # fmt: skip
    assert table(text, "decisions") == [["s", "A", "B"], ["0.500", "PASS", "HELD"]]
    assert "1 of 9 control periods; 3 only in A, 4 only in B" in text
    assert table(text, "violations") == [["limit", "A", "B", ""], ["norm linear", "1", "2", "new"]]
    assert table(text, "latency") == [
        ["hop", "A p50", "B p50", "A p99", "B p99"], ["model", "3.00", "4.00", "7.00", "8.00"],
    ]  # fmt: skip
    assert '<p class="differs">' in text and "<li>something</li>" in text


def marks(svg):
    """x of the requested (red) mark and of the safe (blue) dot."""
    red = re.search(rf'<line x1="([\d.]+)"[^>]*stroke="{charts.ASKED}"', svg)
    blue = re.search(rf'<circle cx="([\d.]+)"[^>]*fill="{charts.SAFE}"', svg)
    return red and float(red[1]), blue and float(blue[1])


def test_a_card_marks_what_was_requested_and_what_was_sent():
    dimensions = [{"name": "x", "low": -1.0, "high": 1.0}]
    moment = {"pictures": {"front": "AAAA"}}

    def card(requested, safe):
        return moment_frames.card(moment, (1.5, requested, safe, 1, 4), dimensions, "open <it>")

    svg = card([0.5], [-0.5])
    # The scale is from 92 to 182 of a card 240 wide.
    assert marks(svg) == (159.5, 114.5)
    assert "1.50 s  STOPPED  LIMITED" in svg and "open &lt;it&gt;" in svg and "-0.500" in svg
    assert f'stroke="{charts.ASKED}" stroke-width="2"' in svg
    beyond = card([9.0], [1.0])
    assert marks(beyond) == (182.0, 182.0)
    assert f'stroke="{charts.ASKED}" stroke-width="4"' in beyond
    assert marks(card([float("nan")], [0.0])) == (None, 137.0)
    assert marks(card([], [])) == (None, None)
    assert "no command" in moment_frames.card(moment, (1.5, [0.0], [0.0], 1, 4), dimensions, "")


def test_charts_draw_each_curve_in_its_colour(monkeypatch):
    drawn = {}
    monkeypatch.setattr(charts, "page_picture", lambda figure: drawn.update(figure=figure) or "x")
    dimensions = [{"name": "x", "unit": "m/s", "low": -1.0, "high": 1.0}]
    rows = [(0.0, [0.5], [0.1], 0, 1), (1.0, [0.6], [0.2], 1, 1)]
    other = [(0.0, [0.7], [0.3], 0, 1), (1.0, [0.8], [0.4], 1, 1)]

    def curves(*words):
        charts.actions(rows, dimensions, *words)
        lines = drawn["figure"].axes[0].get_lines()
        return {line.get_label(): line for line in lines if not line.get_label().startswith("_")}

    one = curves()
    assert list(one["requested"].get_ydata()) == [0.5, 0.6]
    assert list(one["sent"].get_ydata()) == [0.1, 0.2]
    assert one["requested"].get_color() == charts.ASKED and one["sent"].get_color() == charts.SAFE
    assert one["requested"].get_linewidth() > 2 * one["sent"].get_linewidth(), "seen under it"
    two = curves(other, ("A", "B"))
    assert set(two) == {"A", "B"}
    assert list(two["A"].get_ydata()) == [0.1, 0.2] and list(two["B"].get_ydata()) == [0.3, 0.4]


def test_each_percentile_of_a_hop_stands_under_its_name():
    samples = Samples()
    for value in range(1001):
        samples.add(float(value))
    assert samples.summary() == {
        "count": 1001, "p50": 500.0, "p95": 950.0, "p99": 990.0, "max": 1000.0,
    }  # fmt: skip
