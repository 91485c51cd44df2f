"""colorlab.course.map: the list of lessons, their map, and the README that repeats them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from colorlab.course.map import LESSONS, Lesson, course_map
from colorlab.recipes.presets import RECIPES
from colorlab.sources.bundled import data_dir
from colorlab.sources.catalog import SOURCES

matplotlib.use("agg")

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = sorted((ROOT / "docs").glob("*.md"))
ALL = "\n".join([README, *(path.read_text(encoding="utf-8") for path in GUIDES)])
MINUTES = (10, 45, 40, 60, 45, 45, 75, 60, 60, 45, 45)
REFERENCES = ("unet-perceptual", "lab-pix2pix", "noise-unet", "rgb-pix2pix", "ab-npy")


def exercises_of(lesson: Lesson) -> int:
    """The minutes on the labels of the exercises in a lesson's notebook."""
    label = rf"# EXERCISE {int(lesson.number)}\.\d+ · [●○]{{3}} · (\d+) min"
    labels = re.findall(label, (ROOT / lesson.path).read_text("utf-8"))
    return sum(map(int, labels))


EXERCISES = {lesson.number: exercises_of(lesson) for lesson in LESSONS}


# --- the list ------------------------------------------------------------------------------------


def test_eleven_lessons_in_order():
    assert [lesson.number for lesson in LESSONS] == [f"{i:02d}" for i in range(11)]
    assert tuple(lesson.minutes for lesson in LESSONS) == MINUTES
    for field in ("name", "title", "builds", "plays"):
        assert len({getattr(lesson, field) for lesson in LESSONS}) == 11, field
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", lesson.name) for lesson in LESSONS)


def test_every_notebook_is_a_lesson():
    paths = {lesson.path.as_posix() for lesson in LESSONS}
    assert "notebooks/00_first_colors.ipynb" in paths
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert found - paths == {"notebooks/colab_gpu.ipynb"}  # a way through, and no lesson


def test_importing_the_list_is_light():
    code = "import sys, colorlab.course.map; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- the map -------------------------------------------------------------------------------------


def pixels_of(figure, dpi: int = 100) -> np.ndarray:
    """The figure as drawn, (H, W, 3) in 0..255."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(float)


def thumbnails_of(figure) -> list[np.ndarray]:
    """The pixels of each thumbnail, a margin of two pixels left out."""
    pixels = pixels_of(figure)
    cut = []
    for axes in figure.axes:
        box = axes.get_window_extent()
        top, bottom = (round(len(pixels) - y) for y in (box.y1, box.y0))
        cut.append(pixels[top + 2 : bottom - 2, round(box.x0) + 2 : round(box.x1) - 2])
    return cut


@pytest.fixture(scope="module")
def whole_map():
    return course_map()


def test_thumbnails_have_one_size_and_show_something(whole_map):
    cut = thumbnails_of(whole_map)
    assert len(cut) == 11
    heights, widths = zip(*(thumbnail.shape[:2] for thumbnail in cut), strict=True)
    assert max(widths) - min(widths) <= 1 and max(heights) - min(heights) <= 1  # rounding
    sizes = [axes.get_window_extent() for axes in whole_map.axes]
    for box in sizes:
        assert box.width / box.height == pytest.approx(4 / 3, rel=1e-6)
        assert box.width > 200  # of the 900 pixels
    for number, thumbnail in enumerate(cut):
        values = thumbnail.reshape(-1, 3)
        assert len(np.unique(values, axis=0)) > 100, number
        assert values.std(axis=0).max() > 15, number


def test_text_is_readable_and_stays_in_its_place(whole_map):
    width, height = pixels_of(whole_map).shape[1::-1]
    assert width == 900
    texts = whole_map.texts
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert text.get_fontsize() >= 9, text
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
        for axes in whole_map.axes:
            assert not box.overlaps(axes.get_window_extent()), text
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i]), texts[i]
    for axes in whole_map.axes:
        frame = axes.get_window_extent()
        for text in axes.texts:
            box = text.get_window_extent()
            assert not text.get_text() or text.get_fontsize() >= 7.5, text
            assert box.x0 >= frame.x0 and box.x1 <= frame.x1, text
            assert box.y0 >= frame.y0 and box.y1 <= frame.y1, text


def test_number_title_and_minutes_stand_below_each_thumbnail(whole_map):
    for lesson, axes in zip(LESSONS, whole_map.axes, strict=True):
        frame = axes.get_window_extent()
        below = [
            text.get_text()
            for text in whole_map.texts
            if abs(text.get_window_extent().x0 - frame.x0) < 4
            and 0 < frame.y0 - text.get_window_extent().y1 < 45
        ]
        minutes = f"{lesson.minutes} + {EXERCISES[lesson.number]} min"
        assert below == [f"{lesson.number}  {lesson.title}", minutes]
    total = whole_map.texts[-1].get_text()
    assert "8 h 50 to read and play" in total  # 530 minutes
    hours, minutes = divmod(sum(EXERCISES.values()), 60)
    assert f"{hours} h {minutes:02d} of exercises" in total


def test_the_learners_photo_stands_in_the_first_and_the_last(whole_map):
    red = np.zeros((50, 80, 3), np.uint8)
    red[..., 0] = 255
    own = thumbnails_of(course_map(red))
    changed = [
        number
        for number, (mine, theirs) in enumerate(zip(own, thumbnails_of(whole_map), strict=True))
        if np.abs(mine - theirs).max() > 2
    ]
    assert changed == [0, 10]
    height, width = own[0].shape[:2]
    # L* of sRGB red is 53.24, and the gray of that L* is 127.4 of 255.
    np.testing.assert_allclose(own[0][height // 4, width // 4], 127, atol=1)
    np.testing.assert_allclose(own[0][height // 4, 3 * width // 4], (255, 0, 0), atol=1)


def test_what_is_no_picture_is_refused():
    with pytest.raises(TypeError, match="open_photo"):
        course_map("photo.jpg")


def test_drawing_leaves_no_trace():
    import matplotlib.pyplot as plt

    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    before = plt.get_fignums()
    course_map()
    assert torch.equal(torch.rand(3), wanted)
    assert plt.get_fignums() == before


# --- the README ----------------------------------------------------------------------------------


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the table under this heading, without its own head."""
    section = ALL.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def places(lesson: Lesson) -> str:
    """Where a lesson opens without an installation, by the address in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project["urls"]["Repository"]
    file = f"{address}/blob/main/{lesson.path.as_posix()}"
    colab = file.replace("https://github.com/", "https://colab.research.google.com/github/")
    return f"[Colab]({colab}) · [Kaggle](https://kaggle.com/kernels/welcome?src={file})"


def test_readme_lists_the_lessons():
    expected = [
        [
            lesson.number,
            f"[{lesson.title}]({lesson.path.as_posix()})",
            lesson.builds,
            lesson.plays,
            f"{lesson.minutes} + {EXERCISES[lesson.number]}",
            places(lesson),
        ]
        for lesson in LESSONS
    ]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in expected)
    assert table("The lessons") == expected, f"the README's rows should be:\n{rows}"


def test_the_guide_lists_the_recipes():
    names = {row[0].strip("`") for row in table("Recipes")}
    assert names == set(RECIPES) and names > set(REFERENCES)


def commands() -> list[str]:
    """What the README and the guides say to type, line by line, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", ALL, flags=re.DOTALL | re.MULTILINE)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_readme_commands_are_understood():
    from colorlab.__main__ import COMMANDS, _parser

    launched = [line.partition("-m colorlab ")[2] for line in commands()]
    ours = [line.removeprefix("colorlab ") for line in commands() if line.startswith("colorlab ")]
    ours = [shlex.split(line) for line in (*ours, *filter(None, launched))]
    assert sum(map(bool, launched)) == 3
    assert {words[0] for words in ours} == set(COMMANDS)
    for words in ours:
        options = _parser(words).parse_args(words)  # exits on an option that isn't there
        if words[0] == "train" and not options.recipe.endswith(".json"):
            assert options.recipe in RECIPES
        for name in (options.source or ()) if words[0] == "train" else ():
            assert name in SOURCES
        if words[0] == "download" and options.name:
            assert options.name in SOURCES

    from accelerate.commands.launch import launch_command_parser

    for line in commands():
        if line.startswith("accelerate launch "):
            known, rest = launch_command_parser().parse_known_args(shlex.split(line)[2:])
            assert known.module and known.training_script == "colorlab" and rest == []


def test_readme_make_targets_are_there():
    helped = subprocess.run(
        [sys.executable, ROOT / "make.py", "help"], capture_output=True, text=True, check=True
    ).stdout
    rules = re.findall(r"^(?:make|py make\.py) ([a-z]+) ", helped, re.MULTILINE)
    named = set(re.findall(r"\bmake(?:\.py)? ([a-z]+)\b", " ".join(commands())))
    named |= set(re.findall(r"(?:`|\bpy )make(?:\.py)? ([a-z]+)", ALL))
    assert {"lab", "test", "setup"} <= named <= {*rules, "help"}


def test_readme_links_lead_somewhere():
    local = []
    for page in (ROOT / "README.md", *GUIDES):
        text = page.read_text(encoding="utf-8")
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        local += [page.parent / target for target in targets if "://" not in target]
    assert {ROOT / "docs/starter.png", ROOT / "docs/training.md"} <= set(local)
    assert [target for target in local if not target.exists()] == []


def test_readme_counts_the_bundled_photos():
    count = len(list((data_dir() / "photos" / "test").glob("*.jpg")))
    assert ["test photos", str(count)] in [row[:2] for row in table("Results")]
