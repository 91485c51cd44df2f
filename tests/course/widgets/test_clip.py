"""colorlab.course.widgets.clip: carrying and flicker held against loops over single pixels."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from colorlab.course.widgets.board import curves
from colorlab.course.widgets.clip import SHOWN, ClipPlay, carried


def clip(frames=4, height=3, width=5):
    """L and ab in CIE units; about half of the pixels stay from frame to frame."""
    random = torch.Generator().manual_seed(1)
    L = 50 + 2.5 * torch.randn(frames, 1, height, width, generator=random)
    return L, 20 * torch.randn(frames, 2, height, width, generator=random)


def test_carried_is_the_rule_pixel_by_pixel():
    L, ab = clip()
    found = carried(L, ab, 0.7, 2.0)
    for y in range(3):
        for x in range(5):
            color = ab[0, :, y, x]
            for t in range(1, 4):
                stays = abs(L[t, 0, y, x] - L[t - 1, 0, y, x]) < 2
                color = 0.7 * color + 0.3 * ab[t, :, y, x] if stays else ab[t, :, y, x]
                torch.testing.assert_close(found[t, :, y, x], color)


class Restless:
    """Predicts another red for each frame: 20 and 40 CIE units in turn."""

    calls = 0

    def predict(self, photo):
        self.calls += 1
        height, width = (max(side // 2, 1) for side in photo.shape[:2])
        ab = torch.zeros(1, 2, height, width)
        ab[:, 0] = (40 if self.calls % 2 else 20) / 110
        return torch.zeros(1, 1, height, width), ab


FRAMES = [np.full((24, 32, 3), 120, np.uint8)] * 6


def numbers(play):
    return [float(n) for n in re.findall(r"([\d.]+) (?:CIE units frame|carried)", play.words)]


def test_flicker_of_both_sides():
    play = ClipPlay(FRAMES, Restless())
    assert numbers(play)[0] == pytest.approx(20, abs=0.01)
    play.set(keep=0.9)
    a = [40.0]
    for now in (20, 40, 20, 40, 20):
        a.append(0.9 * a[-1] + 0.1 * now)
    assert numbers(play)[1] == pytest.approx(np.abs(np.diff(a)).mean(), abs=0.01)
    play.set(keep=0.0, frame=6)
    assert numbers(play) == pytest.approx([20, 20], abs=0.01)
    picture = play.picture()
    left, right = picture[60:228, :SHOWN], picture[60:228, SHOWN + 8 :]
    assert (left == right).all() and "lie 0.0 from the prediction" in play.words


def test_the_right_side_lags_behind():
    play = ClipPlay(FRAMES, Restless())
    play.set(keep=0.9, frame=2)
    left, right = (play.picture()[100, x].astype(int) for x in (150, SHOWN + 158))
    assert right[0] - right[1] > left[0] - left[1] + 20, "redder: most of frame 1 is kept"
    assert "Frame 2 of 6" in play.words and "lie 18.0 from the prediction" in play.words


def test_what_moves_gets_a_new_color():
    frames = [np.full((24, 32, 3), 100 + 30 * (i % 2), np.uint8) for i in range(4)]
    play = ClipPlay(frames, Restless())
    play.set(keep=0.98, frame=4)
    assert "lie 0.0 from the prediction" in play.words and numbers(play) == [0.0, 0.0]


def test_starts_in_the_middle_and_counts_whole_frames(monkeypatch):
    drawn = []
    monkeypatch.setattr(curves, "tick_text", lambda tick: drawn.append(tick) or "")
    play = ClipPlay(FRAMES[:1] * 16, Restless())
    assert play.values["frame"] == 9
    assert {5, 10, 15} <= {*drawn} and not {2.5, 7.5, 12.5} & {*drawn}


def test_each_frame_is_predicted_once():
    colorizer = Restless()
    play = ClipPlay(FRAMES, colorizer)
    for frame in range(1, 7):
        play.set(frame=frame, keep=frame / 10)
    assert colorizer.calls == 6


def test_large_frames_are_reduced():
    play = ClipPlay([np.zeros((300, 400, 3), np.uint8)] * 2, Restless())
    assert tuple(play.L.shape) == (2, 1, 144, 192)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (FRAMES[:1], "not 1 of 1 sizes"),
        ([], "not 0 of 0 sizes"),
        (FRAMES * 11, "not 66 of 1 sizes"),
        ([FRAMES[0], FRAMES[0][:20]], "not 2 of 2 sizes"),
    ],
)
def test_refuses_what_is_no_clip(frames, words):
    with pytest.raises(ValueError, match=words):
        ClipPlay(frames, Restless())
