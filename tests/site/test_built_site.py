"""The site as it is written: links, lessons, folded solutions, and nobody else's host."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from course_site import NOTEBOOKS
from PIL import Image

from colorlab.course.map import LESSONS


class Texts(HTMLParser):
    """What a page says before anything is unfolded, and in all."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.depth, self.open, self.all = 0, "", ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.depth += tag == "details"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "details"

    def handle_data(self, data: str) -> None:
        self.all += data
        self.open += "" if self.depth else data


def solutions(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    return [source for source in sources if source.startswith("# SOLUTION")]


def test_every_link_inside_leads_somewhere_and_nothing_comes_from_elsewhere(site: Path) -> None:
    import links

    assert len(list(site.rglob("*.html"))) > 30
    assert links.problems(site) == []


def test_no_style_loads_what_another_host_has(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    loads = re.compile(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)")
    pairs = [pair for file in styles for pair in loads.findall(file.read_text("utf-8"))]
    addresses = [address for pair in pairs for address in pair if address]
    assert len(styles) > 3 and addresses
    assert [one for one in addresses if re.match(r"(https?:)?//", one)] == []


def test_every_lesson_is_there_with_its_solutions_folded(site: Path) -> None:
    assert len(NOTEBOOKS) == len(LESSONS) + 1
    folded = 0
    for notebook in NOTEBOOKS:
        texts = Texts(site / "notebooks" / f"{notebook.stem}.html")
        for solution in solutions(notebook):
            name = solution.splitlines()[0]
            assert name in texts.all and name not in texts.open
            last = solution.splitlines()[-1].strip()
            assert texts.all.count(last) > 0, (name, last)
            folded += 1
        assert "Run on Colab" in texts.open
    assert folded > 60


def test_every_lesson_can_be_downloaded_as_it_is(site: Path) -> None:
    for notebook in NOTEBOOKS:
        assert (site / "download" / notebook.name).read_bytes() == notebook.read_bytes()


def test_a_lesson_shows_each_of_its_pictures_with_its_description(site: Path) -> None:
    notebook = next(path for path in NOTEBOOKS if path.stem == "03_unet")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [one for cell in cells for one in cell.get("outputs", []) if "data" in one]
    described = [
        said["alt"]
        for one in outputs
        if "text/html" not in one["data"]  # a quiz is shown as text
        for said in one["metadata"].values()
    ]
    page = (site / "notebooks/03_unet.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img alt="([^"]+)"[^>]+_images/', page)
    assert len(described) > 15
    assert [alt.replace("&#x27;", "'").replace("&quot;", '"') for alt in shown] == described


def test_a_lesson_fetches_no_scripts_that_it_does_not_need(site: Path) -> None:
    page = (site / "notebooks/03_unet.html").read_text(encoding="utf-8")
    names = [Path(one.partition("?")[0]) for one in re.findall(r'<script[^>]* src="([^"]+)"', page)]
    sizes = {one.name: (site / "notebooks" / one).stat().st_size for one in names}
    assert 3e5 > sum(sizes.values()) - sizes.pop("mathjax.js") > 0
    assert not {"fontawesome.js", "searchindex.js"} & set(sizes)
    assert "searchindex.js" in (site / "search.html").read_text(encoding="utf-8")


def test_a_picture_has_its_place_before_it_comes(site: Path) -> None:
    page = (site / "notebooks/03_unet.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<img [^>]*_images/[^>]*>", page)
    assert len(pictures) > 15
    for tag in pictures:
        said = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        with Image.open(site / "notebooks" / said["src"]) as picture:
            assert picture.size == (int(said["width"]), int(said["height"]))
        assert said["loading"] == "lazy"


def test_the_page_that_colors_is_inside(site: Path) -> None:
    assert 'src="color/index.html"' in (site / "coloring.html").read_text(encoding="utf-8")
    settings = json.loads((site / "color/settings.json").read_text(encoding="utf-8"))
    assert settings["model"]["bytes"] == (site / "color/model.onnx").stat().st_size


def test_search_finds_a_lesson_and_a_function(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "receptive_field" in index and "The U-Net" in index
