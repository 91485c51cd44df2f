"""The pages that are made from the course's own data, so that none of it is written twice.

`index.md`, `gallery.md`, `leaderboard.md` and `teachers.md` are texts with places such as `@map@`;
what stands there is made here. The API's pages and the model card are made whole.
"""

from __future__ import annotations

import csv
import html
import importlib
import json
import re
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from answers import typical
from lessons import address
from PIL import Image, ImageOps

from colorlab.atomic import write_whole
from colorlab.colorize import Colorizer
from colorlab.course.grading.table import as_html
from colorlab.course.map import LESSONS, Lesson
from colorlab.metrics import gray_of
from colorlab.photos.files import open_photo

HERE = Path(__file__).resolve().parent
CORE = (
    "color", "unet", "patchgan", "losses", "encoders", "palette", "hints", "metrics", "colorize",
    "clip", "export",
)  # fmt: skip
SLIDER = "horse-2"  # CC0; a good one, and its caption leads to all
WIDEST = 640  # pixels of a photo in the gallery; the slider's is twice as wide where it can be
SESSIONS = (("00", "01"), ("03",), ("04", "05"), ("06",), ("09", "10"))  # of 90 minutes
AT_HOME = {2: ("02",), 5: ("07", "08")}  # session -> the lessons to work through before it
MOST = 6  # wrong answers of an exercise
AFTERNOON = ("00", "03", "04", "06")
# Folded, the frame loads nothing. A phone gets the page alone, which needs all of its screen.
TRY = """\
<p class="alone"><a class="button" href="color/index.html">Color a photo of yours</a></p>
<details class="try"><summary class="button">Color a photo of yours, here in the browser</summary>
<iframe class="coloring" src="color/index.html" loading="lazy" title="The page that colors photos">
</iframe></details>
<p class="still">The photo stays on your device. What colors it, 25 MB, comes once and then works
offline.</p>"""


def write(
    root: Path, source: Path, pictures: Path, colorizer: Colorizer, has_coloring: bool
) -> None:
    """Write every page but the lessons.

    Args:
        root: the checkout.
        source: Sphinx's source folder.
        pictures: a new folder, which the site has as `_static/pictures`.
        colorizer: it colors the gallery.
        has_coloring: whether the site holds the page that colors.
    """
    pictures.mkdir()
    credits = _credits(root)
    places: dict[str, Callable[[], str]] = {
        "slider": lambda: slider(root, credits, pictures, colorizer),
        "try": lambda: TRY if has_coloring else "",
        "map": lambda: course_map(pictures),
        "lessons": lambda: "\n".join(str(lesson.path.with_suffix("")) for lesson in LESSONS),
        "coloring": lambda: "coloring" if has_coloring else "",
        "gallery": lambda: gallery(root, credits, pictures, colorizer),
        "leaderboard": lambda: leaderboard(root),
        "repository": lambda: address(root),
        "minutes": lesson_minutes,
        "sessions": sessions,
        "afternoon": afternoon,
        "answers": answers,
    }
    for page in sorted(HERE.glob("*.md")):
        if page.stem != "coloring" or has_coloring:
            text = page.read_text(encoding="utf-8")
            filled = re.sub(r"@(\w+)@", lambda found: places[found[1]](), text)
            (source / page.name).write_text(filled, encoding="utf-8")
    _write_api(source / "api")
    for name in ("data/README.md", "data/weights/README.md", "docs/hints.png"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, source / name)
    for guide in (root / "docs").glob("*.md"):
        text = guide.read_text(encoding="utf-8")
        text = re.sub(r"\]\(\.\./(?!data/|notebooks/)", f"]({address(root)}/blob/main/", text)
        (source / "docs" / guide.name).write_text(text, encoding="utf-8")


# --- the front page ------------------------------------------------------------------------------


def slider(
    root: Path, credits: dict[str, dict[str, str]], pictures: Path, colorizer: Colorizer
) -> str:
    """A photo in gray and in color over each other, with a handle between."""
    photo = open_photo(root / f"data/photos/test/{SLIDER}.jpg")
    gray = _save(gray_of(photo), pictures / "before.webp", 2 * WIDEST)
    _save(colorizer.colorize(photo), pictures / "after.webp", 2 * WIDEST)
    row = credits[f"test/{SLIDER}.jpg"]
    subject, size = subject_of(row), f'width="{gray[0]}" height="{gray[1]}"'
    folder = "_static/pictures"
    return (
        '<figure class="slider"><div>\n'
        f'<img src="{folder}/after.webp" {size} alt="A photo, {subject}, as colored by the starter '
        'weights">\n'
        f'<img class="before" src="{folder}/before.webp" {size} alt="The same photo in gray">\n'
        '<input type="range" min="0" max="100" value="50" '
        'aria-label="How much of the photo is gray, in percent">\n'
        "</div>\n<figcaption>A photo that the network never saw, one of the better ones of "
        '<a href="gallery.html">the gallery</a>. Photo: '
        f"{_credit(row)}.</figcaption></figure>"
    )


def course_map(pictures: Path) -> str:
    """A card a lesson: its drawing, its title, what is built, its minutes."""
    from colorlab.course.thumbnails import DRAWINGS

    cards = []
    for lesson, draw in zip(LESSONS, DRAWINGS, strict=True):
        width, height = _draw(draw, pictures / f"lesson{lesson.number}.webp")
        cards.append(
            f'<a class="card" href="{lesson.path.with_suffix(".html")}">\n'
            f'<img src="_static/pictures/lesson{lesson.number}.webp" width="{width}" '
            f'height="{height}" loading="lazy" alt="">\n'
            f"<b>{lesson.number} · {lesson.title}</b>\n"
            f"<span>You build {html.escape(lesson.builds)}.</span>\n"
            f"<small>{_minutes(lesson)}</small></a>"
        )
    return f'<div class="cards">\n{"".join(cards)}\n</div>'


def _draw(draw: Any, file: Path) -> tuple[int, int]:
    """One of the course map's drawings, alone."""
    import matplotlib.pyplot as plt

    from colorlab.course.thumbnails import HEIGHT, PAPER, WIDTH

    figure = plt.figure(figsize=(WIDTH / 150, HEIGHT / 150), facecolor=PAPER)  # as in the map
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.set_axis_off()
    draw(axes, None)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=300)
    plt.close(figure)
    return _save(Image.open(drawn).convert("RGB"), file, 2 * WIDTH)


# --- photos and figures --------------------------------------------------------------------------


def gallery(
    root: Path, credits: dict[str, dict[str, str]], pictures: Path, colorizer: Colorizer
) -> str:
    """Every test photo as colored, beside its true colors."""
    figures = []
    for path in sorted((root / "data/photos/test").glob("*.jpg")):
        photo, row = open_photo(path), credits[f"test/{path.name}"]
        shown = {"ours": colorizer.colorize(photo), "truth": photo}
        images = ""
        for kind, picture in shown.items():
            width, height = _save(picture, pictures / f"{path.stem}-{kind}.webp", WIDEST)
            said = "as colored" if kind == "ours" else "in its true colors"
            images += (
                f'<img src="_static/pictures/{path.stem}-{kind}.webp" width="{width}" '
                f'height="{height}" loading="lazy" alt="{subject_of(row)}, {said}">'
            )
        caption = f"<figcaption>{subject_of(row)}. {_credit(row)}</figcaption>"
        figures.append(f"<figure>{images}{caption}</figure>")
    return f'<div class="gallery">\n{"".join(figures)}\n</div>'


def leaderboard(root: Path) -> str:
    """What the generators of the course score on the 62 test photos, as lesson 09 shows it."""
    recorded = json.loads((root / "data/lessons/generators.json").read_text(encoding="utf-8"))
    lines = [
        "| generator | trained for | PSNR over gray | chroma / truth | Fréchet distance |",
        "|---|---|---|---|---|",
    ]
    for row in recorded["rows"]:
        low, high = row["intervals"]["chroma_ratio"]
        near, far = row["intervals"]["frechet"]
        gain = row["psnr"] - row["gray_psnr"]
        lines.append(
            f"| {row['about']} | {_seconds(row['seconds'])} | {gain:+.2f} dB "
            f"| {row['chroma_ratio']:.2f} ({low:.2f} to {high:.2f}) "
            f"| {row['frechet']:.1f} ({near:.1f} to {far:.1f}) |"
        )
    return "\n".join(lines)


# --- for teachers --------------------------------------------------------------------------------


def lesson_minutes() -> str:
    """A row a lesson, with what it needs before."""
    needs = json.loads((HERE / "needs.json").read_text(encoding="utf-8"))
    lines = [
        "| lesson | needs before | minutes in class | minutes of exercises |",
        "|---|---|---|---|",
    ]
    for lesson in LESSONS:
        number, time = f"{lesson.minutes}", f"{lesson.exercise_minutes}"
        lines.append(f"| {_link(lesson)} | {needs[lesson.number]} | {number} | {time} |")
    total, exercises = (sum(getattr(one, kind) for one in LESSONS) for kind in _KINDS)
    return "\n".join([*lines, f"| **all** | | **{total}** | **{exercises}** |"])


def sessions() -> str:
    """Five sessions of 90 minutes: the lessons of each, and what is left for exercises."""
    by_number = {lesson.number: lesson for lesson in LESSONS}
    lines = ["| session | in class | minutes | left for exercises |", "|---|---|---|---|"]
    left = sum(lesson.exercise_minutes for lesson in LESSONS)
    for count, numbers in enumerate(SESSIONS, start=1):
        taken = [by_number[number] for number in numbers]
        minutes = sum(lesson.minutes for lesson in taken)
        lines.append(f"| {count} | {_links(taken)} | {minutes} | {90 - minutes} |")
        left -= 90 - minutes
    home = "; ".join(
        f"before session {count}, {_links([by_number[number] for number in numbers])}"
        for count, numbers in AT_HOME.items()
    )
    alone = sum(by_number[number].minutes for numbers in AT_HOME.values() for number in numbers)
    hours = f"{alone} minutes, and about {round(left / 60)} hours for the exercises that are left"
    return "\n".join([*lines, "", f"At home: {home}. That takes {hours}."])


def afternoon() -> str:
    """Its lessons and their minutes."""
    taken = [lesson for lesson in LESSONS if lesson.number in AFTERNOON]
    minutes = sum(lesson.minutes for lesson in taken)
    return f"{_links(taken)}: {minutes} minutes, so four hours leave {240 - minutes} for exercises."


def answers() -> str:
    """For each exercise what its tester says of the usual mistakes, folded by lesson."""
    parts = []
    for lesson in LESSONS:
        found = [(*exercise, said[:MOST]) for *exercise, said in typical(lesson.number) if said]
        body = "".join(
            f"<h3>{name} {html.escape(title[0].upper() + title[1:])}</h3><ul>"
            + "".join(
                f"<li>{as_html(mistake)} <i>{as_html(advice)}</i></li>" for mistake, advice in said
            )
            + "</ul>"
            for name, title, said in found
        )
        summary = f"{lesson.number} · {lesson.title}"
        parts.append(f"<details><summary>{summary}</summary>{body}</details>")
    return "\n".join(parts)


# --- the API -------------------------------------------------------------------------------------


def _write_api(folder: Path) -> None:
    """A page a module, and one that lists them."""
    folder.mkdir()
    rows = []
    for name in CORE:
        about = (importlib.import_module(f"colorlab.{name}").__doc__ or "").partition("\n")[0]
        rows.append(f"| [colorlab.{name}]({name}.md) | {about} |")
        text = f"# colorlab.{name}\n\n```{{eval-rst}}\n.. automodule:: colorlab.{name}\n```\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    listed, table = "\n".join(CORE), "\n".join(rows)
    (folder / "index.md").write_text(
        "# The library\n\nThe core of colorlab: the parts that the lessons build. Each page links "
        f"to its source.\n\n| module | what it holds |\n|---|---|\n{table}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n",
        encoding="utf-8",
    )


# --- words and pictures --------------------------------------------------------------------------

_KINDS = ("minutes", "exercise_minutes")


def subject_of(row: dict[str, str]) -> str:
    """What a photo shows, from its line in credits.csv: "tool: screwDriver2" -> "Screw driver"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", row["subject"].rpartition(": ")[2])
    return html.escape(re.sub(r"[\d_]+", " ", words).strip().capitalize())


def _credits(root: Path) -> dict[str, dict[str, str]]:
    with (root / "data/photos/credits.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def _credit(row: dict[str, str]) -> str:
    return html.escape(f"{row['author']}, {row['license']}")


def _save(picture: Image.Image, file: Path, widest: int) -> tuple[int, int]:
    """Write a picture at most so wide and high; returns its width and height."""
    small = picture.convert("RGB")
    if max(small.size) > widest:
        small = ImageOps.contain(small, (widest, widest))
    content = BytesIO()
    small.save(content, "WEBP", quality=82)
    write_whole(file, [content.getvalue()])
    return small.size


def _minutes(lesson: Lesson) -> str:
    return f"{lesson.minutes} minutes, and {lesson.exercise_minutes} for the exercises"


def _seconds(seconds: int) -> str:
    return f"{seconds / 60:.0f} min" if seconds else ""


def _link(lesson: Lesson) -> str:
    return f"[{lesson.number} {lesson.title}]({lesson.path})"


def _links(taken: list[Lesson]) -> str:
    return ", ".join(map(_link, taken))
