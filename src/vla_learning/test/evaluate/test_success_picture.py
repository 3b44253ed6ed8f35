"""The picture of an evaluation."""

import cv2
import numpy as np

from vla_learning.evaluate.success_picture import draw
from vla_learning.evaluate.success_report import Episode


def episodes():
    return [
        Episode(task, seed, f"do {task}", success=seed < 7, ticks=60)
        for task in ("reach", "push", "ground-touch-red")
        for seed in range(10)
    ]


def test_bars_and_frames(tmp_path):
    red, blue = (np.full((24, 24, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    draw(episodes(), {("push", 3): (red, blue)}, tmp_path / "with.png")
    draw(episodes(), {}, tmp_path / "without.png")
    drawn, bare = (cv2.imread(str(tmp_path / name)) for name in ("with.png", "without.png"))
    assert drawn.shape[0] > bare.shape[0] and drawn.shape[1] == bare.shape[1]
    for bgr in ((0, 0, 255), (255, 0, 0)):
        assert (drawn == bgr).all(2).sum() > 1000
        assert (bare == bgr).all(2).sum() == 0
