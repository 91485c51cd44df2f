"""colorlab.course.thumbnails: the parts of the course map that must be right, not only handsome."""

from __future__ import annotations

import csv

import matplotlib
import numpy as np
import pytest
from skimage.color import rgb2lab

from colorlab.course import thumbnails
from colorlab.course.map import course_map
from colorlab.sources.bundled import data_dir

matplotlib.use("agg")


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(80, 170, (20, 30, 3), dtype=np.uint8)


def test_every_photo_shown_is_free_of_conditions(monkeypatch):
    opened = set()

    def record(path):
        opened.add(f"test/{path.name}")
        return original(path)

    original = thumbnails.open_photo
    monkeypatch.setattr(thumbnails, "open_photo", record)
    course_map()
    with (data_dir() / "photos" / "credits.csv").open(encoding="utf-8", newline="") as file:
        licenses = {row["file"]: row["license"] for row in csv.DictReader(file)}
    assert len(opened) >= 15
    assert {licenses[name] for name in opened} <= {"public-domain", "CC0-1.0"}


def test_recolored_keeps_lightness_and_turns_hue(photo):
    before = rgb2lab(photo)
    after = rgb2lab(thumbnails._recolored(photo, 0.5, 90))
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=0.5)  # of rounding to 8 bits
    # A quarter turn takes (a, b) to (-b, a).
    np.testing.assert_allclose(after[..., 1], -0.5 * before[..., 2], atol=1.5)
    np.testing.assert_allclose(after[..., 2], 0.5 * before[..., 1], atol=1.5)


def test_fitted_cuts_and_never_stretches(photo):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255  # a white square, 20 x 20, in the middle
    np.testing.assert_array_equal(thumbnails.fitted(wide, 20, 20), 255)
    np.testing.assert_array_equal(thumbnails.fitted(wide, 20, 20, center=0.0), 0)
    np.testing.assert_array_equal(thumbnails.fitted(photo, 30, 20), photo)
    assert thumbnails.fitted(photo[..., 0], 12.4, 7.6).shape == (8, 12, 3)


def test_the_patch_is_drawn_at_its_size():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    thumbnails._patchgan(axes, None)
    plt.close(figure)
    # Isola et al. (2017), section 6.1.2: three strided layers see 70 pixels.
    assert "70 px" in [text.get_text() for text in axes.texts]
    squares = {(box.get_width(), box.get_height()) for box in axes.patches if not box.get_fill()}
    assert squares == {(70, 70), (14, 14)}  # the patch, and its cell on the map
