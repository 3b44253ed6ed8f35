"""The page is whole in itself, and a real browser shows every part of it."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from vla_contract.images import BYTES_PER_PIXEL
from vla_replay import charts, pictures, report, testing
from vla_replay.recorder import Moment, Moments, Samples
from vla_replay.session import Session

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
SECTIONS = ("summary", "frames", "actions", "latency", "sync", "faults", "worst", "topics")
SECOND = 1_000_000_000


def session():
    made = Session(("x", "<y>"), (2.0, 2.0), 0.02)
    jpeg = pictures.jpeg(testing.image(0, testing.picture(3, 64, 48), False).data, False)
    made.begin = testing.START
    made.command("open <b>the</b> drawer", testing.START)
    for tick in range(1, 200):
        stamp = testing.START + tick * SECOND // 50
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
        if made.moments.wants_even():
            made.moments.add_even(Moment(0.0, tick, stamp, "", {"front": jpeg}))
    made.skew.add(3.0)
    made.fault("perception", 0, 2, "camera <front> died", testing.START + SECOND)
    made.fault("perception", 0, 0, "", testing.START + 2 * SECOND)
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
    return report.material(document, made)


@pytest.mark.filterwarnings("error")
def test_charts_are_drawn_without_a_warning():
    said = [{"time": time, "text": "far away"} for time in (0.0, 1.7e9)]
    assert charts.timeline([], [{"time": 0.0, "state": "HOLD"}], said, 1.0)
    assert charts.distributions({"nothing": [0.0] * 5, "one": [3.0], "two": [1.0, 2.0]})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(path, material())
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
        data = testing.serialised(
            "sensor_msgs/msg/Image", header=testing.header(0), height=40, width=60,
            encoding=encoding, is_bigendian=0, step=padded.shape[1], data=padded.ravel(),
        )  # fmt: skip
        shown.append(pictures.jpeg(data, False))
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
