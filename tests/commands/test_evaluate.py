"""colorlab evaluate with several weights: what is compared, what is written, what is refused."""

from __future__ import annotations

import csv
import math
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorlab.__main__ import main
from colorlab.commands.evaluate import tell_apart
from colorlab.commands.gallery import by_disagreement, wrapped
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.scores import Scores
from colorlab.unet import UNet
from colorlab.weights import save_weights

CPU = ["--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[str, str]:
    """Two weights files of one name, never trained."""
    folder, files = tmp_path_factory.mktemp("runs"), []
    recipe = Recipe(
        name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
    )
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        file = folder / name / "weights.safetensors"
        files.append(str(save_weights(file, UNet(levels=3, base=4), recipe)))
    return tuple(files)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Three photos, one of a name that HTML must not take for its own, and an empty file."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.png", "sub/<b> & 'c'.png", "z.png")):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    Path("photos/empty.jpg").touch()
    return Path("photos")


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(file.read_text("utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += [data.strip()] if data.strip() else []

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_several_weights_are_compared_with_the_first(photos, trained, capsys):
    command = ["evaluate", *trained, "photos", "--table", "out/t.md", "--gallery", "out/page"]
    assert main([*command, "--csv", "out/p.csv", "--grid", "out/grid.png", *CPU]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    headings = [lines.index(line) for line in ("one/weights", "two/weights")]
    assert headings == sorted(headings) and "two/weights - one/weights" in lines
    assert err.count("photos/empty.jpg: the file is empty") == 1
    assert lines[-1] == f"gallery: {Path('out/page/index.html')}"

    with open("out/p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = ["one/weights"] * 3 + ["two/weights"] * 3
    assert [row["weights"] for row in rows] == labels
    psnr = np.array([float(row["psnr"]) for row in rows]).reshape(2, 3)
    apart = psnr[1] - psnr[0]
    table = Path("out/t.md").read_text("utf-8").splitlines()
    assert table[2] == "|  | `one/weights` | `two/weights` | gray |"
    figures = [line.split("|")[2:-1] for line in table if line.startswith("| PSNR, dB |")]
    found = [[float(cell.strip(" *").split()[0]) for cell in line] for line in figures]
    gray = np.mean([float(row["gray_psnr"]) for row in rows])
    assert found[0] == pytest.approx([*psnr.mean(1), gray], abs=0.006)
    assert found[1] == pytest.approx([apart.mean()], abs=0.006)

    page = Page(Path("out/page/index.html"))
    names = [rows[i]["name"].removeprefix("photos/") for i in np.argsort(-np.abs(apart))]
    assert [text for text in page.text if text in names] == names
    pictures = page.all("img")
    assert [picture["alt"].partition(", side by side: the gray input, colored by ")[0] for picture
            in pictures] == names  # fmt: skip
    shown = [picture["src"] for picture in pictures]
    assert sorted([*shown, "index.html"]) == sorted(p.name for p in Path("out/page").iterdir())
    for picture in pictures:
        with Image.open(Path("out/page", picture["src"])) as image:
            assert (str(image.width), str(image.height)) == (picture["width"], picture["height"])
            assert image.width > 3 * image.height  # gray, one, two and the truth beside each other
            assert image.mode == "RGBA"
    assert any("photos/empty.jpg: the file is empty" in text for text in page.text)
    source = Path("out/page/index.html").read_text("utf-8")
    assert "http" not in source and "<script" not in source and "url(" not in source
    assert page.all("html") == [{"lang": "en"}]
    assert "prefers-color-scheme: dark" in source
    assert Image.open("out/grid.png").width > 500


def test_the_gallery_shows_what_was_scored(photos, trained):
    """The left picture is gray, the right one the photo, up to what WebP loses."""
    from colorlab.commands.gallery import _draw
    from colorlab.metrics import gray_of

    flat = Image.new("RGB", (60, 40), (200, 40, 30))
    flat.save("photos/flat.png")
    _draw(
        Path("photos/flat.png"),
        [lambda gray: Image.new("RGB", gray.size, "blue")],
        ["b"],
        Path("f.webp"),
    )
    pixels = np.asarray(Image.open("f.webp").convert("RGB")).astype(int)
    middle = pixels[int(0.7 * len(pixels))]
    seen = [middle[int(x * len(middle))] for x in (1 / 6, 1 / 2, 5 / 6)]
    expected = [gray_of(flat).getpixel((0, 0)), (0, 0, 255), (200, 40, 30)]
    np.testing.assert_allclose(seen, expected, atol=8)


def test_a_table_and_a_gallery_of_one_weights_file(photos, trained, capsys):
    Path("photos/empty.jpg").unlink()
    targets = ["--table", "t.md", "--gallery", "page", "--csv", "p.csv"]
    assert main(["evaluate", "photos", "--weights", trained[0], *targets, *CPU]) == 0
    lines = Path("t.md").read_text("utf-8").splitlines()
    assert lines[2] == "|  | `one/weights` | gray |"
    assert not any("Difference" in line for line in lines)
    with open("p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "weights" not in rows[0]
    gain = [float(row["psnr"]) - float(row["gray_psnr"]) for row in rows]
    names = [rows[i]["name"].removeprefix("photos/") for i in np.argsort(gain)]
    page = Page(Path("page/index.html"))
    assert [text for text in page.text if text in names] == names
    assert "Difference" not in " ".join(page.text)


def test_the_photos_stand_in_the_order_of_disagreement():
    def scores(*psnr):
        rows = tuple({"psnr": one, "gray_psnr": 20.0} for one in psnr)
        return Scores(len(psnr), *[0.0] * 14, by_photo=rows)

    first = scores(20.0, 25.0, math.inf, 22.0, 30.0)
    second = scores(21.0, 21.0, math.inf, math.inf, 30.0)
    third = scores(24.5, 25.0, math.inf, 30.0, 29.0)
    assert by_disagreement([first, second, third]) == [3, 0, 1, 4, 2]
    assert by_disagreement([first]) == [0, 3, 1, 4, 2]


def test_labels_tell_weights_apart():
    assert tell_apart([Path("starter.safetensors")]) == ["starter"]
    assert tell_apart([Path("runs/mine/weights.safetensors")]) == ["mine/weights"]
    files = ["a/x/best.safetensors", "b/x/best.safetensors", "b/x/last.safetensors"]
    assert tell_apart([Path(file) for file in files]) == ["a/x/best", "b/x/best", "last"]
    assert (
        wrapped("a long label of weights that costs $5")
        == "a long label of weights\nthat costs \\$5"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ONE", "none.safetensors"], "there is no weights file none.safetensors"),
        (["ONE", "ONE"], "is named twice; name each weights file once"),
        (["ONE", "--weights", "TWO"], "was named and --weights too; leave --weights out"),
        (["photos", "photos/sub"], "photos and photos/sub: photos of one folder are scored"),
        (["ONE", "photos/a.png"], "photos/a.png is a file"),
        (["photos", "--gallery", "photos"], "photos exists already, and its pictures would mix"),
        (["photos", "--gallery", "photos/page"], "page lies in photos, and its pictures would"),
        (["photos", "--gallery", "photos/a.png/page"], "page lies in photos"),
        (["--gallery", "photos/a.png/page"], "can't be made in"),
        (["--table", "photos"], "photos is a folder; name a file in it"),
        (["--csv", "photos/a.png/p.csv"], "is not a folder; name another file"),
        (["ONE", "TWO", "--hints"], "one/weights.safetensors were trained without hints"),
    ],
)
def test_what_can_not_be_done_is_refused_before_the_scores(
    photos, trained, capsys, monkeypatch, arguments, words
):
    def begun(*_, **__):
        raise AssertionError("the evaluation was begun")

    monkeypatch.setattr("colorlab.metrics.evaluate", begun)
    before = sorted(Path().rglob("*"))
    named = dict(zip(("ONE", "TWO"), trained, strict=True))
    assert main(["evaluate", *(named.get(word, word) for word in arguments), *CPU]) == 2
    assert words in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == before


def test_damaged_weights_are_refused_by_name_before_the_scores(photos, trained, capsys):
    Path("cut.safetensors").write_bytes(Path(trained[0]).read_bytes()[:500])
    assert main(["evaluate", trained[0], "cut.safetensors", "photos", *CPU]) == 2
    out, err = capsys.readouterr()
    assert "cut.safetensors is not a whole safetensors file" in err and out == ""
