"""The parts of the site's builder, on small made things."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import course_site  # it finds the modules below, so it comes first
import pytest
from answers import typical
from lessons import address, as_shown, run_links
from links import problems
from pages import (
    AT_HOME,
    SESSIONS,
    SLIDER,
    gallery,
    leaderboard,
    lesson_minutes,
    sessions,
    slider,
    subject_of,
)
from PIL import Image

from colorlab.course.checks import exercises
from colorlab.course.map import LESSONS

WIDGET = "application/vnd.jupyter.widget-view+json"
LINKS = run_links("https://github.com/OWNER/colorlab", "03_unet.ipynb")


def code(source: str, *outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": [*outputs], "metadata": metadata}


def shown(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def after(*cells: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """The cells below the title, as the site shows them."""
    title = {"cell_type": "markdown", "source": ["# A lesson\n", "Text."], "metadata": {}}
    notebook = {"cells": [title, *cells], "metadata": {"widgets": {"state": {}}}}
    before = copy.deepcopy(notebook)
    made = as_shown(notebook, LINKS, **options)
    assert notebook == before
    assert made["metadata"] == {}
    return made["cells"][1:]


def test_a_solution_is_folded_under_its_name() -> None:
    (cell,) = after(code("# SOLUTION 3.1\ndef down(): ..."))  # also where the notebook forgot to
    assert "hide-input" in cell["metadata"]["tags"]
    assert cell["metadata"]["mystnb"]["code_prompt_show"] == "Solution 3.1"


def test_what_the_notebook_folds_is_folded_and_nothing_else() -> None:
    folded, plain = after(code("x = 1", jupyter={"source_hidden": True}), code("x = 1"))
    assert "hide-input" in folded["metadata"]["tags"]
    assert "hide-input" not in plain["metadata"]["tags"]


def test_what_is_printed_goes_on_in_the_next_line_unless_it_is_a_table() -> None:
    said, table = ({"output_type": "stream", "text": [text]} for text in ("a b. c\n", "a   b\n"))
    shown = after(code("1", said), code("1", said, table), code("1", table))
    assert ["prose" in cell["metadata"]["tags"] for cell in shown] == [True, False, False]


def test_equations_in_one_row_are_stacked() -> None:
    one, two = "$$ a = \\tfrac12 $$", "so\n\n$$\na = b, \\qquad\\qquad c = d . $$\n\nand"
    texts = [{"cell_type": "markdown", "metadata": {}, "source": [text]} for text in (one, two)]
    first, second = (cell["source"] for cell in after(*texts))
    rows = "a = b \\\\[.6em] c = d ."
    assert first == one
    assert second == f"so\n\n$$\\begin{{gathered}} {rows} \\end{{gathered}}$$\n\nand"


def test_a_widget_becomes_its_picture_and_says_where_it_runs() -> None:
    data = {WIDGET: {"model_id": "1"}, "image/png": "AAAA", "text/plain": "Slider()"}
    cell, note = after(code("Slider()", shown(data, **{"image/png": {"alt": "A slider."}})))
    assert cell["outputs"][0]["data"] == {"image/png": "AAAA"}
    assert cell["metadata"]["mystnb"]["image"] == {"alt": "A slider."}
    assert all(url in note["source"] for url in LINKS.values())


@pytest.mark.parametrize("there", [True, False])
def test_who_cannot_upload_here_is_led_to_the_page_that_colors(there: bool) -> None:
    button = shown({WIDGET: {}, "image/png": "AAAA"}, **{"image/png": {"alt": "A button."}})
    _, note = after(code("PhotoUpload(colorize)", button), has_coloring=there)
    assert ('href="../color/index.html"' in note["source"]) == there


def test_a_quiz_is_its_text_and_a_bar_of_progress_is_left_out() -> None:
    quiz = shown({WIDGET: {}, "image/png": "AAAA", "text/html": "<details></details>"})
    bar = shown({WIDGET: {}, "text/plain": "0%"})
    (cell,) = after(code("Quiz()", quiz, bar))
    assert [output["data"] for output in cell["outputs"]] == [{"text/html": "<details></details>"}]


@pytest.mark.parametrize("there", [True, False])
def test_a_page_on_the_learners_machine_becomes_a_link(there: bool) -> None:
    frame = shown({"text/html": '<iframe src="http://127.0.0.1:41263/">', "text/plain": "<IFrame>"})
    (cell,) = after(code("show", frame), has_coloring=there)
    said = json.dumps(cell["outputs"])
    assert "127.0.0.1" not in said and ("../coloring.html" in said) == there


def test_the_links_follow_the_one_address(tmp_path: Path) -> None:
    text = '[project.urls]\nRepository = "https://github.com/someone/course"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    made = run_links(address(tmp_path), "00_a.ipynb")
    here = "someone/course/blob/main/notebooks/00_a.ipynb"
    assert made["Colab"] == f"https://colab.research.google.com/github/{here}"
    assert made["Kaggle"].endswith(f"src=https://github.com/{here}")
    assert made["Download"] == "../download/00_a.ipynb"


def test_a_picture_as_webp_keeps_its_description() -> None:
    webp = shown({"image/webp": "AAAA"}, **{"image/webp": {"alt": 'A "sheep".'}})
    (cell,) = after(code("show", webp))
    assert 'alt="A &quot;sheep&quot;."' in cell["outputs"][0]["data"]["text/html"]


PLANTED = {
    '<a href="gone.html">': "a.html links to gone.html",
    '<a href="b.html#gone">': "a.html links to b.html#gone",
    '<img src="gone.png">': "a.html links to gone.png",
    '<a href="../b.html">': "a.html links to ../b.html",
    '<script src="https://cdn.example/x.js"></script>': "a.html loads https://cdn.example/x.js",
    '<img src="//cdn.example/x.png">': "a.html loads //cdn.example/x.png",
    '<link rel="stylesheet" href="http://cdn.example/x.css">': "a.html loads http://cdn.example/x.css",
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "b.html").write_text("outside")
    (folder / "b.html").write_text('<p id="here">')
    right = '<a href="b.html#here"><a href="b.html"><a href="https://a.example/"><a href="#top">'
    (folder / "a.html").write_text(f'<p id="top">{right}<img src="data:image/png;base64,AA">')
    assert problems(folder) == []
    (folder / "c.html").write_text(f"{right}<p id=top>{fault}".replace("a.html", "c.html"))
    assert problems(folder) == [PLANTED[fault].replace("a.html", "c.html")]


def test_the_usual_wrong_answers_come_from_the_testers() -> None:
    (name, title, said), *_ = typical("03")
    assert (name, title) == ("3.1", "The down block")
    wanted = "Which stride makes a kernel skip every second position?"
    assert ("The stride is …, so the size does not change by a factor of 2.", wanted) in said
    for lesson in LESSONS:
        found = typical(lesson.number)
        assert [one[0] for one in found] == [one.name for one in exercises(lesson.number)]
        assert sum(bool(mistakes) for *_, mistakes in found) >= len(found) - 1, lesson.number


def test_a_teachers_tables_have_every_lesson_and_each_session_fits() -> None:
    assert all(f"[{one.number} {one.title}]" in lesson_minutes() for one in LESSONS)
    rows = [line.split("|")[-3:-1] for line in sessions().splitlines()[2:7]]
    minutes = [int(taken) for taken, _ in rows]
    assert len(minutes) == 5 and max(minutes) <= 90
    assert [int(left) for _, left in rows] == [90 - taken for taken in minutes]


def test_the_plan_has_each_lesson_once_and_what_it_needs_before() -> None:
    needs = json.loads((course_site.ROOT / "site/needs.json").read_text("utf-8"))
    order: list[str] = []
    for count, numbers in enumerate(SESSIONS, start=1):
        order += [*AT_HOME.get(count, ()), *numbers]
    assert sorted(order) == [lesson.number for lesson in LESSONS]
    for place, number in enumerate(order):
        assert set(re.findall(r"\b\d\d\b", needs[number])) <= set(order[:place]), number


def test_what_is_left_for_home_is_added_up() -> None:
    said = sessions().splitlines()[-1]
    in_class = 5 * 90 - sum(int(row.split("|")[-3]) for row in sessions().splitlines()[2:7])
    hours = round((sum(lesson.exercise_minutes for lesson in LESSONS) - in_class) / 60)
    assert "before session 2, [02" in said and f"160 minutes, and about {hours} hours" in said


@pytest.mark.parametrize(
    ("subject", "said"),
    [("tool: screwDriver2", "Screw driver"), ("cat", "Cat"), ("animal: flying_fox", "Flying fox")],
)
def test_a_photos_subject_is_said_in_words(subject: str, said: str) -> None:
    assert subject_of({"subject": subject}) == said


class Red:
    """A colorizer that paints all of a photo red."""

    def colorize(self, photo: Image.Image) -> Image.Image:
        return Image.new("RGB", photo.size, (250, 0, 0))


@pytest.fixture
def photo(tmp_path: Path) -> dict[str, dict[str, str]]:
    """The credits of one green test photo, which lies in a made checkout."""
    path = tmp_path / f"data/photos/test/{SLIDER}.jpg"
    path.parent.mkdir(parents=True)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 48), (0, 250, 0)).save(path)
    row = {"subject": "animal: sheep", "author": "A & B", "license": "CC0-1.0"}
    return {f"test/{SLIDER}.jpg": row}


def test_each_photo_stands_with_its_credit(photo, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shown = gallery(tmp_path, photo, pictures, Red())
    assert "<figcaption>Sheep. A &amp; B, CC0-1.0</figcaption>" in shown
    for kind, said in (("ours", "as colored"), ("truth", "in its true colors")):
        (tag,) = [part for part in shown.split("<img ") if f"{SLIDER}-{kind}.webp" in part]
        assert f'alt="Sheep, {said}"' in tag
        red, green, _ = (
            Image.open(pictures / f"{SLIDER}-{kind}.webp").convert("RGB").getpixel((9, 9))
        )
        assert (red > green) == (kind == "ours")
    assert "Photo: A &amp; B, CC0-1.0." in slider(tmp_path, photo, pictures, Red())


def test_the_leaderboard_says_the_gain_over_gray(tmp_path: Path) -> None:
    intervals = {"chroma_ratio": [0.4, 0.6], "frechet": [20.0, 30.0]}
    row = {"about": "A", "seconds": 600, "psnr": 22.5, "gray_psnr": 21.0, "chroma_ratio": 0.5}
    (tmp_path / "data/lessons").mkdir(parents=True)
    made = {"rows": [row | {"frechet": 25.0, "intervals": intervals}]}
    (tmp_path / "data/lessons/generators.json").write_text(json.dumps(made))
    *_, line = leaderboard(tmp_path).splitlines()
    assert line == "| A | 10 min | +1.50 dB | 0.50 (0.40 to 0.60) | 25.0 (20.0 to 30.0) |"


def test_a_folder_that_holds_something_else_is_kept(tmp_path: Path) -> None:
    import build

    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="something else than a site; name a new folder"):
        build.build(tmp_path, colorizer=course_site.made_colorizer())
    assert (tmp_path / "notes.txt").read_text() == "mine"
