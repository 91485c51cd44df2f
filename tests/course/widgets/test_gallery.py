"""colorlab.course.widgets.gallery: ranks within a photo, and the largest differences first."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from colorlab.course.widgets import gallery
from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets.gallery import (
    BOX,
    COLORS,
    GAP,
    HEAD,
    PLOT,
    TILE,
    DisagreementGallery,
    most_disagreed,
    ranks,
)
from colorlab.sources.bundled import lesson_file

# Three generators, two photos. Of the second photo the metrics turn the order around.
CLOSE = np.array([[30.0, 22.0], [25.0, 21.0], [20.0, 20.0]])
OFF = np.array([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0]])
SAME = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
SCORES = {"PSNR": (CLOSE, True), "chroma off by": (OFF, False), "recognized": (SAME, True)}
PICTURES = {
    "names": np.array(["first", "second", "third"]),
    "photos": np.array(["bee", "lemur"]),
    "gray": np.stack([np.full((3, 96, 96), level, np.uint8) for level in (10, 20)]),
    "truth": np.stack([np.full((3, 96, 96), level, np.uint8) for level in (30, 40)]),
    "pictures": np.arange(50, 56, dtype=np.uint8).reshape(3, 2, 1, 1, 1)
    * np.ones((1, 1, 3, 96, 96), np.uint8),
}


@pytest.fixture
def panel():
    return DisagreementGallery(SCORES, PICTURES)


@pytest.mark.parametrize("more", [True, False])
def test_ranks_are_scipys(more):
    values = np.random.default_rng(0).integers(0, 4, (8, 6)).astype(float)  # with many ties
    wanted = rankdata(-values if more else values, axis=0)
    np.testing.assert_array_equal(ranks(values, more), wanted)


def test_the_largest_difference_comes_first():
    first, second = np.array([[1, 3], [2, 1], [3, 2]]), np.array([[1, 1], [3, 2], [2, 3]])
    found = most_disagreed(first, second)
    assert found[0] == (0, 1) and found[-1] == (0, 0) and len(set(found)) == 6
    apart = [abs(first[spot] - second[spot]) for spot in found]
    assert apart == sorted(apart, reverse=True)


def test_a_hard_photo_is_no_disagreement(panel):
    """Over all six colorings the ranks of the bee's would differ from each other as well."""
    spots = most_disagreed(panel.ranks["PSNR"], panel.ranks["chroma off by"])
    assert set(spots[:2]) == {(0, 1), (2, 1)}  # on the lemur, which the metrics turn around
    assert panel.words.startswith("1 of 6: lemur by first. PSNR gives it rank 1 of 3, chroma off ")
    assert "chroma off by rank 3." in panel.words


def test_says_all_scores_of_the_coloring(panel):
    assert "All its scores: PSNR 22; chroma off by 9; recognized 1." in panel.words
    assert "aria-live" in panel.caption.value
    panel.set(y="recognized", dot=6)
    row, column = most_disagreed(panel.ranks["PSNR"], panel.ranks["recognized"])[-1]
    names, photos = PICTURES["names"], PICTURES["photos"]
    assert panel.words.startswith(f"6 of 6: {photos[column]} by {names[row]}. ")


def test_equal_scores_share_a_rank(panel):
    panel.set(x="recognized", y="PSNR")
    words = {panel.set(dot=dot) or panel.words for dot in range(1, 7)}
    assert any("recognized gives it rank 1.5 of 3" in one for one in words)


def test_a_metric_agrees_with_itself(panel):
    panel.set(y="PSNR")
    assert "PSNR gives it rank 1 of 3. All its scores" in panel.words


def test_shows_gray_the_coloring_and_truth(panel):
    for dot in range(1, 7):
        panel.set(dot=dot)
        row, column = most_disagreed(panel.ranks["PSNR"], panel.ranks["chroma off by"])[dot - 1]
        line = panel.picture()[PLOT[1] + HEAD + TILE // 2]
        seen = [line[i * (TILE + GAP) + TILE // 2, 0] for i in range(3)]
        assert seen == [
            PICTURES["gray"][column, 0, 0, 0],
            PICTURES["pictures"][row, column, 0, 0, 0],
            PICTURES["truth"][column, 0, 0, 0],
        ]


def test_right_and_up_are_better():
    """One coloring better by both metrics, though less is better for the one: it lies at the
    upper right."""
    values = np.array([[1.0], [2.0]])
    pictures = {**PICTURES, "names": ["bad", "good"], "photos": ["bee"]}
    panel = DisagreementGallery({"more": (values, True), "less": (-values, False)}, pictures)
    plane = panel.picture()[BOX[1] : BOX[3], BOX[0] : BOX[2]].astype(int)
    good = np.array([int(COLORS[1][i : i + 2], 16) for i in (1, 3, 5)])
    rows, columns = np.nonzero(np.abs(plane - good).sum(-1) < 12)
    assert rows.mean() < 0.2 * len(plane) and columns.mean() > 0.8 * plane.shape[1]


def test_takes_the_recorded_generators():
    with np.load(lesson_file("generators.npz"), allow_pickle=False) as file:
        pictures = dict(file)
    shape = len(pictures["names"]), len(pictures["photos"])
    random = np.random.default_rng(0)
    panel = DisagreementGallery(
        {"a": (random.random(shape), True), "b": (random.random(shape), False)}, pictures
    )
    assert panel.controls["dot"].max == shape[0] * shape[1]
    assert panel.words.split(": ")[1].split(" by ")[0] in pictures["photos"]


def test_marks_differ_in_color_and_shape():
    marks = {(COLORS[i % 8], gallery.CORNERS[i % 3]) for i in range(24)}
    assert len(marks) == 24


def test_it_stands_in_the_page_as_a_widget_and_a_picture(panel):
    bundle = panel._repr_mimebundle_()
    assert {VIEW, "image/png", "text/plain"} <= set(bundle)
    assert "right and up are better" in panel.box.children[-1].value


def test_refuses_what_it_cannot_rank():
    with pytest.raises(ValueError, match="at least two metrics"):
        DisagreementGallery({"PSNR": (CLOSE, True)}, PICTURES)
    with pytest.raises(ValueError, match=r"'flat' needs finite values of shape \(3, 2\)"):
        DisagreementGallery({**SCORES, "flat": (CLOSE[:2], True)}, PICTURES)
    perfect = np.where(CLOSE == 30, np.inf, CLOSE)
    with pytest.raises(ValueError, match="1 are not finite"):
        DisagreementGallery({**SCORES, "PSNR": (perfect, True)}, PICTURES)
