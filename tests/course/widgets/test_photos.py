"""colorlab.course.widgets.photos: the squares are the loader's, and the sheet shows what its words
say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from colorlab.color import rgb_to_lab
from colorlab.course.widgets import photos
from colorlab.course.widgets.photos import AugmentPanel, ChromaSheet
from colorlab.photos.folder import PhotoFolder


def plain(width=150, height=120):
    """A photo whose red rises to the right and whose green rises downward."""
    y, x = np.mgrid[0 : 255 : height * 1j, 0 : 255 : width * 1j]
    return Image.fromarray(np.stack([x, y, 0 * x + 90], 2).round().astype(np.uint8))


def cells(panel):
    """The squares in the picture, without their frames: two rows of COUNT."""
    picture, side = panel.picture(), photos.CUT + 6
    first = picture.shape[1] - photos.COUNT * (side + 4)
    return [
        [
            picture[y + 3 : y + 3 + photos.CUT, first + 3 + i * (side + 4) :][:, : photos.CUT]
            for i in range(photos.COUNT)
        ]
        for y in (0, side + 6)
    ]


class TestAugmentPanel:
    def test_squares_are_the_data_sets_own(self, tmp_path):
        plain(400, 300).save(tmp_path / "a.png")
        data = PhotoFolder(tmp_path, size=photos.CUT, augment=True, scale=(1.0, 1.5))
        panel = AugmentPanel({"a": Image.open(tmp_path / "a.png")})
        panel.set(seed=7, scale=1.5)
        for number, drawn in enumerate(cells(panel)[1]):
            truth = data[0, 7000 + number].movedim(0, -1).numpy().astype(int)
            # The panel's photo was reduced beforehand, and Lab goes back and forth.
            assert np.abs(drawn.astype(int) - truth).mean() < 3

    def test_frames_lie_where_the_squares_were_cut(self):
        image = plain(300, 200)
        cut = photos.Cut(photos.CUT, augment=True, scale=(1.0, 1.6))
        working = cut.picture(image, (0, 0, *image.size))
        for seed in range(30):
            left, top, right, bottom, mirrored = photos._place(cut, working, seed)
            square = cut.square(working, seed).float() / 255  # red is x, green is y
            assert (square[0, 50, 0] > square[0, 50, -1]) == mirrored
            assert abs(square[0].min() - left) < 0.03 and abs(square[0].max() - right) < 0.03
            assert abs(square[1].min() - top) < 0.03 and abs(square[1].max() - bottom) < 0.03

    def test_turning_the_hue_leaves_the_input_and_changes_the_target(self):
        panel = AugmentPanel({"a": plain()})
        above, below = cells(panel)
        assert "mirrored" in panel.words and "Turned" not in panel.words
        panel.set(hue=120)
        turned_above, turned_below = cells(panel)
        assert all((a == b).all() for a, b in zip(above, turned_above, strict=True))
        assert all(
            np.abs(a.astype(int) - b).mean() > 20 for a, b in zip(below, turned_below, strict=True)
        )
        assert "Turned by 120°" in panel.words

    def test_a_turn_is_one_around_the_gray_axis(self):
        ab = torch.tensor([[30.0], [0.0]]).reshape(1, 2, 1, 1)
        assert torch.allclose(
            photos._turned(ab, 90).flatten(), torch.tensor([0.0, 30.0]), atol=1e-4
        )
        assert torch.allclose(
            photos._turned(ab, 180).flatten(), torch.tensor([-30.0, 0.0]), atol=1e-4
        )

    def test_the_gray_row_has_the_lightness_of_the_photo(self):
        above, below = cells(AugmentPanel({"a": plain()}))
        for gray, color in zip(above, below, strict=True):
            L = [rgb_to_lab(torch.from_numpy(p.copy()).movedim(-1, 0))[0] for p in (gray, color)]
            assert (L[0] - L[1]).abs().mean() < 1

    def test_seeds_differ_and_words_count_the_mirrored(self):
        panel = AugmentPanel({"a": plain()})
        seen = set()
        for seed in range(4):
            panel.set(seed=seed, scale=1.0)
            seen.add(panel.picture().tobytes())
            red = [square[48, :, 0].astype(int) for square in cells(panel)[1]]
            count = sum(row[0] > row[-1] for row in red)
            assert panel.words.startswith(f"{count} of 4 squares")
        assert len(seen) == 4

    @pytest.mark.parametrize("number", range(photos.COUNT))
    def test_a_frame_has_the_color_and_the_place_of_its_square(self, monkeypatch, number):
        color = photos.FRAMES[number]
        rgb = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
        panel = AugmentPanel({"a": plain(300, 200)})
        for row in (0, photos.CUT + 12):  # the borders of its two squares
            x = photos.ROOM[0] + 8 + number * (photos.CUT + 10) + 1
            assert tuple(panel.picture()[row + 1, x]) == rgb
        monkeypatch.setattr(photos, "COUNT", 1)
        monkeypatch.setattr(photos, "FRAMES", (color,))
        for seed in (1, 2, 5):
            panel.set(seed=seed, scale=1.7)
            cut = photos.Cut(photos.CUT, augment=True, scale=(1.0, 1.7))
            working = cut.picture(panel.photos["a"], (0, 0, *panel.photos["a"].size))
            left, top, right, bottom, _ = photos._place(cut, working, 1000 * seed)
            scale = photos.ROOM[0], photos.ROOM[0] * working.shape[0] / working.shape[1]
            rows, columns = np.nonzero((panel.picture()[:, : photos.ROOM[0]] == rgb).all(2))
            found = columns.min(), columns.max(), rows.min(), rows.max()
            wanted = left * scale[0], right * scale[0], top * scale[1], bottom * scale[1]
            assert np.abs(np.subtract(found, wanted)).max() < 4

    def test_four_frames_lie_each_at_its_own_square(self):
        panel = AugmentPanel({"a": Image.new("RGB", (300, 200), "black")})
        panel.set(seed=4, scale=2.0)
        cut = photos.Cut(photos.CUT, augment=True, scale=(1.0, 2.0))
        working = cut.picture(panel.photos["a"], (0, 0, *panel.photos["a"].size))
        wide, high = photos.ROOM[0], photos.ROOM[0] * working.shape[0] / working.shape[1]
        left_part = panel.picture()[:, : photos.ROOM[0]]
        for number, color in enumerate(photos.FRAMES):
            rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
            y, x = np.nonzero((left_part == rgb).all(2))
            left, top, right, bottom, _ = photos._place(cut, working, 4000 + number)
            off = [abs(x - left * wide), abs(x - right * wide)]
            off += [abs(y - top * high), abs(y - bottom * high)]
            assert len(x) > 50 and np.min(off, axis=0).max() < 4

    def test_words_give_the_distance_and_the_chroma(self):
        panel = AugmentPanel({"a": Image.new("RGB", (80, 60), (200, 60, 60))})
        lab = rgb_to_lab(torch.tensor([200, 60, 60], dtype=torch.uint8).reshape(3, 1, 1))
        chroma = float(lab[1:].norm())
        for hue, times in ((60, 1.0), (-60, 1.0), (180, 2.0)):
            panel.set(hue=hue)
            assert f"Turned by {abs(hue)}°" in panel.words
            assert f"is {times * chroma:.0f} Lab units away" in panel.words
            assert f"(whose chroma is {chroma:.0f})" in panel.words

    @pytest.mark.parametrize("size", [(30, 20), (3000, 40), (40, 900), (3000, 1), (1, 1)])
    def test_any_photo(self, size):
        panel = AugmentPanel({"a": Image.new("RGB", size, "teal")})
        panel.set(seed=5, scale=2.0, hue=-180)
        assert panel.picture().ndim == 3

    def test_no_photo(self):
        with pytest.raises(ValueError, match="at least one photo"):
            AugmentPanel({})


def flats(count):
    """Flat photos, each of another red, so that a thumbnail can be recognized by its color."""
    return [Image.new("RGB", (40, 30), (5 * i, 0, 200)) for i in range(count)]


def visible(panel):
    """The red of each thumbnail in the two bands, -1 where there is none."""
    picture = panel.picture()
    half = len(picture) // 2
    bands = []
    for top in (0, half):
        found = []
        for row in range(photos.ROWS):
            for column in range(photos.PER_ROW):
                y = top + 24 + row * (photos.THUMB + 4) + 60
                pixel = picture[y, column * (photos.THUMB + 4) + 60]
                found.append(-1 if pixel.min() == 255 else int(pixel[0]) // 5)
        bands.append([number for number in found if number >= 0])
    return bands


class TestChromaSheet:
    def test_both_sides_of_the_threshold(self):
        order = np.random.default_rng(0).permutation(50)
        images = flats(50)
        panel = ChromaSheet([images[i] for i in order], order.astype(float))
        panel.set(threshold=20.5)
        assert visible(panel) == [list(range(5, 21)), list(range(21, 37))]
        assert panel.words == "21 of 50 photos (42.0%) have a mean chroma below 20.5."
        panel.set(threshold=3.0)
        assert visible(panel) == [[0, 1, 2], list(range(3, 19))]

    def test_labels_are_the_photos_own(self):
        """A number is drawn alike wherever its photo stands in the sheet."""
        values = np.random.default_rng(1).permutation(np.arange(30.0))
        images = [Image.new("RGB", (40, 30), "teal")] * 30
        panel = ChromaSheet(images, values)
        assert panel.values == {"threshold": 4.0}
        panel.set(threshold=20.0)
        step, label = photos.THUMB + 4, np.s_[:18, :40]
        for slot, number in enumerate(range(4, 20)):
            y, x = 24 + slot // photos.PER_ROW * step, slot % photos.PER_ROW * step
            single = ChromaSheet(images[:1], [float(number)])
            single.set(threshold=30.0)
            drawn, wanted = panel.picture()[y:, x:], single.picture()[24:]
            assert (drawn[label] == wanted[label]).all()
            other = ChromaSheet(images[:1], [float(number) + 1])
            other.set(threshold=30.0)
            assert (drawn[label] != other.picture()[24:][label]).any()

    def test_what_is_left_out_stands_above(self):
        panel = ChromaSheet(flats(9), np.arange(9.0))
        half = len(panel.picture()) // 2
        assert (panel.picture()[:half] == panel._band("left out", range(0, 4))).all()
        assert (panel.picture()[half:] == panel._band("kept", range(4, 9))).all()

    def test_all_and_none(self):
        panel = ChromaSheet(flats(3), [5.0, 6.0, 7.0])
        panel.set(threshold=0.0)
        assert visible(panel) == [[], [0, 1, 2]] and panel.words.startswith("0 of 3")
        panel.set(threshold=30.0)
        assert visible(panel) == [[0, 1, 2], []] and panel.words.startswith("3 of 3")

    def test_unknown_ones_are_left_out(self):
        panel = ChromaSheet(flats(3), [5.0, np.nan, 7.0])
        panel.set(threshold=6.0)
        assert visible(panel) == [[0], [2]]

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match="one each"):
            ChromaSheet(flats(3), [1.0, 2.0])
        with pytest.raises(ValueError, match="no photo"):
            ChromaSheet(flats(1), [np.nan])
