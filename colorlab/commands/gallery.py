"""The page that ``colorlab evaluate --gallery`` writes: every photo, gray, colored and true.

It is one folder: ``index.html`` and a picture a photo. It needs no network and no script.
"""

from __future__ import annotations

import html
import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorlab.atomic import whole_folder
from colorlab.progress import progress_bar

if TYPE_CHECKING:
    from PIL.Image import Image

    from colorlab.comparison import Differences, Line
    from colorlab.scores import Scores

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1d2227; --faint: #57606a; --line: #d4dae0 }
@media (prefers-color-scheme: dark) {
  :root { --page: #16191d; --ink: #e6e9ec; --faint: #a3adb7; --line: #3a424b }
}
* { box-sizing: border-box }
body {
  margin: 0 auto; padding: 1rem; max-width: 80rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.2 }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem }
p, li { max-width: 45rem }
.wide { overflow-x: auto }
.wide:focus-visible { outline: 2px solid }
.wide img { display: block; width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--faint); padding: .5rem 0 }
th, td { padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left }
th { font-weight: 600; min-width: 7rem; vertical-align: top; overflow-wrap: normal }
td { white-space: nowrap }
"""
COLUMN = 2.2  # inches of a picture in a photo's row


def check_gallery(target: Path, photos: str | None) -> None:
    """Refuse a folder for the gallery that is there already, or would count as photos.

    Raises:
        ValueError: something stands there, or it lies in the folder of photos.
    """
    if os.path.lexists(target):
        raise ValueError(
            f"{target} exists already, and its pictures would mix with the new ones; name another "
            "folder, or remove it"
        )
    if photos and Path(photos).resolve() in target.resolve().parents:
        raise ValueError(
            f"{target} lies in {photos}, and its pictures would count as photos; name a folder "
            "outside"
        )
    folder = next(parent for parent in target.absolute().parents if os.path.lexists(parent))
    if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
        raise ValueError(f"{target} can't be made in {folder}; name a folder elsewhere")


def write_gallery(
    target: str | os.PathLike[str],
    labels: Sequence[str],
    colorings: Sequence[Callable[..., Image]],
    scores: Sequence[Scores],
    differences: Sequence[Differences],
    left_out: Sequence[str] = (),
) -> None:
    """Write a new folder with ``index.html`` and a picture of each photo; whole or not at all.

    Args:
        target: the folder to make.
        labels, colorings, scores: of each of the weights: what it is called, the function that
            colors a gray picture, and its scores.
        differences: of each of the weights but the first, to the first.
        left_out: in words, the photos without scores.

    Raises:
        FileExistsError: there is something at ``target``.
        OSError: as it came from the filesystem.
    """
    order = by_disagreement(scores)
    names = _short_names([photo["name"] for photo in scores[0].by_photo])
    sections = []
    with (
        whole_folder(target) as folder,
        progress_bar(len(order), "photo", name="gallery") as bar,
    ):
        for place, index in enumerate(order, start=1):
            rows = [one.by_photo[index] for one in scores]
            picture = folder / f"{place:04}.webp"
            size = _draw(Path(rows[0]["name"]), colorings, labels, picture)
            sections.append(_section(names[index], picture.name, size, labels, rows))
            bar.update()
        page = _page(labels, scores, differences, sections, left_out)
        (folder / "index.html").write_bytes(page.encode("utf-8", "replace"))


def by_disagreement(scores: Sequence[Scores]) -> list[int]:
    """The indices of the photos, those first whose PSNR differs most from weights to weights.

    Of a single one: those first that gain least on gray, or lose most.
    """
    psnr = np.array([[photo["psnr"] for photo in one.by_photo] for one in scores])
    if len(scores) == 1:
        gray = [photo["gray_psnr"] for photo in scores[0].by_photo]
        return np.argsort(psnr[0] - gray, kind="stable").tolist()
    return np.argsort(-_spread(psnr), kind="stable").tolist()


def wrapped(label: str) -> str:
    """A label as the title of a column, in lines that fit."""
    return "\n".join(textwrap.wrap(label, 24)).replace("$", r"\$")  # $ begins a formula there


def _spread(psnr: np.ndarray) -> np.ndarray:
    """Highest minus lowest of (weights, photos); 0 where all are infinite."""
    high, low = psnr.max(0), psnr.min(0)
    with np.errstate(invalid="ignore"):
        return np.where(high > low, high - low, 0)


def _draw(
    photo: Path, colorings: Sequence[Callable[..., Image]], labels: Sequence[str], target: Path
) -> tuple[int, int]:
    """Gray, each coloring and the truth in a row, readable on a light and a dark page; its size."""
    from PIL import Image as Pillow

    from colorlab.metrics import gray_of
    from colorlab.photos.files import open_photo
    from colorlab.show import INK, photo_grid

    truth = open_photo(photo)
    gray = gray_of(truth)
    row = [gray, *(colorize(gray) for colorize in colorings), truth]
    titles = ["gray input", *map(wrapped, labels), "truth"]
    figure = photo_grid([row], titles, width=COLUMN * len(row))
    for text in figure.texts:
        text.set_color(INK)
    figure.savefig(target, dpi=150, transparent=True, pil_kwargs={"quality": 90})
    with Pillow.open(target) as picture:
        return picture.size


def _section(
    name: str,
    file: str,
    size: tuple[int, int],
    labels: Sequence[str],
    rows: Sequence[dict[str, Any]],
) -> str:
    """A photo: its name, its picture, and its figures."""
    first = rows[0]
    found = {False: "no", True: "yes"}
    lines = [("gray input", first["gray_psnr"], first["gray_ssim"], None, first["gray_recognized"])]
    for label, one in zip(labels, rows, strict=True):
        lines.append((label, one["psnr"], one["ssim"], one["colorfulness"], one["recognized"]))
    table = [
        (label, [f"{psnr:.2f}", f"{ssim:.3f}", _or_dash(colorful), found[bool(recognized)]])
        for label, psnr, ssim, colorful, recognized in lines
    ]
    table.append(("truth", ["-", "-", _or_dash(first["true_colorfulness"]), "-"]))
    psnr = ", ".join(f"{label} {one['psnr']:.2f}" for label, one in zip(labels, rows, strict=True))
    alt = (
        f"{name}, side by side: the gray input, colored by {', by '.join(labels)}, and the true "
        f"photo. PSNR in dB: {psnr}."
    )
    spread = _spread(np.array([[one["psnr"]] for one in rows])).item()
    apart = f"<p>PSNR differs by {spread:.2f} dB.</p>\n" if len(rows) > 1 else ""
    narrowest = 10 * (len(labels) + 2)  # rem: on a phone the row can be moved sideways
    return f"""<section>
<h2>{html.escape(name)}</h2>
{apart}<div class="wide" tabindex="0" role="group" aria-label="{html.escape(name)}">
<a href="{file}"><img src="{file}" alt="{html.escape(alt)}" width="{size[0]}" height="{size[1]}"
 loading="lazy" style="min-width: {narrowest}rem"></a>
</div>
{_table("", ["PSNR, dB", "SSIM", "colorfulness", "recognized"], table)}
</section>"""


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _page(
    labels: Sequence[str],
    scores: Sequence[Scores],
    differences: Sequence[Differences],
    sections: Sequence[str],
    left_out: Sequence[str],
) -> str:
    from colorlab.comparison import difference_lines, score_lines

    several = len(labels) > 1
    title = f"{' and '.join(labels)} on {scores[0].photos} photos"
    order = (
        "The photos about which the weights disagree most, by PSNR, come first."
        if several
        else "The photos that gain least on the gray input, by PSNR, come first."
    )
    tables = _table("In parentheses: 95 % intervals.", [*labels, "gray"], score_lines(scores))
    if several:
        caption = f"Difference to {labels[0]} on the same photos. Bold: 0 is outside the interval."
        tables += _table(caption, labels[1:], difference_lines(differences))
    missing = "".join(f"<li>{html.escape(why)}</li>\n" for why in left_out)
    if left_out:
        missing = f"<h2>Not scored</h2>\n<ul>\n{missing}</ul>\n"
    body = "\n".join(sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
{tables}<p>{order} A picture opens at its full size.</p>
<main>
{body}
</main>
{missing}</body>
</html>
"""


def _table(caption: str, head: Sequence[str], lines: Sequence[Line]) -> str:
    """Lines of a name and cells; ``**text**`` is bold."""
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    rows = "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(map(_cell, texts))}</tr>'
        for name, texts in lines
    )
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"""<div class="wide" tabindex="0" role="group" aria-label="figures"><table>{above}
<thead><tr><td></td>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
"""


def _cell(text: str) -> str:
    bold = text.startswith("**")
    text = html.escape(text.strip("*"))
    return f"<td><b>{text}</b></td>" if bold else f"<td>{text}</td>"


def _short_names(names: Sequence[str]) -> list[str]:
    """Names of photos without the folders that all of them lie in."""
    common = os.path.commonpath([os.path.dirname(name) for name in names])
    return [Path(os.path.relpath(name, common or ".")).as_posix() for name in names]
