"""colorlab.scores: the table as it is read, and the file as others read it."""

import csv
import math
import os

import pytest

from colorlab.scores import Scores, row

FIGURES = {
    "psnr": 24.061,
    "gray_psnr": 22.74,
    "psnr_gain": 1.321,
    "ssim": 0.9427,
    "gray_ssim": 0.94,
    "chroma_ratio": 0.966,
    "colorfulness": 31.49,
    "true_colorfulness": 48.8,
    "colorfulness_gap": -17.31,
    "recognized": 0.8387,
    "gray_recognized": 0.766,
    "recovered": 0.3107,
    "frechet": 58.281,
    "gray_frechet": 69.9,
}
INTERVALS = {
    "psnr": (23.4, 24.72),
    "gray_psnr": (21.9, 23.56),
    "psnr_gain": (-0.2, 2.31),
    "recognized": (0.7419, 0.9194),
    "frechet": (42.449, 74.12),
    "psnr_1_hints": (24.0, 26.0),
}

PRINTED = """\
photos                                     62
                                         ours        95% interval     gray        95% interval
PSNR, dB                                24.06      23.40 to 24.72    22.74      21.90 to 23.56
  ours - gray                           +1.32      -0.20 to +2.31
SSIM                                    0.943                   -    0.940                   -
mean chroma / truth                      0.97                   -
colorfulness                             31.5                   -
  truth                                  48.8                   -
  ours - truth                          -17.3                   -
recognized as truth                     83.9%      74.2% to 91.9%    76.6%                   -
  recovered of what gray lost           31.1%                   -
Fréchet distance (EfficientNet-Lite0)   58.28      42.45 to 74.12    69.90                   -
PSNR with 1 hint, dB                    25.00      24.00 to 26.00
PSNR with 50 hints, dB                  30.13                   -"""


def test_the_scores_as_printed():
    scores = Scores(62, **FIGURES, hinted_psnr={1: 25.0, 50: 30.126}, intervals=INTERVALS)
    assert str(scores) == PRINTED


def test_the_widest_figures_stay_apart_and_within_100_columns():
    wide = dict.fromkeys(FIGURES, 1.0) | {"frechet": 1234.56, "gray_frechet": 2345.67}
    wide["recovered"] = -1.25
    ends = {"frechet": (1111.11, 1999.99), "gray_frechet": (2111.11, 2999.99)}
    ends |= {"recognized": (1.0, 1.0), "recovered": (-11.25, -10.0)}
    lines = str(Scores(62, **wide, intervals=ends)).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-1].endswith(" 1234.56  1111.11 to 1999.99  2345.67  2111.11 to 2999.99")
    assert lines[-2].split()[-4:] == ["-125.0%", "-1125.0%", "to", "-1000.0%"]


def test_what_can_not_be_known_is_a_dash():
    scores = Scores(1, **FIGURES | {"recovered": math.nan, "frechet": math.nan})
    lines = str(scores).splitlines()
    assert lines[-2].split()[-2:] == ["-", "-"]
    assert lines[-1].split()[2:] == ["(EfficientNet-Lite0)", "-", "-", "69.90", "-"]
    assert "nan" not in str(scores)


def test_a_row_of_ones_own_stands_in_line():
    table = str(Scores(62, **FIGURES)).splitlines()
    ours = row("colorings apart", "9.9")
    assert ours.index("9.9") + 3 == len(table[0])


def test_the_file_has_one_line_a_photo(tmp_path):
    photos = (
        {"name": 'a, "b".jpg', "psnr": 21.401899337768555, "recognized": 1},
        {"name": "é.jpg", "psnr": math.inf, "recognized": 0},
    )
    target = tmp_path / "photos.csv"
    target.write_text("what stood there")
    assert Scores(2, **FIGURES, by_photo=photos).write_csv(target) == target
    with open(target, newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [
            {"name": 'a, "b".jpg', "psnr": "21.4019", "recognized": "1"},
            {"name": "é.jpg", "psnr": "inf", "recognized": "0"},
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["photos.csv"]


def test_a_name_that_is_not_utf_8_keeps_its_bytes(tmp_path):
    photo = {"name": os.fsdecode(b"caf\xe9.jpg")}
    if photo["name"] == "café.jpg":
        pytest.skip("file names are text here")
    Scores(1, **FIGURES, by_photo=(photo,)).write_csv(tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_bytes().split() == [b"name", b"caf\xe9.jpg"]
